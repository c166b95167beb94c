"""failures.csv beside maps: what of their images could not be read."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from terrazzo.prediction.stream import Job
from terrazzo.rasters.write import write_text

FAILURES = "failures.csv"


class MapFailure(NamedTuple):
    """A part of an image that could not be read: the map has no data there."""

    map: str
    """Relative to the folder of the table."""
    image: str
    col_off: str
    row_off: str
    width: str
    height: str
    """Of the part, in pixels of the image."""
    reason: str


def failures_of(folder: Path, path: Path, job: Job) -> list[MapFailure]:
    """What could not be read for a map."""
    found = job.gaps.found if job.gaps is not None else {}
    name, image = _safe(str(path.relative_to(folder))), _safe(str(job.raster.path))
    return [
        MapFailure(name, image, str(gap.col_off), str(gap.row_off), str(gap.width), str(gap.height), _safe(reason))
        for gap, reason in found.items()
    ]


def kept_failures(folder: Path, maps: Iterable[Path]) -> list[MapFailure]:
    """What the table of an earlier run says of maps."""
    names = {_safe(str(path.relative_to(folder))) for path in maps}
    table = folder / FAILURES
    if not _ours(table):
        return []
    rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")))[1:]
    return [MapFailure(*row) for row in rows if len(row) == len(MapFailure._fields) and row[0] in names]


def write_failures(folder: Path, failures: Sequence[MapFailure]) -> None:
    """Write the table; one of an earlier run goes where there is nothing to say, a file of another kind stays."""
    table = folder / FAILURES
    if table.exists() and not _ours(table):
        return
    if not failures:
        table.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(MapFailure._fields)
    writer.writerows(failures)
    write_text(table, text.getvalue())


def _ours(table: Path) -> bool:
    head = ",".join(f'"{name}"' for name in MapFailure._fields)
    return table.is_file() and table.read_text(encoding="utf-8", errors="replace").startswith(head)


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
