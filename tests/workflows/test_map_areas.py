"""areas.csv beside maps."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from terrazzo.errors import ConflictError
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_areas import AREAS
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]


@pytest.fixture
def one(context_of: ContextOf) -> Context:
    return context_of()


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / AREAS).open(encoding="utf-8", newline="")))


def test_predict_tells_the_area_of_each_class(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    done = predict(tiny_run.run, [image], tmp_path / "out", context_of(None, "prediction.probabilities=true"))
    with rasterio.open(tmp_path / "out" / "a_predseg.tif") as file:
        values = file.read(1)
    with rasterio.open(tmp_path / "out" / "a_probabilities.tif") as file:
        confidence = file.read().max(axis=0)[values != 255].mean() / 65535
    rows = table(tmp_path / "out")
    assert [(row["map"], row["image"], row["value"], row["name"]) for row in rows] == [
        ("a_predseg.tif", str(image), value, name) for value, name in (("0", "land"), ("7", "water"))
    ]
    water = int(np.count_nonzero(values == 7))
    assert (int(rows[1]["pixels"]), float(rows[1]["area_m2"])) == (water, 4 * water)
    assert float(rows[1]["area_ha"]) == pytest.approx(4 * water / 10_000)
    assert float(rows[1]["share"]) == water / np.count_nonzero(values != 255)
    assert float(rows[1]["mean_confidence"]) == pytest.approx(confidence, abs=1e-5)
    share = water / np.count_nonzero(values != 255)
    assert done.text.splitlines()[2] == f"  water: {share:.2%}, {water:,} pixels, {4 * water:,.1f} m2"
    facts = done.facts["maps"][0]  # type: ignore[index]
    assert facts["map"] == str(tmp_path / "out" / "a_predseg.tif")
    assert facts["classes"][1]["pixels"] == water
    assert facts["mean_confidence"] == float(rows[0]["mean_confidence"])
    assert done.facts["areas"] == str(tmp_path / "out" / AREAS)


def test_maps_of_before_keep_their_rows(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    predict(tiny_run.run, [images / "a.tif"], tmp_path, one)
    before = table(tmp_path)
    stamp = (tmp_path / AREAS).stat().st_mtime_ns
    again = predict(tiny_run.run, [images / "a.tif"], tmp_path, one)
    assert (tmp_path / AREAS).stat().st_mtime_ns == stamp
    assert again.facts["maps"][0]["mean_confidence"] == float(before[0]["mean_confidence"])  # type: ignore[index]
    other = predict(tiny_run.run, [images / "b.tif"], tmp_path, one)
    assert [row["map"] for row in table(tmp_path)] == ["a_predseg.tif"] * 2 + ["b_predseg.tif"] * 2
    assert table(tmp_path)[:2] == before
    assert [Path(each["map"]).name for each in other.facts["maps"]] == ["b_predseg.tif"]  # type: ignore[attr-defined]


def test_a_lost_table_is_made_anew_without_what_only_predicting_knows(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path, one)
    before = table(tmp_path)
    (tmp_path / AREAS).unlink()
    predict(tiny_run.run, [image], tmp_path, one)
    assert table(tmp_path) == [{**row, "mean_confidence": ""} for row in before]


def test_rows_of_maps_that_are_gone_go_too(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    predict(tiny_run.run, [images / "a.tif"], tmp_path, one)
    (tmp_path / "a_predseg.tif").unlink()
    predict(tiny_run.run, [images / "b.tif"], tmp_path, one)
    assert {row["map"] for row in table(tmp_path)} == {"b_predseg.tif"}


def test_several_maps_are_summed_up(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    done = predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path, one)
    rows = [row for row in table(tmp_path) if row["name"] == "land"]
    assert len(rows) == 4
    assert f"{sum(int(row['pixels']) for row in rows):,} pixels, {sum(float(row['area_ha']) for row in rows):,.2f} ha" in done.text


def test_a_table_of_the_users_is_never_overwritten(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    (tmp_path / AREAS).write_text("mine", encoding="utf-8")
    with pytest.raises(ConflictError, match=r"areas\.csv is no table of areas of maps"):
        predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path, one)
    assert [path.name for path in tmp_path.iterdir()] == [AREAS]
