"""Cloud-optimised GeoTIFFs that are written row by row, and compared with what the disk gives back.

rows --> raster             Each level is a work file beside the final one, in blocks of full height. A block that is full is
           | halved         halved, and its rows go to the next smaller level. At the end all levels become one file, in the
           +--> overview    order of `directories`. Meanwhile they and it are on the disk together.
                  | halved
                  +--> ...
"""

import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetWriter

from terrazzo.errors import EnvironmentFault, RasterError
from terrazzo.rasters.directories import join
from terrazzo.rasters.formats.geotiff import FAILURES, GeoTiff
from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.overviews import Reduction, halved, overview_shapes
from terrazzo.rasters.rows import SWALLOWED, Rows, failed
from terrazzo.rasters.window import Window

MAP_BLOCK_PX = 512
BAND_BLOCK_PX = 256
CLASSIC_BYTES = 2_000_000_000
"""Rasters of more, before they are compressed, are BigTIFF, as GDAL's IF_SAFER has it: a classic one ends at 4 GiB."""


@dataclass(frozen=True, kw_only=True)
class TiffLayout:
    """What a GeoTIFF holds besides its pixels. With colours it is a map of one band, else it has a band a name."""

    dtype: np.dtype[Any]
    band_names: tuple[str, ...] = ("class",)
    nodata: float | None = None
    colors: Mapping[int, Color] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    scale: float | None = None
    """What stored values are to be multiplied with, as a note to other programs."""
    compress: Literal["zstd", "deflate", "lzw", "none"] = "zstd"
    """Of bands; maps are always deflated."""
    overviews: Reduction = "mode"
    """How overviews are made; only of quantities are there means."""

    @property
    def block_px(self) -> int:
        return MAP_BLOCK_PX if self.colors else BAND_BLOCK_PX

    @property
    def of_overviews(self) -> "TiffLayout":
        """The layout of overviews: without what is said of the raster once."""
        return replace(self, band_names=("",) * len(self.band_names), tags={}, scale=None)


class TiffFile:
    """A tiled, compressed GeoTIFF with overviews."""

    def __init__(self, path: Path, grid: Grid, layout: TiffLayout) -> None:
        self._path = path
        self._levels: list[_Level] = []
        self.block_rows = layout.block_px
        bigtiff = len(layout.band_names) * grid.shape[0] * grid.shape[1] * layout.dtype.itemsize > CLASSIC_BYTES
        try:
            self._add_level(grid, layout, bigtiff=bigtiff)
            for shape in overview_shapes(grid.shape):
                larger = self._levels[-1]
                larger.smaller = self._add_level(Grid(shape=shape), layout.of_overviews, bigtiff=bigtiff)
        except EnvironmentFault:
            self.close()
            raise

    def _add_level(self, grid: Grid, layout: TiffLayout, *, bigtiff: bool) -> Rows:
        # named so that `write.sweep` knows it
        work = self._path.with_name(f"{self._path.stem}-{len(self._levels):08x}{self._path.suffix}")
        self._levels.append(_Level(work, grid, layout, bigtiff=bigtiff))
        return Rows(work, (len(layout.band_names), *grid.shape), layout.dtype, self._levels[-1])

    def put(self, top: int, block: NDArray[Any]) -> None:
        self._levels[0].put(top, block)

    def finish(self) -> None:
        for level in self._levels:
            level.close()
        places = join([level.path for level in self._levels], self._path)
        # a full disk may have swallowed blocks without a word
        try:
            same = all(level.is_in(self._path, place) for level, place in zip(self._levels, places, strict=True))
        except RasterError as error:
            raise failed(self._path, error) from error
        if not same:
            raise EnvironmentFault(SWALLOWED.format(self._path.parent))

    def close(self) -> None:
        with ExitStack() as stack:
            for level in self._levels:
                stack.callback(level.path.unlink, missing_ok=True)
                stack.callback(level.close)


class _Level:
    """The raster or one of its overviews, in a work file."""

    def __init__(self, path: Path, grid: Grid, layout: TiffLayout, *, bigtiff: bool) -> None:
        self.path = path
        self.block_rows = layout.block_px
        self.smaller: Rows | None = None
        """What takes the rows of the next level."""
        self._layout = layout
        self._sums: list[tuple[Window, int]] = []
        try:
            with rasterio.Env():
                self._dataset = rasterio.open(path, "w", **_profile(grid, layout), bigtiff="YES" if bigtiff else "NO")
                _describe(self._dataset, layout)
        except FAILURES as error:
            path.unlink(missing_ok=True)
            raise failed(path, error) from error

    def put(self, top: int, block: NDArray[Any]) -> None:
        window = Window(col_off=0, row_off=top, width=block.shape[2], height=block.shape[1])
        self._sums.append((window, _checksum(block)))
        try:
            with rasterio.Env():
                self._dataset.write(block, window=((top, window.row_end), (0, window.width)))
        except FAILURES as error:
            raise failed(self.path, error) from error
        if self.smaller is not None:
            self.smaller.add(halved(block, self._layout.overviews, self._layout.nodata))

    def close(self) -> None:
        try:
            with rasterio.Env():
                self._dataset.close()
        except FAILURES as error:
            raise failed(self.path, error) from error

    def is_in(self, path: Path, place: int) -> bool:
        """Whether the directory at a place of a file holds what was put."""
        source = GeoTiff(path, place)
        try:
            bands = tuple(range(1, len(self._layout.band_names) + 1))
            return all(_checksum(source.read(window, bands).values) == expected for window, expected in self._sums)
        finally:
            source.close()


def _describe(dataset: DatasetWriter, layout: TiffLayout) -> None:
    if any(layout.band_names):
        dataset.descriptions = layout.band_names
    if layout.tags:
        dataset.update_tags(**layout.tags)
    if layout.colors:
        dataset.write_colormap(1, {value: (*color, 0 if value == layout.nodata else 255) for value, color in layout.colors.items()})
    if layout.scale is not None:
        dataset.scales = (layout.scale,) * len(layout.band_names)


def _profile(grid: Grid, layout: TiffLayout) -> dict[str, Any]:
    height, width = grid.shape
    place = {"crs": grid.crs, "transform": grid.transform} if grid.transform is not None else {}
    return {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": len(layout.band_names),
        "dtype": layout.dtype.name,
        "nodata": layout.nodata,
        "tiled": True,
        "blockxsize": layout.block_px,
        "blockysize": layout.block_px,
        # neighbours of a class are equal, those of a probability near
        **({"compress": "deflate", "zlevel": 6} if layout.colors else _BAND_LAYOUT | _COMPRESSION[layout.compress]),
        **place,
    }


_BAND_LAYOUT: dict[str, Any] = {"photometric": "minisblack", "interleave": "band"}
_COMPRESSION: dict[str, dict[str, Any]] = {
    "zstd": {"compress": "zstd", "zstd_level": 1, "predictor": 2},
    "deflate": {"compress": "deflate", "zlevel": 6, "predictor": 2},
    "lzw": {"compress": "lzw", "predictor": 2},
    "none": {},
}


def _checksum(block: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(block).data)
