"""Objects in evaluate and train: from files to evaluation.json, the layer, the tables and the figures of each epoch."""

import csv
import json
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from shapely import box

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.class_files import map_style
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.grid import Grid, to_ground
from terrazzo.rasters.write import MapWriter
from terrazzo.workflows.context import Context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]
SEA = Legend(
    classes=(
        LegendClass(value=0, name="sea", color=(0, 0, 0)),
        LegendClass(value=1, name="ship", color=(255, 0, 0)),
        LegendClass(value=4, name="ice", color=(255, 255, 255)),
    )
)
PLACE = Affine(10.0, 0, 300_000, 0, -10.0, 6_000_000)


def write_map(path: Path, values: NDArray[np.uint8], grid: Grid | None = None) -> None:
    with MapWriter(path, grid or Grid(shape=values.shape), map_style(SEA, "{}")) as writer:
        writer.write(values)


def write_mask(path: Path, values: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def objects_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["objects"]
    return found


@pytest.fixture
def ships(tmp_path: Path) -> Path:
    """Ten true ships of which one is mapped; an image without any; one with a ship found and a false one."""
    for name, true, mapped in (("a", range(10), range(1)), ("b", (), ()), ("c", (2,), (2, 7))):
        for folder, rows in (("labels", true), ("maps", mapped)):
            values = np.zeros((30, 20), np.uint8)
            for row in rows:
                values[3 * row, 2:9] = 1
            values[29, :] = 4
            if folder == "maps":
                write_map(tmp_path / "maps" / f"{name}_predseg.tif", values)
            else:
                write_mask(tmp_path / "labels" / f"{name}.png", values)
    return tmp_path


def test_the_score_of_the_challenge(ships: Path, context_of: ContextOf) -> None:
    done = evaluate(ships / "maps", ships / "labels", ships / "out", context_of(None, "evaluation.objects='ship'"))
    found = objects_of(ships / "out")
    assert found["class"] == "ship"
    assert found["f2"] == pytest.approx((5 / 41 + 1 + 5 / 6) / 3)
    assert found["f2_by_iou"]["0.50"] == pytest.approx((5 / 41 + 1 + 5 / 6) / 3)
    assert (found["true"], found["predicted"], found["images"]) == (11, 3, 3)
    assert (found["precision"], found["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 11))
    assert "Objects of ship: 11 in the labels, 3 in the map; at IoU 0.50: 2 matched, 9 missed, 1 false." in done.text
    assert done.facts["objects"] == found
    table = geopandas.read_parquet(ships / "out" / "samples.parquet").set_index("scene")
    assert table["object_f2"].to_dict() == {"a": pytest.approx(5 / 41), "b": 1.0, "c": pytest.approx(5 / 6)}
    assert table["objects_missed"].to_dict() == {"a": 9, "b": 0, "c": 0}


def test_a_row_an_object_in_the_layer_and_the_table(ships: Path, context_of: ContextOf) -> None:
    done = evaluate(ships / "maps", ships / "labels", ships / "out", context_of(None, "evaluation.objects=1"))
    layer = geopandas.read_file(ships / "out" / "objects.gpkg")
    with (ships / "out" / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert layer["status"].value_counts().to_dict() == {"missed": 9, "matched": 2, "false": 1}
    assert [row["status"] for row in rows] == layer["status"].to_list()
    assert rows[0] | {"iou": float(rows[0]["iou"])} == {
        "scene": "a",
        "status": "matched",
        "iou": 1.0,
        "pixels": "7",
        "column": "5.5",
        "row": "0.5",
        "col_off": "2",
        "row_off": "0",
        "width": "7",
        "height": "1",
    }
    assert layer.geometry[1].bounds == (2.0, -4.0, 9.0, -3.0)
    outputs = done.written["outputs"]
    assert isinstance(outputs, list)
    assert outputs[-2:] == [ships / "out" / "objects.gpkg", ships / "out" / "objects.csv"]


def test_every_figure_is_in_a_table_too(ships: Path, context_of: ContextOf) -> None:
    done = evaluate(ships / "maps", ships / "labels", ships / "out", context_of(None, "evaluation.objects=1"))
    found = objects_of(ships / "out")
    with (ships / "out" / "object_scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["by_iou"]) + len(found["sizes"])
    assert float(rows[3]["mean_f2"]) == found["f2_by_iou"]["0.65"]
    assert (rows[0]["iou"], rows[0]["missed"], rows[-1]["missed"]) == ("0.5", "9", str(found["sizes"][-1]["missed"]))
    with (ships / "out" / "summary.csv").open(encoding="utf-8", newline="") as file:
        summary = {row["score"]: row["value"] for row in csv.DictReader(file)}
    assert float(summary["objects_pq"]) == found["pq"]
    assert float(summary["objects_count_bias"]) == found["count_error"]["bias"]
    assert ships / "out" / "object_scores.csv" in {*cast("list[Path]", done.written["outputs"])}


def test_the_layer_has_a_colour_for_each_status(ships: Path, context_of: ContextOf) -> None:
    evaluate(ships / "maps", ships / "labels", ships / "out", context_of(None, "evaluation.objects=1"))
    with closing(sqlite3.connect(ships / "out" / "objects.gpkg")) as database:
        (style,) = database.execute("select styleQML from layer_styles where f_table_name = 'objects'").fetchone()
    renderer = ET.fromstring(style).find("renderer-v2")
    assert renderer is not None
    assert renderer.get("attr") == "status"
    assert [each.get("value") for each in renderer.findall("categories/category")] == ["matched", "poor", "missed", "false"]
    assert len(renderer.findall("symbols/symbol")) == 4


def test_maps_without_any_object(tmp_path: Path, context_of: ContextOf) -> None:
    """And the notice of the score: nothing there and nothing found is 1."""
    write_map(tmp_path / "maps" / "a_predseg.tif", np.zeros((9, 7), np.uint8))
    write_mask(tmp_path / "labels" / "a.png", np.zeros((9, 7), np.uint8))
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", context_of(None, "evaluation.objects=1"))
    assert objects_of(tmp_path / "out")["f2"] == 1.0
    assert len(geopandas.read_file(tmp_path / "out" / "objects.gpkg")) == 0


def test_polygons_that_touch_stay_two(tmp_path: Path, context_of: ContextOf) -> None:
    values = np.zeros((12, 20), np.uint8)
    values[2:8, 2:18] = 1
    write_map(tmp_path / "maps" / "a_predseg.tif", values, Grid(shape=(12, 20), crs=rasterio.CRS.from_epsg(32633), transform=PLACE))
    outlines = [box(*to_ground(PLACE, (left, 8)), *to_ground(PLACE, (left + 8, 2))) for left in (2, 10)]
    roofs = geopandas.GeoDataFrame({"class": ["ship", "ship"]}, geometry=outlines, crs="EPSG:32633")
    roofs.to_file(tmp_path / "ships.gpkg")
    context = context_of(None, "evaluation.objects='ship'", "labels.attribute='class'")
    evaluate(tmp_path / "maps", tmp_path / "ships.gpkg", tmp_path / "out", context)
    found = objects_of(tmp_path / "out")
    # each is half of what is mapped as one: an IoU of exactly 0.5 is no match
    assert (found["true"], found["predicted"], found["by_iou"]["0.50"]["matched"], found["merged"]) == (2, 1, 0, 1)
    layer = geopandas.read_file(tmp_path / "out" / "objects.gpkg")
    assert layer.crs.to_epsg() == 32633
    assert layer["status"].to_list() == ["poor", "poor", "false"]
    assert layer.geometry[0].equals(outlines[0])
    assert layer["area"].to_list() == [4800.0, 4800.0, 9600.0]


class TestNumbers:
    @pytest.fixture
    def nuclei(self, tmp_path: Path) -> Path:
        """Two nuclei that touch, by number; a map of another tool with their numbers swapped, and one of it as a plain mask."""
        numbers = np.zeros((10, 16), np.uint16)
        numbers[2:8, 2:8], numbers[2:8, 8:14] = 300, 7
        write_mask(tmp_path / "labels" / "a.png", numbers)
        write_mask(tmp_path / "numbered" / "a.png", np.where(numbers == 7, 300, np.where(numbers == 300, 7, 0)).astype(np.uint16))
        write_mask(tmp_path / "plain" / "a.png", (numbers > 0).astype(np.uint8))
        return tmp_path

    @pytest.mark.parametrize(("maps", "numbered", "predicted", "f2"), [("numbered", "true", 2, 1.0), ("plain", "false", 1, 0.0)])
    def test_maps_of_other_tools(self, nuclei: Path, context_of: ContextOf, maps: str, numbered: str, predicted: int, f2: float) -> None:
        sets = ("evaluation.objects='any'", f"evaluation.numbered_maps={numbered}", "legend.encoding='instances'")
        evaluate(nuclei / maps, nuclei / "labels", nuclei / "out", context_of(None, *sets))
        found = objects_of(nuclei / "out")
        assert (found["true"], found["predicted"], found["f2"]) == (2, predicted, f2)

    def test_class_maps_hold_no_numbers(self, ships: Path, context_of: ContextOf) -> None:
        context = context_of(None, "evaluation.objects='ship'", "evaluation.numbered_maps=true")
        with pytest.raises(LabelError, match="holds classes, no object numbers"):
            evaluate(ships / "maps", ships / "labels", ships / "out", context)


def test_a_class_that_is_none(ships: Path, context_of: ContextOf) -> None:
    with pytest.raises(RecipeError, match=r"evaluation\.objects is 'boat'; it must be one of the classes 0 \(sea\), 1 \(ship\), 4 \(ice\)"):
        evaluate(ships / "maps", ships / "labels", ships / "out", context_of(None, "evaluation.objects='boat'"))


def test_nothing_of_objects_unless_asked_for(ships: Path) -> None:
    evaluate(ships / "maps", ships / "labels", ships / "out")
    assert "objects" not in json.loads((ships / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert not list((ships / "out").glob("objects.*"))
    assert "object_f2" not in geopandas.read_parquet(ships / "out" / "samples.parquet")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_run: Any) -> Path:
    """The tiny run once more, with objects."""
    out = tmp_path_factory.mktemp("objects") / "run"
    train(tiny_run.folder / "recipe.toml", out, context=tiny_run.context("evaluation.objects='water'", "evaluation.min_object_px=2"))
    return out


class TestTrain:
    def test_every_epoch_has_its_f2_and_the_weights_are_the_same(self, run: Path, tiny_run: Any) -> None:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert all(0 <= row["validation"]["object_f2"] <= 1 for row in rows)
        plain = [json.loads(line) for line in (tiny_run.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert "object_f2" not in plain[0]["validation"]
        assert [row["loss"] for row in rows] == [row["loss"] for row in plain]

    def test_the_held_out_scene_is_scored_as_evaluate_does(self, run: Path, tiny_run: Any, tmp_path: Path) -> None:
        """Its samples cover it whole; where the image has no data, neither counts."""
        labels = tmp_path / "labels"
        labels.mkdir()
        with rasterio.open(tiny_run.folder / "images" / "d.tif") as file:
            valid = (file.read() != 0).any(axis=0)
        truth = np.asarray(Image.open(tiny_run.folder / "labels" / "d.png"))
        write_mask(labels / "d.png", np.where(valid, truth, 255).astype(np.uint8))
        evaluate(run / "maps", labels, tmp_path / "out", tiny_run.context("evaluation.objects='water'", "evaluation.min_object_px=2"))
        assert objects_of(run) == objects_of(tmp_path / "out")
        assert objects_of(run)["true"] > 1

    def test_each_sample_has_its_own_score(self, run: Path) -> None:
        table = geopandas.read_parquet(run / "samples.parquet")
        assert table["object_f2"].notna().equals(table["mean_iou"].notna())
        assert table["object_f2"].dropna().between(0, 1).all()
        assert (table["objects_matched"] + table["objects_missed"] > 0).any()
        assert geopandas.read_file(run / "objects.gpkg")["scene"].unique().tolist() == ["d"]

    def test_a_wrong_class_is_told_before_anything_is_written(self, tiny_run: Any, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match=r"evaluation\.objects is 'roof'"):
            train(tiny_run.folder / "recipe.toml", tmp_path / "run", context=tiny_run.context("evaluation.objects='roof'"))
        assert not list((tmp_path / "run").iterdir())
