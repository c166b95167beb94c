"""The record of chips that are done: who runs the same again goes on after it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from terrazzo.errors import EnvironmentFault

JOURNAL_NAME = ".chips.jsonl"

Kept = Literal["yes", "no data", "no class"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A chip that is on disk, or was left out."""

    chip: str
    """Its name, without suffix."""
    image: str
    """The name of its image."""
    col: int
    row: int
    width: int
    """Of the part that is image."""
    height: int
    valid: float
    """Share of its pixels that hold image."""
    kept: Kept
    """Or why it was left out: no valid pixels, or too few; no class but the first."""
    pixels: tuple[int, ...] = ()
    """Of each class, in the legend's order; none without labels."""
    sizes: tuple[int, ...] = ()
    """Bytes of its files: chip, labels."""


@dataclass(kw_only=True)
class Journal:
    """What a folder of chips was made with, and the chips that are done."""

    path: Path
    options: str | None = None
    """What all chips were made with, as JSON; None: nothing was noted yet."""
    images: dict[str, str] = field(default_factory=dict)
    """What the chips of each image were made from, as JSON."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """Chips by name."""
    _file: TextIO | None = None

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The journal of a folder as far as it was written; the last line may be half."""
        found = cls(path=folder / JOURNAL_NAME)
        if found.path.exists():
            for line in found.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    found._take(json.loads(line))
                except (ValueError, TypeError, KeyError):
                    continue
        return found

    def note_options(self, options: str) -> None:
        self.options = options
        self._write({"options": options})

    def note_image(self, name: str, made_from: str) -> None:
        self.images[name] = made_from
        self._write({"image": name, "made_from": made_from})

    def note(self, entry: Entry) -> None:
        """Add a chip that is on disk. Raises EnvironmentFault if that cannot be written."""
        self.entries[entry.chip] = entry
        self._write({"entry": asdict(entry)})

    def __enter__(self) -> Self:
        try:
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
            # a line that was broken off is ended, so that the next one is whole
            self._file.write("\n")
        except OSError as error:
            raise self._fault(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take(self, line: Mapping[str, Any]) -> None:
        if "options" in line:
            self.options = str(line["options"])
        elif "image" in line:
            self.images[str(line["image"])] = str(line["made_from"])
        else:
            fact = dict(line["entry"])
            entry = Entry(**{**fact, "pixels": tuple(fact["pixels"]), "sizes": tuple(fact["sizes"])})
            self.entries[entry.chip] = entry

    def _write(self, line: Mapping[str, object]) -> None:
        assert self._file is not None, "the journal is open while chips are made"
        try:
            self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(f"{self.path} cannot be written: {error.strerror or error}. Free the disk or choose another folder.")
