import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.simulation.tracks import Deposits, Track, TrackModel, deposit, draw_track

ONLY = {"muon": (1.0, 0.0, 0.0), "electron": (0.0, 1.0, 0.0), "alpha": (0.0, 0.0, 1.0)}


def tracks(kind: str, count: int = 40) -> list[Deposits]:
    rng = np.random.default_rng(7)
    return [draw_track(TrackModel(shares=ONLY[kind]), (64, 90), rng) for _ in range(count)]


def single(x: float, y: float, charge: float, sd: float) -> Deposits:
    return Deposits(kind="point", x=np.array([x]), y=np.array([y]), charge_e=np.array([charge]), diffusion_px=np.array([sd]))


def laid(track: Track, shape: tuple[int, int]) -> NDArray[np.int64]:
    """A track in an empty frame."""
    frame = np.zeros(shape, np.int64)
    height, width = track.electrons.shape
    frame[track.row_off : track.row_off + height, track.col_off : track.col_off + width] += track.electrons
    return frame


def test_muons_are_straight_oblique_and_wider_at_one_end() -> None:
    angles = set()
    for track in tracks("muon"):
        dx, dy = np.diff(track.x), np.diff(track.y)
        np.testing.assert_allclose(dx, dx[0], atol=1e-9)
        np.testing.assert_allclose(dy, dy[0], atol=1e-9)
        angle = np.arctan2(dy[0], dx[0]) % (np.pi / 2)
        assert 0.2 <= angle <= np.pi / 2 - 0.2
        assert {track.diffusion_px[0], track.diffusion_px[-1]} == {0.2, 0.45}
        angles.add(int(np.arctan2(dy[0], dx[0]) // (np.pi / 2)))
    assert angles == {-2, -1, 0, 1}


def test_muon_charge_fluctuates_with_a_long_upper_tail() -> None:
    charge = np.concatenate([track.charge_e / np.median(track.charge_e) for track in tracks("muon")])
    assert charge.mean() > np.median(charge) * 1.03
    assert charge.max() > 1.8
    assert charge.min() > 0.2


def test_electrons_wriggle_more_and_charge_more_at_the_end() -> None:
    halves = []
    for track in tracks("electron"):
        heading = np.unwrap(np.arctan2(np.diff(track.y), np.diff(track.x)))
        turns = np.abs(np.diff(heading))
        middle = len(turns) // 2
        halves.append((turns[:middle].mean(), turns[middle:].mean(), track.charge_e[:middle].mean(), track.charge_e[middle:].mean()))
    start_turn, end_turn, start_charge, end_charge = np.mean(halves, axis=0)
    assert end_turn > 1.4 * start_turn
    assert end_charge > 1.3 * start_charge


def test_alphas_are_compact() -> None:
    for track in tracks("alpha"):
        assert np.hypot(track.x - track.x.mean(), track.y - track.y.mean()).max() < 2 * 4.5


def test_deposit_is_a_gaussian_integrated_over_pixels() -> None:
    # oracle: a million electrons thrown one by one
    rng = np.random.default_rng(3)
    frame = laid(deposit(single(6.3, 4.8, 1e6, 0.45), (11, 13), rng), (11, 13))
    thrown, _, _ = np.histogram2d(rng.normal(4.8, 0.45, 1_000_000), rng.normal(6.3, 0.45, 1_000_000), bins=(np.arange(12), np.arange(14)))
    assert np.all(np.abs(frame - thrown) <= 6 * np.sqrt(thrown + frame + 1))


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (20.0, 9.0), (20.0, 0.0), (10.0, 4.5)])
def test_deposit_at_the_border_keeps_what_is_inside(x: float, y: float) -> None:
    added = deposit(single(x, y, 40_000, 0.3), (9, 20), np.random.default_rng(0))
    inside = (0.5 if x in (0, 20) else 1) * (0.5 if y in (0, 9) else 1)
    assert added.electrons.sum() == pytest.approx(40_000 * inside, rel=0.05)
    assert laid(added, (9, 20)).sum() == added.electrons.sum()


@pytest.mark.parametrize(("x", "y"), [(60.0, -40.0), (25.0, 4.5), (-4.5, 4.5), (10.0, 13.5), (10.0, -6.5)])
def test_deposit_outside_the_frame_adds_nothing(x: float, y: float) -> None:
    assert deposit(single(x, y, 1e5, 0.3), (9, 20), np.random.default_rng(0)).electrons.sum() == 0


@given(st.integers(0, 2**32), st.sampled_from(list(ONLY)))
def test_tracks_lie_inside_the_frame(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    track = deposit(draw_track(TrackModel(shares=ONLY[kind]), (17, 33), rng), (17, 33), rng)
    assert track.kind == kind
    assert track.row_off >= 0
    assert track.col_off >= 0
    assert track.electrons.min(initial=0) >= 0
    assert laid(track, (17, 33)).sum() == track.electrons.sum()
