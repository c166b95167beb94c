"""Exact lists of a split: every window with its part, as a CSV, written and taken."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from terrazzo.errors import ConflictError, SplitError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.window import Window
from terrazzo.samples.split.deal import DROPPED, Sides
from terrazzo.samples.split.division import scenes_of
from terrazzo.samples.split.pieces import Piece
from terrazzo.samples.table import PARTS, Samples

COLUMNS = ("scene", "col_off", "row_off", "width", "height", "split")
SHOWN = 3

Entry = tuple[str, Window, int]
"""Scene, window, side."""


def list_text(samples: Samples) -> str:
    """A row a window: scene, where it lies in pixels, and its part, which is empty where it has none; by scene and place."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    ordered = samples.frame.iloc[natural_order(samples)]
    parts = ordered["split"].where(ordered["split"].notna(), "")
    writer.writerows(zip(*(ordered[name] for name in COLUMNS[:-1]), parts, strict=True))
    return text.getvalue()


def check_list(path: Path) -> None:
    """Raise ConflictError if a file is there that is no such list: it would be overwritten."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            known = next(csv.reader(file), []) == list(COLUMNS)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error):
        known = False
    if not known:
        raise ConflictError(f"{path} is no list of a split: it is not overwritten. Give another name to --lists.")


def natural_order(samples: Samples) -> Sequence[int]:
    """Positions of the samples by scene in natural order, then from top to bottom and left to right."""
    keys = [samples.frame[name].to_numpy(np.int64) for name in ("width", "height", "col_off", "row_off")]
    order: Sequence[int] = np.lexsort((*keys, scenes_of(samples)[0])).tolist()
    return order


def taken(samples: Samples, path: Path) -> tuple[Sides, list[Piece]]:
    """The side of each sample, DROPPED for those that the list leaves out; and entries that are pieces of windows.

    Raises SplitError if the list cannot be read, or names what is no window of the table.
    """
    windows = samples.windows()
    scenes = samples.frame["scene"].astype(str).tolist()
    known = {(scene, window): row for row, (scene, window) in enumerate(zip(scenes, windows, strict=True))}
    of_scene: dict[str, list[int]] = {}
    for row, scene in enumerate(scenes):
        of_scene.setdefault(scene, []).append(row)
    sides = np.full(len(samples), DROPPED, np.int8)
    pieces: list[Piece] = []
    strange: list[str] = []
    for scene, window, side in _entries(path):
        if (scene, window) in known:
            sides[known[scene, window]] = side
        elif side != DROPPED and (around := _around(window, of_scene.get(scene, ()), windows)) is not None:
            pieces.append(Piece(row=around, window=window, side=side))
        elif side != DROPPED:
            strange.append(f"{scene} {window.col_off},{window.row_off} {window.width}x{window.height}")
    if strange:
        raise SplitError(
            f"{path} names {counted(len(strange), 'window')} that the table does not have: {listed(strange, SHOWN)}. "
            "Index with the size, stride and offset that the list was made with."
        )
    return sides, pieces


def _around(window: Window, rows: Sequence[int], windows: Sequence[Window]) -> int | None:
    """The first window that holds another."""
    return next((row for row in rows if windows[row].intersection(window) == window), None)


def _entries(path: Path) -> Iterator[Entry]:
    sides = {**{part: side for side, part in enumerate(PARTS)}, "": DROPPED}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
                raise SplitError(f"{path} lacks the columns {', '.join(missing)}. Take a split.csv of a run, or of `split --lists`.")
            for row in reader:
                try:
                    left, top, width, height = (int(row[name]) for name in COLUMNS[1:-1])
                    yield row["scene"], Window(col_off=left, row_off=top, width=width, height=height), sides[row["split"].strip()]
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    raise SplitError(
                        f"{path}, row {reader.line_num}: {', '.join(f'{value}' for value in row.values())}. "
                        "A scene, four whole numbers and train, validation, test or nothing are needed."
                    ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SplitError(f"{path} cannot be read as a list of windows: {reason}.") from error
