"""What the scores alone give reason to say aloud, in reports and on the terminal alike."""

from collections.abc import Mapping
from typing import Any

from terrazzo.evaluation.scores import PixelScores
from terrazzo.labels.sentences import listed
from terrazzo.reporting.figures import confusion_names, enumerated, labelled, named, share_text

RARE = 0.001
"""A class with a smaller share of the labelled pixels is rare."""


def score_notices(evaluation: Mapping[str, Any]) -> list[str]:
    """Sentences on maps of one class, classes that are never found, rare or not there, pixels without prediction, and missing intervals."""
    pixels: PixelScores | None = evaluation.get("pixels")
    if not pixels or not labelled(pixels):
        return []
    said = _shown_classes(pixels)
    total = labelled(pixels)
    if missed := pixels.get("unpredicted"):
        said.append(f"{missed:,} labelled pixels ({share_text(missed / (missed + total))}) have no prediction and are in no score.")
    absent = [entry["name"] for entry in pixels["classes"] if not entry["support"]]
    if absent:
        said.append(f"Not in the truth at all, so not judged: {enumerated(absent)}.")
    rare = [entry for entry in pixels["classes"] if 0 < entry["support"] < RARE * total]
    if rare:
        told = [f"{named(entry['name'])} ({entry['support']:,} px, {share_text(entry['support'] / total)})" for entry in rare]
        said.append(f"Rare in the truth, so that its scores rest on little: {listed(told)}.")
    missing = (evaluation.get("missing") or {}).get("intervals")
    if missing:
        said.append(f"How sure the scores are cannot be told. {missing}")
    return said


def never_found(pixels: PixelScores) -> list[str]:
    """Names of the classes that are in the truth and of which nothing is right in the map."""
    return [entry["name"] for entry in pixels["classes"] if entry["support"] and not entry["recall"]]


def _shown_classes(pixels: PixelScores) -> list[str]:
    shown = [sum(column) > 0 for column in zip(*pixels["confusion"], strict=True)]
    names = confusion_names(pixels)
    in_truth = sum(any(row) for row in pixels["confusion"])
    if sum(shown) == 1 and in_truth > 1:
        return [f"The map shows nothing but {named(names[shown.index(True)])}: no other class is found anywhere."]
    lost = never_found(pixels)
    return [f"Never found: {enumerated(lost)}."] if lost else []
