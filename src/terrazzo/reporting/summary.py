"""An evaluation in plain words: what was judged, how good it is and for whom, what is worst, what to beware of.

Every number is one of evaluation.json, or the quotient of two counts in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from terrazzo.evaluation.scores import PixelScores
from terrazzo.labels.sentences import counted
from terrazzo.reporting.figures import area_unit, confusion_names, enumerated, labelled, named, score_text, share_text, weakest_class
from terrazzo.reporting.notices import never_found

PARTS = {
    "test": "the test part, which had no say in the training",
    "validation": "the validation part, by which the best epoch was chosen, so that the figures are a little too good",
    "train": "the training part itself",
}
FIT = (
    (0.9, "It is good enough to measure with at this cell size; look at single places where much depends on them."),
    (0.75, "It is good enough for areas and trends over many places; single ones need a look before anyone decides on them."),
    (0.5, "It is good enough for an overview and as a start for mapping by hand, not for measuring."),
    (0.0, "It is a first draft: it shows whether the task can be learned, and is too poor to measure or to decide by."),
)
"""What a map is good enough for, by the mean Dice from which on it is."""
CALIBRATED = 0.03
"""Up to this expected calibration error, probabilities are taken at their word."""


def summary(evaluation: Mapping[str, Any]) -> list[str]:
    """Four to seven sentences; none where no pixel is scored. evaluation: what evaluation.json holds."""
    pixels: PixelScores | None = evaluation.get("pixels")
    if not pixels or not labelled(pixels):
        return []
    return [
        *_judged(evaluation, pixels),
        *_overlap(evaluation, pixels),
        fitness(evaluation),
        *_classes(pixels),
        *_objects(evaluation),
        *_beware(evaluation),
    ]


def fitness(evaluation: Mapping[str, Any]) -> str:
    """For whom the map is good enough: by the mean Dice at the lower end of its interval, where it has one."""
    pixels: PixelScores = evaluation["pixels"]
    if evaluation.get("part") == "train":
        return "For whom it is good enough cannot be told: nothing was held out, and on ground that it learned from every model looks good."
    ends = (evaluation.get("intervals") or {}).get("mean_dice")
    sure = ends[0] if ends else pixels["mean_dice"]
    if lost := never_found(pixels):
        return f"It is of no use for {enumerated(lost)}, of which it finds nothing."
    if sum(any(row) for row in pixels["confusion"]) < 2:
        return "For whom it is good enough cannot be told: the labels hold a single class."
    return next(words for least, words in FIT if (sure or 0.0) >= least)


def _judged(evaluation: Mapping[str, Any], pixels: PixelScores) -> Iterator[str]:
    total, images, part = labelled(pixels), evaluation.get("images"), evaluation.get("part")
    where = f" in {counted(images, 'image')}" if images else ""
    of = f" of {PARTS[part]}" if part in PARTS else ""
    shown = enumerated(entry["name"] for entry in pixels["classes"])
    yield f"The map {'finds' if 'sets' in pixels else 'tells apart'} {shown}, and was compared with {total:,} labelled pixels{where}{of}."
    if pixels["accuracy"] is not None:
        supports = [sum(row) for row in pixels["confusion"]]
        most = max(range(len(supports)), key=supports.__getitem__)
        plain = f"a map of nothing but {named(confusion_names(pixels)[most])} would have {share_text(supports[most] / total)}"
        yield f"{share_text(pixels['accuracy'])} of these pixels are right{' in all classes' if 'sets' in pixels else ''}; {plain}."


def _overlap(evaluation: Mapping[str, Any], pixels: PixelScores) -> Iterator[str]:
    """The mean IoU, and how sure it is."""
    if pixels["mean_iou"] is None:
        return
    intervals = evaluation.get("intervals") or {}
    told = f"With every class counting alike, map and labels overlap by {score_text(pixels['mean_iou'])} (mean IoU, 1 is perfect)"
    if (ends := intervals.get("mean_iou")) is None:
        yield f"{told}; how far that would be off on other ground cannot be told from so few places."
        return
    low, high = (score_text(end) for end in ends)
    units = counted(intervals["number"], intervals["units"].removesuffix("s"))
    yield f"{told}; on other ground of the same kind, between {low} and {high} is to be expected (95 % interval from {units})."


def _classes(pixels: PixelScores) -> Iterator[str]:
    """The best and the worst class, and what becomes of the worst."""
    worst = weakest_class(pixels)
    if worst is None:
        return
    place = pixels["classes"].index(worst)
    best = max((entry for entry in pixels["classes"] if entry["f1"] is not None), key=lambda entry: entry["f1"] or 0.0)
    told = f"Best is {named(best['name'])} (F1 {score_text(best['f1'])}), worst {named(worst['name'])} (F1 {score_text(worst['f1'])})"
    parts = []
    if worst["recall"] is not None and worst["support"]:
        parts.append(f"{share_text(worst['recall']) if worst['recall'] else 'nothing'} of it is found")
    if worst["precision"] is not None and (worst["precision"] or "sets" in pixels or any(row[place] for row in pixels["confusion"])):
        parts.append(f"{share_text(worst['precision'])} of what is shown as it is right")
    lost = [(count, number) for number, count in enumerate(pixels["confusion"][place]) if number != place and count]
    if lost and "sets" not in pixels:
        parts.append(f"what is lost is mostly taken for {named(pixels['classes'][max(lost)[1]]['name'])}")
    yield f"{told}: {', '.join(parts[:-1])}{' and ' if len(parts) > 1 else ''}{parts[-1]}." if parts else f"{told}."


def _objects(evaluation: Mapping[str, Any]) -> Iterator[str]:
    objects = evaluation.get("objects")
    if not objects or not objects["by_iou"]:
        return
    iou, lowest = next(iter(objects["by_iou"].items()))
    kind = named(objects["class"])
    yield (
        f"Of {objects['true']:,} objects of {kind}, {lowest['matched']:,} are found (IoU of {iou} or more), "
        f"{lowest['missed']:,} are missed; of {objects['predicted']:,} in the map, {lowest['false']:,} are false."
    )


def _beware(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Areas that the errors put wrong, else probabilities that do not mean what they say."""
    shown = sum(sum(column) > 0 for column in zip(*evaluation["pixels"]["confusion"], strict=True))
    said = (_wrong_area(evaluation.get("area")) if shown > 1 else None) or _off(evaluation.get("calibration"))
    if said:
        yield said


def _wrong_area(area: Mapping[str, Any] | None) -> str | None:
    """The class whose area is furthest off, of those whose interval leaves out what the map shows."""
    found: list[tuple[float, int]] = []
    for number, entry in enumerate(area["classes"] if area else ()):
        ends = entry["clustered_interval"] or entry["interval"]
        if ends and entry["adjusted"] and entry["mapped"] and not ends[0] <= entry["mapped"] <= ends[1]:
            found.append((abs(entry["mapped"] / entry["adjusted"] - 1), number))
    if area is None or not found:
        return None
    entry = area["classes"][max(found)[1]]
    unit = area_unit(area["unit"], [each[name] for each in area["classes"] for name in ("mapped", "adjusted")])
    more = "more" if entry["mapped"] > entry["adjusted"] else "less"
    return (
        f"Beware of counting pixels: the map shows {unit.text(entry['mapped'])} {unit.name} of {named(entry['name'])}, {more} than the "
        f"{unit.text(entry['adjusted'])} {unit.name} that there are once its errors are corrected for."
    )


def _off(calibration: Mapping[str, Any] | None) -> str | None:
    if not calibration or calibration["ece"] is None or calibration["ece"] <= CALIBRATED:
        return None
    sure, right = calibration["mean_confidence"], calibration["accuracy"]
    how = "surer of itself than it should be" if sure > right else "less sure of itself than it could be"
    return f"Beware of its probabilities: the model is {how}, {share_text(sure)} on average where {share_text(right)} is right."
