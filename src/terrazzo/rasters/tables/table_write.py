"""Tables of pixels as files: CSV and Parquet, row by row, whole under their final name or not there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from terrazzo.rasters.tables.layout import NOTE_KEY, TableLayout, TableNote
from terrazzo.rasters.write import write_text, writing

LAST_OF_CSV = ".json"
"""The note beside a CSV is called as it is, with this behind."""
GROUP_ROWS = 2**20
"""Rows of a group of a Parquet file, about."""
CSV_ROWS = 2**14
"""Rows that are turned into text at once: what fits the processor's cache."""


class TableFile(Protocol):
    """A table that takes rows."""

    def shape(self, rows: pa.RecordBatch) -> Any:
        """What `put` takes, of some rows; called on several threads."""
        ...

    def put(self, shaped: Any) -> None:
        """Add what comes next."""
        ...

    def finish(self) -> None:
        """Write what is left; the file is whole then."""
        ...

    def close(self) -> None:
        """Let go of the file, whole or not."""
        ...


class CsvTable:
    """A CSV in UTF-8 with a header; texts stand in quotes, numbers are exact, what is missing is empty."""

    def __init__(self, path: Path, layout: TableLayout) -> None:
        self._file = path.open("wb")
        header = pa.csv.WriteOptions(include_header=True)
        self._file.write(_text(layout.schema().empty_table(), header))

    def shape(self, rows: pa.RecordBatch) -> bytes:
        return _text(pa.Table.from_batches([rows]), pa.csv.WriteOptions(include_header=False, batch_size=CSV_ROWS))

    def put(self, shaped: bytes) -> None:
        self._file.write(shaped)

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class ParquetTable:
    """A Parquet file in row groups, packed by zstd; places, bands and classes as dictionaries."""

    def __init__(self, path: Path, layout: TableLayout, note: TableNote) -> None:
        schema = layout.schema()
        values = {"value", *layout.band_columns} if layout.wide else {"value"}
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._file = pa.parquet.ParquetWriter(
            path,
            schema.with_metadata({NOTE_KEY: note.to_json().encode()}),
            compression="zstd",
            compression_level=1,
            # values of few bits repeat, others fill a dictionary in vain
            use_dictionary=[name for name in schema.names if name not in values or layout.dtype.itemsize == 1],
        )

    def shape(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return rows

    def put(self, shaped: pa.RecordBatch) -> None:
        self._waiting.append(shaped)
        self._rows += shaped.num_rows
        if self._rows >= GROUP_ROWS:
            self._write()

    def finish(self) -> None:
        if self._rows:
            self._write()
        self._file.close()

    def close(self) -> None:
        self._file.close()

    def _write(self) -> None:
        table = pa.Table.from_batches(self._waiting).unify_dictionaries()
        self._file.write_table(table.replace_schema_metadata(self._file.schema.metadata), row_group_size=max(self._rows, 1))
        self._waiting, self._rows = [], 0


@contextmanager
def writing_table(path: Path, layout: TableLayout, note: TableNote) -> Iterator[TableFile]:
    """Write a table, CSV or Parquet by its name; a CSV gets its note beside it.

    Raises EnvironmentFault if the disk is full or the folder cannot be written; then nothing is left.
    """
    as_text = path.suffix.lower() == ".csv"
    opener: Callable[[Path], TableFile] = (
        (lambda temporary: CsvTable(temporary, layout)) if as_text else (lambda temporary: ParquetTable(temporary, layout, note))
    )
    with writing(path) as temporary:
        file = opener(temporary)
        try:
            yield file
            file.finish()
        finally:
            file.close()
    if as_text:
        write_text(note_path(path), f'{{"bytes": {path.stat().st_size}, "table": {note.to_json()}}}\n')


def note_path(path: Path) -> Path:
    """Where the note of a CSV is."""
    return path.with_name(path.name + LAST_OF_CSV)


def _text(table: pa.Table, options: Any) -> bytes:
    plain = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field.with_type(field.type) for field in table.schema
    ]
    stream = pa.BufferOutputStream()
    pa.csv.write_csv(table.cast(pa.schema(plain)), stream, options)
    return bytes(stream.getvalue())
