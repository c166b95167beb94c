"""What a run says of itself: maps of its held-out ground, compared with the labels, and scores of all its samples."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally
from terrazzo.evaluation.where.by_sample import score_table
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.maps import Watch, follow_maps, write_maps
from terrazzo.prediction.outputs.names import map_path
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.progress import Progress
from terrazzo.rasters.files import ImageFile, output_stems
from terrazzo.rasters.window import Window
from terrazzo.samples.ground import Rectangles
from terrazzo.samples.rows import Sample, rows_by_scene
from terrazzo.samples.store import Source
from terrazzo.samples.table import PARTS, Samples
from terrazzo.training.run import RunFolder
from terrazzo.workflows.objects import object_columns
from terrazzo.workflows.where.follow import Followed, Follower, errors_path
from terrazzo.workflows.where.layers import suspicious_table

logger = logging.getLogger(__name__)
NOTHING_HELD_OUT = "Nothing is held out: the figures are those of the training part and say little of other ground."


@dataclass(frozen=True, kw_only=True)
class HeldOutScores:
    """Counts over held-out ground, each pixel once, and scores by sample, those of the other parts too."""

    part: str
    """The part of the split that is counted: test if there is one, else validation, else train."""
    tally: SetTally
    scores: pd.DataFrame
    """Of `score_table`, with `object_columns`, by the sample's id; overlapping samples count their common pixels each."""
    suspicious: geopandas.GeoDataFrame
    maps: Mapping[str, Path]
    """The map of each scene of the part, predicted where windows touch it; ground of other parts is 255 in it."""


class Ground(NamedTuple):
    """Of a scene, what is held out and what training saw."""

    held_out: Rectangles
    """Of a run that holds nothing out, the evaluated ground."""
    training: Rectangles


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model is judged on: windows in pixels of the maps, which have the images' own size."""

    samples: Samples
    store: Source
    """Images at their own size, and their labels."""
    working: Source
    """Images as the model reads them, which may be at another size."""

    def job(self, scene: str, ground: Ground, predictor: Predictor) -> Job:
        """The job of a scene: its held-out ground predicted as for any map, its training ground with as few windows as cover it."""
        raster, full = self.working.raster(scene), self.store.raster(scene)
        held_out, training = (predictor.job(raster, each.touch, full if full.shape != raster.shape else None) for each in ground)
        # of a cropped window the border is not kept, so that as few as cover the ground would leave gaps
        cropped = predictor.options.blend == "crop"
        rows, columns = held_out.grid.cover

        def wanted(window: Window) -> bool:
            alone = cropped or (window.row_off in rows and window.col_off in columns)
            return held_out.needs(window) or (alone and training.needs(window))

        return replace(held_out, wanted=wanted)


def score_held_out(
    judged: Judged, predictor: Predictor, options: EvaluationOptions, folder: RunFolder, progress: Progress
) -> HeldOutScores:
    """Map the scenes of the held-out part into a run and count how the maps agree with the labels there.

    The samples of the other parts are scored too, those of training as far as the options say, and all have their errors in a raster.
    Only held-out ground is worth the time of overlapping windows.
    """
    samples, store = judged.samples, judged.store
    part = evaluated_part(samples)
    scored = scored_samples(samples, part, options)
    members = rows_by_scene(scored)
    counted, others = rows_by_scene(samples.part(part)), rows_by_scene(_other_parts(samples, part))
    stems = map_stems(samples)
    overlapping = samples.legend.overlapping
    maps = {scene: map_path(folder.maps, stems[scene], store.raster(scene), overlapping=overlapping) for scene in members}
    training = set() if part == "train" else set(samples.part("train").frame.index)
    jobs = {scene: judged.job(scene, _grounds(rows, training), predictor) for scene, rows in members.items()}
    objects = rule_of(options, samples.legend)
    with Follower(samples.legend, objects) as follower:
        counter = _Counter(judged, SetTally(len(samples.legend.sets.classes), objects), options, follower)
        for scene, rows in members.items():
            errors = errors_path(folder.errors, stems[scene], maps[scene]) if options.error_maps else None
            windows = {sample.id: sample.window for sample in rows}
            followed = Followed(name=scene, grid=store.raster(scene).grid, windows=windows, errors=errors)
            counter.scenes[id(jobs[scene].mapped)] = _Scene(
                followed=followed, counted=_ground(counted.get(scene, [])), other=_ground(others.get(scene, []))
            )
        watch = Watch(seen=counter.count, shown=counter.shown)
        write_maps({maps[scene]: jobs[scene] for scene in counted}, predictor, progress, watch)
        if rest := [jobs[scene] for scene in members if scene not in counted]:
            follow_maps(rest, predictor, progress, counter.count)
    return HeldOutScores(
        part=part,
        tally=counter.tally,
        scores=object_columns(score_table(follower.scores, samples.legend), follower.objects),
        suspicious=suspicious_table(follower.suspects, samples.legend),
        maps={scene: maps[scene] for scene in counted},
    )


def map_stems(samples: Samples) -> dict[str, str]:
    """What the map of each scene of a run is called, without its ending."""
    # scenes of a packed store have no files of their own; their names tell them apart
    files = [ImageFile(name=scene, path=Path(scene)) for scene in samples.frame["scene"].unique()]
    stems = output_stems(files)
    return {file.name: stems[file.path] for file in files}


def evaluated_part(samples: Samples) -> str:
    """test, else validation, else train, which a warning tells."""
    for part in ("test", "validation"):
        if len(samples.part(part)):
            return part
    logger.warning(NOTHING_HELD_OUT)
    return "train"


def scored_samples(samples: Samples, part: str, options: EvaluationOptions) -> Samples:
    """The samples that get scores: all that are held out, and of training all, a draw of them, or none."""
    split = samples.frame["split"]
    training = np.flatnonzero(split == "train")
    if part != "train":
        most = options.training_samples if options.score_training else 0
        if len(training) > most:
            training = np.random.default_rng(options.seed).choice(training, most, replace=False)
    chosen = np.sort(np.concatenate([np.flatnonzero(split.isin(PARTS[1:])), training]))
    return replace(samples, frame=samples.frame.iloc[chosen])


def _other_parts(samples: Samples, part: str) -> Samples:
    split = samples.frame["split"]
    return replace(samples, frame=samples.frame[split.notna() & (split != part)])


def _grounds(members: Sequence[Sample], training: set[int]) -> Ground:
    """training: the ids of the samples whose ground needs no map."""
    seen = [sample for sample in members if sample.id in training]
    return Ground(held_out=_ground([sample for sample in members if sample.id not in training]), training=_ground(seen))


def _ground(members: Sequence[Sample]) -> Rectangles:
    return Rectangles.of([sample.window for sample in members])


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """A scene whose rows are followed."""

    followed: Followed
    counted: Rectangles
    """Its ground of the evaluated part."""
    other: Rectangles
    """Its ground of the other parts."""


class _Counter:
    """Compares finished rows with the labels under samples."""

    def __init__(self, judged: Judged, tally: SetTally, options: EvaluationOptions, follower: Follower) -> None:
        self.scenes: dict[int, _Scene] = {}
        """By the id of the raster."""
        self.tally = tally
        self._rule = None if tally.objects is None else tally.objects.rule
        self._options = options
        self._store = judged.store
        self._legend = judged.samples.legend
        self._follower = follower
        self._tally: SceneTally | None = None
        """Of the scene whose rows are coming."""

    def count(self, job: Job, rows: BlendedRows, indices: NDArray[np.uint8]) -> None:
        """Pixels that are unsure count as not predicted."""
        scene = self.scenes[id(job.mapped)]
        name = scene.followed.name
        band = Window(col_off=0, row_off=rows.row_off, width=indices.shape[1], height=indices.shape[0])
        known = Rows(
            row_off=rows.row_off,
            truth=np.where(rows.valid, self._store.labels(name, band), IGNORE),
            predicted=np.where(indices < len(self._legend.sets.classes), indices, np.uint8(IGNORE)),
            probabilities=rows.probabilities(),
            instances=self._store.instances(name, band) if self._rule else None,
        )
        if rows.row_off == 0:
            self._follower.start(scene.followed)
        self._follower.add(_within(known, Rectangles.of(list(scene.followed.windows.values())).covered(band)))
        if scene.counted.edges.size:
            self._add(name, _within(known, scene.counted.covered(band)))

    def shown(self, job: Job, row_off: int, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What of the map is written: nothing that lies on ground of other parts, so that whoever compares it with labels is not misled."""
        scene = self.scenes[id(job.mapped)]
        band = Window(col_off=0, row_off=row_off, width=indices.shape[1], height=indices.shape[0])
        hidden = scene.other.covered(band) & ~scene.counted.covered(band)
        return np.where(hidden, np.uint8(IGNORE), indices)

    def _add(self, scene: str, rows: Rows) -> None:
        shape = self._store.shape(scene)
        if self._tally is None:
            legend = self._legend
            self._tally = SceneTally(len(legend.classes), self._options, shape, self._rule, overlapping=legend.overlapping)
        self._tally.add(rows)
        if rows.row_end == shape[0]:
            self.tally.add(scene, self._tally.finish())
            self._tally = None


def _within(rows: Rows, covered: NDArray[np.bool_]) -> Rows:
    """The rows with all else left out."""
    return replace(rows, truth=np.where(covered, rows.truth, IGNORE), predicted=np.where(covered, rows.predicted, IGNORE))
