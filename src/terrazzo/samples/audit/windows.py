"""Windows of images that are known to be alike, and which of them show the same ground."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from terrazzo.samples.overlaps import Positions, UnionFind
from terrazzo.samples.table import Alike, Samples


def alike_windows(samples: Samples) -> Iterator[tuple[Alike, Positions, Positions]]:
    """For each pair of images, the rows of the first and of the second that share ground, side by side."""
    frame = samples.frame
    codes, digests = pd.factorize(frame["image_digest"])
    number = {digest: code for code, digest in enumerate(digests.tolist())}
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(digests)))
    edges = _edges(samples)
    for pair in samples.alike or ():
        if pair.a not in number or pair.b not in number:
            continue
        mine, theirs = (order[ends[code - 1] if code else 0 : ends[code]] for code in (number[pair.a], number[pair.b]))
        left, top, right, bottom = edges[:, mine, None]
        moved = edges[:, None, theirs] + np.array([*pair.shift, *pair.shift])[:, None, None]
        one, other = np.nonzero((left < moved[2]) & (right > moved[0]) & (top < moved[3]) & (bottom > moved[1]))
        yield pair, mine[one], theirs[other]


def alike_groups(samples: Samples, units: Positions) -> Positions:
    """The group of each unit: units that hold windows of the same ground in alike images are together. Groups are numbered from 0.

    units: (windows, n) the units, from 0, that each window lies in.
    """
    groups = UnionFind(int(units.max(initial=-1)) + 1)
    for _, mine, theirs in alike_windows(samples):
        for column in range(units.shape[1]):
            groups.join(units[mine, 0], units[mine, column])
            groups.join(units[mine, 0], units[theirs, column])
    return groups.labels()


def _edges(samples: Samples) -> Positions:
    """(4, windows) left, top, right, bottom."""
    left, top, width, height = (samples.frame[name].to_numpy(np.int64) for name in ("col_off", "row_off", "width", "height"))
    return np.stack([left, top, left + width, top + height])
