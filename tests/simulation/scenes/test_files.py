"""What a set of scenes is on disk: every form of its labels says the same."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.legend import Legend
from terrazzo.labels.rle import decode
from terrazzo.progress import Advance, Silent
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.recipes.recipe import load_recipe
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.simulation.scenes import plots as plots_module
from terrazzo.simulation.scenes.files import simulate_scenes
from terrazzo.simulation.scenes.plots import BUILDING, CLASSES, TREE

OPTIONS = SimulationOptions(count=3, size=(150, 230), seed=4)
SCENES = ScenesOptions(bands=4, nodata_share=0.15)
SMALL = SimulationOptions(count=2, size=(40, 60), seed=1)


def everything(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def read(path: Path) -> NDArray[np.generic]:
    with rasterio.open(path) as file:
        pixels: NDArray[np.generic] = file.read()
    return pixels


def painted(vectors: Path, image: Path, column: str) -> NDArray[np.uint32]:
    """Oracle: the polygons of a file painted in its order on the grid of an image, in map coordinates."""
    table = geopandas.read_file(vectors)
    table = table[table["image"] == image.stem]
    values = table["id"] if column == "id" else table["class"].map(CLASSES.index)
    with rasterio.open(image) as file:
        assert table.crs == file.crs
        grid = {"out_shape": file.shape, "transform": file.transform}
    pixels: NDArray[np.uint32] = rasterize(zip(table.geometry, values, strict=True), dtype="uint32", **grid)
    return pixels


def check_agreement(out: Path, name: str) -> None:
    """Masks, instances and run lengths are what the polygons say, wherever there is data."""
    labels, instances = read(out / "labels" / name)[0], read(out / "instances" / name)[0]
    valid = labels != 255
    np.testing.assert_array_equal(labels[valid], painted(out / "vectors.gpkg", out / "images" / name, "class")[valid])
    numbers = painted(out / "vectors.gpkg", out / "images" / name, "id")
    objects = valid & ((labels == BUILDING) | (labels == TREE))
    np.testing.assert_array_equal(instances, np.where(objects, numbers, 0))

    table = pd.read_csv(out / "buildings_rle.csv", keep_default_na=False)
    rows = table[table["ImageId"] == name]["EncodedPixels"].tolist()
    seen = np.unique(instances[labels == BUILDING]).tolist()
    assert len(rows) == max(1, len(seen))
    found = np.zeros(labels.shape, np.int64)
    for row, number in zip(rows, seen, strict=False):
        pairs = np.array(row.split(), np.int64).reshape(-1, 2)
        mask = decode(pairs[:, 0], pairs[:, 1], (labels.shape[0], labels.shape[1]))
        np.testing.assert_array_equal(mask, instances == number)
        found += mask
    np.testing.assert_array_equal(found, labels == BUILDING)


@pytest.mark.parametrize("index", range(3))
def test_masks_instances_and_runs_are_those_of_the_polygons(written: Path, index: int) -> None:
    check_agreement(written, f"scene_{index:04d}.tif")


@pytest.mark.parametrize(
    ("crs", "cell_size_m", "size"),
    # metres in the north and in the south, feet, a world-wide one, cells that are no sum of halves
    [("EPSG:25832", 0.3, (61, 130)), ("EPSG:32733", 1.0, (90, 50)), ("EPSG:2263", 0.7, (80, 80)), ("EPSG:3857", 0.11, (100, 70))],
)
def test_they_agree_in_any_crs_and_cell_size(tmp_path: Path, crs: str, cell_size_m: float, size: tuple[int, int]) -> None:
    options = SimulationOptions(count=1, size=size, seed=2)
    simulate_scenes(tmp_path, options, ScenesOptions(crs=crs, cell_size_m=cell_size_m), Silent())
    check_agreement(tmp_path, "scene_0000.tif")
    with rasterio.open(tmp_path / "images" / "scene_0000.tif") as file:
        assert file.crs.to_string() == crs
        metres = 1200 / 3937 if crs == "EPSG:2263" else 1
        assert file.transform.a == pytest.approx(cell_size_m / metres)
        assert file.transform.e == -file.transform.a


def test_they_agree_over_blocks_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots_module, "PLOT_M", 120.0)
    monkeypatch.setattr("terrazzo.simulation.scenes.files.BLOCK_PX", 130)
    monkeypatch.setattr("terrazzo.simulation.scenes.runs.WHOLE_PX", 0)
    monkeypatch.setattr("terrazzo.simulation.scenes.vectors.BATCH", 50)
    simulate_scenes(tmp_path, SimulationOptions(count=1, size=(300, 570)), ScenesOptions(), Silent())
    check_agreement(tmp_path, "scene_0000.tif")


def test_files_of_a_set(written: Path) -> None:
    names = [f"scene_{index:04d}.tif" for index in range(3)]
    folders = ("images", "labels", "instances")
    one_each = {f"{folder}/{name}" for folder in folders for name in names}
    assert set(everything(written)) == one_each | {"recipe.toml", "vectors.gpkg", "centre_lines.gpkg", "buildings_rle.csv"}


def test_images_are_tiled_geotiffs_with_names_and_facts(written: Path) -> None:
    with rasterio.open(written / "images" / "scene_0001.tif") as file:
        assert file.shape == (150, 230)
        assert (file.count, file.dtypes[0], file.nodata) == (4, "uint8", 0)
        assert file.descriptions == ("red", "green", "blue", "nir")
        assert file.profile["tiled"]
        assert file.compression.value == "ZSTD"
        assert file.crs.to_epsg() == 32633
        facts = json.loads(file.tags()["TERRAZZO_SIMULATION"])
    assert facts["seed"] == 4
    assert facts["index"] == 1
    assert facts["bands"] == 4


def test_label_masks_carry_their_legend_and_colours(written: Path) -> None:
    with rasterio.open(written / "labels" / "scene_0000.tif") as file:
        legend = Legend.from_json(file.tags()[LEGEND_TAG])
        assert file.nodata == 255
        assert file.colormap(1)[BUILDING] == (*legend.colors[BUILDING], 255)
    assert legend.names == CLASSES


def test_scenes_lie_side_by_side_and_do_not_meet(written: Path) -> None:
    boxes = []
    for index in range(3):
        with rasterio.open(written / "images" / f"scene_{index:04d}.tif") as file:
            boxes.append(file.bounds)
    assert boxes[0].right + 300 < boxes[1].left < boxes[1].right + 300 < boxes[2].left
    polygons = geopandas.read_file(written / "vectors.gpkg")
    for index, box in enumerate(boxes):
        near = polygons.cx[box.left : box.right, box.bottom : box.top]
        assert set(near["image"]) == {f"scene_{index:04d}"}


def test_polygons_are_in_painting_order_and_lines_have_widths(written: Path) -> None:
    polygons, lines = geopandas.read_file(written / "vectors.gpkg"), geopandas.read_file(written / "centre_lines.gpkg")
    assert pyogrio.list_layers(written / "vectors.gpkg")[:, 0].tolist() == ["polygons"]
    for _, rows in polygons.groupby("image"):
        assert rows["id"].tolist() == list(range(1, len(rows) + 1))
        order = rows["class"].map(["water", "road", "building", "tree"].index)
        assert order.is_monotonic_increasing
    roads = polygons[polygons["class"] == "road"].set_index(["image", "id"])
    assert len(roads) == len(lines)
    for line in lines.itertuples():
        road = roads.loc[(line.image, line.id)].geometry
        assert road.symmetric_difference(line.geometry.buffer(line.width / 2)).area < 0.02 * road.area


def test_the_recipe_is_valid_and_fits(written: Path) -> None:
    recipe = load_recipe(written / "recipe.toml").recipe
    assert recipe.legend.classes == list(CLASSES)
    assert recipe.data.images == "images/*.tif"
    # three scenes are too few to hold some out
    assert recipe.split.by == "block"


def test_many_scenes_are_split_by_scene(tmp_path: Path) -> None:
    simulate_scenes(tmp_path, SimulationOptions(count=5, size=16), ScenesOptions(), Silent())
    assert load_recipe(tmp_path / "recipe.toml").recipe.split.by == "scene"


def test_same_options_write_the_same_bytes_with_any_threads(written: Path, tmp_path: Path) -> None:
    simulate_scenes(tmp_path, OPTIONS, SCENES, Silent(), threads=1)
    assert everything(tmp_path) == everything(written)


def test_goes_on_where_it_stopped_and_keeps_the_recipe(tmp_path: Path) -> None:
    simulate_scenes(tmp_path, SMALL, ScenesOptions(), Silent())
    before = everything(tmp_path)
    for gone in ("labels/scene_0001.tif", "vectors.gpkg", "buildings_rle.csv"):
        (tmp_path / gone).unlink()
    kept = (tmp_path / "images" / "scene_0000.tif").stat().st_mtime_ns
    simulate_scenes(tmp_path, SMALL, ScenesOptions(), Silent())
    assert everything(tmp_path) == before
    assert (tmp_path / "images" / "scene_0000.tif").stat().st_mtime_ns == kept
    (tmp_path / "recipe.toml").write_text("# mine")
    simulate_scenes(tmp_path, SMALL, ScenesOptions(), Silent())
    assert (tmp_path / "recipe.toml").read_text() == "# mine"


def test_more_scenes_may_follow(tmp_path: Path) -> None:
    simulate_scenes(tmp_path / "few", SMALL, ScenesOptions(), Silent())
    more = SMALL.model_copy(update={"count": 3})
    simulate_scenes(tmp_path / "few", more, ScenesOptions(), Silent())
    simulate_scenes(tmp_path / "many", more, ScenesOptions(), Silent())
    assert everything(tmp_path / "few") == everything(tmp_path / "many")


@pytest.mark.parametrize(
    ("options", "scenes"),
    [
        (SMALL.model_copy(update={"seed": 2}), ScenesOptions()),
        (SMALL.model_copy(update={"count": 1}), ScenesOptions()),
        (SMALL, ScenesOptions(bands=4)),
        (SimulationOptions(count=2, size=(40, 60), seed=1, preset="hard"), ScenesOptions()),
    ],
)
def test_refuses_to_mix_two_simulations(tmp_path: Path, options: SimulationOptions, scenes: ScenesOptions) -> None:
    simulate_scenes(tmp_path, SMALL, ScenesOptions(), Silent())
    before = everything(tmp_path)
    with pytest.raises(ConflictError, match="Choose an empty folder"):
        simulate_scenes(tmp_path, options, scenes, Silent())
    assert everything(tmp_path) == before


@pytest.mark.parametrize(("crs", "words"), [("EPSG:4326", "is not projected"), ("sea", "names no coordinate reference system")])
def test_a_crs_that_is_none_is_refused(tmp_path: Path, crs: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        simulate_scenes(tmp_path / "out", SMALL, ScenesOptions(crs=crs), Silent())
    assert not (tmp_path / "out").exists()


def test_a_scene_without_buildings_has_a_blank_row(tmp_path: Path) -> None:
    # 0.8 m of land: mostly there is nothing
    simulate_scenes(tmp_path, SimulationOptions(count=3, size=16), ScenesOptions(cell_size_m=0.05), Silent())
    table = pd.read_csv(tmp_path / "buildings_rle.csv", keep_default_na=False)
    assert table["ImageId"].tolist() == [f"scene_{index:04d}.tif" for index in range(3)]
    assert "" in set(table["EncodedPixels"])
    for index in range(3):
        check_agreement(tmp_path, f"scene_{index:04d}.tif")


@pytest.mark.parametrize("compress", ["deflate", "lzw", "none"])
def test_compressions(tmp_path: Path, compress: str) -> None:
    scenes = ScenesOptions.model_validate({"compress": compress, "dtype": "float32", "nodata_share": 0.2})
    simulate_scenes(tmp_path, SimulationOptions(count=1, size=32), scenes, Silent())
    with rasterio.open(tmp_path / "images" / "scene_0000.tif") as file:
        assert (file.compression.value.lower() if file.compression else "none") == compress
        assert np.isnan(file.nodata)
        assert np.isnan(file.read()).any()


class Interrupted(Silent):
    """A progress that stops the work after the first scene."""

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        """Raise at the second advance."""
        advances = iter(range(1))

        def advance(_: float) -> None:
            if next(advances, None) is None:
                raise KeyboardInterrupt

        yield advance


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path) -> None:
    simulate_scenes(tmp_path / "whole", SMALL, ScenesOptions(), Silent())
    with pytest.raises(KeyboardInterrupt):
        simulate_scenes(tmp_path / "part", SMALL, ScenesOptions(), Interrupted())
    # a scene of one block is whole when its first rows are
    assert set(everything(tmp_path / "part")) == {f"{folder}/scene_0000.tif" for folder in ("images", "labels", "instances")}
    simulate_scenes(tmp_path / "part", SMALL, ScenesOptions(), Silent())
    assert everything(tmp_path / "part") == everything(tmp_path / "whole")
