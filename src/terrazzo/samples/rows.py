"""The rows of a samples table, as the stages after it take them."""

from collections import Counter
from collections.abc import Sequence
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


def file_names(rows: Sequence[Sample]) -> list[str]:
    """A name for each row that no other has: `<scene>_<col>_<row>`, as `chip` calls its chips.

    Where several windows begin at one pixel, as pieces of windows across a border do, their sizes, and then numbers, tell them apart.
    """
    names = [f"{row.scene}_{row.window.col_off}_{row.window.row_off}" for row in rows]
    often = Counter(names)
    sized = [f"{name}_{row.window.width}x{row.window.height}" if often[name] > 1 else name for name, row in zip(names, rows, strict=True)]
    seen: Counter[str] = Counter()
    unique = []
    for name in sized:
        seen[name] += 1
        unique.append(f"{name}_{seen[name]}" if seen[name] > 1 else name)
    return unique
