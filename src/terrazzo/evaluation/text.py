"""The scores of a map as plain text for the terminal."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from terrazzo.errors import UsageError
from terrazzo.evaluation.objects.scores import ObjectScores
from terrazzo.evaluation.scores import Means, PixelScores, Score

UNDEFINED = "-"
GAP = "  "
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that would break the line or cannot be encoded: control characters, lone surrogates, separators."""
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that would turn the writing direction of the rest of the line."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One more column of scores, such as those of a baseline."""

    title: str
    scores: Sequence[Score]
    """One a class, in the legend's order; None is shown as '-'."""


def class_table(scores: PixelScores, extra: Column | None = None) -> str:
    """Lay out the scores of each class and their plain mean, one class a line.

    Columns line up in a terminal whatever the script of the names; lines are never wrapped, coloured or cut, and there is
    no trailing space or newline. Line breaks and control characters in names are shown escaped, such as \\n.
    Raises UsageError if the extra column has not one score a class.
    """
    classes = scores["classes"]
    if extra is not None and len(extra.scores) != len(classes):
        raise UsageError(f"The column '{extra.title}' has {len(extra.scores)} scores for {len(classes)} classes; it must have one each.")
    rows = [
        ["class", "precision", "recall", "F1", "IoU", "support"],
        *([_printable(row["name"]), *_figures(row), str(row["support"])] for row in classes),
        ["mean", *_figures(scores["macro"]), str(sum(row["support"] for row in classes))],
    ]
    if extra is not None:
        column = [_printable(extra.title), *(_figure(score) for score in extra.scores), _figure(_mean(extra.scores))]
        rows = [[*row, figure] for row, figure in zip(rows, column, strict=True)]
    return aligned(rows)


def object_text(scores: ObjectScores) -> str:
    """The scores of objects in three lines."""
    ious = list(scores["by_iou"])
    lowest = scores["by_iou"][ious[0]]
    found = f"{scores['true']} in the labels, {scores['predicted']} in the map"
    fates = f"{lowest['matched']} matched, {lowest['missed']} missed, {lowest['false']} false"
    parts = {"precision": scores["precision"], "recall": scores["recall"], "F1": scores["f1"], "mean IoU": scores["mean_iou"]}
    figures = ", ".join(f"{title} {_figure(score)}" for title, score in parts.items())
    lines = [
        f"Objects of {_printable(scores['class'])}: {found}; at IoU {ious[0]}: {fates}.",
        f"{figures}, panoptic quality {_figure(scores['pq'])}.",
        f"Mean over IoU {ious[0]} to {ious[-1]} and images: F2 {_figure(scores['f2'])}, AP {_figure(scores['ap'])}.",
    ]
    return "\n".join(lines)


def score_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """What else an evaluation tells, a line each: how sure the means are, boundaries, calibration."""
    intervals, boundary, calibration = (evaluation.get(name) for name in ("intervals", "boundary", "calibration"))
    lines = []
    if intervals and intervals["mean_iou"]:
        low, high = intervals["mean_iou"]
        mean = evaluation["pixels"]["mean_iou"]
        lines.append(f"Mean IoU {mean:.3f}, 95 % interval {low:.3f} to {high:.3f} from {intervals['number']} {intervals['units']}.")
    if boundary and boundary["mean_iou"] is not None:
        distance = boundary["distance"]
        within = f"{distance:g} px" if distance >= 1 else f"{distance:g} of the diagonal"
        lines.append(f"Boundary F1 {_figure(boundary['mean_f1'])}, boundary IoU {_figure(boundary['mean_iou'])} within {within}.")
    if calibration:
        lines.append(f"Mean confidence {calibration['mean_confidence']:.3f}, expected calibration error {calibration['ece']:.3f}.")
    return [*lines, ""] if lines else []


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns, the first to the left, the others to the right; text that would break the lines is escaped."""
    rows = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: list[int]) -> str:
    """The name to the left, figures to the right; widths are in terminal cells, of which a character takes none, one or two."""
    spaces = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
    figures = [space + cell for cell, space in zip(row[1:], spaces[1:], strict=True)]
    return GAP.join([row[0] + spaces[0], *figures])


def _figures(scores: Means) -> list[str]:
    return [_figure(score) for score in (scores["precision"], scores["recall"], scores["f1"], scores["iou"])]


def _figure(score: Score) -> str:
    return UNDEFINED if score is None else f"{score:.3f}"


def _mean(scores: Sequence[Score]) -> Score:
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if defined else None


def _printable(name: str) -> str:
    return "".join(_escape(letter) if unicodedata.category(letter) in UNPRINTABLE or letter in TURNING else letter for letter in name)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
