"""What windows hold: the pixels of each class, and objects. Windows of one large scene are counted by several threads."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError, LabelError
from terrazzo.labels.bits import members, plane_of
from terrazzo.labels.failures import MOST_THREADS, Failures
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.source import Labels
from terrazzo.progress import Progress
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window
from terrazzo.samples.checks import CheckedScene

READ_BYTES = 2**26
"""Windows that lie beside each other are read at once, up to about so many bytes of pixels."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the windows of one scene hold."""

    pixels: NDArray[np.int64]
    """(windows, classes), valid and labelled; where classes overlap, (windows, sets of classes)."""
    objects: NDArray[np.int64]
    """(windows,) 8-connected components of each class but the background, or objects where the labels tell them apart."""


def count_windows(
    scenes: Sequence[CheckedScene], windows: Sequence[Sequence[Window]], reader: LabelReader, progress: Progress
) -> list[Counts]:
    """Count what is in the windows of each scene, in constant memory whatever the size of the scenes.

    windows: of each scene, inside it. Windows that follow each other are read together where that is worth it.
    Raises one LabelError, RasterError or DataError that names all scenes which cannot be read.
    """
    classes = len(reader.legend.sets.classes)
    counts = [Counts(pixels=np.zeros((len(held), classes), np.int64), objects=np.zeros(len(held), np.int64)) for held in windows]
    jobs = [
        job
        for scene, held, found in zip(scenes, windows, counts, strict=True)
        for job in _jobs(_OpenScene(scene, reader), held, found, scene.bands * scene.dtype.itemsize + 2)
    ]
    failures = Failures()
    with progress.task("index", sum(map(len, windows)), "windows") as advance:
        for job, error in zip(jobs, ahead(_Job.work, jobs, min(MOST_THREADS, os.cpu_count() or 1)), strict=True):
            if error is not None:
                failures.add(error)
            advance(len(job.windows))
    failures.check(len(scenes), "scenes")
    return counts


class _OpenScene:
    """A scene that is opened by the first of its jobs and closed by the last."""

    def __init__(self, checked: CheckedScene, reader: LabelReader) -> None:
        self.jobs = 0
        """That are still to be done."""
        self.failed = False
        self._checked = checked
        self._reader = reader
        self._lock = threading.Lock()
        self._files: tuple[Raster, Labels] | None = None
        self._stack = ExitStack()

    @property
    def legend(self) -> Legend:
        return self._reader.legend

    def open(self) -> tuple[Raster, Labels]:
        """The image and its labels; whoever takes them says `done` in the end."""
        scene = self._checked.scene
        with self._lock:
            if scene.label is None:
                raise LabelError(f"{scene.image} has no label.")
            if self._files is None:
                raster = self._stack.enter_context(open_raster(scene.image, self._reader.data))
                self._files = raster, self._stack.enter_context(self._reader.open(scene.label, self._checked.labelled))
            return self._files

    def done(self, error: DataError | None) -> DataError | None:
        """One job is done; the error of the first that failed is given back."""
        with self._lock:
            self.jobs -= 1
            if not self.jobs:
                self._stack.close()
            known, self.failed = self.failed, self.failed or error is not None
            return None if known else error


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Windows of a scene that are read at once."""

    scene: _OpenScene
    first: int
    """Place of the first of them in `counts`."""
    windows: Sequence[Window]
    counts: Counts

    def work(self) -> DataError | None:
        """Count, unless the scene was found broken before; an error is given back once a scene."""
        found = None
        try:
            if not self.scene.failed:
                _count(self.scene, self.windows, self.counts, self.first)
        except DataError as error:
            found = error
        finally:
            found = self.scene.done(found)
        return found


def _jobs(scene: _OpenScene, windows: Sequence[Window], counts: Counts, pixel_bytes: int) -> list[_Job]:
    """Cut the windows of a scene into runs that are worth one read each."""
    found: list[_Job] = []
    start, around = 0, None
    for place, window in enumerate(windows):
        grown = window if around is None else _hull(around, window)
        if around is not None and grown.width * grown.height * pixel_bytes > READ_BYTES:
            found.append(_Job(scene=scene, first=start, windows=windows[start:place], counts=counts))
            start, grown = place, window
        around = grown
    if len(windows):
        found.append(_Job(scene=scene, first=start, windows=windows[start:], counts=counts))
    scene.jobs = len(found)
    return found


def _count(scene: _OpenScene, windows: Sequence[Window], counts: Counts, first: int) -> None:
    raster, source = scene.open()
    around = reduce(_hull, windows)
    read = _labels(raster, source, around)
    for place, window in enumerate(windows, first):
        labels = read[window.inside(around)]
        pixels = np.bincount(labels.ravel(), minlength=256)[: counts.pixels.shape[1]]
        counts.pixels[place] = pixels
        instances = source.instances(window) if source.has_instances else None
        counts.objects[place] = count_shapes(labels, pixels, scene.legend) if instances is None else count_instances(instances, labels)


def count_shapes(labels: NDArray[np.uint8], pixels: NDArray[np.int64], legend: Legend) -> int:
    """The objects of `count_objects`; where classes overlap, those of each class by itself.

    labels: (height, width) class indices or bit sets, 255 ignored. pixels: how many each class, or each set of classes, has there.
    """
    if not legend.overlapping:
        return count_objects(labels, pixels)
    held = members(len(legend.classes)) @ pixels
    return sum(count_objects(plane_of(labels, number), np.array([0, count])) for number, count in enumerate(held.tolist()))


def count_objects(labels: NDArray[np.uint8], pixels: NDArray[np.int64]) -> int:
    """The 8-connected components of each class but the first, together.

    labels: (height, width) class indices, 255 ignored. pixels: how many pixels each class has there.
    """
    present = np.flatnonzero(pixels[1:]) + 1
    return sum(int(cv2.connectedComponents((labels == index).view(np.uint8), connectivity=8)[0]) - 1 for index in present)


def count_instances(instances: NDArray[np.uint32], labels: NDArray[np.uint8]) -> int:
    """The objects that have a pixel in a window which is not ignored; touching ones count each.

    instances: (height, width) object numbers, 0 where there is none. labels: same shape, class indices, 255 ignored.
    """
    shown = instances[(instances > 0) & (labels != IGNORE)]
    return len(np.unique(shown))


def _labels(raster: Raster, source: Labels, window: Window) -> NDArray[np.uint8]:
    """The labels of a window, 255 also where the image has no data."""
    labels = source.read(window)
    valid = raster.read(window).valid
    if not valid.all():
        labels[~valid] = IGNORE
    return labels


def _hull(one: Window, other: Window) -> Window:
    """The smallest window that holds both."""
    left, top = min(one.col_off, other.col_off), min(one.row_off, other.row_off)
    right, bottom = max(one.col_end, other.col_end), max(one.row_end, other.row_end)
    return Window(col_off=left, row_off=top, width=right - left, height=bottom - top)
