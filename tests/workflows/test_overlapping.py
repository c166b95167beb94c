"""Classes that overlap, from labels to maps and scores: discs and bars that lie over each other."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

import terrazzo as tz
from terrazzo.errors import DataError, LabelError, RecipeError, UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import class_scores
from terrazzo.labels.bits import to_bits
from terrazzo.labels.legend import Legend
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.samples.table import load
from terrazzo.workflows.augment import augment
from terrazzo.workflows.chip import chip
from terrazzo.workflows.compare import compare
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.index import index
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.mask import mask
from terrazzo.workflows.pack import pack
from terrazzo.workflows.predict import predict
from terrazzo.workflows.preview import preview
from terrazzo.workflows.rank import rank
from terrazzo.workflows.split import split
from terrazzo.workflows.train import train
from terrazzo.workflows.vectorize import vectorize

SHAPE = (45, 50)
NAMES = "abcdef"
LEGEND = ("legend.classes=['disc', 'bar']", "legend.overlapping=true")
RECIPE = """
[data]
images = "images/*.tif"
labels = "masks/*.tif"

[legend]
classes = ["disc", "bar"]
overlapping = true

[samples]
size = 24
overlap = 0.25

[split]
by = "given"
validation_scenes = ["e", "f"]

[model]
filters = 4
depth = 2

[training]
epochs = 2
batch_size = 8
learning_rate = 1e-2
precision = "float32"

[prediction]
precision = "float32"
"""


def drawn(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An image (3, height, width) and its discs and bars (2, height, width); bars run over most of the discs."""
    rows, columns = np.indices(shape)
    planes = np.zeros((2, *shape), np.bool_)
    for _ in range(3):
        row, column, radius = (int(rng.integers(6, side - 6)) for side in (*shape, 15))
        planes[0] |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        planes[1] |= (abs(rows - row) < 4) & (abs(columns - column) < 16)
    values = rng.normal(80, 8, (3, *shape))
    values[0] += 90 * planes[0]
    values[1] += 90 * planes[1]
    return values.clip(1, 255).astype(np.uint8), planes


def write_set(folder: Path, shape: tuple[int, int] = SHAPE, names: str = NAMES) -> Path:
    """Images with a corner without data, masks of a band a class, and the recipe, whose path is returned."""
    rng = np.random.default_rng(8)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number, name in enumerate(names):
        values, planes = drawn(rng, shape)
        values[:, :3, :5] = 0
        place = {"crs": "EPSG:32633", "transform": Affine(2, 0, 500_000 + number * 1000, 0, -2, 5_000_000)}
        for kind, bands in (("images", values), ("masks", planes.astype(np.uint8))):
            profile = {"driver": "GTiff", "count": len(bands), "height": shape[0], "width": shape[1], "dtype": "uint8", **place}
            with rasterio.open(folder / kind / f"{name}.tif", "w", nodata=0 if kind == "images" else None, **profile) as file:
                file.write(bands)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "recipe.toml"


def sets_of(path: Path) -> NDArray[np.uint8]:
    """Bit sets of a mask or map of a band a class."""
    with rasterio.open(path) as file:
        planes = file.read()
    return to_bits(planes == 1, (planes == 255).any(axis=0))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a set, with a run trained on it."""
    folder = tmp_path_factory.mktemp("overlapping")
    recipe = write_set(folder)
    train(recipe, folder / "run", context=_context(recipe))
    return folder


def _context(recipe: Path | None = None, *sets: str) -> Context:
    """A recipe with options over it, for one thread."""
    opened = open_context(recipe, sets)
    return Context(recipe=opened.recipe, folder=opened.folder, device="cpu", threads=1)


class TestSamples:
    def test_count_each_set_of_classes(self, made: Path, tmp_path: Path) -> None:
        context = _context(None, *LEGEND, "samples.size=[45, 50]")
        index(made / "images", made / "masks", tmp_path / "s.parquet", context)
        samples = load(tmp_path / "s.parquet")
        truth = np.stack([sets_of(made / "masks" / f"{name}.tif") for name in NAMES])
        truth[:, :3, :5] = 255
        wanted = np.stack([(truth == number).sum((1, 2)) for number in range(4)], axis=1)
        np.testing.assert_array_equal(samples.frame[["pixels_0", "pixels_1", "pixels_2", "pixels_3"]], wanted)
        np.testing.assert_array_equal(samples.class_pixels(), wanted @ np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
        assert samples.frame["valid_share"].tolist() == pytest.approx([1 - 15 / (45 * 50)] * len(NAMES))
        assert (samples.frame["objects"] >= 2).all()

    def test_a_packed_store_teaches_the_same(self, made: Path, tmp_path: Path) -> None:
        context = _context(None, *LEGEND, "samples.size=24", "split.by='scene'")
        index(made / "images", made / "masks", tmp_path / "s.parquet", context)
        split(tmp_path / "s.parquet", context=context)
        pack(tmp_path / "s.parquet", tmp_path / "packed", context=context)
        text = (made / "recipe.toml").read_text().split("[model]")[1]
        (tmp_path / "r.toml").write_text(f"[samples]\ntable = 'packed'\nsize = 24\n[model]{text}")
        train(tmp_path / "r.toml", tmp_path / "run", context=_context(tmp_path / "r.toml"))
        found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
        assert [entry["name"] for entry in found["pixels"]["classes"]] == ["disc", "bar"]
        with pytest.raises(DataError, match="TFRecords hold one class a pixel"):
            pack(tmp_path / "s.parquet", tmp_path / "records", context=context, tfrecord=True)
        with pytest.raises(UsageError, match="augment writes labels of one class a pixel"):
            augment(tmp_path / "s.parquet", tmp_path / "more", context=_context(None, "augment.hflip=true"))


class TestARun:
    def test_scores_each_class_and_each_set(self, made: Path) -> None:
        found = json.loads((made / "run" / "evaluation.json").read_text())
        pixels = found["pixels"]
        assert pixels["sets"] == ["no class", "disc", "bar", "disc + bar"]
        counts = Confusion(4)
        for name in "ef":
            truth = sets_of(made / "masks" / f"{name}.tif")
            truth[:3, :5] = 255
            counts.add(truth, sets_of(made / "run" / "maps" / f"{name}_predseg.tif"))
        assert pixels["confusion"] == counts.counts.tolist()
        assert [entry["f1"] for entry in pixels["classes"]] == class_scores(counts.counts, 2)["f1"].tolist()
        assert all(len(found[part]["classes"]) == 2 for part in ("boundary", "calibration", "thresholds", "area"))
        last = json.loads((made / "run" / "metrics.jsonl").read_text().splitlines()[-1])
        assert len(last["validation"]["dice"]) == 2
        assert pd.read_csv(made / "run" / "confusion.csv")["truth"].tolist() == pixels["sets"]
        assert pd.read_csv(made / "run" / "classes.csv")["class"].tolist() == ["disc", "bar"]

    def test_keeps_that_its_classes_overlap(self, made: Path) -> None:
        card = json.loads((made / "run" / "model" / "model.json").read_text())
        assert card["legend"]["encoding"] == "multihot"
        assert tz.load(made / "run").legend.overlapping

    def test_reports_sets_and_classes(self, made: Path) -> None:
        page = (made / "run" / "report.html").read_text(encoding="utf-8")
        assert "The map finds disc and bar" in page
        assert "disc + bar" in page
        assert page.count("data:image/png;base64,") == 6

    def test_has_an_error_raster_of_whole_sets(self, made: Path) -> None:
        with rasterio.open(made / "run" / "errors" / "e_errors.tif") as file:
            codes = file.read(1)
        truth, predicted = sets_of(made / "masks" / "e.tif"), sets_of(made / "run" / "maps" / "e_predseg.tif")
        judged = codes != 255
        np.testing.assert_array_equal((codes <= 1)[judged], (truth == predicted)[judged])

    def test_is_ranked(self, made: Path, tmp_path: Path) -> None:
        rank([made / "run"], tmp_path / "ranked")
        table = pd.read_csv(tmp_path / "ranked" / "rank.csv")
        assert {"iou_1", "dice_2", "loss"} <= set(table.columns)
        assert Image.open(tmp_path / "ranked" / "rank.png").size[0] > 100

    def test_is_not_compared(self, made: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="overlap; compare is for those that exclude each other"):
            compare([made / "run", made / "run"], tmp_path / "c")


class TestMaps:
    def test_have_a_band_a_class(self, made: Path, tmp_path: Path) -> None:
        predict(made / "run", [made / "images"], tmp_path / "maps", _context(None, "prediction.probabilities=true"), overlay=True)
        with rasterio.open(tmp_path / "maps" / "a_predseg.tif") as file:
            planes = file.read()
            assert (file.descriptions, file.nodata, file.dtypes) == (("disc", "bar"), 255, ("uint8", "uint8"))
            legend = Legend.from_json(file.tags()[LEGEND_TAG])
        with rasterio.open(tmp_path / "maps" / "a_probabilities.tif") as file:
            shares = file.read()
        assert legend.overlapping
        assert (planes[:, :3, :5] == 255).all()
        seen = planes != 255
        np.testing.assert_array_equal(planes[seen], (shares > 32767)[seen])
        assert Image.open(tmp_path / "maps" / "a_segoverlay.png").size == (50, 45)
        assert not list((tmp_path / "maps").glob("*.qml"))
        np.testing.assert_array_equal(tz.load(made / "run", "cpu").predict(made / "images" / "a.tif").classes, planes)

    def test_of_pictures_are_geotiffs_too(self, made: Path, tmp_path: Path) -> None:
        picture = np.random.default_rng(1).integers(1, 255, (30, 33, 3)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "p.png")
        predict(made / "run", [tmp_path / "p.png"], tmp_path / "maps", _context())
        assert sets_of(tmp_path / "maps" / "p_predseg.tif").shape == (30, 33)
        with pytest.raises(UsageError, match=r"a map of classes that overlap is a GeoTIFF with a band each"):
            tz.load(made / "run", "cpu").predict(tmp_path / "p.png").save(tmp_path / "p_map.png")

    def test_obey_thresholds_of_each_class(self, made: Path, tmp_path: Path) -> None:
        image = made / "images" / "a.tif"
        options = ("prediction.probabilities=true", "prediction.threshold={bar = 0.3}")
        predict(made / "run", [image], tmp_path / "one", _context(None, *options))
        with rasterio.open(tmp_path / "one" / "a_predseg.tif") as file, rasterio.open(tmp_path / "one" / "a_probabilities.tif") as shares:
            planes, levels = file.read(), shares.read()
        seen = planes[0] != 255
        np.testing.assert_array_equal(planes[0][seen], levels[0][seen] > 32767)
        np.testing.assert_array_equal(planes[1][seen], levels[1][seen] >= 0.3 * 65535)
        for number, threshold in enumerate(("best", "otsu", "0.9")):
            predict(made / "run", [image], tmp_path / str(number), _context(None, f"prediction.threshold={threshold}"))
            assert set(np.unique(sets_of(tmp_path / str(number) / "a_predseg.tif"))) <= {0, 1, 2, 3, 255}

    @pytest.mark.parametrize("option", ["refine='crf'", "format='fits'", "unsure=0.6", "sieve=4"])
    def test_refuse_what_is_for_one_class_a_pixel(self, made: Path, tmp_path: Path, option: str) -> None:
        with pytest.raises(RecipeError, match="overlap"):
            predict(made / "run", [made / "images" / "a.tif"], tmp_path / "m", _context(None, f"prediction.{option}"))
        with pytest.raises(RecipeError, match="overlap"):
            train(made / "recipe.toml", tmp_path / "r", context=_context(made / "recipe.toml", f"prediction.{option}"))

    def test_show_themselves_in_notebooks(self, made: Path) -> None:
        shown = tz.load(made / "run", "cpu").predict(made / "images" / "a.tif")
        assert "disc" in shown._repr_html_()
        assert (shown._repr_png_() or b"").startswith(b"\x89PNG")
        array = shown.to_xarray()
        assert (array.dims, array["class"].values.tolist()) == (("class", "y", "x"), ["disc", "bar"])

    def test_are_evaluated(self, made: Path, tmp_path: Path) -> None:
        maps = made / "run" / "maps"
        evaluate(maps, made / "masks", tmp_path / "scored", _context(None, "evaluation.objects='bar'"))
        found = json.loads((tmp_path / "scored" / "evaluation.json").read_text())
        of_run = json.loads((made / "run" / "evaluation.json").read_text())
        assert found["pixels"]["confusion"] == of_run["pixels"]["confusion"]
        assert found["objects"]["class"] == "bar"
        assert found["objects"]["true"] > 0
        assert (tmp_path / "scored" / "report.html").exists()

    def test_are_evaluated_by_shapes(self, made: Path, tmp_path: Path) -> None:
        context = _context(None, *LEGEND)
        mask(made / "images", made / "masks", tmp_path / "masks", context=context)
        vectorize(tmp_path / "masks" / "e.tif", tmp_path / "labels" / "e.gpkg", context=_context())
        (tmp_path / "maps").mkdir()
        (tmp_path / "maps" / "e.tif").write_bytes((tmp_path / "masks" / "e.tif").read_bytes())
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "scored", _context(None, "labels.attribute='name'"))
        found = json.loads((tmp_path / "scored" / "evaluation.json").read_text())
        assert found["pixels"]["accuracy"] == 1
        assert found["pixels"]["mean_iou"] == 1

    def test_and_labels_agree_on_whether_classes_overlap(self, made: Path, tmp_path: Path) -> None:
        Image.fromarray(np.ones(SHAPE, np.uint8)).save(tmp_path / "e.png")
        with pytest.raises(LabelError, match="The classes of the maps overlap, those of"):
            evaluate(
                made / "run" / "maps" / "e_predseg.tif", tmp_path / "e.png", tmp_path / "s", _context(None, "legend.classes=['n', 'y']")
            )

    def test_become_polygons_and_runs_class_by_class(self, made: Path, tmp_path: Path) -> None:
        predict(made / "run", [made / "images" / "e.tif"], tmp_path, _context(), polygons=True, rle="bar")
        with rasterio.open(tmp_path / "e_predseg.tif") as file:
            planes = file.read() == 1
        found = geopandas.read_file(tmp_path / "e_polygons.gpkg", layer="polygons")
        assert found.groupby("name")["pixels"].sum().to_dict() == {"disc": planes[0].sum(), "bar": planes[1].sum()}
        cells = pd.read_csv(tmp_path / "submission.csv")["EncodedPixels"].dropna().str.split()
        assert sum(int(number) for cell in cells for number in cell[1::2]) == planes[1].sum()


class TestOtherVerbs:
    def test_mask_writes_a_band_a_class(self, made: Path, tmp_path: Path) -> None:
        result = mask(made / "images", made / "masks", tmp_path, context=_context(None, *LEGEND))
        wanted = sets_of(made / "masks" / "a.tif")
        wanted[:3, :5] = 255
        np.testing.assert_array_equal(sets_of(tmp_path / "a.tif"), wanted)
        assert result.facts["classes"].keys() == {"disc", "bar"}  # type: ignore[attr-defined]
        again = mask(made / "images", made / "masks", tmp_path, context=_context(None, *LEGEND))
        assert "kept from before" in again.text
        assert again.facts == result.facts
        with pytest.raises(UsageError, match="--rle gives a pixel one object, and these classes overlap"):
            mask(made / "images", made / "masks", tmp_path / "more", rle=True, context=_context(None, *LEGEND))

    def test_preview_draws_mixed_colours(self, made: Path, tmp_path: Path) -> None:
        preview(made / "recipe.toml", tmp_path / "p.png", count=2, context=_context(made / "recipe.toml"))
        assert Image.open(tmp_path / "p.png").size[0] > 100

    def test_inspect_tells_the_shares_of_sets(self, made: Path) -> None:
        assert "disc + bar" in inspect([made / "recipe.toml"]).text

    def test_chip_refuses(self, made: Path, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="overlapping = true goes with"):
            chip([made / "images"], tmp_path / "c", labels=str(made / "masks"), context=_context(None, *LEGEND, "chip.size=16"))


@pytest.mark.slow
def test_a_small_network_learns_both_which_no_softmax_can(tmp_path: Path) -> None:
    recipe = write_set(tmp_path / "set", (64, 64), "abcdefghijkl")
    sets = ("samples.size=64", "split.validation_scenes=['k', 'l']", "training.epochs=90", "training.batch_size=4", "model.filters=8")
    train(recipe, tmp_path / "both", context=_context(recipe, *sets))
    found = json.loads((tmp_path / "both" / "evaluation.json").read_text())
    assert min(entry["f1"] for entry in found["pixels"]["classes"]) > 0.9
    # the same shapes as one class a pixel: bars lie on discs
    single = tmp_path / "single"
    single.mkdir()
    for path in (tmp_path / "set" / "masks").iterdir():
        Image.fromarray(np.array([0, 1, 2, 2], np.uint8)[sets_of(path)]).save(single / f"{path.stem}.png")
    exclusive = (f"data.labels='{single}/*.png'", "legend.classes=['none', 'disc', 'bar']", "legend.overlapping=false")
    train(recipe, tmp_path / "one", context=_context(recipe, *sets, *exclusive))
    counts = Confusion(4)
    for name in "kl":
        with rasterio.open(tmp_path / "one" / "maps" / f"{name}_predseg.tif") as file:
            counts.add(sets_of(tmp_path / "set" / "masks" / f"{name}.tif"), file.read(1))
    assert class_scores(counts.counts, 2)["f1"][0] < 0.9
