"""What the pixels of a raster are: read whole up to a limit, beyond it a stated sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.workflows.inspection.band_facts import BandFacts, BandTally, tally_of
from terrazzo.workflows.inspection.content_facts import Content, ContentTally
from terrazzo.workflows.inspection.place_facts import Place, place_of
from terrazzo.workflows.inspection.suspects import is_sentinel
from terrazzo.workflows.inspection.tiff_facts import Storage, storage_of

WHOLE_BYTES = 256 * 2**20
"""Files with up to this many bytes of pixels are read whole."""
SAMPLE_BYTES = 64 * 2**20
"""About so many bytes are read of a larger one, in blocks spread evenly over it."""
BLOCK_BYTES = 16 * 2**20
"""About so many bytes are read at once."""
BLOCK = (512, 2048)
"""(height, width) of what is read at once, in pixels, where bands are few."""

Kind = Literal["image", "classes", "grey mask", "colour mask", "one-hot mask", "objects"]
"""What a raster looks like. classes: one band of few whole numbers. grey mask: black and white with greys between, as compression and
resampling leave them. colour mask: few colours. one-hot mask: a band a class. objects: a number for each object."""
GREYS = 0.2
"""Greys of a grey mask, as a share of its black or its white, whichever is less."""
GREY_RANGE = 64
"""Values from black to white of a grey mask, at least."""
HIGHEST_CODE = 999
"""Of a class; land cover has codes of three digits."""
FLAT_SHARE = 0.7
"""Neighbours within an object are equal: at least this share of all neighbours, where objects are numbered."""


@dataclass(frozen=True, kw_only=True)
class RasterFacts:
    """An image or a mask."""

    path: Path
    format: str
    shape: Shape
    dtype: str
    file_bytes: int | None
    """Size of the file; None where it is on the network."""
    place: Place
    palette: int
    """Colours of the palette; 0 without one."""
    alpha: bool
    """Whether a further band of the file says which pixels are shown."""
    storage: Storage | None
    """Of a GeoTIFF."""
    read_share: float
    """Share of the pixels that was read."""
    valid_share: float
    bands: tuple[BandFacts, ...]
    content: Content = field(default_factory=Content)

    @property
    def kind(self) -> Kind:
        """What the raster looks like."""
        if len(self.bands) == 1:
            return _kind_of_band(self.bands[0], self.dtype, self.content.flat_share)
        if self.content.onehot:
            return "one-hot mask"
        return "colour mask" if self.content.colors is not None and len(self.content.colors) > 1 else "image"

    @property
    def values(self) -> dict[float, int] | None:
        """Value to pixels of what may be a class mask: one band with few whole numbers."""
        return dict(self.bands[0].values) if self.kind == "classes" and self.bands[0].values is not None else None

    @property
    def pixel_bytes(self) -> int:
        """Of all pixels, uncompressed."""
        return self.shape[0] * self.shape[1] * len(self.bands) * np.dtype(self.dtype).itemsize

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "kind": "raster",
            "path": str(self.path.absolute()),
            "looks_like": self.kind,
            "format": self.format,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "file_bytes": self.file_bytes,
            **self.place.plain(),
            "palette": self.palette,
            "alpha": self.alpha,
            "storage": self.storage.plain() if self.storage is not None else None,
            "read_share": self.read_share,
            "valid_share": self.valid_share,
            "bands": [band.plain() for band in self.bands],
            "values": {f"{value:.17g}": count for value, count in self.values.items()} if self.values is not None else None,
        }


def raster_facts(path: Path, options: DataOptions, stopped: Event | None = None) -> RasterFacts:
    """Open a raster and measure its pixels, in constant memory.

    stopped: set by another thread that does not want the facts any more. Raises RasterError if the file is broken, or `stopped` is set.
    """
    with open_raster(path, options) as raster:
        storage = storage_of(path) if raster.format == "GTiff" else None
        tally = _Tally(raster)
        for window in _windows(raster, strips=storage is not None and not storage.tiled):
            if stopped is not None and stopped.is_set():
                raise RasterError(f"{path} was not read to its end.")
            tally.add(window)
        return RasterFacts(
            path=path,
            format=raster.format,
            shape=raster.shape,
            dtype=str(raster.dtype),
            file_bytes=None if isinstance(path, RemotePath) else path.stat().st_size,
            place=place_of(raster.grid),
            palette=len(raster.palette or ()),
            alpha=raster.alpha is not None,
            storage=storage,
            read_share=tally.read / (raster.shape[0] * raster.shape[1]),
            valid_share=tally.valid / tally.read,
            bands=tally.bands(),
            content=tally.content(),
        )


def _kind_of_band(band: BandFacts, dtype: str, flat_share: float | None) -> Kind:
    if band.values is not None and _may_be_classes(band.values):
        return "classes"
    if dtype == "uint8" and _is_grey_mask(band):
        return "grey mask"
    objects = band.low == 0 and flat_share is not None and flat_share >= FLAT_SHARE
    return "objects" if objects else "image"


def _may_be_classes(values: Mapping[float, int]) -> bool:
    """Whether values are low enough for codes of classes, or two of which one is 0; what stands for missing data does not count."""
    codes = [value for value in values if not is_sentinel(value)]
    return all(-1 <= value <= HIGHEST_CODE for value in codes) or (len(values) == 2 and 0 in values)


def _is_grey_mask(band: BandFacts) -> bool:
    """Whether nearly all pixels are black or white, and there are both."""
    if band.ends is None or band.low is None or band.high is None or band.high - band.low < GREY_RANGE:
        return False
    return 1 - sum(band.ends) <= GREYS * min(band.ends)


def _windows(raster: Raster, *, strips: bool) -> Iterator[Window]:
    """Windows that hold every pixel once; of a large raster every n-th of them.

    strips: rows are read in full width, for so they are stored.
    """
    height, width = raster.shape
    pixel_bytes = raster.bands * raster.dtype.itemsize
    rows, columns = _block(raster.shape, max(1, BLOCK_BYTES // pixel_bytes), strips=strips)
    across = -(-width // columns)
    blocks = across * -(-height // rows)
    whole = height * width * pixel_bytes <= WHOLE_BYTES
    step = 1 if whole else max(1, blocks * rows * columns * pixel_bytes // SAMPLE_BYTES)
    for block in range(0, blocks, step):
        row, col = block // across * rows, block % across * columns
        yield Window(col_off=col, row_off=row, width=min(columns, width - col), height=min(rows, height - row))


def _block(shape: Shape, pixels: int, *, strips: bool) -> Shape:
    """(height, width) of what is read at once: BLOCK, smaller where the bands are many, wider where rows lie together."""
    width = min(shape[1], pixels if strips else min(BLOCK[1], pixels))
    return max(1, min(shape[0], BLOCK[0], pixels // width)), width


class _Tally:
    """Figures that grow window by window."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        pixels = min(raster.shape[0] * raster.shape[1], WHOLE_BYTES // raster.dtype.itemsize)
        self._bands: list[BandTally] = [tally_of(raster.dtype, raster.bands, pixels) for _ in range(raster.bands)]
        self._content = ContentTally(raster)
        self._missing = np.zeros(raster.bands, np.int64)
        self._not_finite = np.zeros(raster.bands, np.int64)
        self.read = 0
        self.valid = 0

    def add(self, window: Window) -> None:
        pixels = self._raster.read(window)
        self.read += pixels.valid.size
        self.valid += int(np.count_nonzero(pixels.valid))
        self._content.add(window, pixels)
        for place, tally in enumerate(self._bands):
            shown = self._shown(place, pixels)
            if shown.size:
                tally.add(shown)

    def _shown(self, place: int, pixels: Pixels) -> NDArray[Any]:
        """The values of a band that are there."""
        values: NDArray[Any] = pixels.values[place]
        if pixels.holes is None:
            return values.ravel()
        holes = pixels.holes[place]
        self._missing[place] += np.count_nonzero(holes)
        if values.dtype.kind == "f":
            self._not_finite[place] += np.count_nonzero(~np.isfinite(values[holes]))
        shown: NDArray[Any] = values[~holes]
        return shown

    def bands(self) -> tuple[BandFacts, ...]:
        known = [
            BandFacts(
                name=name,
                nodata=nodata,
                missing_share=int(self._missing[place]) / self.read,
                not_finite_share=int(self._not_finite[place]) / self.read,
            )
            for place, (name, nodata) in enumerate(zip(self._raster.band_names, self._raster.nodata, strict=True))
        ]
        return tuple(tally.facts(band) for tally, band in zip(self._bands, known, strict=True))

    def content(self) -> Content:
        return self._content.facts()
