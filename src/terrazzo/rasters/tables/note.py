"""What a table of pixels that is there already says of itself."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from terrazzo.errors import DataError
from terrazzo.rasters.tables.layout import NOTE_KEY, TableNote
from terrazzo.rasters.tables.table_write import note_path


def read_note(path: Path) -> TableNote | None:
    """The note of a table; None where it has none, or where it is that of a CSV that has changed since.

    Raises DataError if the file cannot be read.
    """
    return _beside(path) if path.suffix.lower() == ".csv" else _within(path)


def _beside(path: Path) -> TableNote | None:
    note = note_path(path)
    try:
        read = json.loads(note.read_text(encoding="utf-8"))
        same = read["bytes"] == path.stat().st_size
        return TableNote.from_json(json.dumps(read["table"])) if same else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{note} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{note} is not the note that flatten writes beside a CSV. Remove it, or flatten again.") from error


def _within(path: Path) -> TableNote | None:
    try:
        metadata = pa.parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    text = metadata.get(NOTE_KEY)
    return None if text is None else TableNote.from_json(text.decode())
