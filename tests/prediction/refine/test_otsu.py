"""Otsu's threshold: from the whole of an image, once, however its rows come."""

import errno
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.evaluation.confidence import LEVELS
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.refine import spool
from terrazzo.prediction.refine.chain import finished_rows
from terrazzo.prediction.refine.otsu import otsu
from terrazzo.prediction.refine.spool import Spool
from terrazzo.prediction.stream import Predictor, predict_rows

HOLE = np.zeros((61, 33), np.bool_)
HOLE[20:30, 5:20] = True


def variance_within(counts: NDArray[np.int64], level: int) -> float:
    """The weighted variance of both parts, from the definition."""
    values = np.repeat(np.arange(len(counts)), counts)
    parts = values[values < level], values[values >= level]
    return sum(float(part.var()) * len(part) for part in parts if len(part)) / len(values)


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=20).filter(lambda counts: sum(map(bool, counts)) > 1))
def test_no_other_threshold_parts_better(counts: list[int]) -> None:
    histogram = np.array(counts, np.int64)
    found = otsu(histogram)
    assert found is not None
    best = min(variance_within(histogram, level) for level in range(1, len(counts)))
    assert variance_within(histogram, found) == pytest.approx(best, abs=1e-9)


def test_two_heaps_are_parted_in_their_middle_and_one_value_is_not() -> None:
    histogram = np.zeros(101, np.int64)
    histogram[[10, 11, 89, 90]] = 5
    assert otsu(histogram) == 51
    histogram[[11, 89, 90]] = 0
    assert otsu(histogram) is None


@pytest.fixture
def image(write_tiff: Any) -> Path:
    path: Path = write_tiff(61, 33, hole=HOLE)
    return path


def classes(predictor: Predictor, path: Path, part: range | None = None) -> NDArray[np.uint8]:
    job = replace(predictor.open_job(path), part=part)
    return np.concatenate([rows.indices for rows in finished_rows([job], predictor, lambda _: None)])


def test_is_the_threshold_of_all_probabilities_of_the_image(
    make_predictor: Any, image: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool, "MEMORY_BYTES", 100)
    caplog.set_level(logging.INFO)
    plain, predictor = make_predictor(), make_predictor(threshold={"wood": "otsu"})
    rows = list(predict_rows([plain.open_job(image)], plain, lambda _: None))
    shares = np.concatenate([each.probabilities() for each in rows], axis=1)
    level = otsu(np.bincount(shares[2][~HOLE], minlength=LEVELS))
    assert level is not None
    expected = np.where(shares[2] >= level, 2, shares[:2].argmax(axis=0))
    expected[HOLE] = IGNORE
    found = classes(predictor, image)
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, np.concatenate([each.indices() for each in rows]))
    assert f"Otsu's threshold of 'wood' is {level / PROBABILITY_ONE:.4f}" in caplog.text
    assert np.array_equal(classes(predictor, image, range(40, 52)), expected[40:52])
    told = [each.blended.probabilities() for each in finished_rows([predictor.open_job(image)], predictor, lambda _: None)]
    assert np.array_equal(np.concatenate(told, axis=1), shares)


def test_an_image_without_any_data_has_no_class(make_predictor: Any, write_tiff: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tiff(20, 9, hole=np.ones((20, 9), np.bool_))
    assert (classes(make_predictor(threshold={"wood": "otsu"}), path) == IGNORE).all()
    assert caplog.text == ""


def test_alike_everywhere_is_told(make_bundle: Any, make_predictor: Any, write_tiff: Any, caplog: pytest.LogCaptureFixture) -> None:
    bundle = make_bundle()
    bundle.network.head.weight.data.zero_()
    bundle.network.head.bias.data.zero_()
    found = classes(make_predictor(bundle, threshold={"wood": "otsu"}), write_tiff(20, 9))
    assert (found == 0).all()
    assert "all probabilities of 'wood' are alike; its threshold is 0.5" in caplog.text


def test_a_full_disk_is_a_sentence(make_predictor: Any, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(Spool):
        def __init__(self) -> None:
            super().__init__()
            monkeypatch.setattr(self._file, "write", full)

    monkeypatch.setattr("terrazzo.prediction.refine.otsu.Spool", Full)
    with pytest.raises(EnvironmentFault, match=r"No space left on device\. Free the disk, or set TMPDIR") as caught:
        classes(make_predictor(threshold={"wood": "otsu"}), image)
    assert caught.value.exit_code == 5
