"""Rasters that are written row by row, in blocks of full height, and compared with what the disk gives back."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from terrazzo.errors import EnvironmentFault, RasterError, WindowError
from terrazzo.rasters.formats.picture import Picture
from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.window import Shape, whole


class Blocks(Protocol):
    """What takes blocks of rows from top to bottom."""

    @property
    def block_rows(self) -> int:
        """Height of the blocks that it takes; the last one may be lower."""
        ...

    def put(self, top: int, block: NDArray[Any]) -> None:
        """Write rows from `top` on, (bands, height, width)."""
        ...


class RowFile(Blocks, Protocol):
    """A raster file that takes blocks of rows from top to bottom."""

    def finish(self) -> None:
        """Close the file and prove that it holds what was put. Raises EnvironmentFault if not."""
        ...

    def close(self) -> None:
        """Close the file, finished or not."""
        ...


class Rows:
    """Gathers rows until a block is full: a compressed block is written once, never taken up again."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], file: Blocks) -> None:
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
            raise failed(self._path, error) from error
        if not np.array_equal(written, self._indices):
            raise EnvironmentFault(SWALLOWED.format(self._path.parent))

    def close(self) -> None:
        """Nothing is open before the end."""


SWALLOWED = "{}: what was written does not read back as it was. The disk may be full or broken; free it, or choose another folder."


def _shape(array: NDArray[Any]) -> Shape:
    return int(array.shape[0]), int(array.shape[1])


def failed(path: Path, error: Exception) -> EnvironmentFault:
    """What to raise where a library could not write a raster, or not read it back."""
    cause = " ".join(str(error.__cause__ or error).split())
    return EnvironmentFault(f"{path.parent}: a raster cannot be written there ({cause}). Free the disk or choose another folder.")
