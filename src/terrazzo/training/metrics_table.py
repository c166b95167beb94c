"""metrics.csv: the rows of metrics.jsonl for spreadsheets and scripts, after every epoch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from terrazzo.rasters.write import write_csv
from terrazzo.training.metrics import MetricsRow


class MetricsTable:
    """Keeps metrics.csv: a row an epoch; figures of the validation part are called validation_..., those of classes end in the class."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """names: the classes', in their order."""
        self.path = path
        self._names = names
        self._rows: list[dict[str, object]] = []

    def anew(self, rows: Sequence[MetricsRow]) -> None:
        """Write the table of these epochs."""
        self._rows = [dict(_flat(row, self._names)) for row in rows]
        self._write()

    def add(self, row: MetricsRow) -> None:
        """Write the table with one epoch more, whole, for it may bring columns that no epoch had before."""
        self._rows.append(dict(_flat(row, self._names)))
        self._write()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        write_csv(self.path, [columns, *([row.get(name) for name in columns] for row in self._rows)] if columns else [])


def _flat(figures: Mapping[str, Any], names: Sequence[str], before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, names, f"{before}{key}_")
        elif isinstance(value, list):
            of = names if len(value) == len(names) else [str(number) for number in range(len(value))]
            yield from ((f"{before}{key}_{name}", figure) for name, figure in zip(of, value, strict=True))
        elif value is not None:
            yield f"{before}{key}", value
