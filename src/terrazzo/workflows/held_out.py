"""What a run says of itself: maps of its held-out ground, compared with the labels."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.maps import map_path, write_maps
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.progress import Progress
from terrazzo.rasters.files import ImageFile, output_stems
from terrazzo.rasters.window import Window
from terrazzo.samples.ground import Rectangles
from terrazzo.samples.rows import Sample, rows_by_scene
from terrazzo.samples.store import Source
from terrazzo.samples.table import Samples

logger = logging.getLogger(__name__)
NOTHING_HELD_OUT = "Nothing is held out: the figures are those of the training part and say little of other ground."


@dataclass(frozen=True, kw_only=True)
class HeldOutScores:
    """Counts over held-out ground, each pixel once, and by sample."""

    part: str
    """The part of the split: test if there is one, else validation, else train."""
    tally: SetTally
    by_sample: Mapping[int, Confusion]
    """By the sample's id; overlapping samples count their common pixels each."""
    maps: Mapping[str, Path]
    """The map of each scene, predicted where windows touch the part."""


def score_held_out(
    samples: Samples, store: Source, predictor: Predictor, options: EvaluationOptions, out: Path, progress: Progress
) -> HeldOutScores:
    """Map the scenes of the held-out part into a folder and count how the maps agree with the labels there."""
    part = evaluated_part(samples)
    by_scene = rows_by_scene(samples.part(part))
    counter = _Counter(store, by_scene, len(samples.legend.classes), options)
    stems = output_stems([ImageFile(name=scene, path=store.raster(scene).path) for scene in by_scene])
    jobs: dict[Path, Job] = {}
    maps: dict[str, Path] = {}
    for scene, members in by_scene.items():
        raster = store.raster(scene)
        maps[scene] = map_path(out, stems[raster.path], raster)
        jobs[maps[scene]] = predictor.job(raster, Rectangles.of([sample.window for sample in members]).touch)
        counter.scenes[id(raster)] = scene
    write_maps(jobs, predictor, progress, counter.count)
    return HeldOutScores(part=part, tally=counter.tally, by_sample=counter.by_sample, maps=maps)


def evaluated_part(samples: Samples) -> str:
    """test, else validation, else train, which a warning tells."""
    for part in ("test", "validation"):
        if len(samples.part(part)):
            return part
    logger.warning(NOTHING_HELD_OUT)
    return "train"


class _Counter:
    """Compares finished rows with the labels under held-out samples."""

    def __init__(self, store: Source, by_scene: Mapping[str, list[Sample]], classes: int, options: EvaluationOptions) -> None:
        self.scenes: dict[int, str] = {}
        self.tally = SetTally(classes)
        self.by_sample = {sample.id: Confusion(classes) for members in by_scene.values() for sample in members}
        self._classes = classes
        self._options = options
        self._store = store
        self._by_scene = by_scene
        self._tally: SceneTally | None = None
        """Of the scene whose rows are coming."""

    def count(self, job: Job, rows: BlendedRows, indices: NDArray[np.uint8]) -> None:
        scene = self.scenes[id(job.raster)]
        band = Window(col_off=0, row_off=rows.row_off, width=indices.shape[1], height=indices.shape[0])
        truth = np.where(rows.valid, self._store.labels(scene, band), IGNORE)
        covered = np.zeros(truth.shape, np.bool_)
        for sample in self._by_scene[scene]:
            if (inner := sample.window.intersection(band)) is not None:
                at = inner.inside(band)
                covered[at] = True
                self.by_sample[sample.id].add(truth[at], indices[at])
        shown = Rows(row_off=band.row_off, truth=np.where(covered, truth, IGNORE), predicted=np.where(covered, indices, IGNORE))
        self._add(scene, shown)

    def _add(self, scene: str, rows: Rows) -> None:
        shape = self._store.shape(scene)
        if self._tally is None:
            self._tally = SceneTally(self._classes, self._options, shape)
        self._tally.add(rows)
        if rows.row_end == shape[0]:
            self.tally.add(scene, self._tally.finish())
            self._tally = None
