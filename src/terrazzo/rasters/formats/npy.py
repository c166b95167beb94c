"""NPY: one array a file, mapped into memory."""

from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.source import Block, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

FAILURES = (OSError, ValueError, TypeError, EOFError, SyntaxError, ArithmeticError, LookupError, TokenError)
"""What numpy raises on broken files."""

Axes = Literal["auto", "bands_first", "bands_last"]


class NpyArray:
    """An array (height, width), or (bands, height, width) unless `axes` is bands_last."""

    def __init__(self, path: Path, axes: Axes) -> None:
        self._path = path
        self._bands_last = axes == "bands_last"
        planes = self._planes()
        count, height, width = planes.shape
        self.facts = Facts(
            format="NPY",
            count=count,
            dtype=np.dtype(np.uint8) if planes.dtype == np.bool_ else planes.dtype.newbyteorder("="),
            grid=Grid(shape=(height, width)),
            nodata=(None,) * count,
            band_names=(None,) * count,
        )

    def _planes(self) -> NDArray[Any]:
        """The array as stored, (bands, height, width); nothing is read yet."""
        try:
            # mapped anew each time: no file stays open, and objects in a file are never unpickled
            array: NDArray[Any] = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except FAILURES as error:
            raise RasterError(f"{self._path} is not a readable NPY array ({' '.join(str(error).split())}).") from error
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise RasterError(f"{self._path} holds values of type {array.dtype}; they must be real numbers of at most 64 bits.")
        if array.ndim not in (2, 3) or array.size == 0:
            raise RasterError(f"{self._path} holds an array of shape {array.shape}; it must be (height, width) or (bands, height, width).")
        if array.ndim == 2:
            return array[None]
        return np.moveaxis(array, 2, 0) if self._bands_last else array

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        rows, columns = window.slices
        planes = self._planes()
        # one band at a time: a list index would read whole bands of the mapped file
        values = np.empty((len(bands), *window.shape), self.facts.dtype)
        for place, band in enumerate(bands):
            values[place] = planes[band - 1, rows, columns]
        return Block(values=values)

    def close(self) -> None:
        """Nothing stays open."""
