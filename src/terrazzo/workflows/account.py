"""The account of a map: evaluation.json, the tables beside it, scores of each sample, and the report, for runs and evaluations alike."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import geopandas
import pandas as pd

from terrazzo.drawing.panels import SampleView, sample_panel
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.labels.legend import Legend
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import write_text
from terrazzo.reporting.report import Report, SamplePanel, SceneMap, write_report
from terrazzo.workflows.account_tables import TABLES, write_tables
from terrazzo.workflows.all_scores import all_scores
from terrazzo.workflows.objects import LAYER_NAME, TABLE_NAME
from terrazzo.workflows.report_files import described_files
from terrazzo.workflows.report_places import suspect_lines

SHOWN = 2
"""Samples shown of each kind: best, median, worst."""
EVALUATION, SAMPLES, REPORT = "evaluation.json", "samples.parquet", "report.html"
ERROR_MAP, SUSPICIOUS = "error_map.gpkg", "suspicious.parquet"
ACCOUNT_FILES = (EVALUATION, SAMPLES, *TABLES, LAYER_NAME, TABLE_NAME, ERROR_MAP, SUSPICIOUS, REPORT)


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is told of a map."""

    title: str
    legend: Legend
    tally: SetTally
    options: EvaluationOptions
    grids: Sequence[Grid]
    """Of the maps."""
    images: int
    part: str | None
    """The part of the split that was evaluated; None where there is no split."""
    facts: Sequence[tuple[str, str]]
    notices: Sequence[str] = ()
    made_from: str | None = None
    """What tells inputs and options from others."""

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """What evaluation.json holds."""
        found: dict[str, Any] = {
            **all_scores(self.tally, self.legend, self.options, self.grids),
            "samples": SAMPLES,
            "images": self.images,
            "valid_pixels": self.tally.total.confusion.pixels,
        }
        if self.part is not None:
            found["part"] = self.part
        if self.made_from is not None:
            found["made_from"] = self.made_from
        return found


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a report shows beside the scores."""

    samples: Sequence[SamplePanel]
    scenes: Sequence[SceneMap] = ()
    scenes_left_out: int = 0
    suspicious: geopandas.GeoDataFrame | None = None
    """Of `where.layers.suspicious_table`."""
    curves: Sequence[Mapping[str, Any]] = ()
    """Rows of metrics.jsonl."""
    commands: Sequence[str] = ()
    """That make the same again."""
    recipe_toml: str = ""


def versions() -> dict[str, str]:
    """What the figures were made with."""
    return {name: version(name) for name in ("terrazzo", "torch", "numpy", "rasterio")} | {"python": platform.python_version()}


def versions_text() -> str:
    """The same in a line."""
    return ", ".join(f"{name} {number}" for name, number in versions().items())


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
        made.append(SamplePanel(kind=kind, caption=caption, png=sample_panel(view(number), legend.sets.colors)))
    return made


def made_from_of(folder: Path) -> str | None:
    """What the evaluation in a folder says it was made from; None if it says nothing, or is not there."""
    try:
        found = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    made_from = found.get("made_from") if isinstance(found, dict) else None
    return made_from if isinstance(made_from, str) else None


def write_scores(folder: Path, account: Account) -> None:
    """Write evaluation.json, and the same as tables: an evaluation claims its folder by the first."""
    write_text(folder / EVALUATION, json.dumps(account.evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    write_tables(folder, account.evaluation, account.tally)


def write_page(folder: Path, account: Account, shown: Shown) -> None:
    """Write report.html, after everything else: who finds it finds all."""
    suspicious, more = suspect_lines(shown.suspicious)
    report = Report(
        title=account.title,
        legend=account.legend,
        evaluation=account.evaluation,
        facts=account.facts,
        notices=account.notices,
        curves=shown.curves,
        scenes=shown.scenes,
        scenes_left_out=shown.scenes_left_out,
        samples=shown.samples,
        suspicious=suspicious,
        suspicious_left_out=more,
        files=described_files(folder),
        commands=shown.commands,
        recipe_toml=shown.recipe_toml,
    )
    write_report(folder / REPORT, report)
