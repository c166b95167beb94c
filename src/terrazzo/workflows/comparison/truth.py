"""What maps are compared with: given labels, or those of a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape, Window
from terrazzo.workflows.held_out import map_stems
from terrazzo.workflows.where.finished import FinishedRun


class TruthRows(Protocol):
    """The truth of one image."""

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        ...

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width), 255 left out."""
        ...

    @property
    def has_instances(self) -> bool:
        """Whether objects are told apart, though they touch."""
        ...

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width), 0 where there is none; only where they are told apart."""
        ...


class GivenLabels:
    """Labels of any form, as evaluate takes them."""

    def __init__(self, labels: Mapping[str, Path], reader: LabelReader) -> None:
        self._labels = labels
        self._reader = reader

    @property
    def legend(self) -> Legend:
        return self._reader.legend

    @contextmanager
    def open(self, name: str, maps: MaskLabels) -> Iterator[TruthRows]:
        image = LabelledImage(name=name, path=maps.path, grid=maps.grid)
        with self._reader.open(self._labels[name], image) as labels:
            yield labels


class RunLabels:
    """The labels that a run was given, where its images have data."""

    def __init__(self, run: FinishedRun) -> None:
        self._run = run
        self._scenes = {stem: scene for scene, stem in map_stems(run.samples).items()}

    @property
    def legend(self) -> Legend:
        return self._run.samples.legend

    @contextmanager
    def open(self, name: str, maps: MaskLabels) -> Iterator[TruthRows]:
        del maps
        yield _RunScene(self._run, self._scenes[name])

    def image(self, name: str, window: Window) -> Pixels:
        """The pixels of an image."""
        return self._run.store.image(self._scenes[name], window)


class _RunScene:
    def __init__(self, run: FinishedRun, scene: str) -> None:
        self._store = run.store
        self._scene = scene
        self.has_instances = run.store.instances(scene, Window(col_off=0, row_off=0, width=1, height=1)) is not None

    @property
    def shape(self) -> Shape:
        return self._store.shape(self._scene)

    def read(self, window: Window) -> NDArray[np.uint8]:
        return self._store.read(self._scene, window)[1]

    def instances(self, window: Window) -> NDArray[np.uint32]:
        found = self._store.instances(self._scene, window)
        return found if found is not None else np.zeros(window.shape, np.uint32)


Truth = GivenLabels | RunLabels
