"""The journal of a map: its finished rows on disk, so that a prediction that is broken off goes on after them.

OUT/.NAME-MARK.part/   journal.jsonl   what the map is made with, then a line for each finished block
                       0.block         class indices of rows 0 on, and the layers beside them, compressed
                       4096.block      ...
                       NAME            the map itself, until it is whole and is moved to OUT
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.prediction.packing import packed, unpacked
from terrazzo.rasters.download.names import short_name

JOURNAL = "journal.jsonl"


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


class Journal:
    """The finished rows of one map. While it is open, no other process uses it."""

    def __init__(self, path: Path, made_with: Mapping[str, Any], width: int, bands: int) -> None:
        """path: of the map. made_with: all that its bytes depend on; of JSON's types. width: of the map. bands: of the layers beside it.

        Raises ConflictError if there is a journal of a map that is made otherwise.
        """
        self.path = path
        self.folder = journal_folder(path)
        self._made_with = dict(made_with)
        self._width = width
        self._bands = bands
        self._descriptor: int | None = None
        self.entries: list[Entry] = self._load()

    @property
    def rows_done(self) -> int:
        """Rows from the top that need not be predicted again."""
        return self.entries[-1].row_end if self.entries else 0

    def replay(self) -> Iterator[Block]:
        """The blocks that are finished, from the top. Raises EnvironmentFault if the disk gives back other bytes than it did."""
        for entry in self.entries:
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
        """Keep the next finished rows; they count once the disk has given them back as they are.

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
        self.entries.append(entry)

    def remove(self) -> None:
        """Remove the journal and what it kept, nothing else."""
        remove_journal(self.path)

    def __enter__(self) -> Self:
        """Take hold of it. Raises ConflictError if another process has, EnvironmentFault if it cannot be written."""
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._take_hold()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take_hold(self) -> None:
        assert self._descriptor is not None, "the journal was opened just now"
        held_by_another = f"{self.path} is being made by another process. Wait for it, or give another OUT."
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(held_by_another) from error
        before = self.rows_done
        self.entries = self._load()
        if self.rows_done != before:
            raise ConflictError(held_by_another)
        kept = {self._file(entry.row_off).name for entry in self.entries}
        with self._writing():
            for name in _ours(self.folder):
                if name not in kept:
                    (self.folder / name).unlink(missing_ok=True)
            if not self.entries:
                os.ftruncate(self._descriptor, 0)
                self._note({"made_with": self._made_with})

    def _load(self) -> list[Entry]:
        """The blocks from the top on that are whole."""
        made_with, found = _parse(self.folder / JOURNAL)
        if made_with is not None and made_with != self._made_with:
            raise ConflictError(
                f"{self.folder} holds an unfinished map, made with {_difference(made_with, self._made_with)}. "
                "Run what began it to its end, remove that folder, or give another OUT."
            )
        entries: list[Entry] = []
        row = 0
        while made_with is not None and row in found and self._read(found[row]) is not None:
            entries.append(found[row])
            row = found[row].row_end
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
        assert self._descriptor is not None, "the journal is open while rows are kept"
        # a line that was broken off is ended, so that this one is whole
        view = memoryview(f"\n{json.dumps(line)}\n".encode())
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)

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


def journal_folder(path: Path) -> Path:
    """Where the journal of a map is, if it has one."""
    return short_name(path, ".part")


def begun_with(path: Path) -> dict[str, Any] | None:
    """What the journal of a map says it is made with; None if there is none."""
    return _parse(journal_folder(path) / JOURNAL)[0]


def remove_journal(path: Path) -> None:
    """Remove the journal of a map, if it has one, and what it kept; files of others in its folder are left, and it with them."""
    folder = journal_folder(path)
    if not folder.is_dir():
        return
    for name in [*_ours(folder), JOURNAL]:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _ours(folder: Path) -> list[str]:
    """Names in the folder of a journal that this program gives; files that were being written are among them."""
    return [entry.name for entry in folder.iterdir() if entry.name.endswith((".block", ".half", ".tif", ".png", ".fits"))]


def _parse(path: Path) -> tuple[dict[str, Any] | None, dict[int, Entry]]:
    """What a journal was begun with, and its blocks by their first row; lines that are not whole are passed over."""
    made_with: dict[str, Any] | None = None
    found: dict[int, Entry] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            fact = json.loads(line)
            if "made_with" in fact:
                made_with = dict(fact["made_with"])
            else:
                entry = Entry(**{**fact, "sizes": (int(fact["sizes"][0]), int(fact["sizes"][1]))})
                found[entry.row_off] = entry
        except (ValueError, TypeError, KeyError, IndexError):
            continue
    return made_with, found


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
