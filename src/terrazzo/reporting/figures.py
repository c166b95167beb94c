"""Numbers as a reader sees them: rounded, with units, a dash where undefined."""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terrazzo.evaluation.scores import ClassScores, PixelScores
from terrazzo.labels.sentences import listed

DASH = "\u2013"
HECTARE_M2, SQUARE_KM_M2 = 1e4, 1e6
SQUARE_KM_FROM = 1e8
"""From this many square metres on, areas are told in square kilometres."""
MOST_NAMES = 6
"""That are told one by one in a sentence."""
RIGHT_TO_LEFT = frozenset({"R", "AL"})
ISOLATE, POP = "\u2068", "\u2069"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A key figure."""

    name: str
    figure: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class AreaUnit:
    """What areas are told in."""

    name: str
    size: float
    """Of one of it, in the unit of `evaluation.json`."""

    def text(self, area: float | None) -> str:
        """An area with three significant digits, without its unit."""
        return DASH if area is None else quantity(area / self.size)


def score_text(score: float | None) -> str:
    """Three decimals; 1.000 and 0.000 only for exactly that, a dash for an undefined score."""
    if score is None:
        return DASH
    if 0 < score < 1:
        score = min(max(score, 0.001), 0.999)
    return f"{score:.3f}"


def share_text(share: float) -> str:
    """A share as percents: 92.6 %, 0.31 %, never rounded to nothing or to everything."""
    if 0 < share < 0.0001:
        return "< 0.01 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace("%", " %") if share >= 0.01 else f"{share:.2%}".replace("%", " %")


def range_text(ends: Sequence[float] | None) -> str:
    """The ends of an interval of scores."""
    return DASH if ends is None else f"{score_text(ends[0])} to {score_text(ends[1])}"


def quantity(value: float) -> str:
    """A number with three significant digits, whole from 100 on, thousands apart: 0.0123, 4.56, 78.9, 12,346."""
    if not value:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def area_unit(unit: str, areas: Sequence[float | None]) -> AreaUnit:
    """The unit that suits the largest of the areas. unit: of `evaluation.json`, m2 or pixels."""
    if unit != "m2":
        return AreaUnit(name=unit, size=1)
    largest = max((area for area in areas if area is not None), default=0.0)
    if largest >= SQUARE_KM_FROM:
        return AreaUnit(name="km²", size=SQUARE_KM_M2)
    return AreaUnit(name="ha", size=HECTARE_M2) if largest >= HECTARE_M2 else AreaUnit(name="m²", size=1)


def named(name: str) -> str:
    """A name inside a sentence: nothing in it breaks the line or turns the direction of what follows."""
    plain = "".join(letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in name)
    turned = any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in plain)
    return f"{ISOLATE}{plain}{POP}" if turned else plain


def enumerated(names: Iterable[str]) -> str:
    """Names as a sentence has them: 'sea, land and ice'; of many, the first and how many more."""
    told = list(map(named, names))
    if len(told) < 2 or len(told) > MOST_NAMES:
        return listed(told, MOST_NAMES)
    return f"{', '.join(told[:-1])} and {told[-1]}"


def cards(evaluation: Mapping[str, Any]) -> list[Card]:
    """Key figures of an evaluation, the most telling first."""
    pixels: PixelScores = evaluation["pixels"]
    intervals = evaluation.get("intervals") or {}
    shown = [
        Card(name="Mean Dice", figure=score_text(pixels["mean_dice"]), meaning=_meaning("F1, every class alike", intervals, "mean_dice")),
        Card(name="Mean IoU", figure=score_text(pixels["mean_iou"]), meaning=_meaning("overlap, every class alike", intervals, "mean_iou")),
    ]
    weakest = weakest_class(pixels)
    if weakest:
        shown.append(Card(name="Weakest class", figure=score_text(weakest["f1"]), meaning=f"F1 of {named(weakest['name'])}"))
    shown.append(Card(name="Correlation", figure=score_text(pixels["mcc"]), meaning="Matthews; 0 is guessing"))
    shown.append(
        Card(name="Accuracy", figure=score_text(pixels["accuracy"]), meaning=_meaning("pixels that are right", intervals, "accuracy"))
    )
    calibration = evaluation.get("calibration")
    if calibration:
        shown.append(Card(name="Mean confidence", figure=score_text(calibration["mean_confidence"]), meaning="should equal accuracy"))
    objects = evaluation.get("objects")
    if objects:
        shown.append(Card(name="Object F2", figure=score_text(objects.get("f2")), meaning=named(str(objects.get("class", "objects")))))
    return shown


def lead(evaluation: Mapping[str, Any]) -> str:
    """What was scored, in a sentence."""
    pixels: PixelScores = evaluation["pixels"]
    images = evaluation.get("images")
    where = f" of {images:,} image{'' if images == 1 else 's'}" if images else ""
    part = f", {evaluation['part']} part" if evaluation.get("part") else ""
    return f"Scored on {labelled(pixels):,} labelled pixels{where}{part}."


def confusion_names(pixels: PixelScores) -> list[str]:
    """What the rows and columns of the confusion are: the classes, or the sets of classes that overlap."""
    return pixels.get("sets") or [entry["name"] for entry in pixels["classes"]]


def labelled(pixels: PixelScores) -> int:
    """How many pixels are in the scores."""
    return sum(map(sum, pixels["confusion"]))


def weakest_class(pixels: PixelScores) -> ClassScores | None:
    """The class with the lowest F1; None where fewer than two have any."""
    scored = [(entry["f1"], number, entry) for number, entry in enumerate(pixels["classes"]) if entry["f1"] is not None]
    return min(scored)[2] if len(scored) > 1 else None


def _meaning(words: str, intervals: Mapping[str, Any], name: str) -> str:
    ends = intervals.get(name)
    return words if ends is None else f"{words}; {range_text(ends)}"
