import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.simulation.detector import Charges, bin_sum, delays, detector_of, digitize, read_noise_sd, transfer, transfer_mean
from terrazzo.simulation.options import SimulationOptions


def moved(charge_e: NDArray[np.int64], loss: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """`transfer` of an array to an array."""
    rows, columns = np.nonzero(charge_e)
    charges = Charges(rows=rows, columns=columns, electrons=charge_e[rows, columns])
    shape = (charge_e.shape[0], charge_e.shape[1])
    return transfer(charges, shape, loss, rng).dense(shape)


def moved_one_by_one(charge_e: NDArray[np.int64], loss: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Oracle: every single transfer of every electron, row by row, each a binomial draw."""
    rows, columns = charge_e.shape
    arrived = np.zeros_like(charge_e)
    for row in range(rows):
        for column in range(columns):
            left_behind = rng.binomial(row + 1, loss, int(charge_e[row, column]))
            for late, count in enumerate(np.bincount(np.minimum(left_behind, 2), minlength=3)):
                if row + late < rows:
                    arrived[row + late, column] += count
    return arrived


def test_delays_are_shares() -> None:
    probability = delays(500, 0.01)
    assert probability.shape == (3, 500)
    np.testing.assert_allclose(probability.sum(axis=0), 1)
    assert probability[0, 0] == pytest.approx(0.99)


def test_transfer_without_loss_moves_nothing() -> None:
    charge = np.arange(35).reshape(7, 5)
    np.testing.assert_array_equal(moved(charge, 0.0, np.random.default_rng(0)), charge)


def test_transfer_trails_away_from_the_readout() -> None:
    charge = np.zeros((40, 3), np.int64)
    charge[30, 1] = 1_000_000
    after = moved(charge, 1e-3, np.random.default_rng(0))
    assert after.sum() == 1_000_000
    assert set(np.nonzero(after)[0]) == {30, 31, 32}
    assert set(np.nonzero(after)[1]) == {1}
    assert after[31, 1] == pytest.approx(31 * 1e-3 * 0.999**30 * 1e6, rel=0.03)


def test_transfer_agrees_with_single_electrons() -> None:
    charge = np.random.default_rng(1).integers(0, 4000, (9, 6))
    oracle = moved_one_by_one(charge, 0.05, np.random.default_rng(2))
    after = moved(charge, 0.05, np.random.default_rng(3))
    # both are draws: they differ by a few standard deviations of a binomial at most
    assert np.all(np.abs(after - oracle) < 6 * np.sqrt(charge.max()))
    assert abs(int(after.sum()) - int(oracle.sum())) < 6 * np.sqrt(charge.sum())


@given(st.integers(1, 12), st.floats(0, 0.09), st.integers(0, 2**32))
def test_transfer_keeps_electrons_but_for_the_last_rows(rows: int, loss: float, seed: int) -> None:
    charge = np.random.default_rng(seed).integers(0, 100, (rows, 4))
    padded = np.concatenate([charge, np.zeros((2, 4), np.int64)])
    after = moved(padded, loss, np.random.default_rng(seed))
    assert after.min() >= 0
    np.testing.assert_array_equal(after.sum(axis=0), charge.sum(axis=0))


def test_transfer_of_means_is_the_mean_of_transfers() -> None:
    charge = np.random.default_rng(5).integers(100, 300, (8, 5))
    rng = np.random.default_rng(6)
    mean = np.mean([moved(charge, 0.05, rng) for _ in range(400)], axis=0)
    np.testing.assert_allclose(transfer_mean(charge.astype(float), delays(8, 0.05)), mean, rtol=0.03)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_transfer_of_few_rows(rows: int) -> None:
    ones = np.ones((rows, 2))
    assert transfer_mean(ones, delays(rows, 0.01))[0, 0] == pytest.approx(0.99)
    assert moved(ones.astype(np.int64), 0.01, np.random.default_rng(0)).shape == (rows, 2)


def test_binning_adds_up_blocks() -> None:
    charge = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(
        bin_sum(charge, 2, 3),
        [[0 + 1 + 2 + 6 + 7 + 8, 3 + 4 + 5 + 9 + 10 + 11], [12 + 13 + 14 + 18 + 19 + 20, 15 + 16 + 17 + 21 + 22 + 23]],
    )


def test_noise_falls_with_the_root_of_the_samples() -> None:
    assert read_noise_sd(20.0, 4) == pytest.approx(10.0)


def test_digits_are_rounded_and_clipped() -> None:
    digits = digitize(np.array([-1e6, 0.0, 1.1, 1e9]), 0.5, 100.0)
    assert digits.dtype == np.uint16
    np.testing.assert_array_equal(digits, [0, 100, 102, 65535])


def test_charges_of_one_pixel_are_added_and_pixels_without_any_left_out() -> None:
    charges = Charges.gathered(np.array([2, 0, 2, 1]), np.array([1, 3, 1, 0]), np.array([5, 2, 7, 0]), 4)
    np.testing.assert_array_equal(charges.rows, [0, 2])
    np.testing.assert_array_equal(charges.columns, [3, 1])
    np.testing.assert_array_equal(charges.electrons, [2, 12])


@pytest.mark.parametrize(
    ("preset", "expected"), [("easy", (10, 1, 0)), ("normal", (20, 4, 2e-5)), ("default", (20, 4, 2e-5)), ("hard", (30, 20, 2e-4))]
)
def test_a_preset_sets_what_is_not_given(preset: str, expected: tuple[float, float, float]) -> None:
    detector = detector_of(SimulationOptions.model_validate({"preset": preset}))
    assert (detector.read_noise_e, detector.dark_e, detector.transfer_loss) == expected
    given = detector_of(SimulationOptions.model_validate({"preset": preset, "read_noise_e": 7.0, "dark_e": 0.0, "transfer_loss": 0.05}))
    assert (given.read_noise_e, given.dark_e, given.transfer_loss) == (7, 0, 0.05)
    # what the help of the options says
    word = "default:" if preset in ("normal", "default") else preset
    for key, number in zip(("read_noise_e", "dark_e", "transfer_loss"), expected, strict=True):
        text = str(SimulationOptions.model_fields[key].description)
        assert f"{word} {number}" in text.replace("2e-4", "0.0002").replace("2e-5", "2e-05")
