"""An opened image of any format, read by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.opening import open_source
from terrazzo.rasters.formats.source import READ_LIMIT_BYTES, Color, Source
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.location import to_path
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.validity import find_holes, find_valid
from terrazzo.rasters.window import Shape, Window, whole

BAND_LIMIT = 4096
"""Far beyond any instrument: a file that declares more is damaged, or its axes are in another order."""


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """What a window holds. The arrays may be shared with the raster: do not write to them."""

    values: NDArray[Any]
    """(bands, height, width) in the file's type and native byte order; holes keep what is stored, outside the raster it is 0."""
    valid: NDArray[np.bool_]
    """(height, width), False where there is no data, and outside the raster."""
    holes: NDArray[np.bool_] | None
    """(bands, height, width), True where a band's value is missing, and in all bands where not valid; None if nothing is missing."""


class Raster:
    """An opened image. `read` may be called from several threads."""

    def __init__(self, path: Path, source: Source, options: DataOptions) -> None:
        facts = source.facts
        if 0 in facts.grid.shape:
            raise RasterError(f"{path} holds no pixels: it is {facts.grid.shape[0]} x {facts.grid.shape[1]}.")
        if facts.count > BAND_LIMIT:
            raise RasterError(
                f"{path} declares {facts.count} bands; at most {BAND_LIMIT} are read. Is the file damaged, or (NPY) data.axes wrong?"
            )
        self.path = path
        self.format = facts.format
        self.grid: Grid = facts.grid
        self.shape: Shape = facts.grid.shape
        self.dtype: np.dtype[Any] = facts.dtype
        self.tags: dict[str, str] = facts.tags
        self.palette: dict[int, Color] | None = facts.palette
        self.alpha: int | None = facts.alpha
        self._source = source
        self._selected = _select(path, options.bands, facts.color_bands, facts.count)
        self._invalid = options.invalid
        self.bands = len(self._selected)
        self.band_names: tuple[str | None, ...] = tuple(facts.band_names[band - 1] for band in self._selected)
        self.nodata: tuple[float | None, ...] = _nodata(path, options.nodata, facts.nodata, self._selected)

    def read(self, window: Window | None = None) -> Pixels:
        """Read a window, or the whole raster.

        window: may reach beyond the raster; those pixels are 0 and not valid.
        Raises RasterError if the file is broken there, or the read would take more than READ_LIMIT_BYTES.
        """
        wanted = whole(self.shape) if window is None else window
        self._check_size(wanted)
        inner = wanted.intersection(whole(self.shape))
        if inner is None:
            return self._missing(wanted.shape)
        pixels = self._read_inside(inner)
        return pixels if inner == wanted else self._padded(pixels, inner, wanted)

    def close(self) -> None:
        """Let go of the file; reading again opens it anew."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _read_inside(self, window: Window) -> Pixels:
        block = self._source.read(window, self._selected)
        holes = find_holes(block.values, self.nodata)
        valid = find_valid(holes, block.mask, self._invalid)
        if valid is None:
            return Pixels(values=block.values, valid=np.ones(window.shape, np.bool_), holes=holes)
        missing = np.broadcast_to(~valid, block.values.shape)
        return Pixels(values=block.values, valid=valid, holes=missing.copy() if holes is None else holes | missing)

    def _missing(self, shape: Shape) -> Pixels:
        full = (self.bands, *shape)
        return Pixels(values=np.zeros(full, self.dtype), valid=np.zeros(shape, np.bool_), holes=np.ones(full, np.bool_))

    def _padded(self, pixels: Pixels, inner: Window, wanted: Window) -> Pixels:
        padded = self._missing(wanted.shape)
        rows, columns = inner.inside(wanted)
        padded.values[:, rows, columns] = pixels.values
        padded.valid[rows, columns] = pixels.valid
        if padded.holes is not None:
            padded.holes[:, rows, columns] = False if pixels.holes is None else pixels.holes
        return padded

    def _check_size(self, window: Window) -> None:
        needed = self.bands * window.height * window.width * self.dtype.itemsize
        if needed > READ_LIMIT_BYTES:
            raise RasterError(
                f"{self.path}: {window.height} x {window.width} pixels of {self.bands} bands would take {needed / 2**30:.0f} GiB at once; "
                f"the limit is {READ_LIMIT_BYTES / 2**30:.0f} GiB. Read it by windows."
            )


def open_raster(path: Path, options: DataOptions = DataOptions()) -> Raster:
    """Open an image: GeoTIFF, PNG, JPEG, FITS or NPY, told by its first bytes, whatever its name.

    Its alpha band counts as validity and not as a band, unless `options.bands` names it.
    Raises RasterError if the file is missing, broken or of another format, or does not go with the options.
    """
    path = to_path(path)
    return Raster(path, open_source(path, options), options)


def _select(path: Path, wanted: Sequence[int] | None, color: tuple[int, ...], count: int) -> tuple[int, ...]:
    if wanted is None:
        return color
    if any(not 1 <= band <= count for band in wanted):
        raise RasterError(f"data.bands is {list(wanted)}; {path} has bands 1 to {count}.")
    return tuple(wanted)


def _nodata(
    path: Path, declared: float | list[float | None] | None, stored: tuple[float | None, ...], selected: tuple[int, ...]
) -> tuple[float | None, ...]:
    """Nodata of the selected bands: what the file says, else what is declared for all bands, for the selected or for the file's."""
    own = tuple(stored[band - 1] for band in selected)
    if not isinstance(declared, list):
        given: tuple[float | None, ...] = (declared,) * len(selected)
    elif len(declared) == len(selected):
        given = tuple(declared)
    elif len(declared) == len(stored):
        given = tuple(declared[band - 1] for band in selected)
    else:
        raise RasterError(f"data.nodata has {len(declared)} values; {path} has {len(selected)} bands. Give one value, or one a band.")
    return tuple(value if value is not None else other for value, other in zip(own, given, strict=True))
