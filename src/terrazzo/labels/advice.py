"""Errors about masks that hold no class values, with the legend that would make some of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import nearest_color, shown
from terrazzo.labels.sentences import counted, listed, number

HISTOGRAM_BINS = 8
MOST_CLASSES = 32
"""More different values or colours than this are not taken for classes, unless a legend names them."""
PEAK_SHARE = 0.01
"""Values and colours of at least this share of the pixels stand out..."""
PEAK_DISTANCE = 32
"""...if they are as far from more frequent ones, in levels; colours in the sum of the three squared and rooted."""


def smeared_values(counts: Mapping[float, int], *, lossy: bool, snap: bool = False) -> LabelError:
    """The error for grey masks: a histogram of their values, and the options that would make classes of them.

    counts: raw value to pixels. lossy: whether compression may have changed the values. snap: whether that option is set already.
    """
    values, pixels = np.array(list(counts), np.float64), np.array(list(counts.values()), np.float64)
    values, pixels = values[np.isfinite(values)], pixels[np.isfinite(values)]
    found = f"{len(counts)} different values ({_histogram(values, pixels)})"
    threshold = f"threshold = {_middle(values)} (values above it are class 1)"
    if _are_numbered(values, pixels) and not lossy and not snap:
        return LabelError(
            f"The masks hold {found}.\nIf they are the numbers of objects, set [legend] encoding = 'instances'; "
            f"if they are grey, for two classes set {threshold}."
        )
    why = "smeared by JPEG compression" if lossy else "grey, not class values: resampled, anti-aliased or compressed"
    remap = _peak_remap(values, pixels)
    if snap:
        return LabelError(
            f"The masks look {why}: {found}.\nTell [legend] snap the right values by remap{remap[0] if remap else ', values or classes'}."
        )
    more = f"; for {remap[1]} set snap = true and remap{remap[0]}" if remap else "; for more classes set snap = true with remap"
    return LabelError(f"The masks look {why}: {found}.\nFor two classes set [legend] {threshold}{more}.")


def colors_wanted(counts: Mapping[float, int], options: LegendOptions) -> LabelError:
    """The error for masks of colours without a legend of colours: one to paste, of the colours found.

    counts: raw value to pixels.
    """
    if len(counts) > MOST_CLASSES:
        return smeared_colors(counts, options)
    frequent = sorted(counts, key=lambda raw: -counts[raw])
    return LabelError(
        "The masks hold colours, and the legend does not say which class has which. Name the classes of this legend and put it in the "
        f"recipe:\n{_legend_text(frequent, counts, options)}"
    )


def smeared_colors(counts: Mapping[float, int], options: LegendOptions) -> LabelError:
    """The error for masks of very many colours: those that stand out, as a legend to paste."""
    raws, pixels = np.array(list(counts), np.int64), np.array(list(counts.values()), np.int64)
    order = np.argsort(-pixels, kind="stable")
    peaks: list[int] = []
    for raw in raws[order][: np.count_nonzero(pixels >= PEAK_SHARE * pixels.sum())].tolist():
        far = not peaks or _distance(raw, peaks[int(nearest_color(np.array([raw]), peaks)[0])]) >= PEAK_DISTANCE
        peaks += [raw] if far else []
    what = f"{len(counts)} different colours: they are smeared by compression or resampling, or a photo"
    if len(peaks) < 2:
        return LabelError(f"The masks hold {what}. Give masks of class values; are images and labels exchanged?")
    return LabelError(
        f"The masks hold {what}. If a few of them are classes, name these and let the others go to the nearest:\n"
        f"{_legend_text(peaks, counts, options)}\nsnap = true"
    )


def unknown_colors(outside: Mapping[float, int], files: Sequence[Path], *, lossy: bool) -> LabelError:
    """The error for colours that the legend has no class for.

    outside: raw value to pixels. files: that hold them.
    """
    frequent = sorted(outside.items(), key=lambda entry: -entry[1])
    found = listed(f"{shown(raw, 'colors')} ({counted(count, 'pixel')})" for raw, count in frequent)
    smeared = lossy or len(outside) > MOST_CLASSES
    advice = "[legend] snap = true takes each to the nearest of the legend's colours" if smeared else "Add classes of these colours"
    other = "" if smeared else ", or set [legend] snap = true if each should go to the nearest"
    where = listed([str(path) for path in files], 3)
    return LabelError(f"Masks hold {counted(len(outside), 'colour')} outside the legend: {found}, in {where}. {advice}{other}.")


def _legend_text(raws: Sequence[float], counts: Mapping[float, int], options: LegendOptions) -> str:
    """A [legend] in TOML: the classes of the options if they are as many, and the share of each colour."""
    given = options.classes if options.classes is not None and len(options.classes) == len(raws) else None
    names = ", ".join(f'"{name}"' for name in given or [f"class {place}" for place in range(len(raws))])
    colors = ", ".join(shown(raw, "colors").replace("'", '"') for raw in raws)
    pixels = ", ".join(str(counts[raw]) for raw in raws)
    return f"[legend]\nclasses = [{names}]\ncolors = [{colors}]  # pixels: {pixels}"


def _distance(one: int, other: int) -> float:
    return float(np.sqrt(sum(((one >> shift & 255) - (other >> shift & 255)) ** 2 for shift in (0, 8, 16))))


def _middle(values: NDArray[np.float64]) -> str:
    """The threshold between dark and bright."""
    low, high = float(values.min()), float(values.max())
    # half of 8 bits where the values are such, for the brightest is often not quite white
    middle = 127.0 if low >= 0 and 128 <= high <= 255 else (low + high) / 2
    return number(float(np.floor(middle)) if high - low > 4 else round(middle, 3))


def _are_numbered(values: NDArray[np.float64], pixels: NDArray[np.float64]) -> bool:
    """Whether values may be the numbers of objects: whole, without gaps or beyond 8 bits, and the highest one rare."""
    if not (values == np.rint(values)).all() or values.min() < 0 or pixels[values.argmax()] >= PEAK_SHARE * pixels.sum():
        return False
    return bool(values.max() > 255 or len(values) == values.max() + 1)


def _peak_remap(values: NDArray[np.float64], pixels: NDArray[np.float64]) -> tuple[str, str] | None:
    """The remap of the values that stand out to classes, and their names; None if they are not a few whole numbers."""
    peaks: list[float] = []
    for value in values[np.argsort(-pixels, kind="stable")][: np.count_nonzero(pixels >= PEAK_SHARE * pixels.sum())].tolist():
        peaks += [value] if all(abs(value - peak) >= PEAK_DISTANCE for peak in peaks) else []
    if not 2 <= len(peaks) <= HISTOGRAM_BINS or not all(peak.is_integer() for peak in peaks):
        return None
    remap = ", ".join(f"{number(peak)} = {place}" for place, peak in enumerate(sorted(peaks)) if peak != place)
    return f" = {{{remap}}}", f"the values {listed(map(number, sorted(peaks)), HISTOGRAM_BINS)}"


def _histogram(values: NDArray[np.float64], pixels: NDArray[np.float64]) -> str:
    """The share of each value, or of eight ranges where there are more values."""
    if len(values) <= HISTOGRAM_BINS:
        return ", ".join(f"{number(value)}: {share:.1%}" for value, share in zip(values, pixels / pixels.sum(), strict=True))
    edges = np.linspace(values.min(), values.max(), HISTOGRAM_BINS + 1)
    shares = np.histogram(values, edges, weights=pixels)[0] / pixels.sum()
    return ", ".join(f"{edges[step]:.4g} to {edges[step + 1]:.4g}: {share:.1%}" for step, share in enumerate(shares))
