"""The figures of an evaluation as a reader sees them: rounded, named, a dash where undefined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from terrazzo.evaluation.scores import ClassScores, Means, PixelScores
from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed

DASH = "\u2013"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A key figure."""

    name: str
    figure: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class MeanRow:
    """Scores as text."""

    name: str
    precision: str
    recall: str
    f1: str
    iou: str


@dataclass(frozen=True, kw_only=True)
class ClassRow(MeanRow):
    """A class, its colour and its scores as text; percents are the lengths of bars, 0 to 100."""

    color: str
    f1_percent: str
    iou_percent: str
    support: str
    share: str


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """Scores of the classes and their means."""

    rows: list[ClassRow]
    means: list[MeanRow]
    undefined: bool
    """Whether a class has no scores."""


def score_text(score: float | None) -> str:
    """Three decimals; 1.000 and 0.000 only for exactly that, a dash for an undefined score."""
    if score is None:
        return DASH
    if 0 < score < 1:
        score = min(max(score, 0.001), 0.999)
    return f"{score:.3f}"


def share_text(share: float) -> str:
    """A share as percents: 92.6 %, 0.31 %, never rounded to nothing."""
    if 0 < share < 0.0001:
        return "< 0.01 %"
    return f"{share:.1%}".replace("%", " %") if share >= 0.01 else f"{share:.2%}".replace("%", " %")


def class_table(pixels: PixelScores, legend: Legend) -> ClassTable:
    """The table of `evaluation.json`'s pixels; a class that the legend does not know is grey."""
    colors = {entry.value: hex_color(entry.color) for entry in legend.classes}
    total = sum(entry["support"] for entry in pixels["classes"])
    return ClassTable(
        rows=[_class_row(entry, colors.get(entry["value"], "#808080"), total) for entry in pixels["classes"]],
        means=[_mean_row("mean of the classes", pixels["macro"]), _mean_row("mean weighted by pixels", pixels["weighted"])],
        undefined=any(entry["f1"] is None for entry in pixels["classes"]),
    )


def cards(evaluation: Mapping[str, Any]) -> list[Card]:
    """Key figures of an evaluation, the most telling first."""
    pixels: PixelScores = evaluation["pixels"]
    shown = [
        Card(name="Mean Dice", figure=score_text(pixels["mean_dice"]), meaning="F1, every class alike"),
        Card(name="Mean IoU", figure=score_text(pixels["mean_iou"]), meaning="overlap, every class alike"),
    ]
    weakest = _weakest(pixels)
    if weakest:
        shown.append(Card(name="Weakest class", figure=score_text(weakest["f1"]), meaning=f"F1 of {weakest['name']}"))
    shown.append(Card(name="Correlation", figure=score_text(pixels["mcc"]), meaning="Matthews; 0 is guessing"))
    shown.append(Card(name="Accuracy", figure=score_text(pixels["accuracy"]), meaning="pixels that are right"))
    objects = evaluation.get("objects")
    if objects:
        shown.append(Card(name="Object F2", figure=score_text(objects.get("f2")), meaning=str(objects.get("class", "objects"))))
    return shown


def lead(evaluation: Mapping[str, Any]) -> str:
    """What was scored, in a sentence."""
    pixels: PixelScores = evaluation["pixels"]
    counted = sum(entry["support"] for entry in pixels["classes"])
    images = evaluation.get("images")
    where = f" of {images:,} image{'' if images == 1 else 's'}" if images else ""
    return f"Scored on {counted:,} labelled pixels{where}."


def own_notices(pixels: PixelScores | None) -> list[str]:
    """What the scores alone give reason to say aloud."""
    if not pixels:
        return []
    said = []
    if pixels.get("unpredicted"):
        said.append(f"{pixels['unpredicted']:,} labelled pixels have no prediction and are in no score.")
    missing = [entry["name"] for entry in pixels["classes"] if not entry["support"]]
    if missing:
        said.append(f"Not in the truth at all, so not judged: {listed(missing)}.")
    return said


def _weakest(pixels: PixelScores) -> ClassScores | None:
    scored = [(entry["f1"], number, entry) for number, entry in enumerate(pixels["classes"]) if entry["f1"] is not None]
    return min(scored)[2] if len(scored) > 1 else None


def _class_row(entry: ClassScores, color: str, total: int) -> ClassRow:
    return ClassRow(
        name=entry["name"],
        color=color,
        precision=score_text(entry["precision"]),
        recall=score_text(entry["recall"]),
        f1=score_text(entry["f1"]),
        iou=score_text(entry["iou"]),
        f1_percent=f"{100 * (entry['f1'] or 0):.1f}",
        iou_percent=f"{100 * (entry['iou'] or 0):.1f}",
        support=f"{entry['support']:,}",
        share=share_text(entry["support"] / total) if total else DASH,
    )


def _mean_row(name: str, means: Means) -> MeanRow:
    return MeanRow(
        name=name,
        precision=score_text(means["precision"]),
        recall=score_text(means["recall"]),
        f1=score_text(means["f1"]),
        iou=score_text(means["iou"]),
    )
