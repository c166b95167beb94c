"""Unpacking zip and tar archives: plain files only, inside their folder only, and no more than an archive of that size may hold."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from terrazzo.errors import ConflictError, DataError, EnvironmentFault, TerrazzoError
from terrazzo.rasters.download.names import find_clashes, place_under, short_name
from terrazzo.rasters.download.plan import SPARE_BYTES, size_words

MOST_FILES = 2_000_000
MOST_TIMES = 250
"""An archive may hold so many times its own bytes; masks of one colour come near, bombs go far beyond."""
ALWAYS_BYTES = 64 * 2**20
"""So many bytes are unpacked of any archive."""

_PIECE = 2**20
_LONGEST_READ = 16 * _PIECE
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError)
_TAR_OPENERS: Mapping[str, Callable[[Path], io.BufferedIOBase]] = {
    ".tar": lambda path: path.open("rb"),
    ".tar.gz": gzip.GzipFile,
    ".tgz": gzip.GzipFile,
    ".tar.bz2": bz2.BZ2File,
    ".tbz2": bz2.BZ2File,
    ".tar.xz": lzma.LZMAFile,
    ".txz": lzma.LZMAFile,
}
ENDINGS = (".zip", *_TAR_OPENERS)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file in an archive."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS)


def folder_of(path: Path) -> Path:
    """Where an archive is unpacked to: beside it, into a folder of its name without ending."""
    return path.with_name(path.name[: -len(_ending(path))] or "unpacked")


def _ending(path: Path) -> str:
    return next(ending for ending in ENDINGS if path.name.lower().endswith(ending))


def unpack(path: Path) -> Path:
    """Unpack an archive into `folder_of` it, whole or not at all; what is unpacked already is kept.

    Raises DataError if the archive is broken, holds links or devices, names outside of the folder, or far more than its size tells;
    ConflictError if the folder holds other files; EnvironmentFault if the disk is too small.
    """
    folder = folder_of(path)
    with _members(path) as members:
        places = _check(path, folder, members)
        if folder.exists() or folder.is_symlink():
            _check_same(path, folder, members, places)
            return folder
        temporary = short_name(folder, ".unpacking")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            for member, place in zip(members, places, strict=True):
                _write(path, member, temporary / place.relative_to(folder))
            temporary.rename(folder)
        except OSError as error:
            raise EnvironmentFault(
                f"{path} cannot be unpacked: {error.strerror or error}. Free the disk or choose another folder."
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


@contextmanager
def _members(path: Path) -> Iterator[list[Member]]:
    """The files of an archive; folders are left out. Raises DataError if it is broken or holds anything else."""
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                yield [_zip_member(path, archive, info) for info in archive.infolist() if not info.is_dir()]
        else:
            with _TAR_OPENERS[_ending(path)](path) as file, tarfile.open(fileobj=_Sparing(file), mode="r:") as tar:
                members = [_tar_member(path, tar, info) for info in _limited(path, tar) if not info.isdir()]
                _read_on(path, file)
                yield members
    except TerrazzoError:
        raise
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        # faults of the disk have a number, those of compressed bytes have none
        if error.errno is not None:
            raise
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is no archive that can be unpacked ({str(error) or type(error).__name__}). Fetch it again.")


class _Sparing(io.BufferedIOBase):
    """A file that is read in small pieces: a tar file can claim that a header is as long as the memory."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _limited(path: Path, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries of a tar file, which has no list of them: a compressed one is unpacked to see what it holds."""
    total = 0
    for info in tar:
        total += info.size
        if total > _limit(path):
            raise DataError(_bomb(path))
        yield info


def _read_on(path: Path, file: io.BufferedIOBase) -> None:
    """Read what follows the last entry: the checksum of all that was compressed stands at the very end."""
    left = _limit(path)
    while piece := file.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise DataError(_bomb(path))


def _zip_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    kind = info.external_attr >> 28
    if kind not in (0, 8):
        raise DataError(
            f"{path} holds {info.filename!r}, which is a link or a device: it is not unpacked. Unpack it yourself if you trust it."
        )
    return Member(name=info.filename, size=info.file_size, open=lambda: archive.open(info))


def _tar_member(path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    if not info.isreg():
        raise DataError(f"{path} holds {info.name!r}, which is a link or a device: it is not unpacked. Unpack it yourself if you trust it.")

    def opened() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise DataError(f"{path}: {info.name!r} cannot be read.")
        return file

    return Member(name=info.name.removeprefix("./"), size=info.size, open=opened)


def _check(path: Path, folder: Path, members: list[Member]) -> list[Path]:
    """The places of all files, if they may be written."""
    if len(members) > MOST_FILES:
        raise DataError(f"{path} holds {len(members)} files; the limit is {MOST_FILES}.")
    places = [place_under(folder, member.name, str(path)) for member in members]
    clashes = find_clashes(places)
    if clashes:
        raise DataError(f"{path} cannot be unpacked: {clashes[0]}.")
    total = sum(member.size for member in members)
    if total > _limit(path):
        raise DataError(_bomb(path))
    free = shutil.disk_usage(path.parent).free
    if total + SPARE_BYTES > free and not folder.exists():
        raise EnvironmentFault(f"{path} unpacks to {size_words(total)}; the disk has {size_words(free)} free.")
    return places


def _limit(path: Path) -> int:
    return max(ALWAYS_BYTES, MOST_TIMES * path.stat().st_size)


def _bomb(path: Path) -> str:
    return (
        f"{path} has {size_words(path.stat().st_size)} and unpacks to more than {size_words(_limit(path))}: it is not unpacked, "
        "for it may be made to fill the disk. Unpack it yourself if you trust it."
    )


def _check_same(path: Path, folder: Path, members: list[Member], places: list[Path]) -> None:
    different = [place for member, place in zip(members, places, strict=True) if not place.is_file() or place.stat().st_size != member.size]
    if different:
        raise ConflictError(f"{folder} is there and holds other files than {path} ({different[0].name} differs). Move it away.")


def _write(path: Path, member: Member, place: Path) -> None:
    """Copy a file out; no more than it says it has, for what it says was checked."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with member.open() as source, place.open("xb") as target:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                break
            target.write(piece)
    if left:
        raise DataError(f"{path}: {member.name!r} is larger or smaller than the archive says; it is broken. Fetch it again.")
