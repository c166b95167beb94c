import tomllib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from terrazzo.errors import ConflictError
from terrazzo.progress import Silent
from terrazzo.simulation.ccd import CLASSES, recipe_text, simulate_ccd, simulate_frame
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
