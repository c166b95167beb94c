"""Names that a server or an archive gives, as places under a folder and nowhere else."""

import os
from pathlib import Path, PurePosixPath

from terrazzo.errors import DataError

LONGEST_BYTES = 255
"""Of one part of a path, on nearly every disk."""


def place_under(folder: Path, name: str, said_by: str) -> Path:
    """The place of a '/'-joined name under a folder.

    Whatever the name holds, the place is inside the folder, and its last parts are those of the name, letter for letter.
    said_by: where the name is from, for the message.
    Raises DataError if that cannot be: the name is absolute, has '..' or empty parts, or a part that no disk takes.
    """
    parts = name.split("/")
    reason = next((reason for part in parts if (reason := _fault(part))), None)
    if name.startswith("/"):
        reason = "it is absolute"
    if reason is not None:
        raise DataError(f"{said_by}: {name!r} cannot be the name of a file under {folder}: {reason}. Fetch the others without it.")
    return folder.joinpath(*parts)


def find_clashes(places: list[Path]) -> list[str]:
    """What of a list cannot be on a disk at once: equal places, and files that are the folders of others. A sentence each."""
    seen: set[Path] = set()
    twice: list[Path] = []
    for place in places:
        (twice.append if place in seen else seen.add)(place)
    folders = {parent for place in seen for parent in place.parents}
    return [
        *(f"{place} would be written from several sources" for place in dict.fromkeys(twice)),
        *(f"{place} would be a file and a folder" for place in seen if place in folders),
    ]


def is_inside(place: Path, folder: Path) -> bool:
    """Whether a place is in a folder also once all links are followed."""
    return Path(os.path.realpath(place.parent)).is_relative_to(os.path.realpath(folder))


def short_name(place: Path, suffix: str) -> Path:
    """A hidden name beside a file, the same each time, that is not too long however long the file's is."""
    from hashlib import blake2b

    mark = blake2b(os.fsencode(place.name), digest_size=5).hexdigest()
    return place.with_name(f".{PurePosixPath(place.name).stem[:40]}-{mark}{suffix}")


def _fault(part: str) -> str | None:
    """Why a part cannot be of a path, or None."""
    if part in ("", ".", ".."):
        return f"it has the part {part!r}"
    if "\0" in part:
        return "it has a zero byte"
    try:
        length = len(os.fsencode(part))
    except UnicodeEncodeError:
        return "it has letters that no disk takes"
    return f"a part of it has {length} bytes, and {LONGEST_BYTES} is the most" if length > LONGEST_BYTES else None
