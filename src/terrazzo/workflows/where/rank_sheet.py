"""Ranked samples as a sheet of pictures: image, truth, prediction, errors, and how likely the model held the class."""

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.drawing.overlay import overlay_classes, overlay_probabilities
from terrazzo.drawing.rgb import ERROR_COLORS, FALSE_ALARM, MISSED, MIXED_UP, Picture, error_kinds, error_rgb, to_rgb
from terrazzo.drawing.sheet import Sheet, SheetKey, SheetRow, sheet_png
from terrazzo.labels.bits import to_bits
from terrazzo.labels.colors import Color
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.window import Window
from terrazzo.samples.rows import Sample, rows_by_scene
from terrazzo.samples.table import Samples
from terrazzo.workflows.where.finished import FinishedRun, said_of

HALF = 32767
"""Probabilities above it, of classes that overlap, say that a class is there."""
MOST_ROWS = 24
"""Samples on a sheet."""
RANKED: Color = (213, 94, 0)
AUDIT: Color = (0, 114, 178)
CAPTION = ("loss", "entropy", "margin", "mean_dice", "suspicious", "disagreement")


def rank_sheet(run: FinishedRun, ranked: pd.DataFrame, predictor: Predictor, title: str) -> bytes:
    """The first of the ranked samples as PNG, predicted anew. ranked: rows of the samples table, with rank and chosen."""
    shown = ranked.iloc[:MOST_ROWS]
    samples = replace(run.samples, frame=run.samples.frame.loc[shown.index])
    said = _said(run, samples, predictor)
    legend = run.samples.legend
    rows = [
        SheetRow(
            caption=_caption(row),
            pictures=_pictures(run, sample, said[sample.id]),
            mark=AUDIT if row["chosen"] == "audit" else RANKED,
        )
        for row, sample in zip(shown.to_dict("records"), _in_order(samples, shown.index), strict=True)
    ]
    two = len(legend.classes) == 2 and not legend.overlapping
    largest = "largest probability of a class" if legend.overlapping else "probability of the predicted class"
    probability = f"probability of {legend.names[1]}" if two else largest
    headings = ["Image", "Truth", "Prediction", "Errors", probability[0].upper() + probability[1:]]
    return sheet_png(Sheet(title=title, headings=headings, rows=rows, keys=_keys(legend, shown), scale=(0.5 if two else 0.0, probability)))


def _in_order(samples: Samples, ids: "pd.Index[int]") -> list[Sample]:
    members = {sample.id: sample for each in rows_by_scene(samples).values() for sample in each}
    return [members[number] for number in ids]


def _said(run: FinishedRun, samples: Samples, predictor: Predictor) -> dict[int, NDArray[np.uint16]]:
    """(classes, height, width) probabilities of each sample."""
    found: dict[int, NDArray[np.uint16]] = {}
    for scene, members in rows_by_scene(samples).items():
        for sample in members:
            found[sample.id] = np.zeros((len(samples.legend.classes), *sample.window.shape), np.uint16)
        for rows in said_of(run, scene, predictor, members, lambda _: None):
            height, width = rows.probabilities.shape[1:]
            band = Window(col_off=0, row_off=rows.row_off, width=width, height=height)
            for sample in members:
                if (inner := sample.window.intersection(band)) is not None:
                    found[sample.id][:, *inner.inside(sample.window)] = rows.probabilities[:, *inner.inside(band)]
    return found


def _pictures(run: FinishedRun, sample: Sample, said: NDArray[np.uint16]) -> list[Picture]:
    pixels, truth = run.store.read(sample.scene, sample.window)
    legend = run.samples.legend
    colors = legend.sets.colors
    picture = to_rgb(pixels.values, pixels.valid)
    known = said.any(axis=0)
    decided = to_bits(said > HALF) if legend.overlapping else said.argmax(axis=0)
    predicted = np.where(known, decided, IGNORE).astype(np.uint8)
    two = len(colors) == 2
    probability = np.where(known, (said[1] if two else said.max(axis=0)) / 65535, np.nan)
    return [
        picture,
        overlay_classes(picture, truth, colors),
        overlay_classes(picture, predicted, colors),
        error_rgb(error_kinds(truth, predicted), picture),
        overlay_probabilities(picture, probability, 0.5 if two else 0.0),
    ]


def _caption(row: Mapping[Hashable, object]) -> str:
    figures = [f"{name.replace('mean_dice', 'mean Dice')} {value:.3f}" for name in CAPTION if isinstance(value := row.get(name), float)]
    place = f"{row['scene']}, column {row['col_off']}, row {row['row_off']}, {row['split']}"
    audit = " (drawn at random)" if row["chosen"] == "audit" else ""
    return f"{row['rank']}{audit}   {place}: {', '.join(figures)}"


def _keys(legend: Legend, shown: pd.DataFrame) -> list[SheetKey]:
    first = legend.sets.names[0]
    keys = [SheetKey(color=entry.color, name=entry.name) for entry in legend.sets.classes[1:]]
    keys += [
        SheetKey(color=ERROR_COLORS[MISSED], name=f"missed: predicted as {first}"),
        SheetKey(color=ERROR_COLORS[FALSE_ALARM], name=f"false alarm: truth is {first}"),
    ]
    if len(legend.sets.classes) > 2:
        keys.append(SheetKey(color=ERROR_COLORS[MIXED_UP], name="one of the other classes for another"))
    keys.append(SheetKey(color=RANKED, name="ranked"))
    return [*keys, SheetKey(color=AUDIT, name="drawn at random from the rest")] if (shown["chosen"] == "audit").any() else keys
