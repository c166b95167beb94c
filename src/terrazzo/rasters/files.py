"""Finding image files, naming them, and telling whether two hold the same bytes."""

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from terrazzo.errors import RasterError

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".gtiff", ".png", ".jpg", ".jpeg", ".fits", ".fit", ".fts", ".npy"})
"""Which files of a folder count as images; lower case."""

_WHOLE_LIMIT_BYTES = 256 * 2**20
_BLOCK_BYTES = 2**20
_BLOCKS = 256
"""Of a file beyond the limit, this many blocks are read, evenly spaced, the first and the last among them."""

_WILDCARDS = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image file and the name it goes by."""

    name: str
    """What tells it from the other files that were found with it: '/'-joined, without extension."""
    path: Path


def find_images(spec: str, root: Path) -> list[ImageFile]:
    """Find the image files that a file name, a folder or a pattern stands for, in natural order of their names.

    A folder stands for the images in it and in its folders, hidden ones left out; their names are relative to it. A pattern
    (`*`, `?`, `[...]`, and `**` for any folders) stands for what it matches; names hold the matched parts only, so that
    '*/images/*.fits' calls train/images/ccd_001.fits 'train/ccd_001'.

    spec: relative to root, or absolute.
    Raises RasterError if nothing is found.
    """
    target = Path(os.path.abspath(root / Path(spec).expanduser()))
    if target.is_file():
        return [ImageFile(name=target.stem, path=target)]
    if target.is_dir():
        found = [ImageFile(name=_without_suffix(path.relative_to(target)), path=path) for path in _walk(target)]
    else:
        found = [ImageFile(name=_matched_name(path, target), path=path) for path in _matches(target)]
    if not found:
        raise RasterError(f"No image is found at {target}; give an image file, a folder that holds some, or a pattern such as 'images/*.tif'.")
    return sorted(found, key=lambda file: (natural_key(file.name), str(file.path)))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts x2 before x10 and a folder's files together."""
    parts: list[tuple[int, int, str]] = []
    for segment in name.split("/"):
        pieces = [piece for piece in _DIGITS.split(segment) if piece]
        # the length of the digits keeps 1 and 01 apart; 0 ends a segment, so that a shorter one comes first
        parts += [(1, int(piece), piece) if piece.isdecimal() else (2, 0, piece) for piece in pieces]
        parts.append((0, 0, ""))
    return tuple(parts)


def output_stems(files: Sequence[ImageFile]) -> dict[Path, str]:
    """What each file's outputs are called: the bare stem where it is unique among the files, else the name with its folder."""
    stems = {file.path: PurePath(file.name).name for file in files}
    counts = Counter(stem.casefold() for stem in stems.values())
    return {file.path: stems[file.path] if counts[stems[file.path].casefold()] == 1 else file.name for file in files}


def digest(path: Path) -> str:
    """A fingerprint of a file's bytes: equal files have equal ones.

    Up to 256 MB every byte counts; beyond, the size and 256 blocks of 1 MB, and the prefix says so.
    Raises RasterError if the file cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= _WHOLE_LIMIT_BYTES:
                return "blake2b:" + hashlib.file_digest(file, _hash).hexdigest()
            sampled = _hash(str(size).encode())
            for number in range(_BLOCKS):
                file.seek((size - _BLOCK_BYTES) * number // (_BLOCKS - 1))
                sampled.update(file.read(_BLOCK_BYTES))
            return "blake2b-sampled:" + sampled.hexdigest()
    except OSError as error:
        raise RasterError(f"{path} cannot be read: {error.strerror or error}.") from error


def _hash(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.blake2b(data, digest_size=20)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith(".") and PurePath(name).suffix.lower() in IMAGE_SUFFIXES)


def _matches(pattern: Path) -> Iterator[Path]:
    if not _WILDCARDS.search(str(pattern)):
        return
    any_file = PurePath(pattern.name).suffix.lower() not in IMAGE_SUFFIXES
    for match in glob.iglob(str(pattern), recursive=True):
        path = Path(match)
        if path.is_file() and not (any_file and path.suffix.lower() not in IMAGE_SUFFIXES):
            yield path


def _matched_name(path: Path, pattern: Path) -> str:
    """The parts of a path that the wildcards of a pattern stand for."""
    fixed = [segment for segment in pattern.parts[:-1]]
    folders = list(path.parts[:-1])
    if "**" not in fixed:
        kept = [folder for folder, segment in zip(folders, fixed, strict=True) if _WILDCARDS.search(segment)]
    else:
        kept = _beneath(folders, fixed)
    return "/".join([*kept, path.stem])


def _beneath(folders: list[str], fixed: list[str]) -> list[str]:
    """With `**`: the folders from the first wildcard on, less those after the last `**` that are fixed."""
    first = next(place for place, segment in enumerate(fixed) if _WILDCARDS.search(segment))
    last = len(fixed) - 1 - fixed[::-1].index("**")
    tail = fixed[last + 1 :]
    middle = folders[first : len(folders) - len(tail)]
    ends = folders[len(folders) - len(tail) :]
    return [*middle, *(folder for folder, segment in zip(ends, tail, strict=True) if _WILDCARDS.search(segment))]


def _without_suffix(path: PurePath) -> str:
    return path.with_suffix("").as_posix()
