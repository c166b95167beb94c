"""Comparisons to look at: places where maps differ most, and the curves of runs side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.chart import Series, line_chart
from terrazzo.drawing.curves import Row, loss_of, mean_dice_of
from terrazzo.drawing.rgb import Picture, colorize, error_rgb, to_rgb
from terrazzo.drawing.sheet import Sheet, SheetKey, SheetRow, sheet_png
from terrazzo.labels.colors import Color
from terrazzo.labels.legend import IGNORE
from terrazzo.training.metrics import MetricsLog
from terrazzo.workflows.comparison.contestants import Contestant
from terrazzo.workflows.comparison.places import Place
from terrazzo.workflows.comparison.shared_rows import Meeting, shared_rows
from terrazzo.workflows.comparison.truth import RunLabels

PLACES = 8
"""Places that are shown."""
FIRST_RIGHT: Color = (232, 62, 160)
SECOND_RIGHT: Color = (110, 231, 135)
NONE_RIGHT: Color = (255, 255, 255)


def difference_kinds(truth: NDArray[np.uint8], predicted: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """0 all right or not judged, 1 only the first right, 2 the first wrong but another right, 3 none right."""
    right = np.stack([each == truth for each in predicted])
    kinds = np.zeros(truth.shape, np.uint8)
    kinds[right[0] & ~right.all(axis=0)] = 1
    kinds[~right[0] & right.any(axis=0)] = 2
    kinds[~right.any(axis=0)] = 3
    kinds[truth == IGNORE] = 0
    return kinds


def difference_sheet(places: Sequence[Place], meeting: Meeting) -> bytes | None:
    """The places as PNG: image where it is at hand, truth, each map, and who is right; None where maps do not differ."""
    shown = sorted(places, reverse=True)[:PLACES]
    if not shown:
        return None
    names = meeting.names
    second = f"only {names[1]} right" if len(names) == 2 else f"{names[0]} wrong, another right"
    keys = [SheetKey(color=entry.color, name=entry.name) for entry in meeting.legends[0].classes]
    keys += [SheetKey(color=FIRST_RIGHT, name=f"only {names[0]} right" if len(names) == 2 else f"{names[0]} right, another wrong")]
    keys += [SheetKey(color=SECOND_RIGHT, name=second), SheetKey(color=NONE_RIGHT, name="none right")]
    rows = [
        SheetRow(
            caption=f"{place.scene}, column {place.window.col_off}, row {place.window.row_off}: {place.pixels:,} pixels differ",
            pictures=_pictures(place, meeting),
        )
        for place in shown
    ]
    headings = [*(["Image"] if isinstance(meeting.truth, RunLabels) else []), "Truth", *names, "Who is right"]
    return sheet_png(Sheet(title="Where the maps differ most", headings=headings, rows=rows, keys=keys))


def _pictures(place: Place, meeting: Meeting) -> list[Picture]:
    (rows,) = shared_rows(place.scene, meeting, place.window)
    colors = meeting.legends[0].colors
    known = colorize(rows.truth, colors)
    image: list[Picture] = []
    if isinstance(meeting.truth, RunLabels):
        pixels = meeting.truth.image(place.scene, place.window)
        image = [to_rgb(pixels.values, pixels.valid)]
    below = error_rgb(np.where(rows.truth == IGNORE, IGNORE, 0).astype(np.uint8), image[0] if image else known)
    kinds = difference_kinds(rows.truth, rows.predicted)
    for kind, color in enumerate((FIRST_RIGHT, SECOND_RIGHT, NONE_RIGHT), 1):
        below[kinds == kind] = color
    return [*image, known, *(colorize(each, colors) for each in rows.predicted), below]


def run_charts(contestants: Sequence[Contestant]) -> list[str]:
    """Loss and scores of the runs over their epochs, as SVG text; nothing where fewer than two are runs."""
    runs = [(each.name, each.run) for each in contestants if each.run is not None]
    if len(runs) < 2:
        return []
    logs: list[tuple[str, Sequence[Row]]] = [(name, MetricsLog(run.folder.metrics).rows()) for name, run in runs]
    charts = (("Training loss", loss_of, None), ("Mean Dice on validation", mean_dice_of, 1.0))
    made = []
    for title, points, most in charts:
        lines = [Series(name=name, points=found) for name, rows in logs if (found := points(rows))]
        if lines:
            made.append(line_chart(title, lines, x_label="epoch", y_most=most))
    return made
