"""The outlines of a scene's things, put aside while its plots are visited once, and taken up class by class."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

import numpy as np

from terrazzo.simulation.scenes.land import Points
from terrazzo.simulation.scenes.outlines import Outlines
from terrazzo.simulation.scenes.plots import ORDER, Plot
from terrazzo.simulation.scenes.roads import STEPS
from terrazzo.simulation.scenes.scene import Scene

LINES = -1
"""Beside the classes, the centre lines of roads."""


class Outlined:
    """Outlines on disk, so that a scene may be of any size; use it as a context."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._scene = scene
        self._stack = ExitStack()
        self._files = {kind: _opened(self._stack, folder) for kind in (*ORDER, LINES)}
        with ExitStack() as failing:
            failing.push(self._stack)
            scene.plots.survey(self._visit)
            failing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _visit(self, plot: Plot) -> None:
        for label in ORDER:
            np.save(self._files[label], plot.outlines[label].corners)
            np.save(self._files[label], plot.outlines[label].counts)
        np.save(self._files[LINES], plot.roads.lines.reshape(-1, STEPS, 2))
        np.save(self._files[LINES], plot.roads.width_m)

    def outlines(self, label: int) -> Iterator[tuple[int, Outlines]]:
        """Plot by plot the number of the first thing of a class, and the outlines of all."""
        file = self._files[label]
        file.seek(0)
        for first in self._scene.plots.first[label].ravel().tolist():
            yield first, Outlines.bounded(np.load(file), np.load(file))

    def lines(self, label: int) -> Iterator[tuple[int, Points, Points]]:
        """Plot by plot the number of the first road, centre lines (n, STEPS, 2) and widths (n,) of all, in pixels."""
        file = self._files[LINES]
        file.seek(0)
        cell_size_m = self._scene.plots.cell_size_m
        for first in self._scene.plots.first[label].ravel().tolist():
            yield first, np.load(file) / cell_size_m, np.load(file) / cell_size_m


def _opened(stack: ExitStack, folder: Path) -> IO[bytes]:
    return stack.enter_context(tempfile.TemporaryFile(dir=folder))
