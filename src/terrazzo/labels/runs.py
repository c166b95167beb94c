"""Labels from a table of run lengths, as Airbus and Kaggle have them: a row an object, 'start length ...' down the columns from 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.legend import Legend
from terrazzo.labels.objects import ImageNames, ObjectLabels, class_index
from terrazzo.labels.rle import Positions, Runs, Value, burn
from terrazzo.labels.run_rows import BadRows, RunRows, read_rows
from terrazzo.labels.sentences import listed
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.window import Window


@dataclass(frozen=True)
class RunTable:
    """A table of runs, loaded once and shared by its images."""

    path: Path
    rows: RunRows

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a CSV with the columns ImageId and EncodedPixels, or the like, and maybe one of classes; see `read_rows`.

        Raises LabelError listing the rows, by their lines, that hold anything but pairs of start and length in order, or
        pixels that another row of the image and class holds too.
        """
        rows, bad = read_rows(path)
        _check_overlaps(rows, bad, (rows.key + 1) * len(rows.names) + rows.image)
        bad.check()
        return cls(path, rows)

    def check_exclusive(self) -> None:
        """Raise LabelError listing the rows that share pixels with another of their image, though of another class."""
        bad = BadRows(self.path, len(self.rows.lines))
        _check_overlaps(self.rows, bad, self.rows.image)
        bad.check()

    @property
    def names(self) -> tuple[str, ...]:
        """The images that have rows, as the table calls them."""
        return self.rows.names

    @property
    def object_count(self) -> int:
        """How many rows hold an object."""
        return int(np.count_nonzero(np.diff(self.rows.offsets)))

    def class_keys(self) -> Mapping[str | float, int]:
        """The classes of the table that have objects, with how many; none if it tells no classes apart."""
        held = self.rows.key[(np.diff(self.rows.offsets) > 0) & (self.rows.key >= 0)]
        counts = np.bincount(held, minlength=len(self.rows.keys)).tolist()
        return {key: count for key, count in zip(self.rows.keys, counts, strict=True) if count}

    def find(self, image: LabelledImage) -> str | None:
        """The name that the table has for an image: by file name, else without its extension; None if it has no row.

        Raises PairingError if several names could be meant.
        """
        place = self._index.find(image)
        return None if place is None else self.names[place]

    def rows_of(self, name: str) -> Positions:
        """The rows of an image that hold an object, in their order; `name` is one of `names`."""
        place = self._places[name]
        order, firsts = self._by_image
        rows = order[firsts[place] : firsts[place + 1]]
        return rows[self.rows.offsets[rows + 1] > self.rows.offsets[rows]]

    @cached_property
    def _index(self) -> ImageNames:
        return ImageNames(self.path, self.names)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _by_image(self) -> tuple[Positions, Positions]:
        """The rows, image after image, and where each image's begin."""
        order = np.argsort(self.rows.image, kind="stable")
        return order, np.searchsorted(self.rows.image[order], np.arange(len(self.names) + 1))


class RunLabels(ObjectLabels):
    """The class mask of one image of a table; its objects are numbered from 1 in the order of their rows, though they touch.

    Pixels of no run are of the legend's background.
    Raises LabelError if the table has no row of the image, a run reaches beyond it, or the legend lacks a class.
    """

    def __init__(self, image: LabelledImage, table: RunTable, legend: Legend, *, alone: bool = False) -> None:
        """alone: objects of the legend's background are left out, so that they cover nothing."""
        name = table.find(image)
        if name is None:
            raise LabelError(f"{table.path} has no row of {image.path.name}. An image without objects needs a row with a blank cell.")
        all_rows, rows = table.rows, table.rows_of(name)
        _check_inside(table, rows, image)
        keys = [all_rows.keys[key] if key >= 0 else None for key in all_rows.key[rows].tolist()]
        indices = np.array([class_index(key, legend, table.path) for key in keys], np.uint8)
        if alone:
            rows, indices = rows[indices != legend.background], indices[indices != legend.background]
        super().__init__(image.grid.shape, indices.tolist(), legend)
        spans = [slice(all_rows.offsets[row], all_rows.offsets[row + 1]) for row in rows.tolist()]
        starts = np.concatenate([all_rows.starts[span] for span in spans] or [np.zeros(0, np.int64)])
        ends = np.concatenate([all_rows.ends[span] for span in spans] or [np.zeros(0, np.int64)])
        owner = np.repeat(np.arange(len(rows)), all_rows.offsets[rows + 1] - all_rows.offsets[rows])
        # no pixel is in two rows, so the runs of all objects have one order
        order = np.argsort(starts, kind="stable")
        self._runs = Runs(starts[order], ends[order])
        self._owner = owner[order]
        if (self._runs.starts[1:] < self._runs.ends[:-1]).any():
            table.check_exclusive()

    def _paint(self, window: Window, values: NDArray[Value], fill: int) -> NDArray[Value]:
        return burn(self._runs, values[self._owner], self.shape, window, fill)


def _check_inside(table: RunTable, rows: Positions, image: LabelledImage) -> None:
    """Raise LabelError listing the rows that reach beyond their image."""
    height, width = image.grid.shape
    bad = BadRows(table.path, len(rows))
    for row in rows.tolist():
        last = int(table.rows.ends[table.rows.offsets[row + 1] - 1])
        if last > height * width:
            size = f"{height} x {width} = {height * width} pixels"
            bad.add(int(table.rows.lines[row]), f"a run reaches pixel {last}, but {image.path.name} has {size}")
    bad.check()


def _check_overlaps(rows: RunRows, bad: BadRows, groups: Positions) -> None:
    """Note rows whose pixels another row of their group holds too. groups: of each row; those of a group are of one image."""
    row = np.repeat(np.arange(len(rows.lines)), np.diff(rows.offsets))
    group, starts, ends = groups[row], rows.starts, rows.ends
    if not _in_order(group, starts, ends):
        order = np.lexsort((starts, group))
        row, group, starts, ends = row[order], group[order], starts[order], ends[order]
    shared = (group[1:] == group[:-1]) & (starts[1:] < ends[:-1])
    pairs = np.unique(np.sort(np.stack([row[:-1][shared], row[1:][shared]], axis=1), axis=1), axis=0)
    for first, second in pairs.tolist():
        name = rows.names[rows.image[first]]
        bad.add(int(rows.lines[second]), f"{listed([name])}: it shares pixels with line {rows.lines[first]}; a pixel is of one object only")


def _in_order(group: Positions, starts: Positions, ends: Positions) -> bool:
    """Whether runs are sorted already, group by group, without overlap."""
    same = group[1:] == group[:-1]
    return bool(((group[1:] > group[:-1]) | (same & (starts[1:] >= ends[:-1]))).all())
