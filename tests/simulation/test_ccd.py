import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from astropy.io import fits
from PIL import Image

from terrazzo.errors import ConflictError, UsageError
from terrazzo.progress import Silent
from terrazzo.simulation.ccd import CLASSES, fits_bytes, fits_header, recipe_text, simulate_ccd, simulate_frame
from terrazzo.simulation.options import SimulationOptions

OPTIONS = SimulationOptions(count=3, size=40, seed=5)


def everything(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_writes_frames_labels_and_recipe(tmp_path: Path) -> None:
    images = simulate_ccd(tmp_path / "new" / "set", OPTIONS, Silent())
    assert images == [tmp_path / "new" / "set" / "images" / f"ccd_{index:04d}.fits" for index in range(3)]
    assert set(everything(tmp_path / "new" / "set")) == {
        "recipe.toml",
        *(f"images/ccd_{index:04d}.fits" for index in range(3)),
        *(f"labels/ccd_{index:04d}.png" for index in range(3)),
        *(f"instances/ccd_{index:04d}.tif" for index in range(3)),
        *(f"tracks/ccd_{index:04d}.csv" for index in range(3)),
    }


def test_files_hold_the_frame(tmp_path: Path) -> None:
    simulate_ccd(tmp_path, OPTIONS, Silent())
    frame = simulate_frame(OPTIONS, 1)
    with fits.open(tmp_path / "images" / "ccd_0001.fits") as hdus:
        assert hdus[0].header["BITPIX"] == 16
        assert hdus[0].header["SIMSEED"] == 5
        assert hdus[0].header["SIMINDEX"] == 1
        assert hdus[0].header["CLUSTMIN"] == 30
        np.testing.assert_array_equal(hdus[0].data, frame.values)
        assert hdus[0].header["BZERO"] == 32768
    with Image.open(tmp_path / "labels" / "ccd_0001.png") as label:
        assert label.mode == "P"
        np.testing.assert_array_equal(np.asarray(label), frame.labels)
        assert len(set(map(tuple, np.asarray(label.convert("RGB")).reshape(-1, 3)))) == 4


def test_same_options_write_the_same_bytes(tmp_path: Path) -> None:
    simulate_ccd(tmp_path / "a", OPTIONS, Silent())
    simulate_ccd(tmp_path / "b", OPTIONS, Silent())
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_goes_on_where_it_stopped_and_keeps_the_recipe(tmp_path: Path) -> None:
    simulate_ccd(tmp_path, OPTIONS, Silent())
    before = everything(tmp_path)
    (tmp_path / "labels" / "ccd_0002.png").unlink()
    simulate_ccd(tmp_path, OPTIONS, Silent())
    assert everything(tmp_path) == before
    (tmp_path / "recipe.toml").write_text("# mine")
    simulate_ccd(tmp_path, OPTIONS, Silent())
    assert (tmp_path / "recipe.toml").read_text() == "# mine"


@pytest.mark.parametrize("other", [SimulationOptions(count=3, size=40, seed=6), SimulationOptions(count=2, size=40, seed=5)])
def test_refuses_to_mix_two_simulations(tmp_path: Path, other: SimulationOptions) -> None:
    simulate_ccd(tmp_path, OPTIONS, Silent())
    before = everything(tmp_path)
    with pytest.raises(ConflictError):
        simulate_ccd(tmp_path, other, Silent())
    assert everything(tmp_path) == before


def test_recipe_fits_the_frames() -> None:
    recipe = tomllib.loads(recipe_text())
    assert recipe["data"] | {"images": "images/*.fits", "labels": "labels/*.png", "scaling": "asinh"} == recipe["data"]
    assert recipe["legend"]["classes"] == list(CLASSES)


def test_default_frames_stay_as_they_are() -> None:
    """The demo's figures rest on these bytes: whoever changes them measures the demo anew, and says so."""
    digest = hashlib.sha256()
    for index in range(2):
        options = SimulationOptions()
        frame = simulate_frame(options, index)
        digest.update(fits_bytes(frame, fits_header(options, index)))
        digest.update(frame.labels.tobytes())
    digest.update(recipe_text().encode())
    assert digest.hexdigest() == "e0b0ab669175a239e4d5e0d9525a8e8cc87856256a8e6e90b888f1ecc1fe5eda"


def test_normal_and_default_are_two_words_for_one_preset() -> None:
    normal, default = SimulationOptions(size=32, preset="normal"), SimulationOptions(size=32, preset="default")
    first, second = simulate_frame(normal, 0), simulate_frame(default, 0)
    assert fits_bytes(first, fits_header(normal, 0)) == fits_bytes(second, fits_header(default, 0))


def test_instances_and_the_table_of_tracks_agree(tmp_path: Path) -> None:
    simulate_ccd(tmp_path, OPTIONS, Silent())
    with rasterio.open(tmp_path / "instances" / "ccd_0002.tif") as file:
        numbers = file.read(1)
    assert numbers.dtype == np.uint32
    np.testing.assert_array_equal(numbers > 0, np.asarray(Image.open(tmp_path / "labels" / "ccd_0002.png")) == 3)
    table = pd.read_csv(tmp_path / "tracks" / "ccd_0002.csv")
    assert table["frame"].unique().tolist() == ["ccd_0002"]
    assert table["track"].tolist() == [number for number in np.unique(numbers).tolist() if number]
    for row in table.itertuples():
        inside = numbers[row.row_off : row.row_off + row.height, row.col_off : row.col_off + row.width]  # type: ignore[operator] # numbers of a CSV
        assert np.count_nonzero(inside == row.track) == row.pixels


def test_a_track_library_is_used_and_named_in_the_header(tmp_path: Path) -> None:
    np.savez(tmp_path / "tracks.npz", shapes=np.array([[5, 5], [1, 9]]), values=np.linspace(1, 2, 34, dtype=np.float32))
    options = SimulationOptions(count=1, size=64, tracks=tmp_path / "tracks.npz", track_unit_e=1000.0)
    [image] = simulate_ccd(tmp_path / "out", options, Silent())
    header = fits.getheader(image)
    assert header["TRACKUNT"] == 1000
    assert len(header["TRACKLIB"]) == 16
    table = pd.read_csv(tmp_path / "out" / "tracks" / "ccd_0000.csv")
    assert set(table["kind"]) == {"library"}
    # the same frame with other tracks is another simulation
    with pytest.raises(ConflictError):
        simulate_ccd(tmp_path / "out", options.model_copy(update={"track_unit_e": 999.0}), Silent())


def test_sizes_beyond_a_detector_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at most 16384 pixels a side"):
        simulate_ccd(tmp_path / "out", SimulationOptions(count=1, size=(16, 20_000)), Silent())
    assert not (tmp_path / "out").exists()
