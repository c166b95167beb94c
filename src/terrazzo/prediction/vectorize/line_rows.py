"""The rows of a table of lines, and what each class or two classes have of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terrazzo.prediction.vectorize.ground import lengths_m, metres_per_pixel, on_ground
from terrazzo.prediction.vectorize.joining import Key, Lines
from terrazzo.prediction.vectorize.rows import GEOMETRY
from terrazzo.rasters.grid import Grid

BORDER_SCHEMA = pa.schema(
    [
        ("value", pa.int16()),
        ("name", pa.string()),
        ("other_value", pa.int16()),
        ("other_name", pa.string()),
        ("length_m", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)
CENTRELINE_SCHEMA = pa.schema(
    [
        ("value", pa.int16()),
        ("name", pa.string()),
        ("length_m", pa.float64()),
        ("width_m", pa.float64()),
        ("width_px", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class LineSummary:
    """What was written of a class, or between two."""

    lines: int = 0
    length_m: float = 0.0


class LineRows:
    """Turns whole lines into rows, and adds up what each key has."""

    def __init__(self, grid: Grid, names: Mapping[int, str], simplify_px: float, schema: pa.Schema) -> None:
        """schema: BORDER_SCHEMA, or CENTRELINE_SCHEMA for lines whose third coordinate is a width."""
        self._grid = grid
        self._names = names
        self._simplify_px = simplify_px
        self._schema = schema
        self.summaries: dict[Key, LineSummary] = {}

    def batches(self, found: Iterable[Lines]) -> Iterator[pa.RecordBatch]:
        for each in found:
            yield self._batch(each)

    def _batch(self, found: Lines) -> pa.RecordBatch:
        flat = shapely.force_2d(found.lines)
        lines = shapely.simplify(flat, self._simplify_px) if self._simplify_px else flat
        placed = on_ground(lines, self._grid)
        lengths = lengths_m(placed, self._grid)
        self._add(found.key, len(lines), lengths)
        columns = [*self._class_columns(found.key, len(lines)), _known(lengths, len(lines))]
        if self._schema is CENTRELINE_SCHEMA:
            widths = mean_widths(found.lines)
            columns += [_known(widths_m(widths, lines, lengths, self._grid), len(lines)), pa.array(widths)]
        columns.append(pa.array(shapely.to_wkb(placed).tolist(), pa.binary()))
        return pa.record_batch(columns, schema=self._schema)

    def _add(self, key: Key, count: int, lengths: NDArray[np.float64] | None) -> None:
        before = self.summaries.get(key, LineSummary())
        length = 0.0 if lengths is None else float(lengths.sum())
        self.summaries[key] = replace(before, lines=before.lines + count, length_m=before.length_m + length)

    def _class_columns(self, key: Key, count: int) -> Sequence[pa.Array]:
        columns: list[pa.Array] = []
        for value in key:
            columns += [pa.array([value] * count, pa.int16()), pa.array([self._names.get(value, str(value))] * count, pa.string())]
        return columns


def mean_widths(lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """(lines,): the mean of the third coordinate along each line."""
    places, owner = shapely.get_coordinates(lines, include_z=True, return_index=True)
    same = owner[1:] == owner[:-1]
    steps = np.hypot(*np.diff(places[:, :2], axis=0).T)[same]
    middles = ((places[1:, 2] + places[:-1, 2]) / 2)[same]
    sums, lengths = (np.bincount(owner[1:][same], weights, len(lines)) for weights in (steps * middles, steps))
    return np.asarray(sums / lengths)


def widths_m(
    widths: NDArray[np.float64], lines: NDArray[np.object_], lengths: NDArray[np.float64] | None, grid: Grid
) -> NDArray[np.float64] | None:
    """(lines,): widths of so many pixels in metres; None where lengths (in metres) are not known. lines: in pixels.

    A strip along a line has as many square metres as its pixels have, also where they are no squares: so its width is that by its length.
    """
    if lengths is None:
        return None
    columns, rows = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True)).T
    pixel_m2 = np.abs(np.linalg.det(metres_per_pixel(grid, columns - 0.5, rows - 0.5)))
    return np.asarray(widths * shapely.length(lines) * pixel_m2 / lengths)


def _known(figures: NDArray[np.float64] | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.float64()) if figures is None else pa.array(figures)
