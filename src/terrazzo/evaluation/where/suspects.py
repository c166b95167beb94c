"""Suspicious labels: regions in which the model is sure of one class and the label says another.

Regions grow while the rows of a scene pass by, so a scene may be of any size:

    rows that came before     1 1 . . 2 2        a region that touches the last row is open;
    ---------------------     . 1 . . . 2        rows that come join it, or join two to one;
    rows that come            . 1 1 1 1 .        what no row joins any more is closed
"""

import heapq
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.where.certainty import ONE, SURE
from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Window

MOST_REGIONS = 1000
"""Regions of a scene that are kept; the smallest go."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One region of pixels that touch, also at corners, with the same label and the same prediction."""

    window: Window
    """The smallest that holds it."""
    truth: int
    """Class index of the label."""
    predicted: int
    """Class index that the model is sure of."""
    pixels: int
    core: int
    """Pixels of which all eight neighbours belong to the region too: 0 for lines of two pixels, such as edges drawn askew."""
    confidence: float
    """Mean probability of the predicted class, 0.95 to 1."""


class SuspectFinder:
    """Finds the suspicious regions of one scene; those without a core are left out.

    The result does not depend on how the rows were cut.
    """

    def __init__(self, classes: int, most: int = MOST_REGIONS) -> None:
        """classes: their number. most: regions that are kept, those with the largest cores."""
        self._classes = classes
        self._most = most
        self._regions: dict[int, _Region] = {}
        self._kept: list[tuple[int, int, int, Suspect]] = []
        self._count = 0
        self._seen = _Rows()
        self._open: NDArray[np.int64] | None = None

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> None:
        """Add the next rows of the scene.

        truth, predicted: (rows, width) class indices, 255 left out. probabilities: (classes, rows, width), 65535 = 1.
        """
        confidence = probabilities.max(axis=0)
        wrong = (confidence > SURE * ONE) & (truth != predicted) & (truth != IGNORE) & (predicted != IGNORE)
        codes = np.where(wrong, truth.astype(np.uint16) * self._classes + predicted + 1, 0).astype(np.uint16)
        self._label(self._seen.push(codes, confidence, last=False))

    def finish(self) -> list[Suspect]:
        """The regions, those with the largest cores first; call it once, after the last row."""
        self._label(self._seen.push(None, None, last=True))
        self._close(set())
        return [suspect for *_, suspect in sorted(self._kept, key=lambda entry: (-entry[0], -entry[1], -entry[2]))]

    def _label(self, piece: "_Piece | None") -> None:
        """Join the regions of rows whose neighbours are all known."""
        if piece is None:
            return
        labels = np.zeros(piece.codes.shape, np.int64)
        for code in np.unique(piece.codes):
            if code:
                self._components(int(code), piece, labels)
        if self._open is not None:
            self._join(self._open, labels, piece)
        # ids that were joined away go by the one that is left
        self._open = np.array([self._root(number) if number else 0 for number in labels[-1].tolist()], np.int64)
        self._above = piece.codes[-1]
        self._close(set(np.unique(self._open).tolist()))

    def _components(self, code: int, piece: "_Piece", labels: NDArray[np.int64]) -> None:
        count, found, boxes, _ = cv2.connectedComponentsWithStats((piece.codes == code).astype(np.uint8), connectivity=8)
        flat = found.reshape(-1)
        cores = np.bincount(flat, weights=piece.core.reshape(-1), minlength=count)
        sums = np.bincount(flat, weights=piece.confidence.reshape(-1), minlength=count)
        ids = np.concatenate([[0], self._count + 1 + np.arange(count - 1)])
        for number in range(1, count):
            left, top, width, height, pixels = (int(value) for value in boxes[number])
            self._regions[self._count + number] = _Region(
                code=code,
                edges=(left, piece.top + top, left + width, piece.top + top + height),
                pixels=pixels,
                core=int(cores[number]),
                confidence=int(sums[number]),
            )
        self._count += count - 1
        labels += ids[found]

    def _join(self, above: NDArray[np.int64], labels: NDArray[np.int64], piece: "_Piece") -> None:
        """Join regions that touch across the seam, also at corners."""
        width = len(above)
        for shift in (-1, 0, 1):
            upper, lower = slice(max(0, shift), width + min(0, shift)), slice(max(0, -shift), width + min(0, -shift))
            same = (self._above[upper] == piece.codes[0, lower]) & (above[upper] > 0)
            for one, other in set(zip(above[upper][same].tolist(), labels[0, lower][same].tolist(), strict=True)):
                self._unite(one, other)

    def _unite(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        if first != second:
            kept, gone = self._regions[first], self._regions[second]
            kept.take(gone)
            gone.joined = first

    def _root(self, number: int) -> int:
        while (region := self._regions[number]).joined is not None:
            number = region.joined
        return number

    def _close(self, still_open: set[int]) -> None:
        """Keep what no further row can join, if it is among the largest."""
        for number, region in self._regions.items():
            if number in still_open or region.joined is not None or not region.core:
                continue
            # of alike ones the upper stays
            entry = (region.core, region.pixels, -number, region.suspect(self._classes))
            push = heapq.heappush if len(self._kept) < self._most else heapq.heappushpop
            push(self._kept, entry)
        self._regions = {number: self._regions[number] for number in still_open if number}


@dataclass(kw_only=True)
class _Region:
    """A region that may still grow."""

    code: int
    edges: tuple[int, int, int, int]
    pixels: int
    core: int
    confidence: int
    joined: int | None = None

    def take(self, other: "_Region") -> None:
        (left, top, right, bottom), (left2, top2, right2, bottom2) = self.edges, other.edges
        self.edges = (min(left, left2), min(top, top2), max(right, right2), max(bottom, bottom2))
        self.pixels += other.pixels
        self.core += other.core
        self.confidence += other.confidence

    def suspect(self, classes: int) -> Suspect:
        left, top, right, bottom = self.edges
        return Suspect(
            window=Window(col_off=left, row_off=top, width=right - left, height=bottom - top),
            truth=(self.code - 1) // classes,
            predicted=(self.code - 1) % classes,
            pixels=self.pixels,
            core=self.core,
            confidence=self.confidence / self.pixels / ONE,
        )


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Rows of which the neighbours are known."""

    top: int
    codes: NDArray[np.uint16]
    confidence: NDArray[np.uint16]
    core: NDArray[np.bool_]


class _Rows:
    """Holds the last row back until the one below it is known."""

    def __init__(self) -> None:
        self._top = 0
        self._context: NDArray[Any] | None = None
        """The row above the one that is held back, the edge itself at the top of the scene."""
        self._held: tuple[NDArray[Any], NDArray[Any]] | None = None

    def push(self, codes: NDArray[np.uint16] | None, confidence: NDArray[np.uint16] | None, *, last: bool) -> _Piece | None:
        """The rows that are ready; at the end, the last one."""
        if self._held is not None:
            held_codes, held_confidence = self._held
            codes = held_codes if codes is None else np.concatenate([held_codes, codes])
            confidence = held_confidence if confidence is None else np.concatenate([held_confidence, confidence])
        if codes is None or confidence is None or not len(codes):
            return None
        ready = len(codes) if last else len(codes) - 1
        self._held = (codes[ready:], confidence[ready:])
        if not ready:
            return None
        above = codes[:1] if self._context is None else self._context
        around = np.concatenate([above, codes, codes[-1:]] if last else [above, codes])
        core = _core(around)[1 : 1 + ready]
        piece = _Piece(top=self._top, codes=codes[:ready], confidence=confidence[:ready], core=core)
        self._top += ready
        self._context = codes[ready - 1 : ready]
        return piece


def _core(codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Where a pixel and its eight neighbours have the same code, not 0; beyond the sides the edge goes on."""
    square = np.ones((3, 3), np.uint8)
    border = cv2.BORDER_REPLICATE
    inside: NDArray[np.bool_] = cv2.erode(codes, square, borderType=border) == cv2.dilate(codes, square, borderType=border)
    return inside & (codes > 0)
