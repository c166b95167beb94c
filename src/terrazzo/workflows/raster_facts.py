"""What the pixels of a raster are: read whole up to a limit, beyond it a stated sample."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.labels.sentences import counted
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window

WHOLE_BYTES = 256 * 2**20
"""Files with up to this many bytes of pixels are read whole."""
SAMPLE_BYTES = 64 * 2**20
"""About so many bytes are read of a larger one, in blocks spread evenly over it."""
BLOCK = (512, 2048)
"""(height, width) of what is read at once, in pixels."""
MOST_VALUES = 32
"""A band of whole numbers with more values than this is no class mask."""


@dataclass(kw_only=True)
class BandFacts:
    """Figures of the valid pixels of one band; all None if there is none."""

    name: str | None
    nodata: float | None
    count: int = 0
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class RasterFacts:
    """An image or a mask."""

    path: Path
    format: str
    shape: tuple[int, int]
    dtype: str
    crs: str | None
    """Its code, such as EPSG:32631, else its name."""
    cell: tuple[float, float] | None
    """(x, y) size of a pixel in units of the CRS."""
    palette: int
    """Colours of the palette; 0 without one."""
    read_share: float
    """Share of the pixels that was read."""
    valid_share: float
    bands: list[BandFacts]
    values: dict[str, int] | None
    """Value to pixels of what may be a class mask: one band with few whole numbers."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {"kind": "raster", **asdict(self), "path": str(self.path.absolute()), "shape": list(self.shape)}


def raster_facts(path: Path, options: DataOptions) -> RasterFacts:
    """Open a raster and measure its pixels. Raises RasterError if it is broken."""
    with open_raster(path, options) as raster:
        tally = _Tally(raster)
        for window in _windows(raster):
            tally.add(window)
        return tally.facts(path)


def raster_lines(facts: RasterFacts) -> list[str]:
    """The facts as lines of text, the first with the path."""
    height, width = facts.shape
    kind = f"{facts.format}, {height} x {width} pixels, {counted(len(facts.bands), 'band')} of {facts.dtype}"
    cell = f", cell {facts.cell[0]:.6g} x {facts.cell[1]:.6g}" if facts.cell else ""
    place = f"{facts.crs or 'no coordinate reference system'}{cell}"
    part = "" if facts.read_share == 1 else f" of the {facts.read_share:.1%} that were read as a sample"
    lines = [f"{facts.path}: {kind}", f"  {place}", f"  valid: {facts.valid_share:.2%} of the pixels{part}"]
    if facts.palette:
        lines.append(f"  palette of {counted(facts.palette, 'colour')}")
    if facts.values is None:
        return [*lines, *(f"  band {number}: {_band_words(band)}" for number, band in enumerate(facts.bands, start=1))]
    total = sum(facts.values.values())
    return [*lines, f"  values: {', '.join(f'{value} ({count / total:.2%})' for value, count in facts.values.items())}"]


def _band_words(band: BandFacts) -> str:
    name = f"{band.name}, " if band.name else ""
    nodata = f", nodata {band.nodata:.10g}" if band.nodata is not None else ""
    if band.mean is None or band.sd is None or band.low is None or band.high is None:
        return f"{name}no valid pixel{nodata}"
    return f"{name}{band.low:.10g} to {band.high:.10g}, mean {band.mean:.6g}, sd {band.sd:.6g}{nodata}"


def _crs_name(crs: CRS) -> str:
    """The code of a coordinate reference system, else its name."""
    text = crs.to_string()
    return text if ":" in text and "[" not in text else pyproj.CRS.from_wkt(crs.to_wkt()).name


def _windows(raster: Raster) -> Iterator[Window]:
    """Windows that hold every pixel once; of a large raster every n-th of them."""
    height, width = raster.shape
    across = -(-width // BLOCK[1])
    blocks = across * -(-height // BLOCK[0])
    pixel_bytes = raster.bands * raster.dtype.itemsize
    whole = height * width * pixel_bytes <= WHOLE_BYTES
    step = 1 if whole else max(1, blocks * BLOCK[0] * BLOCK[1] * pixel_bytes // SAMPLE_BYTES)
    for block in range(0, blocks, step):
        row, col = block // across * BLOCK[0], block % across * BLOCK[1]
        yield Window(col_off=col, row_off=row, width=min(BLOCK[1], width - col), height=min(BLOCK[0], height - row))


class _Tally:
    """Figures that grow window by window."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        self._read = 0
        self._valid = 0
        self._values: Counter[int] | None = Counter() if raster.bands == 1 and raster.dtype.kind in "iub" else None
        self.bands = [BandFacts(name=name, nodata=nodata) for name, nodata in zip(raster.band_names, raster.nodata, strict=True)]
        self._squares = [0.0] * raster.bands

    def add(self, window: Window) -> None:
        pixels = self._raster.read(window)
        self._read += pixels.valid.size
        self._valid += int(np.count_nonzero(pixels.valid))
        for place, values in enumerate(pixels.values):
            shown = values.ravel() if pixels.holes is None else values[~pixels.holes[place]]
            if shown.size:
                self._add_band(place, shown)
                self._count_values(shown)

    def _add_band(self, place: int, values: NDArray[Any]) -> None:
        """Merge the moments of a block into those of its band (Chan, Golub and LeVeque, 1983): exact for large values too."""
        band = self.bands[place]
        mean, low, high = float(values.mean(dtype=np.float64)), float(values.min()), float(values.max())
        squares = float(values.var(dtype=np.float64)) * values.size
        before, band.count = band.count, band.count + values.size
        if band.mean is None or band.low is None or band.high is None:
            band.mean, band.low, band.high = mean, low, high
            self._squares[place] = squares
        else:
            apart = mean - band.mean
            band.mean += apart * values.size / band.count
            self._squares[place] += squares + apart**2 * before * values.size / band.count
            band.low, band.high = min(band.low, low), max(band.high, high)
        band.sd = math.sqrt(self._squares[place] / band.count)

    def _count_values(self, values: NDArray[Any]) -> None:
        if self._values is None:
            return
        found, counts = np.unique(values, return_counts=True)
        if len(found) <= MOST_VALUES:
            self._values.update(dict(zip(map(int, found), map(int, counts), strict=True)))
        if max(len(found), len(self._values)) > MOST_VALUES:
            self._values = None

    def facts(self, path: Path) -> RasterFacts:
        raster, grid = self._raster, self._raster.grid
        height, width = raster.shape
        return RasterFacts(
            path=path,
            format=raster.format,
            shape=raster.shape,
            dtype=str(raster.dtype),
            crs=_crs_name(grid.crs) if grid.crs is not None else None,
            cell=(math.hypot(grid.transform.a, grid.transform.d), math.hypot(grid.transform.b, grid.transform.e))
            if grid.transform
            else None,
            palette=len(raster.palette or ()),
            read_share=self._read / (height * width),
            valid_share=self._valid / self._read,
            bands=self.bands,
            values={str(value): count for value, count in sorted(self._values.items())} if self._values else None,
        )
