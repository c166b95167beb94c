import numpy as np
import pytest

from terrazzo.simulation.scenes.dice import Dice


def test_draws_depend_on_the_place_alone() -> None:
    dice = Dice(3, 1)
    columns, rows = np.meshgrid(np.arange(-5, 9), np.arange(-3, 4))
    everything = dice.uniform("x", columns, rows)
    np.testing.assert_array_equal(dice.uniform("x", columns[2:4, 5:], rows[2:4, 5:]), everything[2:4, 5:])
    assert Dice(3, 1).uniform("x", -5, -3)[0] == everything[0, 0]


@pytest.mark.parametrize("other", [Dice(4, 1), Dice(3, 2), Dice(2**63 - 1, 1)])
def test_seed_scene_name_and_keys_change_all(other: Dice) -> None:
    at = np.arange(200)
    first = Dice(3, 1).uniform("x", at)
    for second in (other.uniform("x", at), Dice(3, 1).uniform("y", at), Dice(3, 1).uniform("x", at, 0), Dice(3, 1).uniform("x", -at - 1)):
        assert not np.intersect1d(first, second).size


def test_keys_are_not_interchangeable() -> None:
    at = np.arange(300)
    assert not np.array_equal(Dice(0, 0).uniform("x", at, 7), Dice(0, 0).uniform("x", 7, at))


def test_draws_are_even_and_unrelated() -> None:
    columns, rows = np.meshgrid(np.arange(200), np.arange(200))
    draws = Dice(0, 0).uniform("x", columns, rows)
    assert 0 <= draws.min() < draws.max() < 1
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    # 2000 each, give or take five standard deviations
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)
    for first, second in ((draws[1:], draws[:-1]), (draws[:, 1:], draws[:, :-1])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


def test_between_and_one() -> None:
    draws = Dice(0, 0).between(-2, 5, "x", np.arange(1000))
    assert -2 <= draws.min() < -1.9 < 4.9 < draws.max() < 5
    assert 3 <= Dice(0, 0).one(3, 4, "y") < 4
