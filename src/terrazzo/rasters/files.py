"""Finding image files, naming them, and telling whether two hold the same bytes."""

import glob
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from terrazzo.errors import RasterError
from terrazzo.rasters.location import RemotePath, to_path
from terrazzo.rasters.window import Window

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".npy", ".npz"})
"""Which files of a folder count as images; lower case."""

SAMPLED_BEYOND_BYTES = 256 * 2**20
"""Larger files are not digested whole."""

_BLOCK_BYTES = 2**20
_BLOCKS = 256
"""Blocks that are read of such a file, evenly spaced, the first and the last among them."""

_SIDE = 256
_CELLS = 32
"""Windows that are read of a raster at an address, of that side, evenly spaced, the first and the last among them."""

_WILDCARD = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image file and the name it goes by."""

    name: str
    """What tells it from the other files that were found with it: '/'-joined, without extension."""
    path: Path


def find_images(spec: str | Path, root: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> list[ImageFile]:
    """Find the image files, or files of other endings, that a file name, a folder or a pattern stands for, in natural order of their names.

    A folder stands for the images in it and in its folders, hidden ones left out; their names are relative to it. A pattern
    (`*`, `?`, `[...]`, and `**` for any folders) stands for what it matches; names hold the matched parts only, so that
    '*/images/*.fits' calls train/images/ccd_001.fits 'train/ccd_001'.

    spec: relative to root, or absolute; an address such as https://host/a.tif stands for itself, unasked. suffixes: which files of a
    folder count, lower case.
    Raises RasterError if nothing is found, or an address is not that of one file.
    """
    place = to_path(spec)
    if isinstance(place, RemotePath):
        return [_remote(place)]
    target = root.absolute() / place.expanduser()
    if target.is_file():
        return [ImageFile(name=_name([target.name]), path=target)]
    if target.is_dir():
        found = [ImageFile(name=_name(path.relative_to(target).parts), path=path) for path in _walk(target, suffixes)]
    else:
        found = _match(place.expanduser(), root.absolute(), suffixes)
    if not found:
        raise RasterError(f"No image is found at {target}. Give an image file, a folder with images, or a pattern such as 'images/*.tif'.")
    return sorted(found, key=lambda file: (natural_key(file.name), str(file.path)))


def _remote(address: RemotePath) -> ImageFile:
    if not address.name or address.place.endswith("/") or _WILDCARD.search(address.place):
        raise RasterError(
            f"{address} is not the address of one file: at addresses, folders and patterns cannot be looked into. "
            f"Name each file, or fetch all: terrazzo download '{address.parent}' FOLDER"
        )
    return ImageFile(name=address.stem, path=address)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts x2 before x10, and a folder's own files together."""
    parts: list[tuple[int, int, str]] = []
    for segment in name.split("/"):
        pieces = [piece for piece in _DIGITS.split(segment) if piece]
        # numbers come before text; the digits themselves keep 1 and 01 apart; an end comes before both
        parts += [(1, int(piece), piece) if piece.isdecimal() else (2, 0, piece) for piece in pieces]
        parts.append((0, 0, ""))
    return tuple(parts)


def output_stems(files: Sequence[ImageFile]) -> dict[Path, str]:
    """What each file's outputs are called: the bare stem where it is unique among the files, else the name with its sub-folder.

    Stems that differ in case only are not unique: some disks do not tell them apart.
    """
    stems = {file.path: PurePath(file.name).name for file in files}
    counts = Counter(stem.casefold() for stem in stems.values())
    return {file.path: stems[file.path] if counts[stems[file.path].casefold()] == 1 else file.name for file in files}


def digest(path: Path) -> str:
    """A fingerprint of a file's bytes: files with the same bytes have the same.

    Up to 256 MB every byte counts; beyond, the size and 256 blocks of 1 MB do, and the prefix says so. Of a raster at an address,
    its grid and the pixels of up to 32 windows count, and the prefix says that too.
    Raises RasterError if the file cannot be read.
    """
    if isinstance(path, RemotePath):
        return _pixel_digest(path)
    try:
        size = path.stat().st_size
        sampled = size > SAMPLED_BEYOND_BYTES
        count = _BLOCKS if sampled else -(-size // _BLOCK_BYTES)
        hashed = hashlib.blake2b(str(size).encode(), digest_size=20)
        # a pipe has no size, and opening it could wait for ever
        with path.open("rb") if count else io.BytesIO() as file:
            for number in range(count):
                file.seek((size - _BLOCK_BYTES) * number // (_BLOCKS - 1) if sampled else number * _BLOCK_BYTES)
                hashed.update(file.read(_BLOCK_BYTES))
    except OSError as error:
        raise RasterError(f"{path} cannot be read: {error.strerror or error}.") from error
    return f"{'blake2b-sampled' if sampled else 'blake2b'}:{hashed.hexdigest()}"


def _pixel_digest(path: RemotePath) -> str:
    """From pixels, not from what the server says of the file: a copy at another address has the same."""
    from terrazzo.rasters.raster import open_raster

    with open_raster(path) as raster:
        hashed = hashlib.blake2b(repr((raster.grid, raster.bands, raster.dtype)).encode(), digest_size=20)
        height, width = raster.shape
        cells = [
            Window(col_off=left, row_off=top, width=min(_SIDE, width - left), height=min(_SIDE, height - top))
            for top in range(0, height, _SIDE)
            for left in range(0, width, _SIDE)
        ]
        count = min(_CELLS, len(cells))
        for number in range(count):
            hashed.update(raster.read(cells[(len(cells) - 1) * number // max(count - 1, 1)]).values.tobytes())
    return f"blake2b-pixels:{hashed.hexdigest()}"


def _walk(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Files with these endings of a folder and its folders; links are followed, each folder is visited once."""
    visited = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, followlinks=True):
        shown = [name for name in sorted(folders) if not name.startswith(".")]
        places = {name: os.path.realpath(Path(parent, name)) for name in shown}
        folders[:] = [name for name in shown if places[name] not in visited]
        visited.update(places.values())
        yield from (Path(parent, name) for name in names if not name.startswith(".") and _ends(name, suffixes))


def _match(pattern: Path, root: Path, suffixes: frozenset[str]) -> list[ImageFile]:
    base = Path(pattern.anchor) if pattern.is_absolute() else root
    segments = pattern.relative_to(base).parts if pattern.is_absolute() else pattern.parts
    if not any(map(_WILDCARD.search, segments)):
        return []
    if segments[-1] == "**":
        segments = (*segments, "*")
    # a pattern that names an extension means those files, whatever it is; the reader looks at their bytes
    any_extension = PurePath(segments[-1]).suffix in ("", ".*")
    # not Path.glob: it matches hidden files too
    matches = glob.glob(str(Path(*segments)), root_dir=base, recursive=True)  # noqa: PTH207
    paths = [PurePath(match) for match in matches if not any_extension or _ends(match, suffixes)]
    return [ImageFile(name=_name(_matched(path.parts, segments)), path=base / path) for path in paths if (base / path).is_file()]


def _matched(parts: Sequence[str], segments: Sequence[str]) -> list[str]:
    """The parts of a path that the wildcards of a pattern stand for, and the file's name."""
    if "**" not in segments[:-1]:
        kept = [part for part, segment in zip(parts[:-1], segments[:-1], strict=True) if _WILDCARD.search(segment)]
        return [*kept, parts[-1]]
    # what stands between the first wildcard and the last fixed folders cannot be told apart, and is kept
    before = next(place for place, segment in enumerate(segments) if _WILDCARD.search(segment))
    after = len(segments) - 2 - max(place for place, segment in enumerate(segments[:-1]) if segment == "**")
    ends = zip(parts[len(parts) - 1 - after : -1], segments[len(segments) - 1 - after : -1], strict=True)
    return [*parts[before : len(parts) - 1 - after], *(part for part, segment in ends if _WILDCARD.search(segment)), parts[-1]]


def _ends(name: str, suffixes: frozenset[str]) -> bool:
    return _suffix(name).lower() in suffixes


def _name(parts: Sequence[str]) -> str:
    return "/".join([*parts[:-1], parts[-1].removesuffix(_suffix(parts[-1]))])


def _suffix(name: str) -> str:
    """The extension; that of a gzip-compressed file has two parts, such as .fits.gz."""
    path = PurePath(name)
    return "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
