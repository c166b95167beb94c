"""The charts of a summary."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.canvas import figure_text
from terrazzo.drawing.distribution import BLUE, GREY, BandChart, Curve, band_png, classes_png, sheet_png
from terrazzo.labels.sentences import counted
from terrazzo.rasters.tables.figures import Figures
from terrazzo.workflows.summary import LABELLED, STORED, VALID, FileNames, Summary

TOLD = (1, 5, 25, 50, 75, 95, 99)
"""Percentiles beside a chart."""
MASKED = (190, 196, 204)
MARKED = (2, 50, 98)
"""Percentiles in it."""


Drawn = tuple[str, Callable[[], bytes]]
"""A file name, and what draws its PNG."""


def charts(summary: Summary, names: FileNames) -> Iterator[Drawn]:
    """The overview, each band, and each band by class."""
    bands = range(len(summary.content.bands))
    yield names.overview, lambda: sheet_png("Histograms of all bands", _source(summary), [_small(summary, band) for band in bands])
    for band, name in zip(bands, names.bands, strict=True):
        yield name, partial(_band_png, summary, band)
    for band, name in zip(bands, names.by_class, strict=False):
        yield name, partial(_classes_png, summary, band)


def _band_png(summary: Summary, band: int) -> bytes:
    return band_png(_band(summary, band))


def _classes_png(summary: Summary, band: int) -> bytes:
    return classes_png(_by_class(summary, band))


def _source(summary: Summary) -> str:
    content = summary.content
    tables = f"{counted(content.files, 'table')} of " if content.source == "tables" else ""
    pixels = "" if content.pixels is None else f", {content.pixels:,} pixels"
    return f"{tables}{counted(content.images, 'image')}{pixels}, {content.dtype.name}"


def _title(summary: Summary, band: int) -> str:
    title = summary.content.band_title(band)
    return title[0].upper() + title[1:]


def _shares(figures: Figures) -> NDArray[np.float64]:
    """Of the bins of the view, of all values of the figures."""
    return np.array(figures.seen[1:-1], np.float64) / max(figures.moments.count, 1)


def _band(summary: Summary, band: int) -> BandChart:
    figures = summary.bands[band][VALID]
    curves = [Curve(name="valid", color=BLUE, shares=_shares(figures))]
    stored = summary.bands[band].get(STORED)
    hidden = stored.moments.count - figures.moments.count if stored is not None else 0
    if stored is not None and hidden and figures.moments.count:
        # behind the valid ones, so that what is masked stands out above them
        behind = np.array(stored.seen[1:-1], np.float64) / figures.moments.count
        curves.insert(0, Curve(name="masked", color=MASKED, shares=behind))
    return _chart(
        summary,
        band,
        curves=curves,
        marks=[(f"{percent} %" if percent != 50 else "median", figures.percentiles[percent]) for percent in MARKED]
        if figures.percentiles
        else [],
        figures=_column(summary, band, hidden),
    )


def _column(summary: Summary, band: int, hidden: int) -> list[tuple[str, str]]:
    figures, share = summary.bands[band][VALID], summary.valid_share(band)
    told = figures.moments
    if not told.count:
        return [("values", "0")]
    return [
        ("values", f"{told.count:,}"),
        *([("valid", f"{share:.2%}")] if share is not None else []),
        *([("masked" if _out_of_view(summary, band) else "masked (grey)", f"{hidden:,}")] if hidden else []),
        ("mean", figure_text(told.mean)),
        ("sd", figure_text(told.sd)),
        ("min", figure_text(told.low)),
        *((f"{percent} %" if percent != 50 else "median", figure_text(figures.percentiles[percent])) for percent in TOLD),
        ("max", figure_text(told.high)),
    ]


def _out_of_view(summary: Summary, band: int) -> bool:
    """Whether all that is masked lies beyond the axis."""
    figures = summary.bands[band]
    return figures[STORED].seen[1:-1] == figures[VALID].seen[1:-1]


def _chart(
    summary: Summary, band: int, *, curves: list[Curve], marks: list[tuple[str, float]], figures: list[tuple[str, str]]
) -> BandChart:
    whole = summary.bands[band][VALID]
    view = whole.view
    beyond = (whole.seen[0] + whole.seen[-1]) / max(whole.moments.count, 1) if view is not None else 0.0
    return BandChart(
        title=_title(summary, band),
        subtitle=_source(summary) if whole.moments.count else "no valid values",
        low=view.low if view is not None else 0.0,
        high=view.high if view is not None else 1.0,
        curves=curves,
        marks=marks,
        figures=figures,
        note=f"{beyond:.2%} of the values lie beyond this axis" if beyond else "",
        x_label=f"value ({summary.content.dtype.name})",
    )


def _by_class(summary: Summary, band: int) -> BandChart:
    content, figures = summary.content, summary.bands[band]
    total = max(figures[LABELLED].moments.count, 1)
    curves, told = [], []
    for index, (entry, color) in enumerate(zip(content.classes or (), content.colors, strict=True)):
        found = figures[str(index)]
        curves.append(Curve(name=entry.name, color=color, shares=_shares(found), solid=False))
        spread = f", mean {figure_text(found.moments.mean)}, sd {figure_text(found.moments.sd)}" if found.moments.count else ""
        told.append((entry.name, f"{found.moments.count / total:.2%}{spread}"))
    without = figures[VALID].moments.count - figures[LABELLED].moments.count
    if without:
        rest = Curve(name="without a class", color=GREY, shares=np.zeros(len(curves[0].shares)), solid=False)
        curves.append(rest)
        told.append((rest.name, f"{without:,} values, not shown"))
    chart = _chart(summary, band, curves=curves, marks=[], figures=told)
    return replace(chart, y_label="% of the pixels of each class in a bin")


def _small(summary: Summary, band: int) -> BandChart:
    figures = summary.bands[band][VALID]
    mean = [("mean", figure_text(figures.moments.mean)), ("sd", figure_text(figures.moments.sd))] if figures.moments.count else []
    return _chart(summary, band, curves=[Curve(name="valid", color=BLUE, shares=_shares(figures))], marks=[], figures=mean)
