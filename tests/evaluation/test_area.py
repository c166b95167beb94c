"""Areas corrected for the errors of the map: the worked example of the paper, a census, and strata without a sample."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.evaluation.area import NORMAL_95, AreaScores, Ground, area_scores
from terrazzo.evaluation.intervals import Units
from terrazzo.evaluation.options import EvaluationOptions

OPTIONS = EvaluationOptions(resamples=400)
NAMES = ["deforestation", "forest gain", "stable forest", "stable non-forest"]
SAMPLE = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000])
LANDSAT_M2 = 900.0


def areas(sample: NDArray[np.int64], mapped: NDArray[np.int64], pixel_m2: float | None = None, units: Units | None = None) -> AreaScores:
    ground = Ground(sample=sample, mapped=mapped, pixel_area_m2=pixel_m2)
    return area_scores(ground, units, OPTIONS, list(range(len(mapped))), [str(number) for number in range(len(mapped))])


def test_the_worked_example_of_the_paper() -> None:
    """Olofsson et al. 2014, section 5: areas in hectares and accuracies, each with the half width of its 95 % interval."""
    found = areas(SAMPLE, MAPPED, LANDSAT_M2)
    published = [(21_158, 6_158), (11_686, 3_756), (285_770, 15_510), (581_386, 16_282)]
    for row, (hectares, reach) in zip(found["classes"], published, strict=True):
        assert row["adjusted"] is not None
        assert row["standard_error"] is not None
        assert row["interval"] is not None
        assert row["adjusted"] / 1e4 == pytest.approx(hectares, abs=0.6)
        # the paper multiplies by 1.96 what it rounded before
        assert row["standard_error"] * NORMAL_95 / 1e4 == pytest.approx(reach, abs=1)
        assert row["interval"][1] - row["interval"][0] == pytest.approx(2 * NORMAL_95 * row["standard_error"])
    users = [(0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)]
    # of the second the paper prints 0.23; its equation 7 gives 0.254, as others have found too
    producers = [(0.75, 0.213), (0.85, 0.254), (0.935, 0.034), (0.96, 0.018)]
    for row, user, producer in zip(found["classes"], users, producers, strict=True):
        assert (row["users_accuracy"], row["users_accuracy_se"]) == pytest.approx((user[0], user[1] / 1.96), abs=0.005)
        assert (row["producers_accuracy"], row["producers_accuracy_se"]) == pytest.approx((producer[0], producer[1] / 1.96), abs=0.005)
    assert (found["overall_accuracy"], found["overall_accuracy_se"]) == pytest.approx((0.95, 0.02 / 1.96), abs=0.005)
    assert found["classes"][0]["mapped"] == 18_000e4


def test_without_a_cell_size_areas_are_pixels() -> None:
    found = areas(SAMPLE, MAPPED)
    assert (found["unit"], found["pixel_area"]) == ("pixels", 1)
    assert found["classes"][0]["adjusted"] == pytest.approx(235_086, abs=1)


def test_where_everything_is_labelled_areas_are_those_of_the_labels() -> None:
    found = areas(SAMPLE, SAMPLE.sum(axis=1))
    assert [row["adjusted"] for row in found["classes"]] == pytest.approx(SAMPLE.sum(axis=0))


def test_a_mapped_class_without_a_label_leaves_all_areas_unknown() -> None:
    """Any class may hide there."""
    sample = np.array([[5, 1], [0, 0]])
    found = areas(sample, np.array([60, 40]))
    assert [row["adjusted"] for row in found["classes"]] == [None, None]
    assert found["classes"][0]["users_accuracy"] == pytest.approx(5 / 6)
    json.dumps(found, allow_nan=False)


def test_a_class_that_is_not_mapped_takes_nothing() -> None:
    found = areas(np.array([[5, 1], [0, 0]]), np.array([60, 0]))
    assert [row["adjusted"] for row in found["classes"]] == pytest.approx([50, 10])
    assert found["classes"][1]["users_accuracy"] is None
    assert found["classes"][1]["producers_accuracy"] == 0
    assert found["overall_accuracy"] == pytest.approx(5 / 6)


def test_a_sample_of_one_pixel_has_no_error() -> None:
    found = areas(np.array([[1]]), np.array([9]))
    assert found["classes"][0]["adjusted"] == 9
    assert found["classes"][0]["standard_error"] is None


def test_alike_pixels_of_a_scene_do_not_count_as_many() -> None:
    """Of ten scenes each is all right or all wrong: the plain error, of a thousand pixels, is far too small."""
    scene = np.array([[[50, 0], [0, 50]], [[50, 50], [0, 0]]])
    counts = np.concatenate([np.repeat(scene[:1], 7, axis=0), np.repeat(scene[1:], 3, axis=0)])
    found = areas(counts.sum(axis=0).T, np.array([500_000, 500_000]), units=Units(kind="scenes", counts=counts))
    row = found["classes"][1]
    assert found["clusters"] == "scenes"
    assert row["clustered_standard_error"] is not None
    assert row["standard_error"] is not None
    assert row["clustered_interval"] is not None
    assert row["adjusted"] is not None
    assert row["clustered_standard_error"] > 3 * row["standard_error"]
    assert row["clustered_interval"][0] < row["adjusted"] < row["clustered_interval"][1]
