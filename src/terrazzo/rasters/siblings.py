"""Files beside an image whose bands join it: found by [data] extra_bands."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from terrazzo.errors import RasterError
from terrazzo.rasters.files import IMAGE_SUFFIXES
from terrazzo.rasters.location import RemotePath

STEM = "{stem}"
"""What stands for the image's own stem in an entry."""
SHOWN = 5
"""Files that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Sibling:
    """A file whose bands join those of an image."""

    path: Path
    name: str
    """What its bands are called that have no name of their own."""


def find_siblings(image: Path, entries: Sequence[str]) -> list[Sibling]:
    """The file that each entry means for an image, in their order.

    An entry is a folder that holds one image of the same stem, a path with {stem} and perhaps wildcards, or one file that joins every
    image. Relative ones start at the image's own folder.
    Raises RasterError that says where was looked, for all entries that no file or several files answer.
    """
    if entries and isinstance(image, RemotePath):
        raise RasterError(f"{image} is not on disk, where data.extra_bands are looked for. Download the images and what joins them.")
    found: list[Sibling] = []
    problems: list[str] = []
    for entry in entries:
        files = sorted(_files(image, entry))
        if len(files) == 1:
            found.append(Sibling(path=files[0], name=_name(image, files[0])))
        else:
            where = _place(image, entry) if STEM in entry else _place(image, entry) / f"{image.stem}.*"
            listed = ", ".join(file.name for file in files[:SHOWN])
            problems.append(f"several files are {where} ({listed})" if files else f"no image is {where}")
    if problems:
        raise RasterError(f"{image} needs one file for each of data.extra_bands: {'; '.join(problems)}.")
    return found


def sibling_names(own: Iterable[str | None], siblings: Iterable[tuple[str, Sequence[str | None]]]) -> list[str | None]:
    """Names of all bands of an image and what joins it: a band without a name is called by its sibling's, 'nir', then 'nir_2'.

    own: names of the image's bands. siblings: the name of each, and those of its bands.
    """
    names = list(own)
    given = [(default, name) for default, bands in siblings for name in bands]
    taken = {name.casefold() for name in (*names, *(name for _, name in given)) if name}
    for default, name in given:
        names.append(name or _free(default, taken))
        taken.add(str(names[-1]).casefold())
    return names


def _free(name: str, taken: set[str]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}_{number}").casefold() in taken:
        number += 1
    return candidate


def _files(image: Path, entry: str) -> list[Path]:
    place = _place(image, entry)
    if place.is_file():
        return [place]
    if STEM not in entry:
        folder, pattern = place, f"{glob.escape(image.stem)}.*"
    else:
        folder, pattern = image.parent, entry.replace(STEM, glob.escape(image.stem))
    # a pattern that names an ending means those files, whatever it is; the reader looks at their bytes
    any_ending = not PurePath(pattern).suffix.removeprefix(".").isalnum()
    # not Path.glob: it matches hidden files too, and no absolute pattern
    matches = [folder / match for match in glob.glob(pattern, root_dir=folder)]  # noqa: PTH207
    files = [file for file in matches if file.is_file() and not (any_ending and file.suffix.lower() not in IMAGE_SUFFIXES)]
    return [file for file in files if not file.samefile(image) and (STEM in entry or file.stem == image.stem)]


def _place(image: Path, entry: str) -> Path:
    """Where an entry says that the file is."""
    return image.parent / entry.replace(STEM, image.stem)


def _name(image: Path, file: Path) -> str:
    """The name of the sibling's folder; beside the image itself, what the file's name has beyond the image's."""
    if file.parent.resolve() != image.parent.resolve():
        return file.parent.resolve().name or "extra"
    return file.stem.replace(image.stem, "", 1).strip("_-. ") or "extra"
