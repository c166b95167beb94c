"""Blended rows put by until all of a map are there: in memory if they are few, else in a temporary file."""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np

from terrazzo.errors import EnvironmentFault
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.packing import packed, unpacked

MEMORY_BYTES = 2**26
"""More than so many go to a file."""


class Spool:
    """Rows of one map, kept as probabilities: exactly those that `BlendedRows.probabilities` tells."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__
        self._pieces: list[tuple[int, tuple[int, ...], tuple[int, int]]] = []
        """Of each piece its first row, (classes, rows, width), and the bytes of its probabilities and of what is known of each pixel."""

    def add(self, rows: BlendedRows) -> None:
        """Put by the next rows. Raises EnvironmentFault if the disk is full."""
        known = rows.valid.astype(np.uint8) | ((rows.totals > 0).astype(np.uint8) << 1)
        parts = packed(rows.probabilities()), packed(known)
        try:
            self._file.write(b"".join(parts))
        except OSError as error:
            raise EnvironmentFault(
                f"{tempfile.gettempdir()} cannot take the probabilities of a map, all of which otsu and the cleaning of objects need: "
                f"{error.strerror or error}. "
                "Free the disk, or set TMPDIR to a folder on another."
            ) from error
        shape = (len(rows.sums), *rows.totals.shape)
        self._pieces.append((rows.row_off, shape, (len(parts[0]), len(parts[1]))))

    def rows(self) -> Iterator[BlendedRows]:
        """All rows from the top, for several at a time if need be; a pixel's sums are its probabilities, its total is 1."""
        place = 0
        for row_off, shape, (shares, known) in self._pieces:
            self._file.seek(place)
            place += shares + known
            sums = unpacked(self._file.read(shares), np.dtype(np.uint16), shape).astype(np.uint32)
            flags = unpacked(self._file.read(known), np.dtype(np.uint8), shape[1:])
            yield BlendedRows(row_off=row_off, sums=sums, totals=(flags >> 1).astype(np.uint32), valid=(flags & 1).astype(np.bool_))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
