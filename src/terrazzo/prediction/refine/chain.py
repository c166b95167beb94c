"""From blended probabilities to finished rows: stages that change probabilities, the decision, stages that change classes.

blended rows -> probabilities' stages -> decide -> classes' stages -> finished rows
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from terrazzo.labels.legend import Legend
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.crf import CrfStage
from terrazzo.prediction.refine.decide import MOST_PROBABLE
from terrazzo.prediction.refine.neighbourhood import neighbourhoods
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.otsu import decision_of
from terrazzo.prediction.refine.rows import FinishedRows, RowsT
from terrazzo.prediction.refine.thresholds import asked_thresholds, thresholds_of
from terrazzo.prediction.stream import Job, Predictor, predict_rows, rows_of
from terrazzo.progress import Advance


class Stage(Protocol[RowsT]):
    """One step over the rows of a map, from top to bottom, in memory that does not depend on its height.

    What it makes of a row depends on the map alone, not on how the rows are cut into pieces or on which of them are wanted: a map that
    was broken off goes on in the middle, and several processes make a part of it each.
    """

    def needed(self, wanted: range, height: int) -> range:
        """The rows of a map of some height that have to be there for others, one at least, which are among them."""

    def run(self, rows: Iterator[RowsT], job: Job, wanted: range) -> Iterator[RowsT]:
        """The wanted rows of a map, each once, in order; rows: those that are `needed`."""


class Deciding(Protocol):
    """The step from probabilities to classes, under the terms of a stage."""

    def needed(self, wanted: range, height: int) -> range:
        """As of a stage."""

    def run(self, rows: Iterator[BlendedRows], job: Job, wanted: range) -> Iterator[FinishedRows]:
        """As of a stage."""


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """How blended rows become finished ones. Without stages each pixel has its most probable class."""

    on_probabilities: Sequence[Stage[BlendedRows]] = ()
    decision: Deciding = MOST_PROBABLE
    on_classes: Sequence[Stage[FinishedRows]] = ()

    @classmethod
    def of(cls, predictor: Predictor) -> "Refiner":
        """What the options ask for."""
        bundle, options = predictor.bundle, predictor.options
        thresholds = thresholds_of(options, bundle.legend, bundle.card.thresholds)
        return cls(
            on_probabilities=(CrfStage.of(predictor),) if options.refine == "crf" else (),
            decision=decision_of(bundle.legend.names, thresholds, options.unsure, overlapping=bundle.legend.overlapping),
            on_classes=tuple(neighbourhoods(options)),
        )

    def needed(self, job: Job) -> Job:
        """The job whose blended rows the finished rows of another are made of: stages may need rows above and below."""
        return replace(job, part=self._needed(job)[0]) if job.rows else job

    def finish(self, job: Job, blended: Iterator[BlendedRows]) -> Iterator[FinishedRows]:
        """The finished rows of a job that are wanted; blended: the rows of `needed(job)`."""
        if not job.rows:
            return
        wanted = iter(self._needed(job)[1:])
        for stage in self.on_probabilities:
            blended = stage.run(blended, job, next(wanted))
        rows = self.decision.run(blended, job, next(wanted))
        for following in self.on_classes:
            rows = following.run(rows, job, next(wanted))
        yield from rows

    def _needed(self, job: Job) -> list[range]:
        """Which rows are there at the beginning and after each stage, so that the last of these are the job's."""
        needed = [job.rows]
        stages: list[Stage[BlendedRows] | Deciding | Stage[FinishedRows]] = [*self.on_probabilities, self.decision, *self.on_classes]
        for stage in reversed(stages):
            needed.append(stage.needed(needed[-1], job.mapped.shape[0]))
        return needed[::-1]


def check_decisions(options: PredictionOptions, legend: Legend, known: Collection[str]) -> None:
    """Raise RecipeError or LabelError if a training could not end in maps that these options decide.

    known: the classes that its validation part holds.
    """
    if legend.overlapping:
        options.check_overlapping()
    asked_thresholds(options, legend, known)
    Cleaning.of(options, legend)
    if options.unsure is not None:
        legend.with_unsure()


def finished_rows(jobs: Sequence[Job], predictor: Predictor, advance: Advance) -> Iterator[FinishedRows]:
    """Finished rows of each job in turn, top to bottom; together they hold every row of its map that is wanted once.

    advance: is told each window of `needed_jobs`.
    """
    refiner = Refiner.of(predictor)
    needed = [refiner.needed(job) for job in jobs]
    blended = predict_rows(needed, predictor, advance)
    for job, whole in zip(jobs, needed, strict=True):
        yield from refiner.finish(job, rows_of(whole, blended))


def needed_jobs(jobs: Sequence[Job], predictor: Predictor) -> list[Job]:
    """The jobs whose windows have to be predicted for the finished rows of others."""
    refiner = Refiner.of(predictor)
    return [refiner.needed(job) for job in jobs]
