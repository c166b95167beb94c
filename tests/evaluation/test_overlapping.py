"""Scores of classes that overlap, against plain counts of each class by itself."""

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.evaluation.area import Ground, area_scores, overlap_areas
from terrazzo.evaluation.calibration import brier, mean_confidence, negative_log_likelihood
from terrazzo.evaluation.confidence import ConfidenceCounts
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.intervals import Units, score_intervals
from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.scores import each_alone, pixel_scores
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally
from terrazzo.evaluation.where.by_sample import SampleTally
from terrazzo.labels.bits import plane_of
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.window import whole

Bits = NDArray[np.uint8]
NAMES = ("roof", "tree", "wire")
VALUES = (1, 2, 3)
LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in zip(VALUES, NAMES, strict=True)),
    encoding="multihot",
)
SHAPE = (30, 41)


def drawn(seed: int = 0) -> tuple[Bits, Bits, NDArray[np.uint16]]:
    """Truth, map and probabilities; some of truth and map is left out, and one class is rare."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 8, (6, 9)).astype(np.uint8).repeat(5, 0).repeat(5, 1)[: SHAPE[0], : SHAPE[1]]
    truth = np.where(rng.random(SHAPE) < 0.95, coarse & 3, coarse).astype(np.uint8)
    shares = np.stack([(truth >> number) & 1 for number in range(3)]) * 0.4 + rng.random((3, *SHAPE)) * 0.6
    probabilities = np.rint(shares * 65535).astype(np.uint16)
    predicted = ((probabilities > 32767).astype(np.uint8) << np.arange(3, dtype=np.uint8)[:, None, None]).sum(0).astype(np.uint8)
    truth[:3, :7] = 255
    predicted[-2:] = 255
    return truth, predicted, probabilities


def counted(truth: Bits, predicted: Bits) -> Confusion:
    confusion = Confusion(8)
    confusion.add(truth, predicted)
    return confusion


def test_each_class_is_scored_against_the_rest() -> None:
    truth, predicted, _ = drawn()
    scores = pixel_scores(counted(truth, predicted), VALUES, NAMES)
    judged = (truth != 255) & (predicted != 255)
    for number, entry in enumerate(scores["classes"]):
        there, said = (plane_of(bits, number)[judged] == 1 for bits in (truth, predicted))
        hits = int((there & said).sum())
        assert entry["support"] == int(there.sum())
        assert entry["precision"] == pytest.approx(hits / said.sum())
        assert entry["recall"] == pytest.approx(hits / there.sum())
        assert entry["iou"] == pytest.approx(hits / (there | said).sum())
    assert scores["accuracy"] == pytest.approx((truth == predicted)[judged].mean())
    assert scores["mean_dice"] == pytest.approx(np.mean([entry["f1"] for entry in scores["classes"]]))
    assert scores["sets"][:4] == ["no class", "roof", "tree", "roof + tree"]
    assert sum(map(sum, scores["confusion"])) == int(judged.sum())


def test_classes_that_exclude_each_other_have_no_sets() -> None:
    assert "sets" not in pixel_scores(Confusion(3), VALUES, NAMES)


def test_intervals_are_of_each_class_against_the_rest() -> None:
    units = np.stack([counted(*drawn(seed)[:2]).counts for seed in range(7)])
    options = EvaluationOptions(resamples=50)
    found = score_intervals(Units(kind="scenes", counts=units), options, VALUES, NAMES)
    for number, entry in enumerate(found["classes"]):
        alone = score_intervals(Units(kind="scenes", counts=each_alone(units, 3)[:, number]), options, (0, 1), ("", "it"))
        assert entry["f1"] == pytest.approx(alone["classes"][1]["f1"])


def test_areas_are_of_each_class_against_the_rest() -> None:
    confusion = counted(*drawn()[:2])
    ground = Ground(sample=confusion.counts.T, mapped=confusion.mapped, pixel_area_m2=4.0)
    found = overlap_areas(ground, None, EvaluationOptions(), LEGEND)
    truth, predicted, _ = drawn()
    two = Confusion(2)
    two.add(plane_of(truth, 1), plane_of(predicted, 1))
    # what is not labelled is mapped all the same
    alone = Ground(sample=two.counts.T, mapped=np.bincount(plane_of(predicted, 1).ravel(), minlength=256)[:2], pixel_area_m2=4.0)
    wanted = area_scores(alone, None, EvaluationOptions(), (0, 2), ("", "tree"))["classes"][1]
    got = found["classes"][1]
    for figure in ("mapped", "adjusted", "standard_error", "interval", "users_accuracy", "producers_accuracy_se"):
        assert got[figure] == pytest.approx(wanted[figure]), figure
    assert [entry["name"] for entry in found["classes"]] == list(NAMES)


def test_probabilities_are_judged_class_by_class() -> None:
    truth, predicted, probabilities = drawn()
    counts = ConfidenceCounts.none(3, overlapping=True)
    counts.add(truth, predicted, probabilities)
    judged = (truth != 255) & (predicted != 255)
    shares = probabilities[:, judged] / 65535
    there = np.stack([plane_of(truth, number)[judged] for number in range(3)])
    assert brier(counts) == pytest.approx(((shares - there) ** 2).mean())
    lost = -np.log(np.maximum(np.where(there == 1, shares, 1 - shares), 0.5 / 65535))
    assert negative_log_likelihood(counts) == pytest.approx(lost.mean(), rel=1e-4)
    assert mean_confidence(counts) == pytest.approx(np.maximum(shares, 1 - shares).mean(), abs=1e-4)
    assert (counts + counts).overlapping


@pytest.mark.parametrize("step", [30, 7])
def test_a_scene_is_counted_whatever_the_bands(step: int) -> None:
    truth, predicted, probabilities = drawn()
    options = EvaluationOptions(objects="tree")
    tally = SceneTally(3, options, SHAPE, rule_of(options, LEGEND), overlapping=True)
    alone = [SceneTally(2, options, SHAPE) for _ in NAMES]
    for top in range(0, SHAPE[0], step):
        part = slice(top, top + step)
        rows = Rows(row_off=top, truth=truth[part], predicted=predicted[part], probabilities=probabilities[:, part])
        tally.add(rows)
        for number, one in enumerate(alone):
            one.add(rows.alone(number))
    found, each = tally.finish(), [one.finish() for one in alone]
    np.testing.assert_array_equal(found.counts.confusion.counts, counted(truth, predicted).counts)
    assert found.counts.boundary is not None
    for number, single in enumerate(each):
        assert single.counts.boundary is not None
        assert found.counts.boundary.rim_both[number] == single.counts.boundary.rim_both[1] > 0
        assert single.counts.confidence is not None
        assert found.counts.confidence is not None
        np.testing.assert_array_equal(found.counts.confidence.classes[number], single.counts.confidence.classes[1])
    assert found.objects is not None
    trees = ((truth != 255) & (predicted != 255) & (plane_of(truth, 1) == 1)).sum()
    assert int(found.objects.truth.area.sum()) == trees


def test_samples_are_as_sure_as_the_mean_of_their_classes() -> None:
    truth, predicted, probabilities = drawn()
    together = SampleTally({4: whole(SHAPE)}, 3, overlapping=True)
    together.add(0, truth, predicted, probabilities)
    rows = Rows(row_off=0, truth=truth, predicted=predicted, probabilities=probabilities)
    each = []
    for number in range(3):
        one = SampleTally({4: whole(SHAPE)}, 2)
        alone = rows.alone(number)
        one.add(0, alone.truth, alone.predicted, alone.probabilities)
        each.append(one.means()[4])
    found = together.means()[4]
    for name in ("loss", "entropy", "margin", "confidence"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each]), rel=1e-4)
    assert max(one["suspicious"] or 0.0 for one in each) <= (found["suspicious"] or 0.0) <= sum(one["suspicious"] or 0.0 for one in each)
    assert together.confusions[4].pixels == int(((truth != 255) & (predicted != 255)).sum())


def test_objects_of_any_class_are_those_of_every_set_but_none() -> None:
    rule = rule_of(EvaluationOptions(objects="any"), LEGEND)
    assert rule is not None
    assert rule.classes == tuple(range(1, 8))
    of_tree = rule_of(EvaluationOptions(objects=2), LEGEND)
    assert of_tree is not None
    assert (of_tree.name, of_tree.classes) == ("tree", (2, 3, 6, 7))
