"""Which keypoints meet, and which shift they agree on."""

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.samples.audit import votes
from terrazzo.samples.audit.keypoints import KEYS, Keypoints
from terrazzo.samples.audit.votes import candidates


def points(places: NDArray[np.int64], keys: NDArray[np.int64]) -> Keypoints:
    return Keypoints(shape=(100, 100), places=places.astype(np.int32), keys=keys.astype(np.uint32).reshape(-1, KEYS))


def keys_of(*numbers: int) -> NDArray[np.int64]:
    """Keys that are alike where the numbers are, in all parts."""
    return np.array([[10 * number + part for part in range(KEYS)] for number in numbers])


def test_the_shift_that_most_agree_on_wins() -> None:
    places = np.array([[10, 10], [50, 20], [70, 90], [30, 60]])
    moved = places - np.array([[7, -3], [7, -3], [8, -3], [90, 90]])
    (found,) = candidates([points(places, keys_of(1, 2, 3, 4)), points(moved, keys_of(1, 2, 3, 4))])
    assert (found.a, found.b, found.shift, found.votes) == (0, 1, (7, -3), 3)
    assert found.place == (50, 20)


def test_one_agreeing_point_is_not_enough() -> None:
    a, b = np.array([[10, 10], [50, 20]]), np.array([[10, 10], [90, 90]])
    assert list(candidates([points(a, keys_of(1, 2)), points(b, keys_of(1, 2))])) == []


def test_points_of_one_image_do_not_vote_for_themselves() -> None:
    places = np.array([[10, 10], [50, 20], [90, 30]])
    assert list(candidates([points(places, keys_of(1, 1, 1)), points(places[:0], keys_of())])) == []
    assert list(candidates([])) == []


def test_one_part_of_the_keys_is_enough() -> None:
    places = np.array([[10, 10], [50, 20]])
    other = keys_of(1, 2)
    other[0, 1:] += 5000
    other[1, :3] += 5000
    (found,) = candidates([points(places, keys_of(1, 2)), points(places, other)])
    assert found.votes == 2


def test_keys_that_too_many_share_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    places = np.array([[10, 10], [50, 20]])
    images = [points(places, keys_of(1, 2)) for _ in range(6)]
    assert len(list(candidates(images))) == 15
    monkeypatch.setattr(votes, "MOST_SHARING", 5)
    assert list(candidates(images)) == []


def test_memory_is_bounded_by_looking_at_rarer_keys_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "MOST_MATCHES", KEYS * 4)
    places = np.array([[10, 10], [50, 20]])
    crowd = [points(places, keys_of(1, 2)) for _ in range(6)]
    rare = [points(places, keys_of(8, 9)) for _ in range(2)]
    assert [(found.a, found.b) for found in candidates(crowd + rare)] == [(6, 7)]
