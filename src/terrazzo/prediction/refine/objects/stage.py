"""A stage that changes whole pieces of a map: one pass over its rows to know them, another to change them.

Memory is that of a band of rows, and a hundred bytes or so for each piece, never that of the map.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from terrazzo.prediction.refine.objects.pieces import BAND_PX, Classes, Connectivity, Labeller, MapRows, banded, recoded
from terrazzo.prediction.refine.objects.table import Floats, PieceTable, gather

Source = Callable[[], Iterator[MapRows]]
"""Gives the rows of a map from top to bottom, as often as it is called."""


@dataclass(frozen=True)
class Stage:
    """A way to change the pieces of a map."""

    connectivity: Connectivity
    becomes: Callable[[PieceTable], Classes]
    """The class (pieces,) that each piece becomes."""


class Staged:
    """The rows of a map after a stage."""

    def __init__(self, source: Source, stage: Stage, pixel_areas: Floats | None) -> None:
        """pixel_areas: (height,), square metres of a pixel of each row, where they are known."""
        self._source = source
        self._stage = stage
        self._pixel_areas = pixel_areas

    def __call__(self) -> Iterator[MapRows]:
        """The rows from top to bottom, in bands."""
        becomes = self._becomes
        labeller = Labeller(self._stage.connectivity)
        for rows in self._bands():
            band = labeller.number(rows)
            own = becomes[band.base : band.base + len(band.classes)]
            yield MapRows(row_off=rows.row_off, indices=recoded(band, own), sureness=rows.sureness)

    @cached_property
    def _becomes(self) -> Classes:
        """(numbers,): the class that each number of the bands, from 1 on, becomes."""
        table = gather(self._bands(), Labeller(self._stage.connectivity), self._pixel_areas)
        return self._stage.becomes(table)[table.place[1:]]

    def _bands(self) -> Iterator[MapRows]:
        return banded(self._source(), BAND_PX)
