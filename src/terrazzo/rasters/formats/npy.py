"""NPY: one array a file, mapped into memory."""

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.arrays import HEADER_BYTES, Axes, array_facts, as_planes, check_image
from terrazzo.rasters.formats.signature import first_bytes
from terrazzo.rasters.formats.source import Block
from terrazzo.rasters.window import Window

FAILURES = (OSError, ValueError, TypeError, EOFError, SyntaxError, ArithmeticError, LookupError, MemoryError, RecursionError, TokenError)
"""What numpy raises on broken files."""


class NpyArray:
    """An array (height, width), or (bands, height, width) unless `axes` is bands_last."""

    def __init__(self, path: Path, axes: Axes) -> None:
        self._path = path
        self._axes = axes
        check_header(str(path), first_bytes(path, 12))
        self.facts = array_facts(path, "NPY", self._planes(), axes)

    def _planes(self) -> NDArray[Any]:
        """The array as stored, (bands, height, width); nothing is read yet."""
        try:
            # mapped anew each time: no file stays open, and objects in a file are never unpickled
            array: NDArray[Any] = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except FAILURES as error:
            raise RasterError(
                f"{self._path} is not a readable NPY array ({' '.join(str(error).split()) or type(error).__name__})."
            ) from error
        check_image(str(self._path), array.dtype, array.shape)
        return as_planes(array, self._axes)

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


def check_header(what: str, start: bytes) -> None:
    """Raises RasterError if an array declares a header too long to be one. start: its first 12 bytes."""
    # version 1 counts the header in two bytes
    length = int.from_bytes(start[8:12], "little") if start[6:7] not in (b"", b"\x01") else 0
    if length > HEADER_BYTES:
        raise RasterError(f"{what} is not a readable NPY array (its header declares {length} bytes, at most {HEADER_BYTES} are read).")
