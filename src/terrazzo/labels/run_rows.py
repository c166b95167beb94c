"""Reading the rows of a run-length table from a CSV file, whoever wrote it."""

import csv
import re
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from terrazzo.errors import LabelError
from terrazzo.labels.rle import Positions
from terrazzo.labels.run_cells import CellRuns, fault, read_cells
from terrazzo.labels.sentences import counted, listed

LONGEST = 2**25
"""Characters of a line or of a cell: ten times what the largest microscope slides take."""
SHOWN = 20
"""Bad rows that an error lists."""

BATCH = 2**19
"""Characters of cells that are read at once."""
BLANK = frozenset({"", "nan", "null", "none", "na"})
"""Cells that stand for no object, in small letters."""
LONGEST_BLANK = 8
"""Characters of such a cell with spaces around it."""

IMAGE_COLUMNS = ("imageid", "image", "imagename", "imgid", "img", "filename", "file", "id", "name")
RUN_COLUMNS = ("encodedpixels", "rle", "rlemask", "encoding", "runs", "segmentation", "annotation")
CLASS_COLUMNS = ("classid", "class", "classname", "label", "category", "categoryid")
JOINT_COLUMN = "imageidclassid"
"""'name.jpg_1': image and class in one."""

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_limit_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class RunRows:
    """The rows of a table, in its order, with their runs."""

    names: tuple[str, ...]
    """The images, each once."""
    keys: tuple[str | float, ...]
    """The classes, each once."""
    lines: Positions
    """The line of each row, as an editor counts."""
    image: Positions
    """Which image each row is about."""
    key: Positions
    """Which class each row is of, or -1."""
    offsets: Positions
    """Row i has the runs offsets[i] to offsets[i + 1]."""
    starts: Positions
    """The first pixel of each run, from 0."""
    ends: Positions
    """The first pixel after each run."""


class BadRows:
    """The rows of a table that cannot be used."""

    def __init__(self, path: Path, rows: int = 0) -> None:
        self.rows = rows
        """How many there are altogether."""
        self._path = path
        self._found: list[tuple[int, str]] = []
        self._count = 0

    def add(self, line: int, what: str) -> None:
        """Note a row; what: a sentence without its full stop."""
        self._count += 1
        self._found.append((line, what))
        # a file of other things altogether has millions
        if len(self._found) > 50 * SHOWN:
            self._found = sorted(self._found)[:SHOWN]

    def check(self) -> None:
        """Raise LabelError listing the first rows by line and how many there are; nothing if there are none."""
        first = [f"line {line}: {what}." for line, what in sorted(self._found)[:SHOWN]]
        if self._count == 1:
            raise LabelError(f"{self._path}, {first[0]}")
        if first:
            rest = [f"and {self._count - SHOWN} more."] if self._count > SHOWN else []
            raise LabelError("\n  ".join([f"{self._path}: {self._count} of {counted(self.rows, 'row')} cannot be used:", *first, *rest]))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where a table's columns are, from 0."""

    width: int
    image: int
    runs: int
    key: int | None
    joint: bool
    """Whether the image's column holds the class too."""

    @property
    def classes(self) -> bool:
        """Whether the table tells classes apart."""
        return self.joint or self.key is not None

    def split(self, name: str, fields: Sequence[str]) -> tuple[str, str]:
        """The image and the class of a row, where there are classes."""
        if self.key is not None:
            return name, _filled(fields[self.key].strip())
        image, _, word = name.rpartition("_")
        return image, word

    @classmethod
    def find(cls, header: Sequence[str]) -> "Columns | None":
        """The columns that a header names, in any case and with or without underscores; None if image or runs are missing."""
        places: dict[str, int] = {}
        for place, name in enumerate(header):
            places.setdefault(re.sub(r"[\s_-]", "", name).casefold(), place)
        joint = places.get(JOINT_COLUMN)
        image = joint if joint is not None else _first(IMAGE_COLUMNS, places)
        runs = _first(RUN_COLUMNS, places)
        if image is None or runs is None:
            return None
        key = None if joint is not None else _first(CLASS_COLUMNS, places)
        return cls(width=len(header), image=image, runs=runs, key=key, joint=joint is not None)


class RowReader:
    """Gathers rows, and reads their cells many at a time."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.bad = BadRows(path)
        self._columns = columns
        self._images: dict[str, int] = {}
        self._keys: dict[str | float, int] = {}
        self._lines, self._image, self._key = array("q"), array("q"), array("q")
        self._cells: list[str] = []
        self._waiting = 0
        self._parts: list[CellRuns] = []

    def take(self, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Take all rows, each with its line. Wrong ones are noted in `bad`."""
        width, image, runs, classes = self._columns.width, self._columns.image, self._columns.runs, self._columns.classes
        for line, fields in rows:
            self.bad.rows += 1
            if len(fields) != width and (len(fields) < width or any(field.strip() for field in fields[width:])):
                self.bad.add(line, f"it has {counted(len(fields), 'value')}, the header {width}")
                continue
            name, cell = fields[image], fields[runs]
            cell = _filled(cell) if len(cell) < LONGEST_BLANK else cell
            name, word = self._columns.split(name, fields) if classes else (name, "")
            if not name or name.isspace() or (classes and cell and not word):
                self.bad.add(line, "it names no class" if name.strip() else "it names no image")
                continue
            self._lines.append(line)
            self._image.append(self._images.setdefault(name, len(self._images)))
            self._key.append(self._place(word) if word else -1)
            self._cells.append(cell)
            self._waiting += len(cell) + 1
            if self._waiting > BATCH:
                self._read()

    def finish(self) -> RunRows:
        """All rows. Wrong ones are noted in `bad`, and have no runs."""
        self._read()
        counts = np.concatenate([part.counts for part in self._parts])
        return RunRows(
            names=tuple(self._images),
            keys=tuple(self._keys),
            lines=np.array(self._lines, np.int64),
            image=np.array(self._image, np.int64),
            key=np.array(self._key, np.int64),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            starts=np.concatenate([part.starts for part in self._parts]),
            ends=np.concatenate([part.ends for part in self._parts]),
        )

    def _place(self, word: str) -> int:
        """The place of a class among those of the table."""
        key: str | float = float(word) if _NUMBER.fullmatch(word) else word
        return self._keys.setdefault(key, len(self._keys))

    def _read(self) -> None:
        part = read_cells(self._cells)
        first = len(self._lines) - len(self._cells)
        names = tuple(self._images) if len(part.wrong) else ()
        for place in part.wrong.tolist():
            name = names[self._image[first + place]]
            self.bad.add(self._lines[first + place], f"{listed([name])}: {fault(self._cells[place])}")
        self._parts.append(part)
        self._cells, self._waiting = [], 0


def read_rows(path: Path) -> tuple[RunRows, BadRows]:
    """Read a table of runs, a row an object, with a column of images and one of runs, and maybe one of classes.

    Separators are commas, semicolons or tabs; names may be quoted. Cells that are blank or 'nan' stand for no object.
    Returns the rows, and those that cannot be used.
    Raises LabelError if the file is no such table or cannot be read.
    """
    try:
        # names of files may hold bytes that are no text: they come back as they are
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file, _long_cells():
            delimiter, columns = _layout(path, file)
            file.seek(0)
            reader = RowReader(path, columns)
            reader.take(_records(path, file, delimiter))
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror or error}.") from error
    return reader.finish(), reader.bad


def _layout(path: Path, file: TextIO) -> tuple[str, Columns]:
    """The separator and the columns, by the header."""
    header = next(_lines(path, file), "")
    for delimiter in ",;\t":
        columns = Columns.find(next(csv.reader([header], delimiter=delimiter), []))
        if columns is not None:
            return delimiter, columns
    shown = listed([name.strip()[:30] for name in header.split(",")], 8)
    raise LabelError(f"{path} is no table of runs: its first line has to name the columns ImageId and EncodedPixels, but is: {shown}.")


def _records(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows after the header, each with the line in which it begins; empty lines are passed over."""
    lines = enumerate(_lines(path, file), start=1)
    for number, line in lines:
        if '"' not in line:
            text = line.rstrip("\r\n")
            fields = text.split(delimiter) if text else []
        else:
            # what is quoted may go on in the next lines
            rest = (following for _, following in lines)
            try:
                fields = next(csv.reader(chain([line], rest), delimiter=delimiter, strict=True))
            except csv.Error as error:
                raise LabelError(f"{path}, line {number}: the row cannot be read ({error}). Is a quotation mark missing?") from error
        if fields and number > 1:
            yield number, fields


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a file, none longer than LONGEST."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise LabelError(f"{path}, line {number} is longer than {LONGEST} characters; this is no table of runs.")
        yield line


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the csv module read cells of up to LONGEST characters; its limit holds for the whole process and is put back."""
    with _limit_lock:
        before = csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _first(names: Sequence[str], places: dict[str, int]) -> int | None:
    return next((places[name] for name in names if name in places), None)


def _filled(cell: str) -> str:
    """A cell, or nothing where it only says that it is blank."""
    return "" if cell.strip().casefold() in BLANK else cell
