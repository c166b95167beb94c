"""Rasters that are written row by row, in blocks of full height, and compared with what the disk gives back."""

import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from terrazzo.errors import EnvironmentFault, RasterError, WindowError
from terrazzo.rasters.formats.geotiff import FAILURES, GeoTiff
from terrazzo.rasters.formats.picture import Picture
from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Shape, Window, whole

MAP_BLOCK_PX = 512
BAND_BLOCK_PX = 256


class RowFile(Protocol):
    """A raster file that takes blocks of rows from top to bottom."""

    @property
    def block_rows(self) -> int:
        """Height of the blocks that it takes; the last one may be lower."""
        ...

    def put(self, top: int, block: NDArray[Any]) -> None:
        """Write rows from `top` on, (bands, height, width)."""
        ...

    def finish(self) -> None:
        """Close the file and prove that it holds what was put. Raises EnvironmentFault if not."""
        ...

    def close(self) -> None:
        """Close the file, finished or not."""
        ...


class Rows:
    """Gathers rows until a block is full: a compressed block is written once, never taken up again."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], file: RowFile) -> None:
        bands, self._height, width = shape
        self._path = path
        self._file = file
        self._block = np.empty((bands, min(file.block_rows, self._height), width), dtype)
        self._top = 0
        self._filled = 0

    def add(self, rows: NDArray[Any]) -> None:
        """Add the next rows, (bands, height, width), of any height.

        Raises WindowError if they are of another type or width, or too many.
        """
        bands, block_rows, width = self._block.shape
        left = self._height - self._top - self._filled
        if rows.dtype != self._block.dtype or rows.shape[::2] != (bands, width) or rows.shape[1] > left:
            raise WindowError(
                f"{self._path}: rows of shape {rows.shape} and type {rows.dtype} do not fit; "
                f"{bands} bands of at most {left} more rows of {width} pixels of type {self._block.dtype} are wanted."
            )
        taken = 0
        while taken < rows.shape[1]:
            count = min(rows.shape[1] - taken, block_rows - self._filled)
            self._block[:, self._filled : self._filled + count] = rows[:, taken : taken + count]
            taken += count
            self._filled += count
            if self._filled == block_rows or self._top + self._filled == self._height:
                self._file.put(self._top, self._block[:, : self._filled])
                self._top += self._filled
                self._filled = 0

    def check_complete(self) -> None:
        """Raises WindowError if rows are missing."""
        if self._top < self._height:
            raise WindowError(f"{self._path} got {self._top + self._filled} of its {self._height} rows; write all of them.")


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

    @property
    def block_px(self) -> int:
        return MAP_BLOCK_PX if self.colors else BAND_BLOCK_PX


class TiffFile:
    """A tiled, compressed GeoTIFF."""

    def __init__(self, path: Path, grid: Grid, layout: TiffLayout) -> None:
        self._path = path
        self._sums: list[tuple[Window, int]] = []
        self.block_rows = layout.block_px
        try:
            with rasterio.Env():
                self._dataset = rasterio.open(path, "w", **_profile(grid, layout))
                self._describe(layout)
        except FAILURES as error:
            raise _failed(path, error) from error

    def _describe(self, layout: TiffLayout) -> None:
        self._dataset.descriptions = layout.band_names
        if layout.tags:
            self._dataset.update_tags(**layout.tags)
        if layout.colors:
            self._dataset.write_colormap(
                1, {value: (*color, 0 if value == layout.nodata else 255) for value, color in layout.colors.items()}
            )
        if layout.scale is not None:
            self._dataset.scales = (layout.scale,) * len(layout.band_names)

    def put(self, top: int, block: NDArray[Any]) -> None:
        window = Window(col_off=0, row_off=top, width=block.shape[2], height=block.shape[1])
        self._sums.append((window, _checksum(block)))
        try:
            with rasterio.Env():
                self._dataset.write(block, window=((top, window.row_end), (0, window.width)))
        except FAILURES as error:
            raise _failed(self._path, error) from error

    def finish(self) -> None:
        self.close()
        # a full disk may have swallowed blocks without a word
        try:
            source = GeoTiff(self._path)
            bands = tuple(range(1, source.facts.count + 1))
            same = all(_checksum(source.read(window, bands).values) == expected for window, expected in self._sums)
            source.close()
        except RasterError as error:
            raise _failed(self._path, error) from error
        if not same:
            raise EnvironmentFault(SWALLOWED.format(self._path.parent))

    def close(self) -> None:
        try:
            with rasterio.Env():
                self._dataset.close()
        except FAILURES as error:
            raise _failed(self._path, error) from error


class PngFile:
    """A palette PNG whose index is the class value; it is written at the end, whole."""

    def __init__(self, path: Path, colors: Mapping[int, Color], texts: Mapping[str, str]) -> None:
        self._path = path
        self._colors = colors
        self._texts = texts
        self._indices = np.empty((0, 0), np.uint8)
        # all rows make one block
        self.block_rows = sys.maxsize

    def put(self, top: int, block: NDArray[Any]) -> None:  # noqa: ARG002 - one block holds all rows
        self._indices = block[0]

    def finish(self) -> None:
        image = Image.fromarray(self._indices)
        image.putpalette([level for value in range(256) for level in self._colors.get(value, (0, 0, 0))])
        notes = PngInfo()
        for name, text in self._texts.items():
            notes.add_text(name, text)
        image.save(self._path, format="PNG", pnginfo=notes)
        try:
            written = Picture(self._path, "PNG", sys.maxsize).read(whole(_shape(self._indices)), (1,)).values[0]
        except RasterError as error:
            raise _failed(self._path, error) from error
        if not np.array_equal(written, self._indices):
            raise EnvironmentFault(SWALLOWED.format(self._path.parent))

    def close(self) -> None:
        """Nothing is open before the end."""


SWALLOWED = "{}: what was written does not read back as it was. The disk may be full or broken; free it, or choose another folder."


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
        "bigtiff": "IF_SAFER",
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


def _shape(array: NDArray[Any]) -> Shape:
    return int(array.shape[0]), int(array.shape[1])


def _failed(path: Path, error: Exception) -> EnvironmentFault:
    cause = " ".join(str(error.__cause__ or error).split())
    return EnvironmentFault(f"{path.parent}: a raster cannot be written there ({cause}). Free the disk or choose another folder.")
