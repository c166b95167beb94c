"""Pairs of images and labels from a table, where no rule of names gives them."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from terrazzo.errors import PairingError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import ImageFile

SHOWN = 10
COLUMNS = ("image", "label")


def table_pairs(path: Path, root: Path, images: Sequence[ImageFile], labels: Sequence[ImageFile]) -> dict[Path, Path]:
    """Image to label, as a CSV with the columns image and label says.

    An entry is a path relative to `root` or to the table, or the name of a file among those that were found, with or without its
    extension. Every image needs a row; rows and labels of no image that was found are refused too.

    Raises PairingError that lists all images without row, entries that name no file or several, and what is named twice.
    """
    rows = list(table_rows(path, COLUMNS))
    finders = (_Finder(images, root, path.parent), _Finder(labels, root, path.parent))
    found: dict[Path, Path] = {}
    wrong: list[str] = []
    for line, entries in rows:
        pair = [finder.find(entry) for finder, entry in zip(finders, entries, strict=True)]
        wrong += [f"row {line}: {entry!r}" for entry, file in zip(entries, pair, strict=True) if file is None]
        if pair[0] is not None and pair[1] is not None:
            if pair[0] in found:
                raise PairingError(f"{path}, row {line}: the image {entries[0]!r} has a row already. Give each image one label.")
            found[pair[0]] = pair[1]
    _check(path, found, wrong, images)
    return found


def _check(path: Path, found: Mapping[Path, Path], wrong: Sequence[str], images: Sequence[ImageFile]) -> None:
    sentences = []
    if wrong:
        sentences.append(
            f"{path} names what is no file of [data] images and labels, or several: {listed(wrong, SHOWN)}. "
            "Give paths relative to the data's root, or file names that are there once."
        )
    alone = [image.name for image in images if image.path not in found]
    if alone and not wrong:
        sentences.append(f"{path} has no row for {len(alone)} of {counted(len(images), 'image')}: {listed(alone, SHOWN)}.")
    twice = [label.name for label, count in Counter(found.values()).items() if count > 1]
    if twice:
        sentences.append(f"{path} gives one label to several images: {listed(twice, SHOWN)}.")
    if sentences:
        raise PairingError("\n".join(sentences))


def table_rows(path: Path, columns: tuple[str, str]) -> Iterator[tuple[int, tuple[str, str]]]:
    """The rows of two columns of a CSV with their numbers, the header being row 1; empty rows are left out.

    Raises PairingError if it cannot be read, or a column or a cell is missing.
    """
    first, second = columns
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if any(header.count(column) != 1 for column in columns):
                raise PairingError(f"{path} has the columns {listed(header)}; it needs one called {first} and one called {second}.")
            places = [header.index(column) for column in columns]
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) <= max(places):
                    raise PairingError(f"{path}, row {reader.line_num}: {counted(len(row), 'cell')}; {first} and {second} are needed.")
                yield reader.line_num, (row[places[0]].strip(), row[places[1]].strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PairingError(f"{path} cannot be read as a CSV of {first} and {second}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class _Finder:
    """Files by everything that a table may call them."""

    def __init__(self, files: Sequence[ImageFile], *roots: Path) -> None:
        self._places = {str(file.path.absolute()) for file in files}
        self._roots = roots
        self._names: defaultdict[str, set[Path]] = defaultdict(set)
        for file in files:
            for name in (file.name, file.path.name, file.path.stem, str(PurePath(file.name).with_name(file.path.name))):
                self._names[name].add(file.path)

    def find(self, entry: str) -> Path | None:
        """The one file that an entry means; None if there is none, or several have the name."""
        for root in self._roots:
            if str((root / entry).absolute()) in self._places:
                return (root / entry).absolute()
        named = self._names.get(entry, set())
        return next(iter(named)) if len(named) == 1 else None
