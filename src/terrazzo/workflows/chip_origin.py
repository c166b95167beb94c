"""Whether what a folder holds are chips of the same images and options, and which of them are done."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from terrazzo.errors import ConflictError, RasterError
from terrazzo.labels.sentences import listed
from terrazzo.rasters.chips.journal import JOURNAL_NAME, Entry, Journal
from terrazzo.rasters.chips.tag import CHIP_TAG
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.chip_writer import ChipFolder

_HIDDEN = re.compile(r"\.(.+)-[0-9a-f]{8}\.tif")


def check_origin(journal: Journal, images: Mapping[str, str], options: str, out: Path) -> None:
    """See that a folder may take chips, and note what they are made from.

    images: what the chips of each image are made from, by the name they are called by.
    Raises ConflictError if it holds chips of other options, or of other images of these names.
    """
    if journal.options is None:
        journal.note_options(options)
    elif journal.options != options:
        raise ConflictError(f"{out} holds chips that were made with other options, as {JOURNAL_NAME} in it says. Give another OUT.")
    strange = [name for name, made_from in journal.images.items() if images.get(name) != made_from]
    if strange:
        raise ConflictError(f"{out} holds chips of other images, or of others of these names: {listed(strange)}. Give another OUT.")
    for name, made_from in images.items():
        if name not in journal.images:
            journal.note_image(name, made_from)


def on_disk(journal: Journal, folder: ChipFolder) -> frozenset[str]:
    """The chips that are done, by name: noted, and their files of the noted size."""
    return frozenset(name for name, entry in journal.entries.items() if entry.kept != "yes" or _whole(entry, folder))


def check_free(names: Sequence[str], folder: ChipFolder) -> None:
    """See that chips which were not noted may be written: nothing is there, or what a broken-off run left.

    Raises ConflictError if other files are there.
    """
    strange = [str(path) for name in names for path in folder.paths(name) if path.exists() and not _torn_or_ours(path)]
    if strange:
        raise ConflictError(f"Files that are no chips made here have the names of chips: {listed(strange)}. Give another OUT.")


def remove_leftovers(names: Collection[str], folder: ChipFolder) -> None:
    """Remove what a killed run was writing: hidden files, see `writing`."""
    begun = {path.parent: set[str]() for name in names for path in folder.paths(name)}
    for name in names:
        for path in folder.paths(name):
            begun[path.parent].add(path.stem[:40])
    for parent, stems in begun.items():
        for path in parent.glob(".*.tif"):
            match = _HIDDEN.fullmatch(path.name)
            if match and match[1] in stems:
                path.unlink(missing_ok=True)


def _whole(entry: Entry, folder: ChipFolder) -> bool:
    try:
        return all(path.stat().st_size == size for path, size in zip(folder.paths(entry.chip), entry.sizes, strict=True))
    except OSError:
        return False


def _torn_or_ours(path: Path) -> bool:
    try:
        with open_raster(path) as raster:
            return CHIP_TAG in raster.tags
    except RasterError:
        # a power cut may leave a name without its bytes
        return path.stat().st_size == 0
