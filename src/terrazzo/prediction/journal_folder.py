"""What lies in the folder of a journal: its lines, and which of the files there are ours."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrazzo.rasters.download.names import short_name

LINES = ".jsonl"
JOURNAL = f"journal{LINES}"
BEGINNING = "beginning.lock"
"""Held by who decides what a map is made with."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A block as the journal knows it."""

    row_off: int
    rows: int
    sizes: tuple[int, int]
    """Bytes of the indices and of the layers, compressed; one after the other they are the file."""
    checksum: int
    """CRC-32 of the file."""
    notes: Mapping[str, Any]

    @property
    def row_end(self) -> int:
        """The first row below the block."""
        return self.row_off + self.rows


def journal_folder(path: Path) -> Path:
    """Where the journal of a map is, if it has one."""
    return short_name(path, ".part")


def begun_with(path: Path) -> dict[str, Any] | None:
    """What the journal of a map says it is made with; None if there is none."""
    return read_lines(journal_folder(path))[0]


def remove_journal(path: Path) -> None:
    """Remove the journal of a map, if it has one, and what it kept; files of others in its folder are left, and it with them."""
    folder = journal_folder(path)
    if not folder.is_dir():
        return
    for name in names_of(folder):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def names_of(folder: Path) -> list[str]:
    """Names in the folder of a journal that this program gives; files that were being written are among them."""
    endings = (".block", ".half", LINES, BEGINNING, ".tif", ".png", ".fits")
    return [entry.name for entry in folder.iterdir() if entry.name.endswith(endings)]


def read_lines(folder: Path) -> tuple[dict[str, Any] | None, list[Entry]]:
    """What a journal was begun with, and the blocks that it knows by their first rows; lines that are not whole are passed over."""
    made_with: dict[str, Any] | None = None
    entries: list[Entry] = []
    for line in _lines(folder):
        try:
            fact = json.loads(line)
            if "made_with" in fact:
                made_with = dict(fact["made_with"])
            else:
                entries.append(Entry(**{**fact, "sizes": (int(fact["sizes"][0]), int(fact["sizes"][1]))}))
        except (ValueError, TypeError, KeyError, IndexError):
            continue
    return made_with, sorted(entries, key=lambda entry: entry.row_off)


def _lines(folder: Path) -> Iterator[str]:
    """Of all parts of a journal."""
    for path in sorted(folder.glob(f"*{LINES}")):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
