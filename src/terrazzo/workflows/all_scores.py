"""All scores of a map, as evaluation.json holds them: from counts to plain numbers, and a word on what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from terrazzo.evaluation.area import AreaScores, Ground, area_scores, overlap_areas
from terrazzo.evaluation.bootstrap import FEWEST_UNITS
from terrazzo.evaluation.boundary import BoundaryScores, boundary_scores
from terrazzo.evaluation.calibration import calibration_scores
from terrazzo.evaluation.intervals import ScoreIntervals, Units, score_intervals
from terrazzo.evaluation.objects.scores import object_scores
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.thresholds import threshold_scores
from terrazzo.labels.legend import Legend
from terrazzo.rasters.grid import Grid

SAME_AREA = 1e-3
"""Pixels are of one size if their areas differ by no larger share."""

NO_PROBABILITIES = "No probabilities are known. predict --probabilities writes them beside the maps."
NO_PIXELS = "No pixel has both a label and a prediction."
TURNED_OFF = "Turned off in [evaluation]."


def all_scores(tally: SetTally, legend: Legend, options: EvaluationOptions, grids: Sequence[Grid]) -> dict[str, Any]:
    """The scores by their names; one that cannot be told is None, and `missing` says why.

    grids: of the maps.
    """
    confidence, units = tally.total.confidence, tally.units()
    if confidence is None or not confidence.pixels:
        calibration: Mapping[str, Any] | str = NO_PROBABILITIES if confidence is None else NO_PIXELS
        thresholds = calibration
    else:
        calibration = calibration_scores(confidence, options.bins, legend.values, legend.names)
        thresholds = threshold_scores(confidence, legend.values, legend.names)
    parts: dict[str, Mapping[str, Any] | str] = {
        "intervals": _intervals(units, legend, options),
        "boundary": _boundary(tally, legend, options),
        "calibration": calibration,
        "thresholds": thresholds,
        "area": _area(tally, units, legend, options, pixel_area_m2(grids)),
    }
    return {
        "pixels": pixel_scores(tally.total.confusion, legend.values, legend.names),
        **({} if tally.objects is None else {"objects": object_scores(tally.objects)}),
        **{name: None if isinstance(part, str) else part for name, part in parts.items()},
        "missing": {name: part for name, part in parts.items() if isinstance(part, str)},
    }


def _intervals(units: Units | None, legend: Legend, options: EvaluationOptions) -> ScoreIntervals | str:
    if not options.resamples:
        return TURNED_OFF
    if units is None:
        return f"Intervals need {FEWEST_UNITS} scenes with labels, or as many blocks of large ones."
    return score_intervals(units, options, legend.values, legend.names)


def _boundary(tally: SetTally, legend: Legend, options: EvaluationOptions) -> BoundaryScores | str:
    if not options.boundary:
        return TURNED_OFF
    if tally.total.boundary is None:
        return NO_PIXELS
    return boundary_scores(tally.total.boundary, options.boundary, legend.values, legend.names)


def _area(tally: SetTally, units: Units | None, legend: Legend, options: EvaluationOptions, pixel_m2: float | None) -> AreaScores | str:
    confusion = tally.total.confusion
    if not options.area or not confusion.pixels:
        return NO_PIXELS if options.area else TURNED_OFF
    ground = Ground(sample=confusion.counts.T, mapped=confusion.mapped, pixel_area_m2=pixel_m2)
    if not legend.overlapping:
        return area_scores(ground, units, options, legend.values, legend.names)
    return overlap_areas(ground, units, options, legend)


def pixel_area_m2(grids: Sequence[Grid]) -> float | None:
    """The area of a pixel in square metres; None unless all lie in projected CRS and have one size."""
    areas = [_pixel_area(grid) for grid in grids]
    known = [area for area in areas if area is not None]
    if not known or len(known) < len(areas) or max(known) > min(known) * (1 + SAME_AREA):
        return None
    return known[0]


def _pixel_area(grid: Grid) -> float | None:
    if grid.crs is None or grid.transform is None or not grid.crs.is_projected:
        return None
    _, metres = grid.crs.linear_units_factor
    return float(abs(grid.transform.determinant) * metres**2)
