"""NPZ: a zip of arrays, of which one is the image. Nothing is unpacked to disk, and nothing is ever unpickled."""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats import npy
from terrazzo.rasters.formats.arrays import Axes, array_facts, as_planes, check_image, is_image
from terrazzo.rasters.formats.decoded import DECODED_LIMIT_BYTES, DecodedImage
from terrazzo.rasters.formats.signature import READABLE
from terrazzo.rasters.formats.source import Block
from terrazzo.rasters.window import Window

FAILURES = (*npy.FAILURES, zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError)
"""What zipfile and numpy raise on broken files."""

DIRECTORY_BYTES = 2**20
"""A list of contents takes some 60 bytes an array; longer ones are not read."""

_LISTED = 12
"""Arrays that a message lists."""


@dataclass(frozen=True, kw_only=True)
class _Array:
    """One array of the archive, by its header."""

    name: str
    entry: zipfile.ZipInfo
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __str__(self) -> str:
        kind = "objects" if self.dtype.hasobject else str(self.dtype)
        return f"{self.name} ({' x '.join(map(str, self.shape)) or 'one value'}, {kind})"


class NpzArray:
    """One array of an NPZ file, decompressed whole when its pixels are asked for."""

    def __init__(self, path: Path, wanted: str | None, axes: Axes) -> None:
        self._path = path
        self._axes = axes
        self._decoded = DecodedImage(self._decode)
        with self._archive() as archive:
            self._array = _choose(path, list(_arrays(archive)), wanted)
        needed = max(self._array.dtype.itemsize * math.prod(self._array.shape), self._array.entry.file_size)
        if needed > DECODED_LIMIT_BYTES:
            raise RasterError(
                f"{path}: the array {self._array} would take {needed / 2**20:.0f} MiB decompressed; the limit is "
                f"{DECODED_LIMIT_BYTES / 2**20:.0f} MiB. Store it as .npy: then it is read by windows."
            )
        # strides of 0: a shape without memory
        shaped = np.broadcast_to(np.empty((), self._array.dtype), self._array.shape)
        self.facts = array_facts(path, "NPZ", as_planes(shaped, axes), axes)

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        rows, columns = window.slices
        block = self._decoded.whole() if window.shape == self.facts.grid.shape else self._decoded.kept()
        return Block(values=block.values[[band - 1 for band in bands], rows, columns])

    def close(self) -> None:
        self._decoded.drop()

    def _decode(self) -> Block:
        with self._archive() as archive, archive.open(self._array.entry) as stream:
            array: NDArray[Any] = npy_format.read_array(stream, allow_pickle=False)
            if (array.dtype, array.shape) != (self._array.dtype, self._array.shape):
                raise ValueError("it changed while it was read")
            # to its end, where its checksum is compared
            if stream.read(1):
                raise ValueError("bytes follow its array")
        return Block(values=as_planes(array, self._axes).astype(self.facts.dtype, copy=False))

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with self._path.open("rb") as file, zipfile.ZipFile(_BoundedFile(file)) as archive:
                yield archive
        except RasterError:
            raise
        except FAILURES as error:
            raise RasterError(
                f"{self._path} is not a readable NPZ archive ({' '.join(str(error).split()) or type(error).__name__})."
            ) from error


def _arrays(archive: zipfile.ZipFile) -> Iterator[_Array]:
    """The arrays of an archive by their headers; other files in it are left alone, whatever their names."""
    for entry in archive.infolist():
        # NumPy writes these two; others are more easily made into bombs
        if entry.filename.endswith(".npy") and entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with archive.open(entry) as stream:
                shape, dtype = _header(stream)
            yield _Array(name=entry.filename.removesuffix(".npy"), entry=entry, dtype=dtype, shape=shape)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy_format.read_magic(stream)
    # version 3 differs from 2 in the names of fields only, which images do not have
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(_BoundedFile(stream))
    return shape, dtype


def _choose(path: Path, arrays: list[_Array], wanted: str | None) -> _Array:
    """The wanted array, or the only one that can be an image. Raises RasterError if there is none, or several."""
    listed = ", ".join(map(str, arrays[:_LISTED])) + (f" and {len(arrays) - _LISTED} more" if len(arrays) > _LISTED else "")
    if not arrays:
        raise RasterError(f"{path} is a zip archive without arrays that NumPy has packed (.npy); unpack it first. Readable are {READABLE}.")
    if wanted is not None:
        found = next((array for array in reversed(arrays) if array.name == wanted.removesuffix(".npy")), None)
        if found is None:
            raise RasterError(f"data.array is {wanted!r}; {path} holds {listed}.")
        check_image(f"{path}: the array {found.name}", found.dtype, found.shape)
        return found
    images = [array for array in arrays if is_image(array.dtype, array.shape)]
    if len(images) != 1:
        raise RasterError(
            f"{path} holds {'several arrays' if images else 'no array'} that can be an image, of {listed}. {_ADVICE[bool(images)]}"
        )
    return images[0]


_ADVICE = {True: "Say which with --set data.array=NAME.", False: "It must be plain numbers: (height, width) or (bands, height, width)."}


class _BoundedFile(io.BufferedIOBase):
    """A file of which no more than a list of contents is read at once: zipfile reads that list whole, however long it says it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > DIRECTORY_BYTES:
            raise ValueError(f"its list of contents takes {size} bytes, at most {DIRECTORY_BYTES} are read")
        data = self._file.read(DIRECTORY_BYTES + 1 if size is None or size < 0 else size)
        if len(data) > DIRECTORY_BYTES:
            raise ValueError("its end cannot be found")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
