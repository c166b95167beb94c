"""The rows of a table of vectors: geometries and what is known of each, as Arrow batches."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terrazzo.prediction.vectorize.ground import on_ground
from terrazzo.prediction.vectorize.merge import Pieces
from terrazzo.rasters.grid import Grid

GEOMETRY = "geometry"
POLYGON_SCHEMA = pa.schema(
    [
        ("value", pa.int16()),
        ("name", pa.string()),
        ("pixels", pa.int64()),
        ("area_m2", pa.float64()),
        ("confidence", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)
BATCH = 16384


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One class of what was written."""

    polygons: int
    pixels: int
    area_m2: float


class PolygonRows:
    """Turns whole components into rows, and adds up what each class has."""

    def __init__(self, grid: Grid, names: Mapping[int, str]) -> None:
        self._grid = grid
        self._names = names
        self._counts, self._pixels = np.zeros(256, np.int64), np.zeros(256, np.int64)
        self._areas = np.zeros(256)

    def batches(self, pieces: Iterable[Pieces]) -> Iterator[pa.RecordBatch]:
        """Rows of about BATCH polygons each, in their order."""
        waiting: list[pa.RecordBatch] = []
        for piece in pieces:
            waiting.append(self._batch(piece))
            if sum(len(each) for each in waiting) >= BATCH:
                yield _joined(waiting)
                waiting = []
        if waiting:
            yield _joined(waiting)

    def summary(self) -> dict[int, Summary]:
        """Of each class that there was a polygon of, by value."""
        return {
            int(value): Summary(polygons=int(self._counts[value]), pixels=int(self._pixels[value]), area_m2=float(self._areas[value]))
            for value in np.flatnonzero(self._counts)
        }

    def _batch(self, piece: Pieces) -> pa.RecordBatch:
        values, sums = piece.values, piece.sums
        self._counts += np.bincount(values, minlength=256)
        np.add.at(self._pixels, values, sums.pixels)
        np.add.at(self._areas, values, sums.area_m2)
        shapes = shapely.to_wkb(on_ground(piece.polygons, self._grid))
        columns = [
            pa.array(values.astype(np.int16)),
            pa.array([self._names.get(value, str(value)) for value in values.tolist()], pa.string()),
            pa.array(sums.pixels),
            _known(sums.area_m2),
            _known(sums.probability / sums.pixels),
            pa.array(shapes.tolist(), pa.binary()),
        ]
        return pa.record_batch(columns, schema=POLYGON_SCHEMA)


def _known(figures: NDArray[np.float64]) -> pa.Array:
    """Figures as a column, empty where they are not known."""
    return pa.array(figures, mask=np.isnan(figures))


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
