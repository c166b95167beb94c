"""pack, and training from what it makes: the same model as from the images, without them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from terrazzo.app.cli import main
from terrazzo.errors import ConflictError, DataError, LabelError, RecipeError, UsageError
from terrazzo.rasters.window import whole
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.table import load
from terrazzo.samples.tfrecord.example import write_example
from terrazzo.samples.tfrecord.records import write_record
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.index import index
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.pack import pack
from terrazzo.workflows.preview import preview
from terrazzo.workflows.rank import rank
from terrazzo.workflows.split import split
from terrazzo.workflows.train import train

OPEN = Callable[..., Context]
SPLIT = ("split.by=given", "split.validation_scenes=['c']", "split.test_scenes=['d']")


@pytest.fixture
def table(data: Path, context_of: OPEN) -> Path:
    """A samples table of the four images, split as their recipe says."""
    folder, out = data.parent, data.parent / "samples.parquet"
    context = context_of(data)
    index(folder / "images", folder / "labels", out, context)
    split(out, context=context)
    return out


@pytest.fixture
def recipe(data: Path) -> Path:
    """A recipe that learns from a packed store, and from nothing else."""
    text = data.read_text()
    kept = text[text.index("[model]") :]
    path = data.with_name("packed.toml")
    path.write_text(f'[samples]\ntable = "packed"\n[draw]\nwindows = "listed"\n{kept}')
    return path


def test_the_model_is_that_of_the_images(data: Path, table: Path, recipe: Path, context_of: OPEN) -> None:
    """Nothing but the store is needed, and nothing else decides: windows that do not overlap give the same weights, bit for bit."""
    folder, given = data.parent, ("samples.overlap=0", "samples.size=[20, 16]", "data.scaling=range", "training.epochs=1")
    table.unlink()
    index(folder / "images", folder / "labels", table, context_of(data, *given))
    split(table, context=context_of(data))
    pack(table, folder / "packed", context_of(), shard_samples=7)
    from_images = train(data, folder / "one", context=context_of(data, *given, "draw.windows=listed", f"samples.table='{table}'"))
    shutil.rmtree(folder / "images")
    shutil.rmtree(folder / "labels")
    table.unlink()
    packed = train(recipe, folder / "two", context=context_of(recipe, "data.scaling=range", "training.epochs=1"))
    weights = [(folder / run / "model" / "model.safetensors").read_bytes() for run in ("one", "two")]
    assert weights[0] == weights[1]
    evaluations = [json.loads((folder / run / "evaluation.json").read_text()) for run in ("one", "two")]
    assert evaluations[1]["part"] == evaluations[0]["part"] == "test"
    assert packed.exit_code == from_images.exit_code == 0
    cards = [json.loads((folder / run / "model" / "model.json").read_text()) for run in ("one", "two")]
    assert all(cards[0][name] == cards[1][name] for name in ("bands", "reading", "scaling", "cell_size", "crs", "window"))
    assert str(folder) not in (folder / "two" / "model" / "model.json").read_text()


def test_what_is_evaluated_is_the_recorded_part(data: Path, table: Path, recipe: Path, context_of: OPEN) -> None:
    folder = data.parent
    pack(table, folder / "packed", context_of())
    train(recipe, folder / "run", context=context_of(recipe, "training.epochs=1"))
    store = PackedStore.open(folder / "packed")
    expected = store.samples.frame.loc[store.samples.frame["split"] == "test", "scene"].tolist()
    maps = sorted(path.name for path in (folder / "run" / "maps").iterdir())
    assert maps == sorted(f"{scene}_predseg.tif" for scene in expected)
    # the verbs that look at samples and runs again find them in the store
    preview(recipe, folder / "preview.png", count=2, context=context_of(recipe))
    ranked = rank([folder / "run"], folder / "ranked", context=context_of())
    assert ranked.exit_code == 0
    counted = json.loads((folder / "run" / "evaluation.json").read_text())["valid_pixels"]
    labels = [store.read(scene, whole(store.shape(scene)))[1] for scene in expected]
    assert counted == sum(int((truth != 255).sum()) for truth in labels)


def test_a_model_is_only_evaluated_on_the_recorded_part(data: Path, table: Path, recipe: Path, context_of: OPEN) -> None:
    folder = data.parent
    pack(table, folder / "packed", context_of())
    train(recipe, folder / "run", context=context_of(recipe, "training.epochs=1"))
    # a part of its own choosing is not taken either
    given = ("training.epochs=0", f"model.start={folder / 'run'}", "split.by=random", "split.test=0.5", "split.test_scenes=['a']")
    judged = train(recipe, folder / "judged", context=context_of(recipe, *given))
    whats = [json.loads((folder / run / "evaluation.json").read_text()) for run in ("run", "judged")]
    assert whats[0]["pixels"] == whats[1]["pixels"]
    assert whats[1]["part"] == "test"
    weights = [(folder / run / "model" / "model.safetensors").read_bytes() for run in ("run", "judged")]
    assert weights[0] == weights[1]
    assert (folder / "judged" / "metrics.jsonl").read_text() == ""
    assert not (folder / "judged" / "checkpoints").exists()
    assert judged.written["report"] == folder / "judged" / "report.html"


def test_smaller_windows_inside_whole_images(data: Path, recipe: Path, context_of: OPEN) -> None:
    """Whole images are packed; windows in them are those that index makes of the images, and train the same model."""
    folder, given = data.parent, ("samples.size=[20, 16]", "data.scaling=range", "training.epochs=1", "draw.windows=jitter")
    whole_images, cut = folder / "whole.parquet", folder / "cut.parquet"
    index(folder / "images", folder / "labels", whole_images, context_of(data, "samples.size=[40, 48]", "samples.overlap=0"))
    pack(whole_images, folder / "packed", context_of(None, *SPLIT))
    index(folder / "images", folder / "labels", cut, context_of(data, "samples.overlap=0", *given))
    split(cut, context=context_of(None, *SPLIT))
    train(data, folder / "one", context=context_of(data, "samples.overlap=0", *given, f"samples.table='{cut}'"))
    train(recipe, folder / "two", context=context_of(recipe, *given))
    one, two = (load(folder / run / "samples.parquet").frame for run in ("one", "two"))
    columns = ["col_off", "row_off", "width", "height", "valid_share", "objects", "pixels_0", "pixels_7", "split"]
    assert one[columns].equals(two[columns])
    assert one.geometry.geom_equals_exact(two.geometry, 1e-6).all()
    weights = [(folder / run / "model" / "model.safetensors").read_bytes() for run in ("one", "two")]
    assert weights[0] == weights[1]
    (folder / "two" / "report.html").unlink()
    train(recipe, folder / "two", context=context_of(recipe, *given), resume=True)


def test_a_run_goes_on_only_with_the_same_samples(data: Path, table: Path, recipe: Path, context_of: OPEN) -> None:
    folder = data.parent
    pack(table, folder / "packed", context_of())
    context = context_of(recipe, "training.epochs=1")
    train(recipe, folder / "run", context=context)
    (folder / "run" / "report.html").unlink()
    train(recipe, folder / "run", context=context, resume=True)
    (folder / "run" / "report.html").unlink()
    shutil.rmtree(folder / "packed")
    index(folder / "images", folder / "labels", folder / "other.parquet", context_of(data, "samples.overlap=0"))
    pack(folder / "other.parquet", folder / "packed", context_of(None, *SPLIT))
    with pytest.raises(ConflictError, match="other samples than when this run began"):
        train(recipe, folder / "run", context=context, resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("samples.size=32", r"\[samples\] size"),
        ("data.bands=[1]", r"\[data\] bands"),
        ("legend.classes=['a', 'b']", r"\[legend\] classes"),
        ("legend.target=land", r"\[legend\] classes or target"),
    ],
)
def test_a_recipe_that_says_otherwise_is_refused(data: Path, table: Path, recipe: Path, context_of: OPEN, change: str, said: str) -> None:
    pack(table, data.parent / "packed", context_of())
    with pytest.raises(RecipeError, match=said):
        train(recipe, data.parent / "run", context=context_of(recipe, change))


def test_a_stale_table_is_not_packed(data: Path, table: Path, context_of: OPEN) -> None:
    image = data.parent / "images" / "b.tif"
    image.write_bytes((data.parent / "images" / "a.tif").read_bytes())
    with pytest.raises(ConflictError, match="stale: 1 image changed: b"):
        pack(table, data.parent / "packed", context_of())
    assert not (data.parent / "packed").exists()


def test_a_table_without_split_is_split_when_packed(data: Path, context_of: OPEN) -> None:
    folder = data.parent
    index(folder / "images", folder / "labels", folder / "plain.parquet", context_of(data))
    pack(folder / "plain.parquet", folder / "packed", context_of(None, *SPLIT))
    frame = PackedStore.open(folder / "packed").samples.frame
    assert {part: set(rows["source"]) for part, rows in frame.groupby("split")} == {"train": {"a", "b"}, "validation": {"c"}, "test": {"d"}}
    # the split is fixed: another one is another store
    with pytest.raises(ConflictError, match="other samples"):
        pack(folder / "plain.parquet", folder / "packed", context_of(None, "split.by=given", "split.validation_scenes=['a']"))


def test_a_store_is_packed_otherwise(data: Path, table: Path, context_of: OPEN) -> None:
    folder = data.parent
    pack(table, folder / "packed", context_of())
    pack(folder / "packed", folder / "raw", context_of(), raw=True)
    one, two = PackedStore.open(folder / "packed"), PackedStore.open(folder / "raw")
    assert one.samples.frame["scene"].tolist() == two.samples.frame["scene"].tolist()
    for scene in one.samples.frame["scene"][::9]:
        assert np.array_equal(one.sample(scene).pixels.values, two.sample(scene).pixels.values)
        assert np.array_equal(one.sample(scene).labels, two.sample(scene).labels)
    assert one.manifest.codec != two.manifest.codec


def test_inspect_looks_at_every_byte_of_a_store(data: Path, table: Path, context_of: OPEN, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data.parent / "packed"
    pack(table, folder, context_of(), shard_samples=30)
    assert main(["inspect", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "packed store" in told
    assert "every byte as it was packed" in told
    (folder / "00000.tzs").unlink()
    shard = folder / "00001.tzs"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert main(["inspect", str(folder)]) == 3
    told = capsys.readouterr().err
    assert "00000.tzs cannot be read" in told
    assert "00001.tzs is damaged" in told


def test_inspect_tells_what_learning_from_a_store_takes(data: Path, table: Path, recipe: Path, context_of: OPEN) -> None:
    """As of the images themselves, of which the recipe need not know; windows are those of the store, for the recipe names no size."""
    pack(table, data.parent / "packed", context_of())
    result = inspect(recipe)
    [facts] = json.loads(json.dumps(result.facts))["files"]
    samples = load(table)
    assert facts["kind"] == "recipe"
    assert facts["windows"] == len(samples)
    assert f"recipe, {len(samples)} samples of the packed store {data.parent / 'packed'}" in result.text
    [images] = json.loads(json.dumps(inspect(data).facts))["files"]
    parts = [name for name in images["training"] if name not in {"images_bytes", "peak_bytes", "free_bytes"}]
    assert [facts["training"][name] for name in parts] == [images["training"][name] for name in parts]
    form, (height, width) = PackedStore.open(data.parent / "packed").manifest.form, samples.size
    # four samples stay decoded: values, which are valid, labels
    assert facts["training"]["images_bytes"] == 4 * height * width * (form.bands * form.dtype.itemsize + 2)
    pack(table, data.parent / "mapped", context_of(), raw=True)
    recipe.write_text(recipe.read_text().replace('"packed"', '"mapped"'))
    assert json.loads(json.dumps(inspect(recipe).facts))["files"][0]["training"]["images_bytes"] == 0


def test_inspect_reckons_with_the_windows_of_a_table(data: Path, table: Path, context_of: OPEN) -> None:
    """Where the recipe leaves their size open."""
    text = data.read_text()
    part = text[text.index("[samples]") :]
    part = part[: part.index("\n[")]
    whole = json.loads(json.dumps(inspect(data).facts))["files"][0]["training"]
    data.write_text(text.replace(part, f'[samples]\ntable = "{table.name}"\n'))
    given = json.loads(json.dumps(inspect(data).facts))["files"][0]["training"]
    assert given["step_bytes"] == whole["step_bytes"]


def test_wrong_options_are_sentences(data: Path, table: Path, context_of: OPEN) -> None:
    for number in (0, 2.5):
        with pytest.raises(UsageError, match="--shard-samples"):
            pack(table, data.parent / "packed", context_of(), shard_samples=number)
    with pytest.raises(UsageError, match="--raw"):
        pack(table, data.parent / "packed", context_of(), raw=True, tfrecord=True)
    with pytest.raises(DataError, match="no such samples table"):
        pack(data.parent / "none.parquet", data.parent / "packed", context_of())
    with pytest.raises(DataError, match=r"1, 3 or 4 bands of 8 bits; these have 2 of type uint16"):
        pack(table, data.parent / "records", context_of(), tfrecord=True)


def test_touching_objects_stay_apart(data: Path, context_of: OPEN) -> None:
    folder = data.parent
    (folder / "objects").mkdir()
    for number, name in enumerate("abcd"):
        objects = np.zeros((40, 48), np.uint16)
        objects[4:20, 5:15], objects[4:20, 15:30] = 1, 700 + number
        cv2.imwrite(str(folder / "objects" / f"{name}.png"), objects)
    numbers = context_of(None, "legend.encoding=instances", "samples.size=[20, 24]", *SPLIT)
    index(folder / "images", folder / "objects", folder / "objects.parquet", numbers)
    pack(folder / "objects.parquet", folder / "packed", context_of(None, *SPLIT))
    store = PackedStore.open(folder / "packed")
    assert store.manifest.instances
    found = store.instances("b_0_0", whole((20, 24)))
    assert found is not None
    assert len(np.unique(found)) == 3
    assert found[10, 14] != found[10, 15]
    assert np.array_equal(found > 0, store.labels("b_0_0", whole((20, 24))) == 1)


def test_labels_by_rules_are_packed_as_indexed(data: Path, context_of: OPEN) -> None:
    """How pixels are read, and which are water, is in the table; pack is told nothing."""
    folder = data.parent
    index(folder / "images", "water: b1 > 130", folder / "rules.parquet", context_of(None, "samples.size=[20, 24]", "data.bands=[2, 1]"))
    pack(folder / "rules.parquet", folder / "packed", context_of(None, "split.by=scene", "split.validation=0.25"))
    store = PackedStore.open(folder / "packed")
    assert store.manifest.reading.bands == [2, 1]
    sample = store.sample("c_24_20")
    assert np.array_equal(sample.labels == 1, sample.pixels.values[1] > 130)


@pytest.mark.slow
def test_killed_anywhere_it_goes_on(tmp_path: Path, context_of: OPEN) -> None:
    """kill -9 between and within shards: what is there in the end is what an unbroken run makes."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for number in range(8):
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), rng.integers(0, 256, (512, 512, 3), dtype=np.uint8))
        cv2.imwrite(str(tmp_path / "labels" / f"{number}.png"), rng.integers(0, 2, (512, 512), dtype=np.uint8))
    index(tmp_path / "images", tmp_path / "labels", tmp_path / "t.parquet", context_of(None, "samples.size=64"))
    split(tmp_path / "t.parquet", context=context_of(None, "split.by=scene"))
    typed = ["pack", str(tmp_path / "t.parquet"), str(tmp_path / "out"), "--shard-samples", "40"]
    shards: list[int] = []
    for count in (1, 3, 6):
        with subprocess.Popen([sys.executable, "-m", "terrazzo", *typed], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len(list((tmp_path / "out").glob("0*.tzs"))) < count:
                time.sleep(0.005)
            process.kill()
        shards.append(len(list((tmp_path / "out").glob("0*.tzs"))))
    assert shards == sorted(shards)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert main(typed) == 0
    pack(tmp_path / "t.parquet", tmp_path / "fresh", context_of(), shard_samples=40)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("out", "fresh"))
    assert one == two


# TFRecords


@pytest.fixture
def pictures(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Six pictures of three bands and their masks, of 24 x 31 pixels."""
    for number in range(6):
        values = cv2.GaussianBlur(rng.integers(0, 256, (24, 31, 3), dtype=np.uint8), (0, 0), 2)
        for name, array in (("images", values), ("labels", np.where(values[..., 0] > 127, 2, 0).astype(np.uint8))):
            (tmp_path / name).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name / f"p{number}.png"), array)
    context = open_context(None, ["samples.size=[24,31]"])
    index(tmp_path / "images", tmp_path / "labels", tmp_path / "samples.parquet", context)
    return tmp_path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_tfrecords_out_and_in(pictures: Path) -> None:
    """Lossless both ways; the part of each sample comes back from the files' names."""
    context = open_context(None, ["split.by=scene", "split.validation=0.34"])
    out = pack(pictures / "samples.parquet", pictures / "records", context, tfrecord=True, shard_samples=2).written["outputs"]
    assert [path.name for path in out] == ["train-00000.tfrec", "train-00001.tfrec", "validation-00002.tfrec"]  # type: ignore[union-attr]
    pack(pictures / "samples.parquet", pictures / "packed", context)
    pack(pictures / "records", pictures / "back", open_context())
    one, two = PackedStore.open(pictures / "packed"), PackedStore.open(pictures / "back")
    for part in ("train", "validation"):
        before, after = (store.samples.part(part).frame["scene"].tolist() for store in (one, two))
        assert len(before) == len(after)
        for name, other in zip(before, after, strict=True):
            assert np.array_equal(one.sample(name).pixels.values, two.sample(other).pixels.values)
            assert np.array_equal(one.sample(name).labels, two.sample(other).labels)
    assert not (pictures / "back" / ".records").exists()
    # once more: nothing is rewritten, other samples are not overwritten
    stamps = [path.stat().st_mtime_ns for path in (pictures / "records").iterdir()]
    pack(pictures / "samples.parquet", pictures / "records", context, tfrecord=True, shard_samples=2)
    assert [path.stat().st_mtime_ns for path in (pictures / "records").iterdir()] == stamps
    with pytest.raises(ConflictError, match=r"train-00000\.tfrec holds other samples"):
        pack(pictures / "samples.parquet", pictures / "records", context, tfrecord=True, shard_samples=3)


def encoded(array: np.ndarray[Any, Any], ending: str = ".png") -> bytes:
    return cv2.imencode(ending, array)[1].tobytes()


def write_tfrecord(path: Path, examples: list[dict[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for example in examples:
            write_record(file, write_example(example))
    return path


def test_records_of_the_zoo_with_a_fourth_band(tmp_path: Path, rng: np.random.Generator) -> None:
    """JPEG images, masks as PNG, infrared beside them; the first files are for validation, as the zoo had it."""
    nir = [rng.integers(0, 256, (20, 16), dtype=np.uint8) for _ in range(5)]
    mask = np.kron([[0, 1], [2, 3]], np.ones((10, 8))).astype(np.uint8)
    for number in range(5):
        image = encoded(np.full((20, 16, 3), 40 * number, np.uint8), ".jpg")
        write_tfrecord(tmp_path / "in" / f"zoo-{number}.tfrec", [{"image": image, "label": encoded(mask), "nir": encoded(nir[number])}] * 2)
    pack(tmp_path / "in", tmp_path / "out", open_context(None, ["split.validation=0.4"]))
    store = PackedStore.open(tmp_path / "out")
    assert store.manifest.bands == 4
    assert store.samples.part("validation").frame["source"].tolist() == [
        f"zoo-{file}/00000{record}" for file in (0, 1) for record in (0, 1)
    ]
    for row in store.samples.frame.itertuples():
        sample = store.sample(str(row.scene))
        assert np.array_equal(sample.pixels.values[3], nir[int(str(row.source)[4])])
        assert np.array_equal(sample.labels, mask)


def test_smeared_labels_of_records_are_refused_or_snapped(tmp_path: Path, rng: np.random.Generator) -> None:
    mask = np.where(cv2.GaussianBlur(rng.random((40, 40)), (0, 0), 4) > 0.5, 255, 0).astype(np.uint8)
    image = encoded(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    records = [{"image": image, "label": encoded(mask, ".jpg")}]
    write_tfrecord(tmp_path / "train.tfrec", records)
    write_tfrecord(
        tmp_path / "val.tfrec", [{"image": encoded(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), "label": records[0]["label"]}]
    )
    with pytest.raises(LabelError, match="smeared by JPEG"):
        pack(tmp_path / "*.tfrec", tmp_path / "out", open_context())
    pack(tmp_path / "*.tfrec", tmp_path / "out", open_context(None, ["legend.threshold=127"]))
    store = PackedStore.open(tmp_path / "out")
    assert np.mean(store.sample(store.samples.frame["scene"][0]).labels == (mask > 0)) > 0.95


def test_broken_records_are_named(tmp_path: Path) -> None:
    picture = encoded(np.zeros((20, 20, 3), np.uint8))
    good = {"image": picture, "label": encoded(np.eye(20, dtype=np.uint8))}
    for examples, said in (
        ([good, {"image": picture}], r"a\.tfrec: record 1 lacks the feature label; it has image"),
        ([good, {**good, "label": b"GIF89a"}], r"record 1, label, is neither PNG nor JPEG: it begins with 47 49 46"),
        ([good, {**good, "nir": picture}], "some records have the feature nir"),
        ([], "hold no record"),
        ([{**good, "image": picture[:40]}], r"000000\.png"),
    ):
        path = write_tfrecord(tmp_path / "in" / "a.tfrec", examples)
        with pytest.raises(DataError, match=said):
            pack(path, tmp_path / "out", open_context())
        assert not list((tmp_path / "out").iterdir())
