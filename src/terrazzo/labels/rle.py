"""Run-length arithmetic: stretches of pixels down the columns of an image, as tables (Airbus, Kaggle) and COCO count them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.rasters.window import Shape, Window, whole

Positions = NDArray[np.int64]
Value = TypeVar("Value", np.uint8, np.uint32)


@dataclass(frozen=True)
class Runs:
    """Stretches of pixels in column-major order: down the first column, then down the second, and so on.

    They are in order, none is empty, and none overlaps another.
    """

    starts: Positions
    """The first pixel of each, from 0."""
    ends: Positions
    """The first pixel after each."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """The runs of the pixels of (height, width) that are True."""
        flat = _columns(mask)
        starts, ends = _stretches(flat)
        on = flat[starts]
        return cls(starts=starts[on], ends=ends[on])

    @classmethod
    def of_counts(cls, counts: Positions) -> Self:
        """The runs of COCO counts: how many pixels are off, then on, then off, and so on; none negative."""
        edges = np.cumsum(counts)
        starts, ends = edges[: len(edges) // 2 * 2 : 2], edges[1::2]
        return cls(starts=starts[ends > starts], ends=ends[ends > starts])

    @property
    def pixels(self) -> int:
        """How many pixels they hold."""
        return int((self.ends - self.starts).sum())

    def counts(self, shape: Shape) -> Positions:
        """The counts of COCO for an image of (height, width)."""
        edges = np.empty(2 * len(self.starts) + 2, np.int64)
        edges[0], edges[-1] = 0, shape[0] * shape[1]
        edges[1:-1:2], edges[2:-1:2] = self.starts, self.ends
        counts = np.diff(edges)
        return counts[:-1] if counts[-1] == 0 and len(counts) > 1 else counts

    def text(self) -> str:
        """'start length start length ...', the first pixel being 1: a cell of a table."""
        return " ".join(map(str, np.stack([self.starts + 1, self.ends - self.starts], axis=1).ravel().tolist()))

    def mask(self, shape: Shape) -> NDArray[np.bool_]:
        """(height, width), True on the runs."""
        return burn(self, np.ones(len(self.starts), np.uint8), shape, whole(shape)).view(np.bool_)


def decode(starts: Positions, lengths: Positions, shape: Shape) -> NDArray[np.bool_]:
    """The mask (height, width) of the pairs of a table, whose first pixel is 1 and which go down the columns.

    Raises LabelError if a pair is empty, overlaps or precedes the one before, or reaches beyond the image.
    """
    begins = np.asarray(starts, np.int64) - 1
    runs = Runs(starts=begins, ends=begins + np.asarray(lengths, np.int64))
    limits = np.concatenate([[0], runs.ends, [shape[0] * shape[1]]])
    if (runs.ends <= runs.starts).any() or (np.append(runs.starts, limits[-1]) < limits[:-1]).any():
        raise LabelError(
            f"The runs do not fit an image of {shape[0]} x {shape[1]} pixels: starts are 1 to {shape[0] * shape[1]}, in order, "
            "lengths at least 1, and no pixel is in two of them."
        )
    return runs.mask(shape)


def encode(mask: NDArray[np.bool_]) -> str:
    """'start length ...' of a mask (height, width): down the columns, the first pixel being 1; empty if nothing is True."""
    return Runs.of(mask).text()


def objects(numbers: NDArray[Any]) -> Iterator[tuple[int, Runs]]:
    """The runs of each object of an image (height, width) of object numbers, in their order; 0 and below are no object."""
    flat = _columns(numbers)
    starts, ends = _stretches(flat)
    starts, ends = starts[flat[starts] > 0], ends[flat[starts] > 0]
    # stable: the runs of an object stay in the order of the pixels
    order = np.argsort(flat[starts], kind="stable")
    found, first = np.unique(flat[starts[order]], return_index=True)
    edges = np.append(first, len(order))
    for number, low, high in zip(found.tolist(), edges[:-1], edges[1:], strict=True):
        yield number, Runs(starts=starts[order[low:high]], ends=ends[order[low:high]])


def burn(runs: Runs, values: NDArray[Value], shape: Shape, window: Window, fill: int = 0) -> NDArray[Value]:
    """The pixels (height, width) of a window: the value of the run that holds them, else `fill`.

    Only the runs of the window's columns are touched, whatever the size of the image.

    values: one a run. shape: (height, width) of the image, which must hold the runs and the window.
    """
    height = shape[0]
    low, high = window.col_off * height, window.col_end * height
    some = slice(np.searchsorted(runs.ends, low, "right"), np.searchsorted(runs.starts, high, "left"))
    starts, ends = np.maximum(runs.starts[some], low), np.minimum(runs.ends[some], high)
    values = values[some]
    if window.height == height:
        starts, ends = starts - low, ends - low
    else:
        starts, ends, values = _in_rows(starts, ends, values, height, window)
    # the gaps between runs and the runs in turn
    edges = np.zeros(2 * len(starts) + 2, np.int64)
    edges[1:-1:2], edges[2:-1:2], edges[-1] = starts, ends, window.width * window.height
    filled = np.full(2 * len(starts) + 1, fill, values.dtype)
    filled[1::2] = values
    return _transpose(np.repeat(filled, np.diff(edges)).reshape(window.width, window.height))


def _in_rows(
    starts: Positions, ends: Positions, values: NDArray[Value], height: int, window: Window
) -> tuple[Positions, Positions, NDArray[Value]]:
    """Cut runs at the ends of columns and to the rows of a window; positions are then those in the window."""
    first, last = starts // height, (ends - 1) // height
    columns_each = last - first + 1
    run = np.repeat(np.arange(len(starts)), columns_each)
    column = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(columns_each) - columns_each, columns_each)
    top = np.maximum(starts[run] - column * height, window.row_off)
    bottom = np.minimum(ends[run] - column * height, window.row_end)
    kept = top < bottom
    offset = (column[kept] - window.col_off) * window.height - window.row_off
    return offset + top[kept], offset + bottom[kept], values[run[kept]]


def _stretches(flat: NDArray[Any]) -> tuple[Positions, Positions]:
    """The first and the first after of each stretch of one value."""
    inner = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate([[0], inner]), np.append(inner, len(flat))


def _columns(pixels: NDArray[Any]) -> NDArray[Any]:
    """(height, width) in column-major order."""
    return _transpose(np.ascontiguousarray(pixels)).ravel()


def _transpose(pixels: NDArray[Any]) -> NDArray[Any]:
    """Rows to columns; OpenCV takes an eighth of numpy's time for the types that it knows."""
    stand_in = {1: np.uint8, 2: np.uint16, 4: np.int32}.get(pixels.itemsize)
    if stand_in is None or not pixels.size:
        return np.ascontiguousarray(pixels.T)
    turned: NDArray[Any] = cv2.transpose(pixels.view(stand_in))
    return turned.view(pixels.dtype)
