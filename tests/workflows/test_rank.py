"""rank: the samples in their order, with places and pictures; suspicious labels apart; runs that disagree."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from PIL import Image

from terrazzo.errors import ConflictError, DataError, LabelError, RecipeError, UsageError
from terrazzo.samples.rows import rows_of
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context
from terrazzo.workflows.predict import predict
from terrazzo.workflows.rank import rank
from terrazzo.workflows.train import train


def ranking(tiny_run: Any, out: Path, *sets: str) -> geopandas.GeoDataFrame:
    rank([tiny_run.run], out, Context(recipe=tiny_run.context(*sets).recipe, device="cpu", threads=1))
    return geopandas.read_parquet(out / "rank.parquet")


def test_samples_come_worst_first_with_their_places(tiny_run: Any, tmp_path: Path) -> None:
    found = ranking(tiny_run, tmp_path / "out", "rank.audit_share=0", "rank.top=7")
    samples = load(tiny_run.run / "samples.parquet").frame
    held_out = samples[samples["split"] != "train"]
    assert found["loss"].to_list() == sorted(held_out["loss"], reverse=True)[:7]
    assert found.crs == samples.crs
    assert (found.geometry == samples.geometry.loc[found.index]).all()
    with (tmp_path / "out" / "rank.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == found.index.to_list()
    assert [float(row["loss"]) for row in rows] == found["loss"].to_list()
    assert [row["rank"] for row in rows] == [str(number) for number in range(1, 8)]


def test_some_are_drawn_from_the_rest(tiny_run: Any, tmp_path: Path) -> None:
    found = ranking(tiny_run, tmp_path / "out", "rank.by=dice", "rank.part=train", "rank.top=10", "rank.audit_share=0.3")
    assert (found["chosen"] == "audit").sum() == 3
    assert set(found["split"]) == {"train"}
    first = found[found["chosen"] == "ranked"]["mean_dice"]
    assert first.is_monotonic_increasing
    assert first.max() <= found[found["chosen"] == "audit"]["mean_dice"].min()


def test_the_sheet_has_a_line_a_sample(tiny_run: Any, tmp_path: Path) -> None:
    few, more = (ranking(tiny_run, tmp_path / str(top), f"rank.top={top}") for top in (2, 5))
    assert (len(few), len(more)) == (2, 5)
    small, large = (Image.open(tmp_path / str(top) / "rank.png") for top in (2, 5))
    assert small.width == large.width
    step = (large.height - small.height) / 3
    assert step > 300, "a line is a picture of 336 pixels and what is said of it"


def test_disagreement_is_that_of_the_probabilities(tiny_run: Any, tmp_path: Path) -> None:
    context = tiny_run.context("training.seed=7")
    train(tiny_run.folder / "recipe.toml", tmp_path / "other", context=context)
    options = Context(
        recipe=tiny_run.context("rank.by=disagreement", "rank.audit_share=0", "rank.part=test").recipe, device="cpu", threads=1
    )
    rank([tiny_run.run, tmp_path / "other"], tmp_path / "out", options)
    found = geopandas.read_parquet(tmp_path / "out" / "rank.parquet")
    shares = []
    for number, run in enumerate([tiny_run.run, tmp_path / "other"]):
        out = tmp_path / f"maps{number}"
        predict(run, [tiny_run.folder / "images" / "d.tif"], out, tiny_run.context("prediction.probabilities=true"))
        with rasterio.open(out / "d_probabilities.tif") as file:
            shares.append(file.read() / 65535)
    apart = np.abs(shares[0] - shares[1]).sum(0) / 2
    known = shares[0].any(0)
    members = {row.id: row.window for row in rows_of(load(tiny_run.run / "samples.parquet"))}
    for number, value in found["disagreement"].items():
        at = members[int(str(number))].slices
        assert value == pytest.approx(apart[at][known[at]].mean(), abs=1e-5)
    assert found["disagreement"].is_monotonic_decreasing
    assert found["disagreement"].iloc[0] > 0


def test_a_wrong_label_is_suspicious(
    data: Path, context_of: Callable[..., Context], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block of water that a label calls land, in a held-out image; two epochs make a model that is right, not one that is sure."""
    monkeypatch.setattr("terrazzo.evaluation.where.suspects.SURE", 0.5)
    label = np.asarray(Image.open(data.parent / "labels" / "d.png")).copy()
    row, column = (int(place) for place in np.argwhere((label[24:, :40] == 7) & (np.roll(label, -7, (0, 1))[24:, :40] == 7))[0])
    label[24 + row : 32 + row, column : column + 8][label[24 + row : 32 + row, column : column + 8] == 7] = 0
    Image.fromarray(label).save(data.parent / "labels" / "d.png")
    train(data, tmp_path / "run", context=context_of(data))
    rank([tmp_path / "run"], tmp_path / "out", Context(recipe=context_of(data, "rank.by=suspicious").recipe, device="cpu", threads=1))
    found = geopandas.read_parquet(tmp_path / "out" / "suspicious.parquet")
    worst = found.iloc[0]
    assert (worst["scene"], worst["label"], worst["predicted"]) == ("d", "land", "water")
    assert abs(worst["row_off"] - 24 - row) <= 3
    assert abs(worst["col_off"] - column) <= 3
    assert worst["area"] == worst["pixels"] * 4
    text = (tmp_path / "out" / "suspicious.csv").read_text(encoding="utf-8")
    assert next(csv.DictReader(io.StringIO(text)))["scene"] == "d"
    with rasterio.open(data.parent / "images" / "d.tif") as file:
        x, y = file.xy(worst["row_off"], worst["col_off"], offset="ul")
    assert worst.geometry.bounds[0] == pytest.approx(x)
    assert worst.geometry.bounds[3] == pytest.approx(y)


class TestWhatCannotBeRanked:
    def test_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="no run that has ended"):
            rank([tmp_path])

    def test_is_ranked_already(self, tiny_run: Any, tmp_path: Path) -> None:
        ranking(tiny_run, tmp_path / "out", "rank.top=1")
        with pytest.raises(ConflictError, match="ranking already"):
            ranking(tiny_run, tmp_path / "out", "rank.top=1")

    def test_takes_another_number_of_runs(self, tiny_run: Any, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="several runs"):
            ranking(tiny_run, tmp_path / "out", "rank.by=disagreement")
        with pytest.raises(UsageError, match="one run; 2 were given"):
            rank([tiny_run.run, tiny_run.run], tmp_path / "out", tiny_run.context())

    def test_has_no_such_part(self, tiny_run: Any, tmp_path: Path) -> None:
        shutil.copytree(tiny_run.run, tmp_path / "run")
        samples = load(tmp_path / "run" / "samples.parquet")
        samples.frame["split"] = "train"
        samples.save(tmp_path / "run" / "samples.parquet")
        with pytest.raises(DataError, match=r"no scored sample in --part held_out \(train 80, validation 0, test 0\)"):
            rank([tmp_path / "run"], tmp_path / "out", tiny_run.context())

    def test_knows_other_classes(self, tiny_run: Any, tmp_path: Path) -> None:
        train(tiny_run.folder / "recipe.toml", tmp_path / "other", context=tiny_run.context("legend.remap={7=3}", "legend.values=[0,3]"))
        with pytest.raises(LabelError, match="Give runs of the same classes"):
            rank([tiny_run.run, tmp_path / "other"], tmp_path / "out", tiny_run.context("rank.by=disagreement"))
