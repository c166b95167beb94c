"""Track libraries: what is read, what is refused, and how tracks are thrown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrazzo.errors import DataError
from terrazzo.simulation.frame import CLUSTER, simulate_frame
from terrazzo.simulation.library import TrackLibrary, load_library
from terrazzo.simulation.options import SimulationOptions
from terrazzo.simulation.tracks import TrackModel

SHAPES = np.array([[2, 3], [1, 4], [2, 2]], np.int32)
VALUES = np.array([*range(1, 7), 0, 0, 0, 0, 4, 3, 2, 1], np.float32)


def write(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "tracks.npz", **{"shapes": SHAPES, "values": VALUES, **arrays})
    return folder / "tracks.npz"


def test_tracks_without_charge_are_left_out(tmp_path: Path) -> None:
    library = load_library(write(tmp_path))
    np.testing.assert_array_equal(library.shapes, [[2, 3], [2, 2]])
    np.testing.assert_array_equal(library.values, [1, 2, 3, 4, 5, 6, 4, 3, 2, 1])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"shapes": SHAPES.astype(float)}, "'shapes' is float64"),
        ({"shapes": SHAPES[:, :1]}, r"of shape \(3, 1\)"),
        ({"shapes": SHAPES[:0]}, r"of shape \(0, 2\)"),
        ({"shapes": SHAPES - 1}, "do not add up"),
        ({"shapes": np.full((3, 2), 2**31 - 1, np.int32)}, "do not add up"),
        ({"values": VALUES[:-1]}, "do not add up to the 13 'values'"),
        ({"values": VALUES[None]}, r"of shape \(1, 14\)"),
        ({"values": -VALUES}, "negative charges, or NaN"),
        ({"values": np.where(VALUES == 4, np.nan, VALUES)}, "negative charges, or NaN"),
        ({"values": VALUES * 0}, "no track of the library has any charge"),
        ({"values": VALUES.astype(object)}, "no readable track library"),
        ({"values": VALUES.astype(complex)}, "'values' is complex128"),
    ],
)
def test_what_is_no_library_is_refused_in_a_sentence(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    path = write(tmp_path, **arrays)
    with pytest.raises(DataError, match=words) as caught:
        load_library(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as an NPZ file"):
        load_library(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("tracks")
    with pytest.raises(DataError, match="cannot be read as an NPZ file"):
        load_library(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", sizes=SHAPES, values=VALUES)
    with pytest.raises(DataError, match="has no array 'shapes'; it has sizes, values"):
        load_library(tmp_path / "other.npz")
    whole = write(tmp_path).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole.replace(b"NUMPY", b"NUMPI"))
    with pytest.raises(DataError, match="no readable track library"):
        load_library(tmp_path / "cut.npz")


def test_a_library_that_unpacks_to_gigabytes_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terrazzo.simulation.library.LARGEST_MB", 1)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, shapes=np.array([[1000, 1000]]), values=np.zeros(1_000_000, np.float32))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpacks to 4 MB"):
        load_library(path)


def test_a_track_is_thrown_in_all_eight_ways() -> None:
    image = np.array([[9, 0, 0], [9, 5, 0]], np.float32)
    library = TrackLibrary(shapes=np.array([[2, 3]]), values=image.ravel(), unit_e=1e6)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(80):
        track = library.draw(TrackModel(), (100, 100), rng)
        # far from the borders, and beyond the noise of counting
        seen.add((np.rint(track.electrons / 1e6)).astype(int).tobytes() + bytes(track.electrons.shape))
    ways = {np.ascontiguousarray(np.rot90(way, turns)).astype(int).tobytes() for way in (image, image[:, ::-1]) for turns in range(4)}
    assert len({text for text in seen if text[:-2] in ways}) == 8


def test_without_a_unit_tracks_are_as_bright_as_simulated_ones() -> None:
    library = TrackLibrary(shapes=np.array([[4, 4]]), values=np.full(16, 3e-5, np.float32))
    rng = np.random.default_rng(0)
    charges = [library.draw(TrackModel(electron_charge_e=(500.0, 600.0)), (200, 200), rng).electrons for _ in range(50)]
    means = [charge.mean() for charge in charges if charge.shape == (4, 4)]
    assert 480 < min(means) < max(means) < 620


def test_frames_of_a_library_are_repeatable_and_labelled_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shapes = rng.integers(2, 15, (12, 2))
    library = load_library(write(tmp_path, shapes=shapes, values=rng.gamma(1, 1, int(shapes.prod(axis=1).sum()))))
    options = SimulationOptions(size=96)
    frame, again = simulate_frame(options, 0, library), simulate_frame(options, 0, library)
    np.testing.assert_array_equal(frame.values, again.values)
    np.testing.assert_array_equal(frame.labels == CLUSTER, frame.track_e >= 30)
    assert {track.kind for track in frame.tracks} == {"library"}


def test_the_library_of_measured_tracks() -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "ccd_tracks" / "tracks.npz"
    if not path.exists():
        pytest.skip("the data set ccd_tracks is not beside the project (../shared/data)")
    library = load_library(path)
    assert len(library.shapes) == 803
    frame = simulate_frame(SimulationOptions(), 0, library)
    assert (frame.labels == CLUSTER).mean() > 0.005
