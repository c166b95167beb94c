"""Images that show the same ground without saying so, in a split."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from terrazzo.errors import SplitError
from terrazzo.samples.audit.leaks import find_alike_leaks
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Alike, Samples

KINDS: list[dict[str, object]] = [
    {"by": "scene"},
    {"by": "random"},
    {"by": "block", "block_px": 10},
    {"by": "block", "block_px": 15},
    {"by": "strip", "block_px": 10},
    {"by": "kfold", "folds": 4},
    {"by": "scene", "fold": 1, "folds": 3},
]


@pytest.fixture
def samples(make_samples: Any) -> Samples:
    """Twelve scenes in four chains of three overlapping crops: each begins 15 pixels to the right of the one before."""
    made: Samples = make_samples({f"s{number:02}": (10, 40) for number in range(12)})
    pairs = [(f"s{first:02}", f"s{first + 1:02}") for first in range(12) if first % 3 < 2]
    return replace(made, alike=tuple(Alike(a=a, b=b, shift=(15, 0), kind="overlapping crops") for a, b in pairs))


def options_of(kind: dict[str, object], **more: object) -> SplitOptions:
    return SplitOptions.model_validate({"validation": 0.25, **kind, **more})


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_group_keeps_the_same_ground_on_one_side(samples: Samples, kind: dict[str, object], seed: int) -> None:
    done = assign_split(samples, options_of(kind, alike="group", seed=seed))
    assert find_alike_leaks(done) == []
    assert {"train", "validation"} <= set(done.frame["split"].dropna())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_warn_splits_as_ever_and_tells_the_pairs(samples: Samples, kind: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        done = assign_split(samples, options_of(kind, seed=3))
    assert find_alike_leaks(done)
    assert "Images on two sides show the same ground" in caplog.text
    assert "set [split] alike = 'group'" in caplog.text
    plain = assign_split(replace(samples, alike=()), options_of(kind, seed=3))
    assert done.frame["split"].equals(plain.frame["split"])


def test_joined_blocks_drop_no_window(samples: Samples) -> None:
    done = assign_split(samples, options_of({"by": "block", "block_px": 10}, alike="group"))
    assert done.frame["split"].notna().all()


def test_refuse_is_an_error_and_allow_leak_lets_it_pass(samples: Samples, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SplitError, match=r"(?s)overlapping crops, shifted by 15, 0 pixels.*alike = 'group'"):
        assign_split(samples, options_of({"by": "scene"}, seed=3, alike="refuse"))
    with caplog.at_level(logging.WARNING):
        assign_split(samples, options_of({"by": "scene"}, seed=3, alike="refuse", allow_leak=True))
    assert "Allowed by allow_leak" in caplog.text


def test_off_says_nothing(samples: Samples, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assign_split(samples, options_of({"by": "scene"}, seed=3, alike="off"))
    assert "same ground" not in caplog.text


def test_lists_that_tear_alike_images_apart_are_told(samples: Samples, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assign_split(samples, options_of({"by": "scene"}, alike="group", validation_scenes=["s00"]))
    assert "s01 and s00" in caplog.text or "s00 and s01" in caplog.text
    assert "name other scenes" in caplog.text
