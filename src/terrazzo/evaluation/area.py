"""How much ground each class covers, corrected for the errors of the map, with its standard error.

The area that a map shows is biased by its errors. Where some of the mapped ground is labelled, the labels correct it: of the pixels mapped
as class i the share n_ij / n_i is class j in truth, so the share of class j on all the ground is the sum of W_i n_ij / n_i over i, with
W_i the share of the ground that is mapped as i. The mapped classes are the strata of the sample, the labelled pixels the sample.

Standard errors are those of simple random pixels within each stratum. Labelled pixels lie side by side in scenes and are alike, so that
these are too small; beside them stand those of scenes or blocks drawn anew as a whole.

Source: P. Olofsson et al., Good practices for estimating area and assessing accuracy of land change, 2014.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.bootstrap import Interval, interval, resampled
from terrazzo.evaluation.intervals import Units
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.scores import each_alone
from terrazzo.labels.bits import members
from terrazzo.labels.legend import Legend

NORMAL_95 = 1.959964
"""Standard errors to either side of a 95 % interval of the normal distribution."""

IN_PIXELS = "Only maps in a projected CRS, all of one cell size, have areas in square metres."

Figures = NDArray[np.float64]


class ClassArea(TypedDict):
    """One class; areas in the unit of the whole, accuracies 0 to 1, None where undefined."""

    value: int
    name: str
    mapped: float
    """As the map shows it."""
    adjusted: float | None
    """Corrected for the map's errors."""
    standard_error: float | None
    interval: Interval
    clustered_standard_error: float | None
    clustered_interval: Interval
    users_accuracy: float | None
    """Share of the mapped ground that is right: precision."""
    users_accuracy_se: float | None
    producers_accuracy: float | None
    """Share of the true ground that is found: recall, weighted by the mapped shares."""
    producers_accuracy_se: float | None


class AreaScores(TypedDict):
    """The object `area` of `evaluation.json`."""

    unit: str
    """m2 or pixels."""
    unit_note: str | None
    """Why it is not m2."""
    pixel_area: float
    """In that unit."""
    mapped_pixels: int
    labelled_pixels: int
    overall_accuracy: float | None
    """Weighted by the mapped shares."""
    overall_accuracy_se: float | None
    clusters: str | None
    """What the clustered figures draw anew: scenes or blocks; None where there are too few."""
    classes: list[ClassArea]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What was mapped, and what of it is labelled."""

    sample: NDArray[np.int64]
    """(classes, classes) labelled pixels: rows are the mapped class, columns the true one."""
    mapped: NDArray[np.int64]
    """(classes,) all pixels that are mapped as each class."""
    pixel_area_m2: float | None
    """Of every pixel, where all have the same and it is known."""


def area_scores(ground: Ground, units: Units | None, options: EvaluationOptions, values: Sequence[int], names: Sequence[str]) -> AreaScores:
    """Areas and accuracies of all classes; null where a class is mapped but none of its pixels is labelled.

    units: what the clustered figures draw anew; None: they are left out. values, names: one a class.
    """
    weights = ground.mapped / ground.mapped.sum()
    shares = _shares(ground.sample, weights)
    unit = 1.0 if ground.pixel_area_m2 is None else ground.pixel_area_m2
    total = float(ground.mapped.sum()) * unit
    true_share = shares.sum(axis=0)
    error = _share_error(ground.sample, weights)
    users, users_error = _users(ground.sample)
    producers, producers_error = _producers(ground, shares, users_error)
    clustered = _clustered(units, weights, options)
    # a sample of a class without pixels has no error: 0 x anything is 0 there
    overall_error = float(np.sqrt(np.sum(np.where(weights > 0, weights * users_error, 0) ** 2)))
    return AreaScores(
        unit="pixels" if ground.pixel_area_m2 is None else "m2",
        unit_note=IN_PIXELS if ground.pixel_area_m2 is None else None,
        pixel_area=unit,
        mapped_pixels=int(ground.mapped.sum()),
        labelled_pixels=int(ground.sample.sum()),
        overall_accuracy=_number(np.trace(shares)),
        overall_accuracy_se=_number(overall_error),
        clusters=units.kind if units is not None else None,
        classes=[
            ClassArea(
                value=int(value),
                name=name,
                mapped=float(ground.mapped[index]) * unit,
                adjusted=_number(true_share[index] * total),
                standard_error=_number(error[index] * total),
                interval=_normal(true_share[index] * total, error[index] * total),
                clustered_standard_error=_number(float(np.std(clustered[:, index], ddof=1)) * total) if len(clustered) > 1 else None,
                clustered_interval=interval(clustered[:, index] * total),
                users_accuracy=_number(users[index]),
                users_accuracy_se=_number(users_error[index]),
                producers_accuracy=_number(producers[index]),
                producers_accuracy_se=_number(producers_error[index]),
            )
            for index, (value, name) in enumerate(zip(values, names, strict=True))
        ],
    )


def overlap_areas(ground: Ground, units: Units | None, options: EvaluationOptions, legend: Legend) -> AreaScores:
    """Areas of classes that overlap, each against the rest of the ground; overall accuracies are the means over the classes.

    ground, units: of the sets of classes.
    """
    classes = len(legend.classes)
    samples, mapped = each_alone(ground.sample, classes), members(classes) @ ground.mapped
    counts = None if units is None else each_alone(units.counts, classes)
    found = []
    for number, (value, name) in enumerate(zip(legend.values, legend.names, strict=True)):
        alone = replace(ground, sample=samples[number], mapped=np.array([ground.mapped.sum() - mapped[number], mapped[number]]))
        drawn = None if units is None or counts is None else replace(units, counts=counts[:, number])
        found.append(area_scores(alone, drawn, options, (0, value), ("", name)))
    return AreaScores(
        **{
            **found[0],
            "overall_accuracy": _mean([each["overall_accuracy"] for each in found]),
            # what the classes share is not known, so neither is the error of the mean
            "overall_accuracy_se": None,
            "classes": [each["classes"][1] for each in found],
        }
    )


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if len(known) == len(figures) else None


def _shares(sample: NDArray[np.number], weights: Figures) -> Figures:
    """The share of all ground that is mapped as i and is j: (..., i, j); NaN in a row that is mapped but not sampled."""
    of_row = sample.sum(axis=-1, keepdims=True)
    conditional = np.full(sample.shape, np.nan)
    np.divide(sample, of_row, out=conditional, where=of_row > 0)
    return np.where(weights[:, np.newaxis] > 0, weights[:, np.newaxis] * conditional, 0)


def _share_error(sample: NDArray[np.int64], weights: Figures) -> Figures:
    """Standard error of the true share of each class; equation 10 of the source."""
    error: Figures = np.sqrt(np.sum(_row_variances(sample, weights), axis=0))
    return error


def _row_variances(sample: NDArray[np.int64], weights: Figures) -> Figures:
    """The part of each row in the variance of each class's share: W_i^2 q (1 - q) / (n_i - 1) with q = n_ij / n_i.

    NaN where n_i is below 2.
    """
    of_row = sample.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        conditional = sample / of_row
        variances = weights[:, np.newaxis] ** 2 * conditional * (1 - conditional) / (of_row - 1)
    return np.where(weights[:, np.newaxis] > 0, np.where(of_row > 1, variances, np.nan), 0)


def _users(sample: NDArray[np.int64]) -> tuple[Figures, Figures]:
    """User's accuracy of each class and its standard error; equation 6."""
    of_row = sample.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        users = np.diagonal(sample) / of_row
        error = np.sqrt(users * (1 - users) / (of_row - 1))
    return np.where(of_row > 0, users, np.nan), np.where(of_row > 1, error, np.nan)


def _producers(ground: Ground, shares: Figures, users_error: Figures) -> tuple[Figures, Figures]:
    """Producer's accuracy of each class and its standard error; equation 7."""
    true_share = shares.sum(axis=0)
    weights = ground.mapped / ground.mapped.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        producers = np.where(true_share > 0, np.diagonal(shares) / true_share, np.nan)
        others = _row_variances(ground.sample, weights)
        np.fill_diagonal(others, 0)
        own = np.where(weights > 0, (weights * (1 - producers) * users_error) ** 2, 0)
        error = np.sqrt(own + producers**2 * others.sum(axis=0)) / true_share
    return producers, np.where(true_share > 0, error, np.nan)


def _clustered(units: Units | None, weights: Figures, options: EvaluationOptions) -> Figures:
    """True shares (resamples, classes) of units drawn anew; those that miss a mapped class are left out."""
    if units is None or not options.resamples:
        return np.empty((0, len(weights)))
    each = [_shares(np.swapaxes(counts, 1, 2), weights).sum(axis=1) for counts in resampled(units.counts, options.resamples, options.seed)]
    found: Figures = np.concatenate(each)
    whole: Figures = found[~np.isnan(found).any(axis=1)]
    return whole


def _normal(centre: float, error: float) -> Interval:
    """An area is never below 0."""
    reach = NORMAL_95 * float(error)
    return None if np.isnan(centre + reach) else (max(0.0, float(centre) - reach), float(centre) + reach)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
