"""The audit of a split: does one part hold what another part is judged by?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal

import numpy as np
import pandas as pd

from terrazzo.labels.sentences import counted
from terrazzo.samples.audit.windows import alike_windows
from terrazzo.samples.overlaps import Overlaps, Positions
from terrazzo.samples.table import PARTS, Samples

SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Two scenes, or a scene and itself, of which two parts hold the same."""

    kind: Literal["bytes", "ground", "alike"]
    """bytes: the images are the same file twice; ground: windows overlap; alike: the images show the same ground without saying so."""
    a: str
    """A scene, and in `detail` its part."""
    b: str
    detail: str


def find_leaks(samples: Samples) -> list[Leak]:
    """Find what two parts of a split share: windows of the same bytes, and windows that overlap on the ground.

    Windows are compared within an image and its copies in pixels, between other images only where the table has a CRS. One leak for
    each pair of scenes, parts and kind, in the order of the table.
    """
    overlaps = Overlaps(samples)
    parts = {name: np.flatnonzero((samples.frame["split"] == name).to_numpy(dtype=bool)) for name in PARTS}
    leaks: list[Leak] = []
    for first, second in combinations(PARTS, 2):
        if len(parts[first]) and len(parts[second]):
            leaks += _leaks_between(samples, overlaps, (first, second), (parts[first], parts[second]))
    return leaks


def find_alike_leaks(samples: Samples) -> list[Leak]:
    """Find what parts of a split share of the images that are known to be alike: one leak for each pair of images and parts."""
    split, scenes, ids = samples.frame["split"].to_numpy(), samples.frame["scene"].to_numpy(str), samples.frame.index.to_numpy()
    leaks: list[Leak] = []
    for pair, mine, theirs in alike_windows(samples):
        for first, second in permutations(PARTS, 2):
            at = np.flatnonzero((split[mine] == first) & (split[theirs] == second))
            if len(at):
                one, other = mine[at[0]], theirs[at[0]]
                how = pair.kind if pair.shift == (0, 0) else f"{pair.kind}, shifted by {pair.shift[0]}, {pair.shift[1]} pixels"
                detail = f"{how}, in {first} and {second}, such as samples {ids[one]} and {ids[other]}"
                leaks.append(Leak(kind="alike", a=scenes[one], b=scenes[other], detail=detail))
    return leaks


def leak_sentence(leaks: Sequence[Leak]) -> str:
    """The pairs that leak, a few of them by name."""
    return f"The split leaks, {counted(len(leaks), 'pair')} of scenes on two sides: {_shown(leaks)}."


def alike_sentence(leaks: Sequence[Leak]) -> str:
    """The images that are alike on two sides, a few of them by name."""
    return f"Images on two sides show the same ground, {counted(len(leaks), 'pair')}: {_shown(leaks)}."


def _shown(leaks: Sequence[Leak]) -> str:
    shown = "; ".join(f"{leak.a} and {leak.b}: {leak.detail}" for leak in leaks[:SHOWN])
    return f"{shown}; and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else shown


def _leaks_between(samples: Samples, overlaps: Overlaps, names: tuple[str, str], parts: tuple[Positions, Positions]) -> list[Leak]:
    found = [pd.DataFrame({"a": mine, "b": theirs}) for mine, theirs in overlaps.pairs(*parts) if len(mine)]
    if not found:
        return []
    pairs = pd.concat(found, ignore_index=True)
    mine, theirs = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    pairs["scene_a"], pairs["scene_b"] = overlaps.scene_codes[mine], overlaps.scene_codes[theirs]
    pairs["same"] = (overlaps.image_codes[mine] == overlaps.image_codes[theirs]) & (pairs["scene_a"] != pairs["scene_b"])
    scenes, ids = samples.frame["scene"].to_numpy(), samples.frame.index.to_numpy()
    leaks = []
    for _, group in pairs.groupby(["scene_a", "scene_b", "same"]):
        first = group.iloc[0]
        same = bool(first["same"])
        what = "the same image bytes" if same else "the same ground"
        leaks.append(
            Leak(
                kind="bytes" if same else "ground",
                a=str(scenes[first["a"]]),
                b=str(scenes[first["b"]]),
                detail=f"{what} in {names[0]} and {names[1]}, {counted(len(group), 'pair')} of windows "
                f"such as samples {ids[first['a']]} and {ids[first['b']]}",
            )
        )
    return leaks
