"""What the columns of a table of pixels are, whoever wrote it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from terrazzo.errors import DataError
from terrazzo.rasters.tables.flatten import UNLABELLED
from terrazzo.rasters.tables.layout import FIXED, NUMBERED, TableClass, TableNote
from terrazzo.rasters.tables.note import read_note

BLOCK_BYTES = 2**23
"""Of a CSV, read at once."""
BATCH_ROWS = 2**18
"""Of a Parquet file, read at once."""
MOST_BANDS = 10_000
WHOLE = ("band", "class")
"""Columns of numbers that are read as such from any type."""
FAULTS = (OSError, pa.ArrowException)


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """A table of pixels and how it is read."""

    path: Path
    value_columns: tuple[str, ...]
    """One of a long table, those of the bands of a wide one."""
    wide: bool
    dtype: np.dtype[Any]
    """Of the values."""
    bands: tuple[str | None, ...]
    """Names; of a long table, band 1 is the first."""
    classes: tuple[TableClass, ...] | None
    images: int
    pixels: int | None
    """Of the images; None where the table does not say."""

    @property
    def columns(self) -> list[str]:
        """All that is needed to measure it."""
        return [*self.value_columns, *([] if self.wide else ["band"]), *(["class"] if self.classes is not None else [])]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a part at a time. Raises DataError if the file is broken, or holds other than it began with."""
        kind = pa.from_numpy_dtype(self.dtype)
        types = {**dict.fromkeys(self.value_columns, kind), "band": pa.int32(), "class": pa.int32()}
        return read_batches(self.path, self.columns, {name: types[name] for name in self.columns})


def is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def read_batches(path: Path, columns: Sequence[str], types: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    """Some columns of a table, a part at a time, in constant memory. types: of a CSV.

    Raises DataError if the file cannot be read so.
    """
    try:
        if is_csv(path):
            convert = pa.csv.ConvertOptions(include_columns=list(columns), column_types=types)
            with pa.csv.open_csv(path, pa.csv.ReadOptions(block_size=BLOCK_BYTES), convert_options=convert) as reader:
                yield from reader
        else:
            with pa.parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                    # a column with gaps may have become one of floats
                    yield pa.record_batch({name: _whole(batch.column(name)) if name in WHOLE else batch.column(name) for name in columns})
    except FAULTS as error:
        raise DataError(f"{path} cannot be read as a table of pixels: {str(error).splitlines()[0]}") from error


def look_at(path: Path) -> TableFacts:
    """What a table holds: by its note, else by its columns, which takes a pass over it.

    Raises DataError if it is no table of pixels.
    """
    header = _header(path)
    long = "value" in header
    if long and "band" not in header:
        raise DataError(f"{path} has a column 'value' but none that is called 'band'. Number the bands from 1 in a column 'band'.")
    values = ("value",) if long else tuple(name for name in header if name not in (*FIXED, "band", "band_name"))
    if not values:
        raise DataError(f"{path} has no columns of values, only {', '.join(header)}. Give a table as flatten writes it.")
    note = read_note(path)
    return _by_note(path, values, note) if note is not None else _Scan(path, header, values, long=long).facts()


def _by_note(path: Path, values: tuple[str, ...], note: TableNote) -> TableFacts:
    return TableFacts(
        path=path,
        value_columns=values,
        wide=note.wide,
        dtype=np.dtype(note.dtype),
        bands=note.bands,
        classes=note.classes,
        images=note.images,
        pixels=note.pixels,
    )


def _header(path: Path) -> list[str]:
    try:
        if is_csv(path):
            with pa.csv.open_csv(path, pa.csv.ReadOptions(block_size=2**16)) as reader:
                return list(reader.schema.names)
        return list(pa.parquet.read_schema(path).names)
    except FAULTS as error:
        raise DataError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error


class _Scan:
    """A pass over a table that has no note."""

    def __init__(self, path: Path, header: list[str], values: tuple[str, ...], *, long: bool) -> None:
        self._path = path
        self._values = values
        self._long = long
        self._keys = [name for name in ("image", "band", "band_name", "class", "class_name") if name in header]
        if not long:
            self._keys = [name for name in self._keys if not name.startswith("band")]
        self._found: dict[str, set[object]] = {}
        self._names: dict[str, dict[int, str]] = {"band": {}, "class": {}}

    def facts(self) -> TableFacts:
        dtype = self._scan()
        bands = self._bands()
        return TableFacts(
            path=self._path,
            value_columns=self._values,
            wide=not self._long,
            dtype=dtype,
            bands=bands,
            classes=self._classes(),
            images=max(1, len(self._found.get("image", ()))),
            pixels=None,
        )

    def _scan(self) -> np.dtype[Any]:
        """Go through the file; returns the type that holds its values."""
        if not is_csv(self._path):
            self._go_through({}, ())
            schema = pa.parquet.read_schema(self._path)
            odd = [
                name for name in self._values if not (pa.types.is_integer(schema.field(name).type) or _is_float(schema.field(name).type))
            ]
            if odd:
                raise DataError(f"{self._path} has columns that hold no numbers: {', '.join(odd)}. Leave them out of the table.")
            dtype: np.dtype[Any] = np.result_type(*(schema.field(name).type.to_pandas_dtype() for name in self._values))
            return dtype
        for kind in (pa.int64(), pa.uint64()):
            try:
                self._go_through(dict.fromkeys(self._values, kind), self._values)
            except DataError:
                # not of this type: the next one is tried, and the last one's error is told
                continue
            return np.dtype(np.int64 if kind == pa.int64() else np.uint64)
        self._go_through(dict.fromkeys(self._values, pa.float64()), self._values)
        return np.dtype(np.float64)

    def _go_through(self, types: dict[str, Any], values: Sequence[str]) -> None:
        texts: dict[str, Any] = {name: pa.string() for name in ("image", "band_name", "class_name") if name in self._keys}
        numbers: dict[str, Any] = {name: pa.int32() for name in ("band", "class") if name in self._keys}
        for batch in read_batches(self._path, [*values, *self._keys], {**types, **texts, **numbers}):
            for name in self._keys:
                self._found.setdefault(name, set()).update(pa.compute.unique(batch.column(name)).to_pylist())
            for key, text in (("band", "band_name"), ("class", "class_name")):
                if key in self._keys and text in self._keys:
                    pairs = pa.table({"key": batch.column(key), "text": batch.column(text).cast(pa.string())}).group_by(["key", "text"])
                    told = pairs.aggregate([]).to_pylist()
                    self._names[key].update(
                        {pair["key"]: pair["text"] for pair in told if pair["key"] is not None and pair["text"] is not None}
                    )

    def _bands(self) -> tuple[str | None, ...]:
        if not self._long:
            return tuple(None if NUMBERED.fullmatch(name) else name for name in self._values)
        numbers = self._numbers("band", 1, MOST_BANDS)
        return tuple(self._names["band"].get(number) for number in range(1, max(numbers, default=0) + 1))

    def _classes(self) -> tuple[TableClass, ...] | None:
        if "class" not in self._keys:
            return None
        numbers = self._numbers("class", 0, UNLABELLED - 1)
        return tuple(TableClass(value=number, name=self._names["class"].get(number, str(number))) for number in numbers)

    def _numbers(self, column: str, low: int, high: int) -> list[int]:
        numbers = sorted(number for number in self._found.get(column, ()) if isinstance(number, int))
        if numbers and not low <= numbers[0] <= numbers[-1] <= high:
            raise DataError(
                f"{self._path}: the column {column!r} holds {numbers[0]} to {numbers[-1]}; it must be whole numbers from {low} to {high}."
            )
        return numbers


def _whole(column: Any) -> Any:
    return column.cast(pa.int32())


def _is_float(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind))
