"""Windows as units: those that share ground together."""

import numpy as np

from terrazzo.samples.overlaps import Overlaps, components
from terrazzo.samples.split.division import Division, divide_windows
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples


def by_window(samples: Samples, options: SplitOptions) -> Division:
    """Groups of windows that share ground or bytes."""
    rows = np.arange(len(samples))
    groups = components(len(rows), Overlaps(samples).pairs(rows, rows))
    return divide_windows(samples, groups[:, np.newaxis], options, "group of overlapping windows")
