"""The tables of a report, cell by cell as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from terrazzo.evaluation.scores import Means, PixelScores
from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import Legend
from terrazzo.reporting.figures import DASH, area_unit, labelled, range_text, score_text, share_text

UNKNOWN = "#808080"
"""Of a class that the legend does not know."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A figure; beside it a bar, where it is a share."""

    text: str
    bar: float | None = None
    """0 to 1: its length."""
    ends: tuple[float, float] | None = None
    """0 to 1: the interval that is marked on the bar."""
    small: str = ""
    """What stands below the figure."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What it is of, and its cells."""

    name: str
    cells: Sequence[Cell]
    color: str = ""
    """#rrggbb, of the swatch before the name; empty: none."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a heading for each column, the first above the names."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Row]
    foot: Sequence[Row] = field(default_factory=list)


def class_table(pixels: PixelScores, intervals: Mapping[str, Any] | None, legend: Legend) -> Table:
    """Scores of the classes and their means, with the intervals of F1 and IoU where there are any."""
    total = labelled(pixels)
    rows = []
    for number, entry in enumerate(pixels["classes"]):
        ends = intervals["classes"][number] if intervals else {}
        share = share_text(entry["support"] / total) if total else DASH
        cells = [
            *_plain(entry["precision"], entry["recall"]),
            _scored(entry["f1"], ends.get("f1")),
            _scored(entry["iou"], ends.get("iou")),
            *_plain(entry["f2"]),
            Cell(text=f"{entry['support']:,}", small=share),
        ]
        rows.append(Row(name=entry["name"], color=_color(entry["value"], legend), cells=cells))
    return Table(
        caption="Scores of each class",
        headings=("Class", "Precision", "Recall", "F1 (Dice)", "IoU", "F2", "Pixels in the truth"),
        rows=rows,
        foot=[_mean_row("mean of the classes", pixels["macro"]), _mean_row("mean weighted by pixels", pixels["weighted"])],
    )


def edge_table(boundary: Mapping[str, Any], legend: Legend) -> Table:
    """How well outlines agree."""
    rows = [
        Row(
            name=entry["name"],
            color=_color(entry["value"], legend),
            cells=[*_plain(entry["precision"], entry["recall"]), _scored(entry["f1"]), _scored(entry["iou"])],
        )
        for entry in boundary["classes"]
    ]
    mean = Row(name="mean of the classes", cells=_plain(None, None, boundary["mean_f1"], boundary["mean_iou"]))
    headings = ("Class", "Precision", "Recall", "Boundary F1", "Boundary IoU")
    return Table(caption="Scores of the outlines of each class", headings=headings, rows=rows, foot=[mean])


def threshold_table(thresholds: Mapping[str, Any], pixels: PixelScores, legend: Legend) -> Table:
    """The best threshold of each class, and what it would bring."""
    rows = [
        Row(
            name=entry["name"],
            color=_color(entry["value"], legend),
            cells=_plain(entry["average_precision"], entry["best_threshold"], entry["best_f1"], now["f1"]),
        )
        for entry, now in zip(thresholds["classes"], pixels["classes"], strict=True)
    ]
    headings = ("Class", "Average precision", "Best threshold", "F1 there", "F1 of the map")
    return Table(caption="Thresholds of each class", headings=headings, rows=rows)


def area_table(area: Mapping[str, Any], legend: Legend) -> Table:
    """What the map shows of each class, what there is once its errors are corrected for, and how sure."""
    unit = area_unit(area["unit"], [entry[name] for entry in area["classes"] for name in ("mapped", "adjusted")])
    rows = []
    for entry in area["classes"]:
        ends = entry["clustered_interval"] or entry["interval"]
        interval = DASH if ends is None else f"{unit.text(ends[0])} to {unit.text(ends[1])}"
        cells = [
            Cell(text=unit.text(entry["mapped"])),
            Cell(text=unit.text(entry["adjusted"])),
            Cell(text=interval),
            _with_error(entry["users_accuracy"], entry["users_accuracy_se"]),
            _with_error(entry["producers_accuracy"], entry["producers_accuracy_se"]),
        ]
        rows.append(Row(name=entry["name"], color=_color(entry["value"], legend), cells=cells))
    headings = ("Class", f"In the map, {unit.name}", f"Corrected, {unit.name}", "95 % interval", "User's accuracy", "Producer's accuracy")
    return Table(caption="Area of each class", headings=headings, rows=rows)


def object_table(objects: Mapping[str, Any]) -> Table:
    """Objects at each IoU that counts as found."""
    rows = [
        Row(name=iou, cells=[*_fates(entry), *_plain(objects["f2_by_iou"][iou], objects["ap_by_iou"][iou])])
        for iou, entry in objects["by_iou"].items()
    ]
    mean = Row(name="mean", cells=[*[Cell(text="")] * 6, *_plain(objects["f2"], objects["ap"])])
    headings = ("IoU at least", "Found", "Missed", "False", "Precision", "Recall", "F1", "F2, mean over images", "AP, mean over images")
    return Table(caption="Objects by the overlap that counts as found", headings=headings, rows=rows, foot=[mean])


def size_table(objects: Mapping[str, Any]) -> Table:
    """Objects of each size, at the lowest IoU."""
    rows = [Row(name=_size(entry), cells=_fates(entry)) for entry in objects["sizes"]]
    headings = ("Size in pixels", "Found", "Missed", "False", "Precision", "Recall", "F1")
    return Table(caption="Objects by their size", headings=headings, rows=rows)


def _size(entry: Mapping[str, Any]) -> str:
    low, high = entry["from_px"], entry["to_px"]
    if high is None:
        return f"{low:,} and more"
    return f"below {high:,}" if not low else f"{low:,} to {high - 1:,}"


def _fates(entry: Mapping[str, Any]) -> list[Cell]:
    counts = [Cell(text=f"{entry[name]:,}") for name in ("matched", "missed", "false")]
    return [*counts, *_plain(entry["precision"], entry["recall"]), _scored(entry["f1"])]


def _plain(*scores: float | None) -> list[Cell]:
    return [Cell(text=score_text(score)) for score in scores]


def _scored(score: float | None, ends: Sequence[float] | None = None) -> Cell:
    """A score with its bar."""
    if score is None:
        return Cell(text=DASH)
    return Cell(
        text=score_text(score),
        bar=score,
        ends=None if ends is None else (ends[0], ends[1]),
        small="" if ends is None else range_text(ends),
    )


def _with_error(score: float | None, error: float | None) -> Cell:
    return Cell(text=score_text(score), small="" if error is None else f"± {score_text(error)}")


def _mean_row(name: str, means: Means) -> Row:
    return Row(name=name, cells=[*_plain(means["precision"], means["recall"], means["f1"], means["iou"], means["f2"]), Cell(text="")])


def _color(value: int, legend: Legend) -> str:
    colors = {entry.value: hex_color(entry.color) for entry in legend.classes}
    return colors.get(value, UNKNOWN)
