"""simulate: the worlds, their options, and what the verb says."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrazzo.errors import UsageError
from terrazzo.recipes.recipe import Recipe, load_recipe, to_toml
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.mask import mask
from terrazzo.workflows.simulate import simulate


def test_scenes_and_all_that_belongs_to_them(tmp_path: Path) -> None:
    recipe = Recipe(simulation=SimulationOptions(count=2, size=(30, 50)), scenes=ScenesOptions(bands=2))
    result = simulate("scenes", tmp_path / "out", Context(recipe=recipe, threads=1))
    written = result.written["outputs"]
    assert not isinstance(written, Path)
    assert {path.name for path in written} == {
        *("images", "labels", "instances", "vectors.gpkg", "centre_lines.gpkg", "buildings_rle.csv", "recipe.toml")
    }
    assert all(path.exists() for path in written)
    assert result.text.startswith("2 images of 30 x 50 pixels in ")
    load_recipe(tmp_path / "out" / "recipe.toml")


@pytest.mark.parametrize(("world", "count", "side"), [("ccd", 60, 256), ("scenes", 20, 512)])
def test_each_world_has_its_own_defaults(world: str, count: int, side: int) -> None:
    # what the help of the options says
    fields = SimulationOptions.model_fields
    assert f"{count}" in str(fields["count"].description)
    assert f"{side} for {world}" in str(fields["size"].description)


@pytest.mark.parametrize(
    ("world", "sets", "named"),
    [
        ("ccd", ["scenes.bands=4", "scenes.crs=EPSG:2154"], r"\[scenes\] crs, \[scenes\] bands; leave them out"),
        ("scenes", ["simulation.read_noise_e=3"], r"\[simulation\] read_noise_e; leave it out"),
        ("scenes", ["simulation.tracks=tracks.npz"], r"\[simulation\] tracks; leave it out"),
    ],
)
def test_options_of_the_other_world_are_refused(tmp_path: Path, world: str, sets: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=f"the world '{world}' does not obey {named}"):
        simulate(world, tmp_path / "out", open_context(sets=sets))
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_says_all_defaults_is_obeyed_by_both_worlds(tmp_path: Path) -> None:
    small = Recipe(simulation=SimulationOptions(count=1, size=20))
    (tmp_path / "recipe.toml").write_text(to_toml(small), encoding="utf-8")
    for world in ("ccd", "scenes"):
        simulate(world, tmp_path / world, open_context(tmp_path / "recipe.toml"))
        assert len(list((tmp_path / world / "images").iterdir())) == 1


def test_a_track_library_is_relative_to_the_recipe(tmp_path: Path) -> None:
    np.savez(tmp_path / "tracks.npz", shapes=np.array([[6, 6]]), values=np.linspace(1, 2, 36, dtype=np.float32))
    (tmp_path / "recipe.toml").write_text('[simulation]\ncount = 1\nsize = 40\ntracks = "tracks.npz"\n', encoding="utf-8")
    simulate("ccd", tmp_path / "out", open_context(tmp_path / "recipe.toml"))
    assert "library" in (tmp_path / "out" / "tracks" / "ccd_0000.csv").read_text()


def test_a_preset_is_overridden_by_what_is_given(tmp_path: Path) -> None:
    sets = ["simulation.preset=hard", "simulation.count=1", "simulation.size=32"]
    simulate("ccd", tmp_path / "hard", open_context(sets=sets))
    simulate("ccd", tmp_path / "given", open_context(sets=[*sets, "simulation.read_noise_e=7"]))
    headers = [(tmp_path / name / "images" / "ccd_0000.fits").read_bytes()[:2880].decode() for name in ("hard", "given")]
    assert ["RDNOISE =                 30.0" in headers[0], "RDNOISE =                  7.0" in headers[1]] == [True, True]
    assert all("SIMWORLD= 'hard" in header for header in headers)


def test_scenes_of_one_big_raster_are_drawn_in_blocks(tmp_path: Path) -> None:
    simulate("scenes", tmp_path, open_context(sets=["simulation.count=1", "simulation.size=[520, 1100]", "simulation.seed=3"]))
    with rasterio.open(tmp_path / "images" / "scene_0000.tif") as file:
        assert file.shape == (520, 1100)
        seam = file.read(1).astype(float)
    # along the seam of two blocks neighbours differ as much as anywhere
    across = np.abs(np.diff(seam, axis=1)).mean(axis=0)
    assert across[511] < 1.5 * np.median(across)
    assert 'by = "block"' in (tmp_path / "recipe.toml").read_text()


@pytest.mark.parametrize("labels", ["vectors.gpkg", "buildings_rle.csv"])
def test_masks_are_made_from_the_other_forms_of_labels(tmp_path: Path, labels: str) -> None:
    """As the comments of the recipe say, polygons and run lengths will do in place of the masks."""
    simulate("scenes", tmp_path / "set", open_context(sets=["simulation.count=2", "simulation.size=96"]))
    classes = ["background", "building"] if "rle" in labels else ["background", "building", "road", "water", "tree"]
    sets = [f"legend.classes={classes}", *(["labels.attribute=class"] if "vectors" in labels else [])]
    mask(str(tmp_path / "set" / "images"), str(tmp_path / "set" / labels), tmp_path / "masks", context=open_context(sets=sets))
    for name in ("scene_0000.tif", "scene_0001.tif"):
        with rasterio.open(tmp_path / "set" / "labels" / name) as file, rasterio.open(tmp_path / "masks" / name) as made:
            expected = file.read(1) == 1 if "rle" in labels else file.read(1)
            np.testing.assert_array_equal(made.read(1), expected)
