"""Where maps differ most."""

from dataclasses import dataclass

import numpy as np

from terrazzo.rasters.window import Shape, Window
from terrazzo.workflows.comparison.shared_rows import SharedRows

VIEW_PX = 512
"""Side of a place."""
MOST_A_SCENE = 2


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A part of a scene, and in how many of its pixels not all maps are equally right."""

    pixels: int
    scene: str
    window: Window


class PlaceFinder:
    """Finds the parts of a scene where maps differ most, while its rows pass by."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._cells = np.zeros((-(-shape[0] // VIEW_PX), -(-shape[1] // VIEW_PX)), np.int64)

    def add(self, rows: SharedRows) -> None:
        right = np.stack([each == rows.truth for each in rows.predicted])
        apart = (right.any(axis=0) & ~right.all(axis=0)).astype(np.int64)
        columns = np.add.reduceat(apart, np.arange(0, self._shape[1], VIEW_PX), axis=1)
        for number, sums in enumerate(columns):
            self._cells[(rows.row_off + number) // VIEW_PX] += sums

    def places(self, scene: str) -> list[Place]:
        """At most MOST_A_SCENE, those with the most pixels first."""
        found = []
        for row, column in np.argwhere(self._cells).tolist():
            height, width = min(VIEW_PX, self._shape[0]), min(VIEW_PX, self._shape[1])
            window = Window(
                col_off=min(column * VIEW_PX, self._shape[1] - width),
                row_off=min(row * VIEW_PX, self._shape[0] - height),
                width=width,
                height=height,
            )
            found.append(Place(pixels=int(self._cells[row, column]), scene=scene, window=window))
        return sorted(found, reverse=True)[:MOST_A_SCENE]
