"""flatten: tables of pixels, read back by other programs."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, DataError, RasterError, UsageError
from terrazzo.rasters.tables import flatten as rows
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.flatten import flatten

PLACES = {
    "north-up": Affine(2, 0, 500_000, 0, -2, 5_000_000),
    "south-up": Affine(2, 0, 500_000, 0, 2, 5_000_000),
    "rotated": Affine.translation(500_000, 5_000_000) @ Affine.rotation(30) @ Affine.scale(2, -3),
}
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "float32", "float64")


def write(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    wanted = {"crs": "EPSG:32633", "transform": PLACES["north-up"], **profile}
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", **shape, **{key: value for key, value in wanted.items() if value is not None}) as file:
        file.write(values)
    return path


EMPTY = pa.csv.ConvertOptions(strings_can_be_null=True)


def read(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = (
        pa.parquet.read_table(path).to_pandas() if path.suffix == ".parquet" else pa.csv.read_csv(path, convert_options=EMPTY).to_pandas()
    )
    return frame


def context(*sets: str) -> Context:
    return Context(recipe=open_context(None, sets).recipe, threads=2)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """37 x 51 pixels of 3 bands, all different, but for a corner without data."""
    values = np.arange(1, 3 * 37 * 51 + 1, dtype=np.uint16).reshape(3, 37, 51)
    values[:, :3, :5] = 0
    return write(tmp_path / "image.tif", values, nodata=0)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
class TestLong:
    def test_a_row_a_pixel_and_band(self, tmp_path: Path, image: Path, suffix: str) -> None:
        result = flatten([image], tmp_path / f"out{suffix}", context=context())
        table = read(tmp_path / f"out{suffix}")
        assert list(table) == ["x", "y", "row", "column", "band", "value"]
        assert len(table) == 3 * (37 * 51 - 15)
        with rasterio.open(image) as file:
            values = file.read()
            x, y = rasterio.transform.xy(file.transform, table["row"], table["column"])
        np.testing.assert_array_equal(table["value"], values[table["band"] - 1, table["row"], table["column"]])
        np.testing.assert_array_equal(table[["x", "y"]], np.stack([x, y], axis=1))
        assert list(table[["row", "column", "band"]].itertuples(index=False)) == sorted(
            table[["row", "column", "band"]].itertuples(index=False)
        )
        assert "5616 rows" in result.text

    @pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
    def test_x_and_y_are_the_centres(self, tmp_path: Path, suffix: str, place: Affine) -> None:
        path = write(tmp_path / "a.tif", np.ones((1, 5, 7), np.uint8), transform=place)
        flatten([path], tmp_path / f"out{suffix}", context=context())
        table = read(tmp_path / f"out{suffix}")
        expected = np.array([place @ (column + 0.5, row + 0.5) for row, column in zip(table["row"], table["column"], strict=True)])
        np.testing.assert_allclose(table[["x", "y"]], expected, rtol=1e-15)

    def test_degrees(self, tmp_path: Path, suffix: str) -> None:
        place = Affine(0.5, 0, -180, 0, -0.5, 90)
        path = write(tmp_path / "a.tif", np.ones((1, 2, 3), np.float32), crs="EPSG:4326", transform=place)
        flatten([path], tmp_path / f"out{suffix}", context=context())
        table = read(tmp_path / f"out{suffix}")
        assert list(table)[:2] == ["longitude", "latitude"]
        assert table.iloc[0, :2].tolist() == [-179.75, 89.75]

    def test_without_a_place_pixels_count(self, tmp_path: Path, suffix: str) -> None:
        np.save(tmp_path / "a.npy", np.arange(6, dtype=np.int64).reshape(2, 3) - 2**62)
        flatten([tmp_path / "a.npy"], tmp_path / f"out{suffix}", context=context())
        table = read(tmp_path / f"out{suffix}")
        assert table["x"].tolist() == [0.5, 1.5, 2.5] * 2
        assert table["y"].tolist() == [0.5] * 3 + [1.5] * 3
        assert table["value"].tolist() == [number - 2**62 for number in range(6)]

    def test_every_nth_pixel(self, tmp_path: Path, image: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rows, "READ_BYTES", 51 * 6 * 2)
        flatten([image], tmp_path / f"out{suffix}", step=7, context=context())
        table = read(tmp_path / f"out{suffix}")
        assert sorted(set(table["row"])) == list(range(0, 37, 7))
        assert sorted(set(table["column"])) == list(range(0, 51, 7))
        assert len(table) == 3 * (6 * 8 - 1)

    def test_what_has_no_data_may_stay(self, tmp_path: Path, image: Path, suffix: str) -> None:
        flatten([image], tmp_path / f"out{suffix}", keep_invalid=True, context=context())
        table = read(tmp_path / f"out{suffix}")
        assert len(table) == 3 * 37 * 51
        assert table["value"].isna().sum() == 45

    def test_blocks_of_any_size_make_the_same_table(
        self, tmp_path: Path, image: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flatten([image], tmp_path / f"one{suffix}", context=context())
        monkeypatch.setattr(rows, "READ_BYTES", 200)
        monkeypatch.setattr(rows, "BLOCK_ROWS", 17)
        flatten([image], tmp_path / f"other{suffix}", context=context())
        pd.testing.assert_frame_equal(read(tmp_path / f"one{suffix}"), read(tmp_path / f"other{suffix}"))

    def test_several_images_with_labels(self, tmp_path: Path, suffix: str) -> None:
        for number, name in enumerate("ab"):
            write(tmp_path / "images" / f"{name}.tif", np.full((2, 4, 5), number + 1, np.uint8))
            mask = np.zeros((1, 4, 5), np.uint8)
            mask[0, 1], mask[0, 2] = 7, 255
            write(tmp_path / "masks" / f"{name}.tif", mask)
        sets = ("legend.classes=['=cmd()', '<script>']", "legend.values=[0, 7]", "legend.ignore=255")
        flatten([tmp_path / "images"], tmp_path / f"out{suffix}", labels=str(tmp_path / "masks"), context=context(*sets))
        table = read(tmp_path / f"out{suffix}")
        assert list(table) == ["image", "x", "y", "row", "column", "band", "value", "class", "class_name"]
        assert table["image"].tolist() == ["a"] * 40 + ["b"] * 40
        assert (table["value"] == 1 + (table["image"] == "b")).all()
        assert set(table.loc[table["row"] == 1, "class_name"]) == {"<script>"}
        assert set(table.loc[table["row"] == 0, "class_name"]) == {"=cmd()"}
        assert table.loc[table["row"] == 2, ["class", "class_name"]].isna().all(axis=None)
        if suffix == ".csv":
            assert '"=cmd()"' in (tmp_path / "out.csv").read_text()

    def test_wide(self, tmp_path: Path, image: Path, suffix: str) -> None:
        flatten([image], tmp_path / f"out{suffix}", wide=True, context=context())
        table = read(tmp_path / f"out{suffix}")
        assert list(table) == ["x", "y", "row", "column", "b1", "b2", "b3"]
        with rasterio.open(image) as file:
            np.testing.assert_array_equal(table[["b1", "b2", "b3"]].to_numpy().T, file.read()[:, table["row"], table["column"]])

    def test_names_of_bands(self, tmp_path: Path, suffix: str) -> None:
        path = write(tmp_path / "a.tif", np.ones((2, 3, 4), np.uint8))
        with rasterio.open(path, "r+") as file:
            file.descriptions = ("red, or so", 'near "infrared"')
        flatten([path], tmp_path / f"long{suffix}", context=context())
        flatten([path], tmp_path / f"wide{suffix}", wide=True, context=context())
        assert read(tmp_path / f"long{suffix}")["band_name"].tolist()[:2] == ["red, or so", 'near "infrared"']
        assert list(read(tmp_path / f"wide{suffix}"))[4:] == ["red, or so", 'near "infrared"']

    def test_it_is_kept(self, tmp_path: Path, image: Path, suffix: str) -> None:
        out = tmp_path / f"out{suffix}"
        flatten([image], out, context=context())
        before = out.stat().st_mtime_ns
        assert "kept" in flatten([image], out, context=context()).text
        assert out.stat().st_mtime_ns == before
        with pytest.raises(ConflictError, match="out"):
            flatten([image], out, step=2, context=context())

    def test_other_files_are_never_overwritten(self, tmp_path: Path, image: Path, suffix: str) -> None:
        out = tmp_path / f"out{suffix}"
        pa.csv.write_csv(pa.table({"a": [1]}), out) if suffix == ".csv" else pa.parquet.write_table(pa.table({"a": [1]}), out)
        before = out.read_bytes()
        with pytest.raises(ConflictError):
            flatten([image], out, context=context())
        assert out.read_bytes() == before


@settings(max_examples=30, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(DTYPES), suffix=st.sampled_from([".csv", ".parquet"]))
def test_pixels_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dtype: str, suffix: str) -> None:
    wide = data.draw(st.booleans())
    folder = tmp_path_factory.mktemp("exact")
    kind = np.dtype(dtype)
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    count = shape[0] * shape[1] * shape[2]
    number: st.SearchStrategy[Any] = (
        st.floats(width=32 if kind.itemsize == 4 else 64) if kind.kind == "f" else st.integers(np.iinfo(kind).min, np.iinfo(kind).max)
    )
    values = np.array(data.draw(st.lists(number, min_size=count, max_size=count)), kind).reshape(shape)
    np.save(folder / "a.npy", values)
    flatten([folder / "a.npy"], folder / f"out{suffix}", wide=wide, keep_invalid=True, context=context())
    names = [f"b{band}" for band in range(1, shape[0] + 1)] if wide else ["value"]
    value = pa.from_numpy_dtype(kind)
    if suffix == ".csv":
        options = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, value))
        table = pa.csv.read_csv(folder / "out.csv", convert_options=options)
    else:
        table = pa.parquet.read_table(folder / "out.parquet")
        assert table.schema.field(names[0]).type == value
    columns = [table.column(name).combine_chunks() for name in names]
    found = np.stack([column.fill_null(0).to_numpy(zero_copy_only=False) for column in columns], axis=-1).reshape(*shape[1:], shape[0])
    there = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=-1).reshape(found.shape)
    expected = np.moveaxis(values, 0, -1)
    np.testing.assert_array_equal(there, np.isfinite(expected))
    np.testing.assert_array_equal(found[there], expected[there])


class TestRefused:
    def test_another_ending(self, tmp_path: Path, image: Path) -> None:
        with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
            flatten([image], tmp_path / "out.txt", context=context())

    @pytest.mark.parametrize("step", [0, -1, 1.5])
    def test_a_step_that_is_none(self, tmp_path: Path, image: Path, step: float) -> None:
        with pytest.raises(UsageError, match="step"):
            flatten([image], tmp_path / "out.csv", step=step, context=context())

    def test_places_that_mean_different_things(self, tmp_path: Path, image: Path) -> None:
        other = write(tmp_path / "other.tif", np.ones((1, 2, 2), np.uint8), crs="EPSG:32634")
        with pytest.raises(DataError, match=r"EPSG:32633.*EPSG:32634"):
            flatten([image, other], tmp_path / "out.csv", context=context())

    def test_types_that_no_column_holds(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / f"{kind}.tif", np.ones((1, 2, 2), kind)) for kind in ("int64", "uint64")]
        with pytest.raises(DataError, match="int64, uint64"):
            flatten(paths, tmp_path / "out.csv", context=context())

    def test_wide_with_other_numbers_of_bands(self, tmp_path: Path, image: Path) -> None:
        other = write(tmp_path / "other.tif", np.ones((1, 2, 2), np.uint8))
        with pytest.raises(DataError, match=r"1 band: .*3 bands: "):
            flatten([image, other], tmp_path / "out.csv", wide=True, context=context())
        flatten([image, other], tmp_path / "out.csv", context=context())

    def test_all_bad_images_are_named(self, tmp_path: Path, image: Path) -> None:
        for name in ("one.tif", "two.tif"):
            (tmp_path / name).write_bytes(image.read_bytes()[:50])
        with pytest.raises(RasterError, match=r"(?s)one\.tif.*two\.tif"):
            flatten([tmp_path], tmp_path / "out.csv", context=context())
        assert not (tmp_path / "out.csv").exists()

    def test_a_broken_block_leaves_nothing(self, tmp_path: Path) -> None:
        values = np.random.default_rng(0).integers(0, 255, (1, 300, 300), dtype=np.uint8)
        path = write(tmp_path / "in" / "a.tif", values, compress="deflate")
        broken = bytearray(path.read_bytes())
        broken[-9000:-8000] = bytes(1000)
        path.write_bytes(bytes(broken))
        with pytest.raises(RasterError):
            flatten([path], tmp_path / "out" / "out.parquet", context=context())
        assert not list((tmp_path / "out").iterdir())


def test_odd_names_round_trip(tmp_path: Path) -> None:
    names = ["a, b", 'quote"d', "line\nbreak", "\u202eevil", "\U0001f30a wave"]
    for number, name in enumerate(names):
        write(tmp_path / "in" / f"{name}.tif", np.full((1, 1, 1), number, np.uint8))
    flatten([tmp_path / "in"], tmp_path / "out.csv", context=context())
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        found = {row["image"]: int(row["value"]) for row in csv.DictReader(file)}
    assert found == dict(zip(names, range(5), strict=True))


def test_the_note_beside_a_csv(tmp_path: Path, image: Path) -> None:
    flatten([image], tmp_path / "out.csv", context=context())
    note = json.loads((tmp_path / "out.csv.json").read_text())["table"]
    assert (note["dtype"], note["crs"], note["pixels"], note["images"]) == ("uint16", "EPSG:32633", 37 * 51, 1)


MEMORY = """
import resource, sys
from terrazzo.workflows.context import Context
from terrazzo.workflows.flatten import flatten
flatten([sys.argv[1]], sys.argv[2], context=Context(threads=2), step=float(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    """A sparse file of 1.6 GB; every 16th pixel becomes a row."""
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "tiled": True, "sparse_ok": True, "compress": "zstd"}
    for name, side in (("small", 2048), ("large", 28_672)):
        with rasterio.open(tmp_path / f"{name}.tif", "w", height=side, width=side, **profile) as file:
            file.write(np.ones((1, 512, 512), np.uint16), window=((0, 512), (0, 512)))
    peaks = []
    for name in ("small", "large"):
        arguments = [sys.executable, "-c", MEMORY, str(tmp_path / f"{name}.tif"), str(tmp_path / f"{name}.parquet"), "16"]
        peaks.append(int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()[-1]))
    assert peaks[1] < peaks[0] + 400, peaks
