"""Raw values: what a legend maps to a class. In each encoding of masks a pixel has one.

It is the number in the file (class values, object numbers), COLOR + 0xRRGGBB (colours), or the band that is set, from 0 (one-hot).
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.colors import Color, hex_color
from terrazzo.labels.sentences import number

Encoding = Literal["values", "colors", "onehot", "instances", "multihot"]
"""What mask files hold: class values, colours, a band a class, object numbers, or a band a class of which several may be set."""

COLOR = 2**24
"""Colours as raw values begin here, far above any class value."""
NO_BAND = -1
"""The raw value of a pixel that none of the bands of a one-hot mask is set for."""


def raw_of_color(color: Color) -> int:
    red, green, blue = color
    return COLOR + (red << 16) + (green << 8) + blue


def color_of_raw(raw: float) -> Color:
    packed = int(raw) - COLOR
    return packed >> 16, packed >> 8 & 255, packed & 255


def shown(raw: float, encoding: Encoding) -> str:
    """A raw value as messages write it."""
    if encoding == "colors" and raw >= COLOR:
        return f"'{hex_color(color_of_raw(raw))}'"
    return "no band" if encoding == "onehot" and raw == NO_BAND else number(raw)


def nearest_color(raws: NDArray[Any], known: Sequence[int]) -> NDArray[np.int64]:
    """For each colour the place of the nearest of the known ones, by their distance in red, green and blue; the first among equals.

    raws: (n,) raw values of colours. known: those of at least one colour.
    """
    parts = _parts(raws)
    nearest, least = np.zeros(len(raws), np.int64), np.full(len(raws), np.iinfo(np.int64).max)
    for place, one in enumerate(known):
        distance = ((parts - _parts(np.array([one]))) ** 2).sum(0)
        nearest[distance < least] = place
        np.minimum(least, distance, out=least)
    return nearest


def _parts(raws: NDArray[Any]) -> NDArray[np.int64]:
    """Red, green and blue, (3, n)."""
    packed = raws.astype(np.int64)
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255])


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.int64]]:
    """The different values in their order, the place of each pixel's value among them (flat), and how many pixels have each.

    Faster than numpy.unique where neighbours are alike, as in masks: it sorts stretches of equal pixels, not pixels.
    """
    flat = values.ravel()
    starts = np.concatenate([np.zeros(min(1, flat.size), np.intp), np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    if len(starts) > flat.size // 4:
        return np.unique(flat, return_inverse=True, return_counts=True)
    lengths = np.diff(starts, append=flat.size)
    found, places = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(places, weights=lengths, minlength=len(found)).astype(np.int64)
    return found, np.repeat(places, lengths), counts
