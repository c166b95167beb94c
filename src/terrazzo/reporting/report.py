"""The report of a run or an evaluation: one HTML page that needs no other file and no network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from terrazzo.drawing.matrix import confusion_matrix
from terrazzo.drawing.panels import PANEL_TITLES
from terrazzo.drawing.places import Place, places_map, score_steps
from terrazzo.drawing.rgb import ERROR_COLORS, FALSE_ALARM, MISSED, MIXED_UP, Picture
from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import Legend
from terrazzo.rasters.window import Shape
from terrazzo.rasters.write import write_text
from terrazzo.reporting.charts import precision_chart, reliability_chart, training_charts
from terrazzo.reporting.figures import cards, confusion_names, labelled, lead, score_text
from terrazzo.reporting.notices import score_notices
from terrazzo.reporting.summary import summary
from terrazzo.reporting.tables import area_table, class_table, edge_table, object_table, size_table, threshold_table

SECTIONS = {
    "classes": "Classes",
    "confusion": "Confusion",
    "objects": "Objects",
    "edges": "Edges",
    "probabilities": "Probabilities",
    "area": "Area",
    "places": "Where it is wrong",
    "samples": "Samples",
    "suspicious": "Suspicious labels",
    "training": "Training",
    "data": "Data and model",
    "files": "Files",
    "recipe": "Recipe",
}
"""Titles by the section's id, in the order of the page."""


@dataclass(frozen=True, kw_only=True)
class SamplePanel:
    """One sample as a picture."""

    kind: Literal["best", "median", "worst"]
    caption: str
    png: bytes
    """Of `drawing.panels.sample_panel`."""


@dataclass(frozen=True, kw_only=True)
class SceneMap:
    """An image and how good the map is at its samples."""

    name: str
    shape: Shape
    """(height, width) in pixels."""
    places: Sequence[Place]
    picture: Picture | None = None
    """The image, small."""


@dataclass(frozen=True, kw_only=True)
class SuspectLine:
    """A region where the model is sure of another class than the label's, as text."""

    scene: str
    place: str
    label: str
    predicted: str
    pixels: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a report tells; empty parts are left out of the page."""

    title: str
    legend: Legend
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    """What evaluation.json holds."""
    facts: Sequence[tuple[str, str]] = ()
    """Names and values of what was learned from: data, network, versions, machine."""
    notices: Sequence[str] = ()
    """What the reader must not miss; shown first, before those that the scores alone give reason for."""
    curves: Sequence[Mapping[str, Any]] = ()
    """Rows of metrics.jsonl."""
    scenes: Sequence[SceneMap] = ()
    """Of the error map."""
    scenes_left_out: int = 0
    samples: Sequence[SamplePanel] = ()
    suspicious: Sequence[SuspectLine] = ()
    suspicious_left_out: int = 0
    files: Sequence[tuple[str, str]] = ()
    """What lies beside the report, and what it is."""
    commands: Sequence[str] = ()
    """That make the same again."""
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
    legend, scores = report.legend, _scores(report)
    return environment.get_template("report.html.jinja").render(
        report=report,
        contents=_contents(report, scores),
        evaluation={"intervals": None, **report.evaluation},
        notices=[*report.notices, *score_notices(report.evaluation)],
        **scores,
        curves=training_charts(report.curves, legend.names),
        maps=[(scene.name, places_map(scene.name, scene.shape, scene.places, scene.picture)) for scene in report.scenes],
        parts={place.part for scene in report.scenes for place in scene.places},
        steps=[Key(color=hex_color(step.color), name=f"{step.low:.1f} to {step.high:.1f}") for step in score_steps()],
        samples=[_Picture(kind=sample.kind, caption=sample.caption, source=_data_url(sample.png)) for sample in report.samples],
        panel_titles=PANEL_TITLES,
        class_keys=[Key(color=hex_color(entry.color), name=entry.name) for entry in legend.sets.classes],
        error_keys=error_keys(legend.sets.names),
        score_text=score_text,
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


def _scores(report: Report) -> dict[str, Any]:
    """What is made of the figures of evaluation.json; a part that is missing is empty."""
    found, legend = report.evaluation, report.legend
    pixels = found.get("pixels")
    if pixels is None or not labelled(pixels):
        empty = ("lead", "summary", "cards", "classes", "confusion", "edges", "reliability", "precision", "thresholds", "area", "objects")
        return {**dict.fromkeys(empty, ""), "sizes": ""}
    boundary, calibration, thresholds, area, objects = (
        found.get(name) for name in ("boundary", "calibration", "thresholds", "area", "objects")
    )
    supports = [entry["support"] for entry in pixels["classes"]]
    return {
        "lead": lead(found),
        "summary": summary(found),
        "cards": cards(found),
        "classes": class_table(pixels, found.get("intervals"), legend),
        "confusion": confusion_matrix(pixels["confusion"], confusion_names(pixels)),
        "edges": edge_table(boundary, legend) if boundary else "",
        "reliability": reliability_chart(calibration) if calibration else "",
        "precision": precision_chart(thresholds, supports) if thresholds else "",
        "thresholds": threshold_table(thresholds, pixels, legend) if thresholds else "",
        "area": area_table(area, legend) if area else "",
        "objects": object_table(objects) if objects else "",
        "sizes": size_table(objects) if objects and objects["sizes"] else "",
    }


def _contents(report: Report, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The id and the title of each section that the page has."""
    there = {name: bool(scores[name]) for name in ("classes", "confusion", "objects", "edges", "area")}
    there |= {"probabilities": bool(scores["reliability"] or scores["precision"]), "places": bool(report.scenes)}
    there |= {"samples": bool(report.samples), "suspicious": bool(report.suspicious), "training": bool(report.curves)}
    there |= {"data": bool(report.facts), "files": bool(report.files or report.commands), "recipe": bool(report.recipe_toml)}
    return [(name, title) for name, title in SECTIONS.items() if there[name]]


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
