"""The account of a map: evaluation.json, scores of each sample, and the report, for runs and evaluations alike."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import geopandas
import pandas as pd

from terrazzo.drawing.panels import SampleView, sample_panel
from terrazzo.evaluation.objects.scores import ObjectScores, object_scores
from terrazzo.evaluation.scores import PixelScores, pixel_scores
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.labels.legend import Legend
from terrazzo.rasters.write import write_text
from terrazzo.reporting.report import Report, SamplePanel, write_report

SHOWN = 2
"""Samples shown of each kind: best, median, worst."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is told of a map."""

    title: str
    legend: Legend
    tally: SetTally
    images: int
    part: str | None
    """The part of the split that was evaluated; None where there is no split."""
    facts: Sequence[tuple[str, str]]
    notices: Sequence[str] = ()

    def scores(self) -> PixelScores:
        return pixel_scores(self.tally.total.confusion, self.legend.values, self.legend.names)

    def objects(self) -> ObjectScores | None:
        """The scores of objects; None where none are asked for."""
        return None if self.tally.objects is None else object_scores(self.tally.objects)

    def evaluation(self) -> dict[str, Any]:
        """What evaluation.json holds."""
        found: dict[str, Any] = {
            "pixels": self.scores(),
            **({} if self.tally.objects is None else {"objects": self.objects()}),
            "samples": "samples.parquet",
            "images": self.images,
            "valid_pixels": self.tally.total.confusion.pixels,
        }
        return found if self.part is None else {**found, "part": self.part}


def versions() -> dict[str, str]:
    """What the figures were made with."""
    return {name: version(name) for name in ("terrazzo", "torch", "numpy", "rasterio")} | {"python": platform.python_version()}


def with_scores(frame: geopandas.GeoDataFrame, scores: pd.DataFrame) -> geopandas.GeoDataFrame:
    """The table with the scores of each sample beside it, in place of those it had; empty where a sample was not evaluated.

    scores: of `evaluation.where.by_sample.score_table`, by the sample's id.
    """
    return frame.drop(columns=scores.columns, errors="ignore").join(scores)


def choose(frame: geopandas.GeoDataFrame) -> list[tuple[Literal["best", "median", "worst"], int]]:
    """Ids of the samples to show, by mean IoU, each once; ties go by id."""
    ranked = frame.dropna(subset=["mean_iou"]).sort_values("mean_iou", ascending=False, kind="stable").index.to_list()
    middle = max(0, (len(ranked) - SHOWN) // 2)
    wanted: list[tuple[Literal["best", "median", "worst"], list[int]]] = [
        ("worst", ranked[::-1][:SHOWN]),
        ("median", ranked[middle : middle + SHOWN]),
        ("best", ranked[:SHOWN]),
    ]
    taken: set[int] = set()
    chosen: list[tuple[Literal["best", "median", "worst"], int]] = []
    for kind, numbers in wanted:
        for number in numbers:
            if number not in taken:
                taken.add(number)
                chosen.append((kind, number))
    return chosen[::-1]


def panels(frame: geopandas.GeoDataFrame, view: Callable[[int], SampleView], legend: Legend) -> list[SamplePanel]:
    """Pictures of the best, median and worst samples."""
    made = []
    for kind, number in choose(frame):
        row = frame.loc[number]
        place = f"column {row['col_off']}, row {row['row_off']}"
        caption = f"{row['scene']}, {place}: mean IoU {row['mean_iou']:.3f}, accuracy {row['accuracy']:.3f}"
        made.append(SamplePanel(kind=kind, caption=caption, png=sample_panel(view(number), legend.colors)))
    return made


def write_account(
    folder: Path, account: Account, samples: Sequence[SamplePanel], curves: Sequence[Mapping[str, Any]] = (), recipe_toml: str = ""
) -> None:
    """Write evaluation.json, then report.html: who finds the report finds everything."""
    evaluation = account.evaluation()
    write_text(folder / "evaluation.json", json.dumps(evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    report = Report(
        title=account.title,
        legend=account.legend,
        evaluation=evaluation,
        facts=account.facts,
        notices=account.notices,
        curves=curves,
        samples=samples,
        recipe_toml=recipe_toml,
    )
    write_report(folder / "report.html", report)
