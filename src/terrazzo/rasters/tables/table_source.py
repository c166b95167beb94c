"""The values of tables of pixels, as they are measured."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.layers import join_types
from terrazzo.rasters.tables.columns import TableFacts
from terrazzo.rasters.tables.flatten import UNLABELLED
from terrazzo.rasters.tables.images import MEGABYTE, Groups
from terrazzo.rasters.tables.layout import TableClass
from terrazzo.rasters.tables.measure import Chunk


class TableSource:
    """The values of tables one after the other, in the groups that those of images have."""

    def __init__(self, tables: Sequence[TableFacts]) -> None:
        """Raises DataError if the tables do not go together."""
        first = tables[0]
        for table in tables[1:]:
            if len(table.bands) != len(first.bands):
                raise DataError(f"{first.path} has {len(first.bands)} bands, {table.path} has {len(table.bands)}. Summarize them apart.")
            if table.classes != first.classes:
                raise DataError(f"{table.path} has other classes than {first.path}. Summarize them apart.")
        dtype = join_types([table.dtype for table in tables])
        if dtype is None:
            raise DataError(f"{first.path} and the other tables hold int64 and uint64, which no one type holds. Summarize them apart.")
        self._tables = tables
        self.dtype = dtype
        self.classes: tuple[TableClass, ...] | None = first.classes
        self.size = sum(table.path.stat().st_size for table in tables) / MEGABYTE
        self._indices = np.full(UNLABELLED + 1, len(self.classes or ()), np.uint8)
        for index, entry in enumerate(self.classes or ()):
            self._indices[entry.value] = index

    def items(self) -> Iterator[tuple[tuple[TableFacts, pa.RecordBatch], float]]:
        for table in self._tables:
            size, done = table.path.stat().st_size / MEGABYTE, 0.0
            for batch in table.batches():
                # how much of the file a batch is is known only of text, about
                part = min(batch.nbytes / MEGABYTE, size - done)
                done += part
                yield (table, batch), part

    def chunks(self, item: tuple[TableFacts, pa.RecordBatch]) -> list[Chunk]:
        table, batch = item
        groups: Groups = len(self.classes or ())
        if table.classes is not None:
            groups = self._indices[batch.column("class").fill_null(UNLABELLED).to_numpy(zero_copy_only=False)]
        found = list(self._wide(table, batch, groups)) if table.wide else list(self._long(table, batch, groups))
        return [chunk for chunk in found if chunk.values.size]

    def _wide(self, table: TableFacts, batch: pa.RecordBatch, groups: Groups) -> Iterator[Chunk]:
        for band, name in enumerate(table.value_columns):
            values, there = self._values(batch.column(name))
            yield Chunk(band=band, values=values[there], groups=groups if isinstance(groups, int) else groups[there])

    def _long(self, table: TableFacts, batch: pa.RecordBatch, groups: Groups) -> Iterator[Chunk]:
        values, there = self._values(batch.column("value"))
        bands = batch.column("band").fill_null(0).to_numpy(zero_copy_only=False)
        for band in range(len(table.bands)):
            wanted = there & (bands == band + 1)
            yield Chunk(band=band, values=values[wanted], groups=groups if isinstance(groups, int) else groups[wanted])

    def _values(self, column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Values, and which of them are there."""
        there = column.is_valid().to_numpy(zero_copy_only=False)
        values = column.fill_null(0).to_numpy(zero_copy_only=False).astype(self.dtype, copy=False)
        return values, there & np.isfinite(values) if values.dtype.kind == "f" else there
