"""The journal of a map: its finished rows on disk, so that a prediction that is broken off goes on, and several can share one.

OUT/.NAME-MARK.part/   journal.jsonl     what the map is made with, then a line for each finished block
                       part-2-of-4.jsonl lines of the blocks that the second of four processes finished
                       0.block           class indices of rows 0 on, and the layers beside them, compressed
                       4096.block        ...
                       NAME              the map itself, until it is whole and is moved to OUT
"""

import json
import os
import zlib
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.prediction.hold import hold
from terrazzo.prediction.journal_folder import (
    BEGINNING,
    JOURNAL,
    LINES,
    Entry,
    begun_with,
    journal_folder,
    names_of,
    read_lines,
    remove_journal,
)
from terrazzo.prediction.packing import packed, unpacked


@dataclass(frozen=True, kw_only=True)
class Block:
    """Finished rows of a map."""

    row_off: int
    indices: NDArray[np.uint8]
    """(rows, width) class indices, 255 where there is none."""
    layers: NDArray[np.uint16] | None
    """(bands, rows, width) of the layers beside the map, one after the other; None if nobody asked for any."""
    notes: Mapping[str, Any]
    """What else is to be known of these rows when they are not predicted again; of JSON's types."""


class Journal:
    """The finished rows of one map. While it is open, no other process uses it, or only processes that make other parts of the map."""

    def __init__(self, path: Path, made_with: Mapping[str, Any], width: int, bands: int, part: str | None = None) -> None:
        """path: of the map. made_with: all that its bytes depend on; of JSON's types. width: of the map. bands: of the layers beside it.

        part: the name of what alone is to be added here, while other processes add others; None: this process does it all.
        Raises ConflictError if there is a journal of a map that is made otherwise.
        """
        self.path = path
        self.folder = journal_folder(path)
        self._made_with = dict(made_with)
        self._width = width
        self._bands = bands
        self._part = part
        self._held: list[int] = []
        """What is held while the journal is open; the last is what lines are added to."""
        self.entries: list[Entry] = self._load()
        """From top to bottom, no row in two of them."""

    @property
    def rows_done(self) -> int:
        """How many rows need not be predicted again."""
        return sum(entry.rows for entry in self.entries)

    def missing(self, rows: range) -> list[range]:
        """Of rows of the map, those that are not finished, from the top."""
        gaps, row = [], rows.start
        for entry in self.entries:
            gaps.append(range(row, min(entry.row_off, rows.stop)))
            row = max(row, entry.row_end)
        return [gap for gap in [*gaps, range(row, rows.stop)] if gap]

    def replay(self, rows: range | None = None) -> Iterator[Block]:
        """The blocks that are finished, from the top; of those that begin in rows, if any are given.

        Raises EnvironmentFault if the disk gives back other bytes than it did.
        """
        for entry in list(self.entries):
            if rows is not None and entry.row_off not in rows:
                continue
            data = self._read(entry)
            if data is None:
                raise EnvironmentFault(
                    f"{self._file(entry.row_off)} cannot be read as it was written. The disk may be broken; run this again."
                )
            cut = entry.sizes[0]
            yield Block(
                row_off=entry.row_off,
                indices=unpacked(data[:cut], np.dtype(np.uint8), (entry.rows, self._width)),
                layers=unpacked(data[cut:], np.dtype("<u2"), (self._bands, entry.rows, self._width)) if entry.sizes[1] else None,
                notes=entry.notes,
            )

    def add(self, block: Block) -> None:
        """Keep finished rows; they count once the disk has given them back as they are.

        Raises EnvironmentFault if they cannot be kept; what was kept before still is.
        """
        parts = [packed(block.indices), b"" if block.layers is None else packed(block.layers.astype("<u2", copy=False))]
        data = b"".join(parts)
        sizes = (len(parts[0]), len(parts[1]))
        entry = Entry(row_off=block.row_off, rows=len(block.indices), sizes=sizes, checksum=zlib.crc32(data), notes=block.notes)
        with self._writing():
            _write_whole(self._file(block.row_off), data)
            if self._read(entry) is None:
                raise EnvironmentFault(
                    f"{self.folder}: what was written does not read back as it was. Free the disk or choose another folder."
                )
            self._note(asdict(entry))
        insort(self.entries, entry, key=lambda each: each.row_off)

    def begin(self) -> None:
        """Write down what the map is made with, if nobody has. Raises as opening the journal for all of the map."""
        if begun_with(self.path) is None:
            with Journal(self.path, self._made_with, self._width, self._bands):
                pass

    def remove(self) -> None:
        """Remove the journal and what it kept, nothing else."""
        remove_journal(self.path)

    def __enter__(self) -> Self:
        """Take hold of it. Raises ConflictError if another process has, EnvironmentFault if it cannot be written."""
        try:
            with self._writing():
                self.folder.mkdir(parents=True, exist_ok=True)
                self._hold(JOURNAL, shared=self._part is not None)
                if self._part is not None:
                    self._hold(self._part + LINES)
            before, self.entries = self.entries, self._load()
            if self._part is None:
                self._settle(before)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._held:
            os.close(self._held.pop())

    def _hold(self, name: str, *, shared: bool = False) -> None:
        descriptor = hold(self.folder / name, shared=shared)
        if descriptor is None:
            raise self._held_by_another
        self._held.append(descriptor)

    def _settle(self, before: Sequence[Entry]) -> None:
        """Remove what nobody needs any more, of a map that this process has for itself. before: what was finished when it was looked at."""
        if self.entries != before:
            raise self._held_by_another
        kept = {BEGINNING, JOURNAL, *(self._file(entry.row_off).name for entry in self.entries)}
        with self._writing():
            for name in names_of(self.folder):
                if name not in kept and not (self.entries and name.endswith(LINES)):
                    (self.folder / name).unlink(missing_ok=True)
            if not self.entries:
                os.ftruncate(self._held[-1], 0)
                self._note({"made_with": self._made_with})

    @property
    def _held_by_another(self) -> ConflictError:
        return ConflictError(f"{self.path} is being made by another process. Wait for it, or give another OUT.")

    def _load(self) -> list[Entry]:
        """The blocks that are whole, from the top."""
        made_with, found = read_lines(self.folder)
        if made_with is not None and made_with != self._made_with:
            raise ConflictError(
                f"{self.folder} holds an unfinished map, made with {_difference(made_with, self._made_with)}. "
                "Run what began it to its end, remove that folder, or give another OUT."
            )
        entries: list[Entry] = []
        for entry in found if made_with is not None else ():
            if (not entries or entry.row_off >= entries[-1].row_end) and self._read(entry) is not None:
                entries.append(entry)
        return entries

    def _read(self, entry: Entry) -> bytes | None:
        """The bytes of a block; None if they are not there as they were."""
        try:
            data = self._file(entry.row_off).read_bytes()
        except OSError:
            return None
        return data if len(data) == sum(entry.sizes) and zlib.crc32(data) == entry.checksum else None

    def _file(self, row_off: int) -> Path:
        return self.folder / f"{row_off}.block"

    def _note(self, line: Mapping[str, Any]) -> None:
        assert self._held, "the journal is open while rows are kept"
        # a line that was broken off is ended, so that this one is whole
        view = memoryview(f"\n{json.dumps(line)}\n".encode())
        while view:
            view = view[os.write(self._held[-1], view) :]
        os.fsync(self._held[-1])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno is None:
                raise
            raise EnvironmentFault(
                f"{self.folder} cannot be written: {error.strerror or error}. Free the disk or choose another folder; "
                "the same command goes on after what is finished."
            ) from error


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What is not alike, in words: as it was, and as it is now."""
    was, now = _flat(one), _flat(other)
    return ", ".join(f"{key} {was.get(key)} (now {now.get(key)})" for key in sorted({*was, *now}) if was.get(key) != now.get(key))


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with those of the tables in them."""
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat


def _write_whole(path: Path, data: bytes) -> None:
    """Under its name the file is whole and on the disk."""
    half = path.with_suffix(".half")
    try:
        with half.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
