import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.rule import ValueHistogram, best_rules
from terrazzo.simulation.detector import Charges, detector_of
from terrazzo.simulation.frame import BACKGROUND, CLUSTER, GLOW, HOT, Frame, simulate_frame
from terrazzo.simulation.objects import cluster_objects
from terrazzo.simulation.options import SimulationOptions
from terrazzo.simulation.tracks import Track

OPTIONS = SimulationOptions(size=192)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [simulate_frame(OPTIONS, index) for index in range(12)]


def electrons(frame: Frame) -> NDArray[np.float64]:
    return (frame.values.astype(float) - OPTIONS.pedestal_adu) * OPTIONS.electrons_per_adu


def runs(mask: NDArray[np.bool_]) -> int:
    """Pixels of a mask that have a neighbour in the mask above, below, left or right."""
    padded = np.pad(mask, 1)
    neighbour = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return int(np.count_nonzero(mask & neighbour))


def test_same_seed_and_index_give_the_same_frame() -> None:
    first, again = simulate_frame(OPTIONS, 3), simulate_frame(OPTIONS, 3)
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.labels, again.labels)


def test_seed_and_index_change_the_frame() -> None:
    frame = simulate_frame(OPTIONS, 3)
    assert (frame.values != simulate_frame(OPTIONS, 4).values).mean() > 0.9
    assert (frame.values != simulate_frame(SimulationOptions(size=192, seed=1), 3).values).mean() > 0.9
    # seed and index are not simply added
    assert (simulate_frame(OPTIONS, 1).values != simulate_frame(SimulationOptions(size=192, seed=1), 0).values).mean() > 0.9


@pytest.mark.parametrize("size", [16, 17, 61, 300])
def test_every_frame_holds_every_class(size: int) -> None:
    for index in range(4):
        frame = simulate_frame(SimulationOptions(size=size), index)
        assert frame.values.shape == frame.labels.shape == (size, size)
        assert frame.values.dtype == np.uint16
        assert np.unique(frame.labels).tolist() == [BACKGROUND, GLOW, HOT, CLUSTER]


def test_shares_of_the_classes(frames: list[Frame]) -> None:
    shares = np.bincount(np.concatenate([frame.labels.ravel() for frame in frames]), minlength=4) / (192**2 * len(frames))
    for share, (low, high) in zip(shares, [(0.88, 0.96), (0.03, 0.07), (0.004, 0.012), (0.008, 0.024)], strict=True):
        assert low <= share <= high


def test_cluster_is_track_charge_of_three_sigma(frames: list[Frame]) -> None:
    for frame in frames:
        np.testing.assert_array_equal(frame.labels == CLUSTER, frame.track_e >= 3 * 20 / np.sqrt(4))


def test_background_is_pedestal_dark_current_and_read_noise(frames: list[Frame]) -> None:
    quiet = np.concatenate([electrons(frame)[(frame.labels == BACKGROUND) & (frame.track_e == 0)] for frame in frames])
    assert np.median(quiet) == pytest.approx(4.0, abs=0.5)
    deviation = 1.4826 * np.median(np.abs(quiet - np.median(quiet)))
    assert deviation == pytest.approx(np.sqrt(10**2 + 4), rel=0.03)


def test_glow_is_a_band_of_whole_columns_with_a_gradient(frames: list[Frame]) -> None:
    for frame in frames:
        glowing = np.flatnonzero(((frame.labels == GLOW).mean(axis=0)) > 0.3)
        assert np.all(np.diff(glowing) == 1)
        others = np.delete(frame.labels, glowing, axis=1)
        assert not (others == GLOW).any()
        glow, charge = frame.labels == GLOW, electrons(frame)
        top, bottom = np.median(charge[:40][glow[:40]]), np.median(charge[-40:][glow[-40:]])
        assert max(top, bottom) > 1.1 * min(top, bottom)


def test_hot_pixels_are_runs_of_one_value(frames: list[Frame]) -> None:
    for frame in frames:
        hot = frame.labels == HOT
        # a cluster may cut a run so that single pixels stay
        assert runs(hot) >= 0.97 * hot.sum()
        blocks = hot[:-1, :-1] & hot[1:, :-1] & hot[:-1, 1:] & hot[1:, 1:]
        assert blocks.sum() < 0.1 * hot.sum()


def test_values_of_the_classes_overlap(frames: list[Frame]) -> None:
    values = {label: np.concatenate([electrons(frame)[frame.labels == label] for frame in frames]) for label in (GLOW, HOT, CLUSTER)}
    low, high = np.percentile(values[CLUSTER], [10, 95])
    for label in (GLOW, HOT):
        assert np.mean((values[label] > low) & (values[label] < high)) > 0.6


def test_samples_lower_the_noise_and_so_the_cluster_threshold() -> None:
    many = simulate_frame(SimulationOptions(size=64, samples=100), 0)
    np.testing.assert_array_equal(many.labels == CLUSTER, many.track_e >= 6)


def test_binning_adds_charge() -> None:
    frame = simulate_frame(SimulationOptions(size=64, bin_rows=4, bin_columns=2, dark_e=50), 0)
    quiet = frame.values[(frame.labels == BACKGROUND) & (frame.track_e == 0)].astype(float)
    assert frame.values.shape == (64, 64)
    assert (np.median(quiet) - 8800) * 0.5 == pytest.approx(8 * 50, rel=0.03)


def test_transfer_loss_leaves_trails() -> None:
    def asymmetry(loss: float) -> float:
        """Mean track charge two rows after bright pixels less that two rows before them."""
        difference = []
        for index in range(6):
            charge = simulate_frame(SimulationOptions(size=128, transfer_loss=loss), index).track_e
            difference.append((charge[4:] - charge[:-4])[charge[2:-2] > 500])
        return float(np.concatenate(difference).mean())

    # 0.5 % a transfer over some 60 transfers: a twentieth of the charge is two rows late
    assert asymmetry(0.005) > asymmetry(0.0) + 30


@pytest.mark.parametrize("shape", [(40, 150), (150, 40), (16, 16)])
def test_frames_may_be_rectangles(shape: tuple[int, int]) -> None:
    frame = simulate_frame(SimulationOptions(size=shape), 0)
    assert frame.values.shape == frame.labels.shape == frame.instances.shape == shape


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    options = SimulationOptions(size=(61, 90), transfer_loss=0.01, bin_rows=3, bin_columns=2, read_noise_e=5.0)
    whole = simulate_frame(options, 0)
    monkeypatch.setattr("terrazzo.simulation.frame.STRIP_PX", 1)
    strips = simulate_frame(options, 0)
    np.testing.assert_array_equal(whole.values, strips.values)
    np.testing.assert_array_equal(whole.labels, strips.labels)


def test_each_cluster_pixel_is_of_one_track(frames: list[Frame]) -> None:
    for frame in frames:
        np.testing.assert_array_equal(frame.instances > 0, frame.labels == CLUSTER)
        assert [track.number for track in frame.tracks] == list(range(1, int(frame.instances.max()) + 1))
        for track in frame.tracks:
            rows, columns = np.nonzero(frame.instances == track.number)
            box = track.box
            assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (box.row_off, box.col_off, box.row_end, box.col_end)
            assert track.pixels == len(rows)
            # other tracks may add to its pixels, and some of its own charge lies outside of them
            assert track.charge_e > 0


def test_tracks_that_touch_stay_apart(frames: list[Frame]) -> None:
    touching = 0
    for frame in frames:
        numbers = frame.instances
        for first, second in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
            touching += int(np.count_nonzero((first != second) & (first > 0) & (second > 0)))
    assert touching > 0


@pytest.mark.parametrize("binning", [1, 3])
def test_a_pixel_is_of_the_track_with_most_charge_there(binning: int) -> None:
    """Two tracks over each other, the brighter on the left: without losses the owner is the larger charge of each pixel."""
    detector = detector_of(SimulationOptions(transfer_loss=0.0, bin_rows=binning, bin_columns=binning))
    sensor = 4 * binning, 6 * binning
    left, right = np.full((2 * binning, 4 * binning), 50), np.full((2 * binning, 4 * binning), 30)
    left[:, 3 * binning :] = 10
    tracks = [
        Track(kind="muon", row_off=binning, col_off=0, electrons=left),
        Track(kind="alpha", row_off=binning, col_off=2 * binning, electrons=right),
    ]
    total = np.zeros((4, 6), np.int64)
    total[1:3, :4] += left.reshape(2, binning, 4, binning).sum(axis=(1, 3))
    total[1:3, 2:] += right.reshape(2, binning, 4, binning).sum(axis=(1, 3))
    rows, columns = np.nonzero(total)
    charges = Charges(rows=rows, columns=columns, electrons=total[rows, columns])
    objects, truth = cluster_objects(tracks, charges, charges.electrons > 0, detector, sensor)
    np.testing.assert_array_equal(objects.reshape(2, 6), [[1, 1, 1, 2, 2, 2]] * 2)
    assert [(track.kind, track.pixels, track.charge_e) for track in truth] == [("muon", 6, left.sum()), ("alpha", 6, right.sum())]


def test_a_trail_is_of_the_track_that_left_it() -> None:
    frame = simulate_frame(SimulationOptions(size=128, transfer_loss=0.02, read_noise_e=1.0), 0)
    np.testing.assert_array_equal(frame.instances > 0, frame.labels == CLUSTER)


def test_presets_differ_in_how_well_thresholds_do() -> None:
    """F1 of the best interval of values for clusters: the harder the preset, the lower."""
    scores = []
    for preset in ("easy", "normal", "hard"):
        histogram = ValueHistogram(4)
        for index in range(4):
            frame = simulate_frame(SimulationOptions.model_validate({"preset": preset}), index)
            histogram.add(frame.values, frame.labels)
        rule = best_rules(histogram)[CLUSTER]
        assert rule is not None
        scores.append(rule.f1)
    assert scores[0] > scores[1] > scores[2]


def test_noise_that_no_track_exceeds_is_an_error() -> None:
    with pytest.raises(UsageError, match="read_noise_e"):
        simulate_frame(SimulationOptions(size=16, read_noise_e=10_000, samples=1), 0)
