"""The account of a map: which samples are shown, and what the files hold."""

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.scene import SceneCounts
from terrazzo.evaluation.where.by_sample import score_row, score_table
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.workflows.account import Account, Shown, choose, versions, with_scores, write_page, write_scores

LEGEND = Legend(classes=(LegendClass(value=0, name="<script>", color=(0, 0, 0)), LegendClass(value=7, name="water", color=(0, 0, 255))))


def confusion(*pairs: tuple[int, int]) -> Confusion:
    made = Confusion(2)
    truth, predicted = np.array(pairs, np.uint8).reshape(-1, 2).T.copy()
    made.add(truth, predicted)
    return made


def tally(*pairs: tuple[int, int]) -> SetTally:
    made = SetTally(2)
    counted = confusion(*pairs)
    made.add("a", SceneCounts(counts=Counts(confusion=counted), blocks=counted.counts[np.newaxis]))
    return made


def table(*scores: float | None) -> geopandas.GeoDataFrame:
    frame = pd.DataFrame({"mean_iou": pd.Series(scores, dtype="float64")})
    return geopandas.GeoDataFrame(frame, geometry=geopandas.points_from_xy(range(len(scores)), range(len(scores))))


class TestChoose:
    def test_best_median_and_worst_each_once(self) -> None:
        chosen = choose(table(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8))
        assert {kind: sorted(number for other, number in chosen if other == kind) for kind in ("best", "median", "worst")} == {
            "best": [6, 7],
            "median": [3, 4],
            "worst": [0, 1],
        }
        assert [kind for kind, _ in chosen] == ["best"] * 2 + ["median"] * 2 + ["worst"] * 2

    @pytest.mark.parametrize("count", range(6))
    def test_few_samples_are_all_shown_once(self, count: int) -> None:
        chosen = choose(table(*np.linspace(0.2, 0.9, count)))
        assert sorted(number for _, number in chosen) == list(range(count))

    def test_the_worst_is_always_shown_as_such(self) -> None:
        assert ("worst", 1) in choose(table(0.9, 0.1))

    def test_samples_without_a_score_are_not_shown(self) -> None:
        assert sorted(number for _, number in choose(table(None, 0.5, None, 0.7))) == [1, 3]

    def test_ids_and_not_positions(self) -> None:
        frame = table(0.5, 0.7)
        frame.index = pd.Index([40, 7])
        assert sorted(number for _, number in choose(frame)) == [7, 40]


def test_scores_are_put_beside_their_samples() -> None:
    frame = table(None, None, None).drop(columns="mean_iou")
    scores = score_table({2: score_row(confusion((0, 0), (1, 1), (1, 0)), LEGEND), 0: score_row(confusion(), LEGEND)}, LEGEND)
    scored = with_scores(with_scores(frame, scores * 0.5), scores)
    assert scored["accuracy"].iloc[2] == pytest.approx(2 / 3)
    assert scored["mean_iou"].iloc[2] == pytest.approx(1 / 2)
    assert scored["mean_dice"].iloc[2] == pytest.approx(2 / 3)
    assert scored.loc[[0, 1], ["accuracy", "mean_iou", "mean_dice"]].isna().to_numpy().all()
    assert "accuracy" not in frame.columns


@pytest.mark.parametrize("part", ["test", None])
def test_evaluation_and_report_are_written(tmp_path: Path, part: str | None) -> None:
    account = Account(
        title="run <1>",
        legend=LEGEND,
        tally=tally((0, 0), (1, 1)),
        options=EvaluationOptions(),
        grids=[],
        images=3,
        part=part,
        facts=[("A", "b")],
    )
    write_scores(tmp_path, account)
    write_page(tmp_path, account, Shown(samples=[]))
    found: dict[str, Any] = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert (found["images"], found["valid_pixels"], found["samples"]) == (3, 2, "samples.parquet")
    assert found.get("part") == part
    assert "<script>water" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_undefined_scores_are_null(tmp_path: Path) -> None:
    account = Account(title="t", legend=LEGEND, tally=tally(), options=EvaluationOptions(), grids=[], images=0, part=None, facts=[])
    write_scores(tmp_path, account)
    write_page(tmp_path, account, Shown(samples=[]))
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["pixels"]["accuracy"] is None


def test_versions_are_told() -> None:
    assert {"terrazzo", "torch", "numpy", "rasterio", "python"} == set(versions())
