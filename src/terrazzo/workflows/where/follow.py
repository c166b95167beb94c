"""Following maps as their rows are finished: where they are right and wrong, and how sure the model was."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from terrazzo.drawing.qgis import palette_style
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.windows import WindowObjects
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.where.by_sample import SampleTally, ScoreRow, tally_rows
from terrazzo.evaluation.where.error_codes import error_codes, error_legend
from terrazzo.evaluation.where.suspects import SuspectFinder
from terrazzo.labels.legend import Legend
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import MapStyle, MapWriter, write_text
from terrazzo.workflows.where.layers import SceneSuspects

ERRORS_SUFFIX = "_errors"


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A scene whose map is compared with its labels."""

    name: str
    grid: Grid
    windows: Mapping[int, Window]
    """The samples of it that are scored, by id."""
    errors: Path | None = None
    """Where its error raster goes, .tif or .png; None: it gets none."""


def errors_path(folder: Path, stem: str, class_map: Path) -> Path:
    """FOLDER/<stem>_errors.png where the class map is a PNG, else .tif. stem: may hold sub-folders."""
    return folder / f"{stem}{ERRORS_SUFFIX}{'.png' if class_map.suffix.lower() == '.png' else '.tif'}"


class Follower:
    """Takes the rows of scenes, one scene after another, each from top to bottom; memory is that of a few rows.

    with Follower(legend) as follower:
        follower.start(scene)
        follower.add(rows)   # and so on, to its last row
    """

    def __init__(self, legend: Legend, objects: ObjectRule | None = None) -> None:
        """objects: which are matched in each sample; None: none are."""
        self.scores: dict[int, ScoreRow] = {}
        """By the sample's id."""
        self.objects: dict[int, Mapping[str, float]] = {}
        """Scores of the objects of each sample, by its id."""
        self.suspects: list[SceneSuspects] = []
        """Of the scenes whose probabilities were given."""
        self._legend = legend
        self._rule = objects
        self._scene: _Scene | None = None
        self._stack = ExitStack()

    def start(self, scene: Followed) -> None:
        """Begin a scene. The error raster appears when its last row was added."""
        writer = self._stack.enter_context(MapWriter(scene.errors, scene.grid, _style(self._legend.sets))) if scene.errors else None
        self._scene = _Scene(scene, self._legend, writer, self._rule)

    def add(self, rows: Rows) -> None:
        """Add the next rows of the scene."""
        if self._scene is not None and self._scene.add(rows):
            self._finish(self._scene)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def _finish(self, done: "_Scene") -> None:
        self._stack.close()
        scene = done.scene
        if scene.errors is not None and scene.errors.suffix == ".tif":
            legend = error_legend(self._legend.sets)
            names = {entry.value: (entry.name, entry.color) for entry in legend.classes}
            write_text(scene.errors.with_suffix(".qml"), palette_style(names))
        self.scores |= tally_rows([done.tally], self._legend)
        self.objects |= {} if done.objects is None else done.objects.scores
        if done.sure:
            self.suspects += [
                SceneSuspects(scene=scene.name, grid=scene.grid, suspects=finder.finish(), legend=legend)
                for finder, legend in zip(done.finders, done.legends, strict=True)
            ]
        self._scene = None


class _Scene:
    """What is gathered of one scene."""

    def __init__(self, scene: Followed, legend: Legend, writer: MapWriter | None, objects: ObjectRule | None) -> None:
        self.scene = scene
        self.tally = SampleTally(scene.windows, len(legend.classes), overlapping=legend.overlapping)
        self.legends = [legend.alone(name) for name in legend.names] if legend.overlapping else [legend]
        """What tells the classes of each of the finders."""
        self.finders = [SuspectFinder(len(each.classes)) for each in self.legends]
        self._overlapping = legend.overlapping
        self.objects = None if objects is None else WindowObjects(scene.windows, objects)
        self.sure = False
        """Whether probabilities were given."""
        self._writer = writer

    def add(self, rows: Rows) -> bool:
        """Whether these were the last rows."""
        self.tally.add(rows.row_off, rows.truth, rows.predicted, rows.probabilities)
        if self.objects is not None:
            self.objects.add(rows)
        for number, finder in enumerate(self.finders):
            one = rows.alone(number) if self._overlapping and rows.probabilities is not None else rows
            if one.probabilities is not None:
                finder.add(one.truth, one.predicted, one.probabilities)
                self.sure = True
        if self._writer is not None:
            self._writer.write(error_codes(rows.truth, rows.predicted))
        return rows.row_end == self.scene.grid.shape[0]


def _style(legend: Legend) -> MapStyle:
    codes = error_legend(legend)
    return MapStyle(colors=dict(zip(codes.values, codes.colors, strict=True)), legend_json=codes.to_json())
