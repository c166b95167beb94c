"""What is wrong with the bands of an image, or of images that are alike."""

from collections.abc import Iterator, Sequence

import numpy as np

from terrazzo.labels.sentences import listed, number
from terrazzo.workflows.inspection.band_facts import BandFacts
from terrazzo.workflows.inspection.problem import Problem

UNLIKE = 100.0
"""Bands whose spreads differ by this factor need a scaling of their own."""
LIKE_CLASSES = 12
"""A band of several that holds at most so many whole numbers looks like classes."""


def band_problems(bands: Sequence[BandFacts], dtype: str) -> list[Problem]:
    """What is wrong with the ranges of the bands of an image, or of a set of images that are alike."""
    checks = (_constant_bands(bands), _short_range(bands, dtype), _class_bands(bands), _unlike_bands(bands))
    return [problem for found in checks for problem in found]


def _constant_bands(bands: Sequence[BandFacts]) -> Iterator[Problem]:
    constant = [place for place, band in enumerate(bands, start=1) if band.count and band.low == band.high]
    if constant and len(constant) < len(bands):
        values = listed(dict.fromkeys(number(bands[place - 1].low or 0.0) for place in constant), 3)
        yield Problem(
            kind="constant-band",
            what=f"{bands_named(constant)}: every pixel is {values}",
            advice="There is nothing to learn from: choose the others with [data] bands.",
        )


def _short_range(bands: Sequence[BandFacts], dtype: str) -> Iterator[Problem]:
    wide = np.dtype(dtype).kind in "iu" and np.dtype(dtype).itemsize > 1
    seen = [band for band in bands if band.low is not None and band.high is not None]
    if wide and seen and all((band.low or 0) >= 0 and (band.high or 0) <= 255 for band in seen):
        yield Problem(
            kind="8-bit-range",
            what=f"Values of 8 bits, 0 to 255, in {dtype}",
            advice="That is fine in a set of its own; do not mix it with images that use the whole range.",
        )


def _class_bands(bands: Sequence[BandFacts]) -> Iterator[Problem]:
    alike = [place for place, band in enumerate(bands, start=1) if band.values is not None and 2 < len(band.values) <= LIKE_CLASSES]
    if alike and len(bands) > 2:
        one = len(alike) == 1
        yield Problem(
            kind="class-band",
            what=f"{bands_named(alike)} {'looks' if one else 'look'} like classes or flags, not like measurements",
            advice=f"Leave {'it' if one else 'them'} out with [data] bands, unless the network shall see {'it' if one else 'them'}.",
        )


def _unlike_bands(bands: Sequence[BandFacts]) -> Iterator[Problem]:
    spreads = [(band.level(99) or 0.0) - (band.level(1) or 0.0) for band in bands]
    spreads = [spread for spread in spreads if spread > 0]
    if spreads and max(spreads) > UNLIKE * min(spreads):
        yield Problem(
            kind="unlike-bands",
            what="The ranges of the bands differ by more than a hundred times",
            advice='Bands are scaled one by one, which is right here; do not set [data] scaling = "none".',
        )


def equal_bands(count: int) -> Problem:
    """That so many bands hold the same."""
    return Problem(kind="equal-bands", what=f"All {count} bands hold the same", advice="One is enough: set [data] bands = [1].")


def bands_named(places: Sequence[int]) -> str:
    """Bands by their numbers."""
    return f"Band {places[0]}" if len(places) == 1 else f"Bands {listed(map(str, places), 8)}"
