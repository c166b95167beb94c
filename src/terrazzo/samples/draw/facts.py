"""What an epoch draws, in a sentence."""

from collections.abc import Sequence

import numpy as np

from terrazzo.labels.bits import NO_CLASS
from terrazzo.labels.sentences import counted
from terrazzo.samples.draw.epoch import Draw

RARE = 0.001
"""Shares below this are told as 'under 0.1 %'."""


def draw_sentence(draw: Draw, names: Sequence[str], seed: int) -> str:
    """How many windows the first epoch draws, how many of them are empty, and the shares of the classes, as the table counts them.

    names: of the classes, or of the sets of classes that overlap.
    """
    rows = draw.epoch(0, seed).rows
    pixels = draw.contents.pixels[rows].sum(axis=0)
    shares = ", ".join(f"{name}: {_percent(share)}" for name, share in zip(names, pixels / max(int(pixels.sum()), 1), strict=True))
    empty = float(np.mean(~draw.contents.filled[rows]))
    different = len(np.unique(rows))
    again = "" if different == len(rows) else f" ({different} different ones)"
    moved = ", before they are moved" if draw.options.windows != "listed" else ""
    drawn = f"{counted(len(rows), 'window')}{again} of {counted(len(draw.contents), 'training window')}"
    but = "" if names[0] == NO_CLASS else f" but {names[0]}"
    return f"An epoch draws {drawn}: {_percent(empty)} without any class{but}; pixels of {shares}{moved}."


def _percent(share: float) -> str:
    if share and share < RARE:
        return f"under {100 * RARE:g} %"
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"
