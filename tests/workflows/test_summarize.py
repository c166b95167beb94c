"""summarize: figures of images and of tables, against numpy on whole arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.rasters.tables import flatten as rows
from terrazzo.rasters.tables.figures import PERCENTS
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.flatten import flatten
from terrazzo.workflows.summarize import summarize

PLACE = Affine(2, 0, 500_000, 0, -2, 5_000_000)
SHAPE = (23, 31)
SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, values: NDArray[Any], names: tuple[str, ...] | None = None, **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=PLACE, **shape, **profile) as file:
        file.write(values)
        if names is not None:
            file.descriptions = names
    return path


def context(*sets: str) -> Context:
    return Context(recipe=open_context(None, sets).recipe, threads=2)


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return read


def make(folder: Path, dtype: str) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Two images of three bands with a hole each and one in one band alone, and masks of 0, 1 and 255; returned whole."""
    rng = np.random.default_rng(8)
    values = rng.normal(120, 35, (2, 3, *SHAPE)).clip(1, 250).astype(dtype)
    values[:, :, 2:5, 3:9] = 0
    values[0, 1, 10, 10:20] = 0
    masks = (values[:, 0] > 130).astype(np.uint8)
    masks[:, 20] = 255
    for number, name in enumerate("ab"):
        write(folder / "images" / f"{name}.tif", values[number], ("blue", "red", "nir"), nodata=0)
        write(folder / "masks" / f"{name}.tif", masks[number][None])
    return values, masks


@pytest.fixture
def figures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No charts, which take most of the time."""
    monkeypatch.setattr("terrazzo.workflows.summarize.charts", lambda *_: iter(()))


def check(told: dict[str, Any], values: NDArray[Any]) -> None:
    assert told["count"] == values.size
    assert (told["min"], told["max"]) == (values.min(), values.max())
    assert told["mean"] == pytest.approx(values.mean(dtype=np.float64), rel=1e-12)
    assert told["sd"] == pytest.approx(values.std(dtype=np.float64), rel=1e-9)
    expected = np.percentile(values, PERCENTS, method="inverted_cdf")
    np.testing.assert_allclose(list(told["percentiles"].values()), expected, atol=told["percentile_error"], rtol=0)
    histogram = told["histogram"]
    edges = np.linspace(histogram["low"], histogram["high"], len(histogram["counts"]) + 1)
    if values.dtype.kind in "iu":
        np.testing.assert_array_equal(histogram["counts"], np.histogram(values, edges)[0])
    assert sum(histogram["counts"]) + histogram["below"] + histogram["above"] == values.size


@pytest.mark.usefixtures("figures_only")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_figures_of_bands_and_classes(tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "READ_BYTES", 600)
    values, masks = make(tmp_path, dtype)
    summarize([tmp_path / "images"], tmp_path / "out", labels=str(tmp_path / "masks"), context=context())
    told = summary(tmp_path / "out")
    valid = (values != 0).any(axis=1)
    for number in range(3):
        band, entry = values[:, number], told["bands"][number]
        there = band != 0
        check(entry["valid"], band[there])
        assert entry["valid_share"] == pytest.approx(there.mean())
        assert entry["stored"]["count"] == band.size
        assert entry["stored"]["min"] == 0
        check(entry["labelled"], band[there & (masks != 255)])
        for index in (0, 1):
            assert entry["classes"][index]["name"] == str(index)
            check(entry["classes"][index], band[there & (masks == index)])
    for index, entry in enumerate(told["classes"]):
        assert entry["pixels"] == (valid & (masks == index)).sum()


@pytest.mark.usefixtures("figures_only")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("wide", [False, True], ids=["long", "wide"])
@pytest.mark.parametrize("note", [True, False], ids=["with its note", "bare"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64"])
def test_a_table_gives_what_its_images_give(tmp_path: Path, suffix: str, wide: bool, note: bool, dtype: str) -> None:  # noqa: FBT001 - parametrised
    make(tmp_path, dtype)
    labels = str(tmp_path / "masks")
    table = tmp_path / f"table{suffix}"
    flatten([tmp_path / "images"], table, labels=labels, wide=wide, context=context())
    if not note:
        strip(table)
    summarize([tmp_path / "images"], tmp_path / "of_images", labels=labels, context=context())
    summarize([table], tmp_path / "of_table", context=context())
    images, found = summary(tmp_path / "of_images"), summary(tmp_path / "of_table")
    ignored = {"stored"} if note else {"stored", "valid_share", *(["view"] if suffix == ".csv" else [])}
    for one, other in zip(images["bands"], found["bands"], strict=True):
        assert_alike(without(one, ignored), without(other, ignored))
    assert found["images"] == 2
    assert [entry["share"] for entry in found["classes"]] == [entry["share"] for entry in images["classes"]]
    if note:
        assert (found["pixels"], found["dtype"], found["classes"]) == (images["pixels"], images["dtype"], images["classes"])


def without(entry: Any, keys: set[str]) -> Any:
    """Without what only images tell; a bare CSV also says nothing of the type, by which the view of whole numbers is chosen."""
    if isinstance(entry, list):
        return [without(part, keys) for part in entry]
    return {key: without(value, keys) for key, value in entry.items() if key not in keys} if isinstance(entry, dict) else entry


def assert_alike(one: Any, other: Any) -> None:
    """Equal, but for the rounding of sums."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_alike(first, second)
    else:
        assert one == (pytest.approx(other, rel=1e-12) if isinstance(one, float) else other)


def strip(table: Path) -> None:
    """Write a table anew, as another program would."""
    if table.suffix == ".csv":
        Path(f"{table}.json").unlink()
    else:
        pyarrow.parquet.write_table(pyarrow.parquet.read_table(table).replace_schema_metadata(None), table)


@pytest.mark.usefixtures("figures_only")
def test_float32_survives_a_csv(tmp_path: Path) -> None:
    make(tmp_path, "float32")
    flatten([tmp_path / "images"], tmp_path / "table.csv", context=context())
    summarize([tmp_path / "images"], tmp_path / "of_images", context=context())
    summarize([tmp_path / "table.csv"], tmp_path / "of_table", context=context())
    images, found = summary(tmp_path / "of_images"), summary(tmp_path / "of_table")
    assert_alike([without(band, {"stored"}) for band in images["bands"]], [without(band, {"stored"}) for band in found["bands"]])


class TestFiles:
    def test_names_are_those_of_the_bands(self, tmp_path: Path) -> None:
        values = np.arange(5 * 20, dtype=np.uint8).reshape(5, 4, 5)
        path = write(tmp_path / "a.tif", values, ("../up", "near infrared", "overview", "NEAR infrared", "<script>"))
        result = summarize([path], tmp_path / "out", context=context())
        names = {"up.png", "near_infrared_2.png", "overview_3.png", "NEAR_infrared_4.png", "script.png", "overview.png", "summary.json"}
        assert {file.name for file in (tmp_path / "out").iterdir()} == names
        assert {Path(file).name for file in result.written["outputs"]} == names  # type: ignore[union-attr]
        assert summary(tmp_path / "out")["bands"][4]["name"] == "<script>"

    def test_charts_by_class(self, tmp_path: Path) -> None:
        make(tmp_path, "uint8")
        sets = ("legend.classes=['=cmd()', '<script>']", "legend.colors=['#112233', '#ff8800']")
        summarize([tmp_path / "images"], tmp_path / "out", labels=str(tmp_path / "masks"), context=context(*sets))
        assert {file.name for file in (tmp_path / "out").glob("*_by_class.png")} == {
            f"{name}_by_class.png" for name in ("blue", "red", "nir")
        }
        with Image.open(tmp_path / "out" / "red_by_class.png") as image:
            colors = {color for _, color in image.convert("RGB").getcolors(2**24) or []}
        assert {(0x11, 0x22, 0x33), (0xFF, 0x88, 0x00)} <= colors
        assert [entry["name"] for entry in summary(tmp_path / "out")["classes"]] == ["=cmd()", "<script>"]

    def test_nothing_but_nodata(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tif", np.zeros((2, 4, 5), np.float32), nodata=0)
        result = summarize([path], tmp_path / "out", context=context())
        assert "no values" in result.text
        assert summary(tmp_path / "out")["bands"][0]["valid"]["mean"] is None

    def test_it_is_kept(self, tmp_path: Path) -> None:
        make(tmp_path, "uint8")
        summarize([tmp_path / "images"], tmp_path / "out", context=context())
        before = (tmp_path / "out" / "summary.json").stat().st_mtime_ns
        assert "kept" in summarize([tmp_path / "images"], tmp_path / "out", context=context()).text
        assert (tmp_path / "out" / "summary.json").stat().st_mtime_ns == before
        with pytest.raises(ConflictError, match=r"summary\.json"):
            summarize([tmp_path / "images" / "a.tif"], tmp_path / "out", context=context())

    def test_a_missing_chart_is_made_again(self, tmp_path: Path) -> None:
        make(tmp_path, "uint8")
        summarize([tmp_path / "images"], tmp_path / "out", context=context())
        (tmp_path / "out" / "red.png").unlink()
        summarize([tmp_path / "images"], tmp_path / "out", context=context())
        assert (tmp_path / "out" / "red.png").exists()

    def test_other_files_are_never_overwritten(self, tmp_path: Path) -> None:
        make(tmp_path, "uint8")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "red.png").write_bytes(b"mine")
        with pytest.raises(ConflictError, match=r"red\.png"):
            summarize([tmp_path / "images"], tmp_path / "out", context=context())
        assert (tmp_path / "out" / "red.png").read_bytes() == b"mine"


class TestRefused:
    def test_tables_among_images(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="mix"):
            summarize(["a.csv", "b.tif"], tmp_path / "out", context=context())

    def test_labels_of_tables(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="flatten"):
            summarize(["a.csv"], tmp_path / "out", labels="masks", context=context())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("value,row\n1,2\n", "'band'"),
            ("band,value\n1,dog\n", "cannot be read"),
            ("band,value\n0,3\n", "from 1 to"),
            ("x,y,row,column\n1,1,1,1\n", "no columns of values"),
            ("", "cannot be read"),
        ],
    )
    def test_what_is_no_table_of_pixels(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            summarize([tmp_path / "a.csv"], tmp_path / "out", context=context())

    def test_all_bad_tables_are_named(self, tmp_path: Path) -> None:
        for name in ("one.parquet", "two.parquet"):
            (tmp_path / name).write_bytes(b"no Parquet")
        with pytest.raises(DataError, match=r"(?s)one\.parquet.*two\.parquet.*three\.csv"):
            summarize([tmp_path / name for name in ("one.parquet", "two.parquet", "three.csv")], tmp_path / "out", context=context())

    def test_images_of_other_bands(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / f"{bands}.tif", np.ones((bands, 2, 2), np.uint8)) for bands in (1, 2)]
        with pytest.raises(DataError, match=r"1 band: .*2 bands: "):
            summarize(paths, tmp_path / "out", context=context())


def test_a_table_of_another_program(tmp_path: Path) -> None:
    """Whole numbers and gaps, in bands of names of its own."""
    pd.DataFrame({"red": [1.5, None, 4.0], "depth": [7, 8, 9]}).to_csv(tmp_path / "a.csv", index=False)
    summarize([tmp_path / "a.csv"], tmp_path / "out", context=context())
    bands = summary(tmp_path / "out")["bands"]
    assert [(band["name"], band["valid"]["count"], band["valid"]["mean"]) for band in bands] == [("red", 2, 2.75), ("depth", 3, 8.0)]


@pytest.mark.skipif(not (SHARED / "water_12band").is_dir(), reason="the data set water_12band is not beside the project")
@pytest.mark.usefixtures("figures_only")
def test_real_water_images(tmp_path: Path) -> None:
    folder = SHARED / "water_12band"
    summarize([folder / "images" / "1?.tif"], tmp_path / "out", labels=str(folder / "labels" / "1?.png"), context=context())
    assert len(summary(tmp_path / "out")["bands"]) == 12
