"""The report of a run or an evaluation: one HTML page that needs no other file and no network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from terrazzo.drawing.curves import loss_curve, score_curve
from terrazzo.drawing.matrix import confusion_matrix
from terrazzo.drawing.panels import PANEL_TITLES
from terrazzo.drawing.rgb import ERROR_COLORS, FALSE_ALARM, MISSED, MIXED_UP
from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import Legend
from terrazzo.rasters.write import write_text
from terrazzo.reporting.figures import Card, ClassTable, cards, class_table, lead, own_notices


@dataclass(frozen=True, kw_only=True)
class SamplePanel:
    """One sample as a picture."""

    kind: Literal["best", "median", "worst"]
    caption: str
    png: bytes
    """Of `drawing.panels.sample_panel`."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a report tells; empty parts are left out of the page."""

    title: str
    legend: Legend
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    """What evaluation.json holds; `pixels` is shown."""
    facts: Sequence[tuple[str, str]] = ()
    """Names and values of the provenance: versions, machine, files, times."""
    notices: Sequence[str] = ()
    """What the reader must not miss; shown first."""
    curves: Sequence[Mapping[str, Any]] = ()
    """Rows of metrics.jsonl."""
    samples: Sequence[SamplePanel] = ()
    recipe_toml: str = ""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A colour and what it stands for."""

    color: str
    name: str


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A sample as the template shows it."""

    kind: str
    caption: str
    source: str


def write_report(path: Path, report: Report) -> None:
    """Write the page, whole or not at all. Raises EnvironmentFault if it cannot be written."""
    write_text(path, render(report))


def render(report: Report) -> str:
    """The page as text. All text is escaped; it asks for nothing outside itself."""
    environment = Environment(
        loader=PackageLoader("terrazzo.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pixels = report.evaluation.get("pixels")
    names = report.legend.names
    table: ClassTable | None = class_table(pixels, report.legend) if pixels else None
    shown_cards: list[Card] = cards(report.evaluation) if pixels else []
    return environment.get_template("report.html.jinja").render(
        report=report,
        lead=lead(report.evaluation) if pixels else "",
        notices=[*report.notices, *own_notices(pixels)],
        cards=shown_cards,
        table=table,
        confusion=confusion_matrix(pixels["confusion"], names) if pixels else "",
        charts=[loss_curve(report.curves), score_curve(report.curves, names)] if report.curves else [],
        samples=[_Picture(kind=sample.kind, caption=sample.caption, source=_data_url(sample.png)) for sample in report.samples],
        panel_titles=PANEL_TITLES,
        class_keys=[Key(color=hex_color(entry.color), name=entry.name) for entry in report.legend.classes],
        error_keys=error_keys(names),
    )


def error_keys(names: Sequence[str]) -> list[Key]:
    """What the colours of the error panel mean for classes of these names."""
    first = names[0]
    keys = [
        Key(color=hex_color(ERROR_COLORS[MISSED]), name=f"missed: predicted as {first}"),
        Key(color=hex_color(ERROR_COLORS[FALSE_ALARM]), name=f"false alarm: truth is {first}"),
    ]
    if len(names) > 2:
        keys.append(Key(color=hex_color(ERROR_COLORS[MIXED_UP]), name="one of the other classes taken for another"))
    return keys


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
