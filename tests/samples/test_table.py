"""The samples table and its file."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.window import Window
from terrazzo.samples.table import Samples, load

MakeSamples = Callable[..., Samples]


@pytest.fixture
def samples(make_samples: MakeSamples) -> Samples:
    made = make_samples({"a": (10, 30), "sub/ö": (9, 9)}, size=(10, 12), overlap_px=2)
    made.frame["split"] = pd.Series(["train", None, "validation", "test"], dtype=object)
    return made


def test_a_saved_table_comes_back_whole(samples: Samples, tmp_path: Path) -> None:
    path = tmp_path / "new" / "samples.parquet"
    samples.save(path)
    read = load(path)
    pd.testing.assert_frame_equal(pd.DataFrame(read.frame), pd.DataFrame(samples.frame), check_dtype=True)
    assert (read.legend, read.size, read.stride) == (samples.legend, (10, 12), (8, 10))
    assert read.frame["split"].to_list() == ["train", None, "validation", "test"]
    assert [entry.name for entry in path.parent.iterdir()] == ["samples.parquet"]


def test_a_crs_comes_back(make_samples: MakeSamples, tmp_path: Path) -> None:
    made = make_samples({"a": (10, 30)}, origins={"a": (500.0, 100.0)})
    made.save(tmp_path / "samples.parquet")
    assert load(tmp_path / "samples.parquet").frame.crs == made.frame.crs


def test_the_file_is_geoparquet_that_others_read(samples: Samples, tmp_path: Path) -> None:
    samples.save(tmp_path / "samples.parquet")
    metadata = parquet.read_schema(tmp_path / "samples.parquet").metadata
    geo = json.loads(metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["encoding"] == "WKB"
    assert "covering" in geo["columns"]["geometry"]
    plain = geopandas.read_parquet(tmp_path / "samples.parquet")
    assert plain.geometry.tolist() == samples.frame.geometry.tolist()


def test_windows_and_class_pixels_follow_the_rows(samples: Samples) -> None:
    assert samples.windows()[:2] == [Window(col_off=0, row_off=0, width=12, height=10), Window(col_off=10, row_off=0, width=12, height=10)]
    assert samples.class_pixels().tolist() == [[119, 1], [119, 1], [119, 1], [80, 1]]


def test_parts_keep_their_ids(samples: Samples) -> None:
    assert {name: samples.part(name).frame.index.tolist() for name in ("train", "validation", "test")} == {
        "train": [0],
        "validation": [2],
        "test": [3],
    }
    assert len(samples.part("train")) == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(200) + b"PAR1", b"scene,split\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "samples.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"samples\.parquet"):
        load(path)


def test_missing_foreign_and_incomplete_tables_are_refused(samples: Samples, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such samples table"):
        load(tmp_path / "gone.parquet")
    samples.frame.to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(DataError, match="no samples table of Terrazzo"):
        load(tmp_path / "foreign.parquet")
    Samples(frame=samples.frame.drop(columns=["pixels_3", "split"]), legend=samples.legend, size=(8, 8), stride=(8, 8)).save(
        tmp_path / "part.parquet"
    )
    with pytest.raises(DataError, match="lacks the columns split, pixels_3"):
        load(tmp_path / "part.parquet")


def test_a_cut_off_file_is_refused(samples: Samples, tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    samples.save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match="cannot be read"):
        load(path)


def test_an_unwritable_folder_is_an_environment_fault(samples: Samples, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault):
        samples.save(tmp_path / "file" / "samples.parquet")


def test_a_split_that_is_not_made_yet_is_an_empty_text_column(make_samples: MakeSamples, tmp_path: Path) -> None:
    make_samples({"a": (10, 30)}).save(tmp_path / "samples.parquet")
    assert str(parquet.read_schema(tmp_path / "samples.parquet").field("split").type) == "string"
    assert load(tmp_path / "samples.parquet").frame["split"].to_list() == [None, None, None]


def test_empty_parts_written_as_text_are_none(samples: Samples, tmp_path: Path) -> None:
    samples.frame["split"] = np.array(["train", "", "validation", np.nan], object)
    samples.save(tmp_path / "samples.parquet")
    assert load(tmp_path / "samples.parquet").frame["split"].to_list() == ["train", None, "validation", None]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("col_off", [0, -5, 0, 0], r"col_off is to be a whole number, at least 0; 1 row otherwise: -5 in row 1"),
        ("row_off", [0.0, np.nan, 0, 1.5], r"row_off .* 2 rows otherwise: nan in row 1, 1\.5 in row 3"),
        ("col_off", [0, 0, 10**12, 0], "col_off is to be a whole number"),
        ("col_off", ["a", "b", "c", "d"], "col_off is to be a whole number"),
        ("width", [12, 12, 12, 0], "width is to be 1 to 12"),
        ("height", [10, 10, 11, 9], "height is to be 1 to 10"),
        ("pixels_3", [1, 1, 1, np.inf], "pixels_3 is to be a whole number"),
        ("pixels_3", [1, 1, 1, 5], "pixels_0, pixels_3 count more pixels than a window has"),
        ("objects", ["x", "x", "x", "x"], "objects is to be a whole number"),
        ("valid_share", [1.0, 1.0, np.nan, 1.0], "valid_share is to be 0 to 1"),
        ("scene", ["a", None, "a", ""], "scene is to be a text in each row; 2 rows otherwise"),
        ("scene", [1, 1, 1, 1], "scene is to be a text"),
        ("image_digest", [None, None, None, None], "image_digest is to be a text"),
        (
            "split",
            ["train", "Train", "val", None],
            "split is to be train, validation, test or empty; 2 rows otherwise: Train in row 1, val in",
        ),
    ],
)
def test_rows_that_cannot_be_are_refused(samples: Samples, tmp_path: Path, column: str, values: list[object], message: str) -> None:
    samples.frame[column] = pd.Series(values)
    samples.save(tmp_path / "samples.parquet")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "samples.parquet")


def test_whole_numbers_that_another_program_made_floats_come_back_whole(samples: Samples, tmp_path: Path) -> None:
    expected = pd.DataFrame(samples.frame).copy()
    samples.frame[["col_off", "pixels_3"]] = samples.frame[["col_off", "pixels_3"]].astype(float)
    samples.frame["width"] = samples.frame["width"].astype("int16")
    samples.save(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(pd.DataFrame(load(tmp_path / "samples.parquet").frame), expected)


def test_a_notebook_shows_parts_and_classes(samples: Samples) -> None:
    html = samples._repr_html_()
    assert f"<th>samples</th><td>{len(samples)}</td>" in html
    assert all(name in html for name in samples.legend.names)
    assert f"{samples.class_pixels()[:, 0].sum():,} pixels" in html
