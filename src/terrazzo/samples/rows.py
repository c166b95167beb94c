"""The rows of a samples table, as the stages after it take them."""

from dataclasses import dataclass

from terrazzo.rasters.window import Window
from terrazzo.samples.table import Samples


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of the samples table; its window may have been moved since."""

    id: int
    scene: str
    window: Window


def rows_of(samples: Samples) -> list[Sample]:
    """The rows of a samples table."""
    pairs = zip(samples.frame.index, samples.frame["scene"], samples.windows(), strict=True)
    return [Sample(id=int(number), scene=str(scene), window=window) for number, scene, window in pairs]


def rows_by_scene(samples: Samples) -> dict[str, list[Sample]]:
    """The rows of a samples table, scene by scene in the order of their first rows."""
    found: dict[str, list[Sample]] = {}
    for sample in rows_of(samples):
        found.setdefault(sample.scene, []).append(sample)
    return found
