"""What inspect tells of everything that is no raster: vectors, tables of objects, samples, recipes, models, runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin
from shapely import LineString, Point, Polygon, box

from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.index import index
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.inspection import page
from terrazzo.workflows.inspection.vector_facts import vector_facts
from terrazzo.workflows.inspection.vector_words import INK, PAPER, attribute_colors, draw_layer
from terrazzo.workflows.split import split

ROOFS = {"kind": ["house", "barn", "house"], "height": [3.5, 4.25, 9.0], "name": ["a", None, "c"], "note": [None, None, None]}


def roofs(path: Path, crs: str | None = "EPSG:32633", **options: Any) -> Path:
    shapes = [box(500_000 + 20 * number, 4_999_900, 500_010 + 20 * number, 4_999_990) for number in range(3)]
    geopandas.GeoDataFrame(ROOFS, geometry=shapes, crs=crs).to_file(path, **options)
    return path


def image(path: Path, seed: int = 0) -> Path:
    values = np.random.default_rng(seed).integers(5, 250, (1, 40, 60)).astype(np.uint8)
    profile: dict[str, Any] = {"driver": "GTiff", "height": 40, "width": 60, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile, transform=from_origin(500_000 + 1000 * seed, 5_000_000, 1, 2.5)) as file:
        file.write(values)
    return path


def plain(result: Result, place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(result.facts, allow_nan=False))["files"][place]
    return found


def kinds(result: Result) -> list[str]:
    return [problem["kind"] for problem in plain(result)["problems"]]


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb"])
def test_layers_places_and_attributes_of_vectors_are_told(tmp_path: Path, suffix: str) -> None:
    result = inspect(roofs(tmp_path / f"roofs{suffix}"))
    [layer] = plain(result)["layers"]
    assert (layer["name"], layer["features"], layer["parts"]) == ("roofs", 3, {"polygons": 3})
    assert layer["crs"] == "EPSG:32633"
    assert layer["bounds"] == [500_000, 4_999_900, 500_050, 4_999_990]
    assert layer["lonlat"][0] == pytest.approx(15, abs=1e-4)
    attributes = {attribute["name"]: attribute for attribute in layer["attributes"]}
    assert attributes["kind"]["counts"] == {"house": 2, "barn": 1}
    assert (attributes["name"]["missing"], attributes["note"]["distinct"]) == (1, 0)
    assert "attribute: kind: house (2), barn (1)" in result.text
    assert "names one that tells classes apart: kind" in result.text
    assert "without values: note" in result.text
    assert kinds(result) == []


def test_geojson_and_geoparquet_are_vectors_too(tmp_path: Path) -> None:
    frame = geopandas.read_file(roofs(tmp_path / "roofs.gpkg"))
    frame.to_parquet(tmp_path / "roofs.parquet")
    frame.to_crs("EPSG:4326").to_file(tmp_path / "roofs.geojson")
    frame.to_crs("EPSG:4326").to_file(tmp_path / "roofs.json", driver="GeoJSON")
    for name in ("roofs.parquet", "roofs.geojson", "roofs.json"):
        [layer] = plain(inspect(tmp_path / name))["layers"]
        assert layer["features"] == 3
        assert {"kind", "height"} <= {attribute["name"] for attribute in layer["attributes"]}


def test_several_layers_are_all_told(tmp_path: Path) -> None:
    roofs(tmp_path / "a.gpkg", layer="roofs")
    roofs(tmp_path / "a.gpkg", layer="more", mode="a")
    result = inspect(tmp_path / "a.gpkg")
    assert [layer["name"] for layer in plain(result)["layers"]] == ["roofs", "more"]
    assert kinds(result) == ["several-layers"]
    chosen = inspect(tmp_path / "a.gpkg", context=open_context(None, ["labels.layer=more"]))
    assert [layer["name"] for layer in plain(chosen)["layers"]] == ["more"]


def test_what_is_wrong_with_vectors_is_told(tmp_path: Path) -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    mixed = geopandas.GeoDataFrame(geometry=[bow, LineString([(0, 0), (5, 5)]), Point(1, 1), None])
    mixed.to_file(tmp_path / "a.gpkg")
    assert kinds(inspect(tmp_path / "a.gpkg")) == ["no-crs", "dropped-features", "crossing-polygons", "no-width"]
    metres = {"type": "Polygon", "coordinates": [[[500_000, 5e6], [500_010, 5e6], [500_010, 4_999_990], [500_000, 5e6]]]}
    (tmp_path / "b.geojson").write_text(json.dumps(metres), encoding="utf-8")
    result = inspect(tmp_path / "b.geojson")
    assert kinds(result) == ["impossible-place"]
    assert "Set [labels] crs" in result.text
    (tmp_path / "c.geojson").write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    assert kinds(inspect(tmp_path / "c.geojson")) == ["empty-layer"]


def test_broken_vectors_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text('{"type": "FeatureColl', encoding="utf-8")
    (tmp_path / "b.gpkg").write_bytes(b"SQLite format 3\x00" + bytes(100))
    (tmp_path / "c.shp").write_bytes(b"")
    (tmp_path / "d.kml").write_text('<!DOCTYPE lolz [<!ENTITY lol "lol">]><kml>&lol;</kml>', encoding="utf-8")
    result = inspect(tmp_path)
    assert result.exit_code == 3
    assert len(result.problems) == 4
    for name in ("a.geojson", "b.gpkg", "c.shp", "d.kml"):
        assert sum(name in problem for problem in result.problems) == 1


def test_vectors_and_run_tables_beside_images_are_looked_at_and_other_tables_are_not(tmp_path: Path) -> None:
    image(tmp_path / "a.tif")
    roofs(tmp_path / "roofs.gpkg")
    (tmp_path / "rle.csv").write_text("ImageId,EncodedPixels\na.tif,1 3\n", encoding="utf-8")
    (tmp_path / "index.csv").write_text("file,date\na.tif,2020\n", encoding="utf-8")
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    result = inspect(tmp_path)
    assert [found["kind"] for found in json.loads(json.dumps(result.facts))["files"]] == ["raster", "objects", "vectors"]
    assert result.exit_code == 0


def test_layers_are_drawn_within_their_bounds(tmp_path: Path) -> None:
    [layer] = vector_facts(roofs(tmp_path / "a.gpkg"), open_context().recipe.labels).layers
    picture = draw_layer(layer, 200, {})
    assert picture is not None
    assert max(picture.shape[:2]) == 200
    shades = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    assert {INK, PAPER} <= shades
    assert min(map(sum, shades)) < 200  # outlines, anti-aliased
    by_kind = vector_facts(tmp_path / "a.gpkg", open_context(None, ["labels.attribute=kind"]).recipe.labels).layers[0]
    kind = next(attribute for attribute in by_kind.attributes if attribute.name == "kind")
    colors = attribute_colors(kind)
    shown = draw_layer(by_kind, 200, colors)
    assert shown is not None
    assert set(colors.values()) <= {tuple(color) for color in shown.reshape(-1, 3).tolist()}


def test_the_page_draws_vectors(tmp_path: Path) -> None:
    inspect(roofs(tmp_path / "a.gpkg"), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.count("data:image/png") == 1
    assert page.LARGE_PX > 0


def test_images_are_paired_with_vectors(tmp_path: Path) -> None:
    roofs(tmp_path / "roofs.gpkg")
    image(tmp_path / "images" / "a.tif")
    context = open_context(None, [f"data.labels={tmp_path / 'roofs.gpkg'}", "labels.attribute=kind"])
    result = inspect(tmp_path / "images", context=context)
    assert "images and labels: 1 image, 1 file of labels, 1 image with labels" in result.text
    shares = {entry["name"]: entry["share"] for entry in plain(result, -1)["classes"]}
    assert shares == {"background": pytest.approx(0.55), "barn": pytest.approx(0.15), "house": pytest.approx(0.3)}


def test_tables_of_runs_and_coco_are_told(tmp_path: Path) -> None:
    (tmp_path / "rle.csv").write_text(
        "ImageId,EncodedPixels,Class\na.png,1 3,cat\na.png,10 2,dog\nb.png,,\nc.png,5 1,cat\n", encoding="utf-8"
    )
    runs = plain(inspect(tmp_path / "rle.csv"))
    assert (runs["images"], runs["objects"], runs["images_by_objects"]) == (3, 3, {"0": 1, "1": 1, "2": 1})
    assert runs["classes"] == {"cat": 2, "dog": 1}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}, {"id": 2, "file_name": "b.png", "height": 9, "width": 9}],
        "categories": [{"id": 7, "name": "ship"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": [[0, 0, 4, 0, 4, 4]], "iscrowd": 0}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    result = inspect(tmp_path / "coco.json")
    assert result.text.startswith(f"{tmp_path / 'coco.json'}: COCO file, 1 object in 2 images")
    assert plain(result)["classes"] == {"ship": 1}


def test_bad_rows_make_a_table_unreadable(tmp_path: Path) -> None:
    (tmp_path / "rle.csv").write_text("ImageId,EncodedPixels\na.png,1 3 5\nb.png,5 0\n", encoding="utf-8")
    result = inspect(tmp_path / "rle.csv")
    assert result.exit_code == 3
    assert "line 2" in result.problems[0]
    assert "line 3" in result.problems[0]


def test_runs_models_and_samples_are_told(tiny_run: Any, context_of: Callable[..., Context]) -> None:
    result = inspect([tiny_run.run, tiny_run.run / "model", tiny_run.run / "samples.parquet"])
    run, model, samples = (plain(result, place) for place in range(3))
    assert (run["kind"], run["state"], run["epochs"], run["epochs_wanted"]) == ("run", "finished", 2, 2)
    assert run["model"]["classes"] == ["land", "water"]
    assert 0 <= run["mean_dice"] <= 1
    assert (model["kind"], model["bands"]) == ("model", 2)
    assert f"land {model['thresholds']['land']['f1']:.2f}, water {model['thresholds']['water']['f1']:.2f} (F1, by the" in result.text
    assert samples["kind"] == "samples"
    assert "finished run, 2 of 2 epochs" in result.text
    assert "best epoch: " in result.text
    assert result.exit_code == 0


def test_a_part_without_a_class_is_told(tmp_path: Path) -> None:
    for number, value in enumerate((0, 0, 1)):
        image(tmp_path / "images" / f"{number}.tif", number)
        mask = np.zeros((40, 60), np.uint8)
        mask[:20] = value
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
    context = open_context(None, ["samples.size=20"])
    index(str(tmp_path / "images"), str(tmp_path / "*.png"), tmp_path / "samples.parquet", context)
    given = ["split.by=given", "split.validation_scenes=['1']", "split.test_scenes=['0']"]
    split(tmp_path / "samples.parquet", context=open_context(None, given))
    result = inspect(tmp_path / "samples.parquet")
    assert "problem: No pixel of 1 in the part validation." in result.text
    assert plain(result)["class_pixels"]["train"] == {"0": 1200, "1": 1200}


def test_an_image_at_an_address_is_told(tmp_path: Path, web: Any) -> None:
    address = web.add("/a.tif", image(tmp_path / "a.tif").read_bytes())
    result = inspect(address, tmp_path / "page.html")
    assert result.exit_code == 0
    assert result.text.startswith(f"{address}: image, GTiff, 40 x 60 pixels")
    assert "data:image/" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_broken_run_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text("[training]\nepochs = 4\n", encoding="utf-8")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"epoch": 1, "loss": 1.0, "validation": null}\n', encoding="utf-8")
    result = inspect(tmp_path / "run")
    assert "unfinished run, 1 of 4 epochs" in result.text
    assert "none yet" in result.text
    (tmp_path / "run" / "metrics.jsonl").write_text("nonsense\n", encoding="utf-8")
    broken = inspect(tmp_path / "run")
    assert broken.exit_code == 3
    assert str(tmp_path / "run") in broken.problems[0]
