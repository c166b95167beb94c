"""Reading the lists of a JSON file entry by entry, in the memory of one entry, whatever the size of the file."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TextIO

from terrazzo.errors import LabelError

CHUNK = 2**20
"""Characters that are read at once."""
LONGEST = 2**25
"""Characters of one entry."""
_NEAR = 16
"""An error this near to the end of what was read may come from what is yet to be read: a word or number is cut off."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def entries(path: Path, lists: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Each entry of the named lists at the top of a JSON file, with the name of its list, in the order of the file.

    What else the file holds is passed over.
    Raises LabelError if the file cannot be read, is no JSON object, or lacks one of the lists or has it twice.
    """
    missing = list(lists)
    try:
        with path.open(encoding="utf-8-sig") as file:
            reader = _Reader(file)
            for name in reader.keys():  # noqa: SIM118 - it is no dictionary
                if name in lists:
                    _check_list(name, missing, reader)
                    missing.remove(name)
                yield from ((name, entry) for entry in reader.items() if name in lists)
    except RecursionError as error:
        raise LabelError(f"{path} cannot be read as JSON: it is nested too deeply.") from error
    except ValueError as error:
        raise LabelError(f"{path} cannot be read as JSON: {error}.") from error
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror or error}.") from error
    if missing:
        raise LabelError(f"{path} lacks {' and '.join(map(repr, missing))}; it must be an object with {', '.join(lists)}.")


def _check_list(name: str, missing: Collection[str], reader: "_Reader") -> None:
    if name not in missing:
        raise ValueError(f"it has {name!r} twice")
    if reader.sign() != "[":
        raise ValueError(f"{name!r} is no list")


class _Reader:
    """A JSON text of which only a part is in memory. Raises ValueError where it is wrong."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._passed = 0
        self._ended = False

    def keys(self) -> Iterator[str]:
        """The keys of the object that is the whole text; the value must be taken before the next."""
        self._take("{")
        more = self.sign() != "}"
        while more:
            name = self._value() if self.sign() == '"' else None
            if not isinstance(name, str):
                raise self._wrong("a name in quotation marks is wanted")
            self._take(":")
            yield name
            more = self._goes_on("}")
        self._take("}")
        if self.sign():
            raise self._wrong("nothing may follow the end of the object")

    def items(self) -> Iterator[Any]:
        """The entries of a list that begins here; any other value is one entry."""
        if self.sign() != "[":
            yield self._value()
            return
        self._take("[")
        more = self.sign() != "]"
        while more:
            yield self._value()
            more = self._goes_on("]")
        self._take("]")

    def sign(self) -> str:
        """The next character that is no space, which is not taken; '' at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr] # it matches everywhere
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _goes_on(self, end: str) -> bool:
        """Whether a comma follows, which is taken, or the end, which is not."""
        sign = self.sign()
        if sign == ",":
            self._at += 1
            return True
        if sign != end:
            raise self._wrong("',' is wanted")
        return False

    def _take(self, sign: str) -> None:
        if self.sign() != sign:
            raise self._wrong(f"{sign!r} is wanted")
        self._at += 1

    def _value(self) -> Any:
        if self.sign() == "]":
            raise self._wrong("an entry is wanted")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended or (error.pos < len(self._text) - _NEAR and not error.msg.startswith("Unterminated")):
                    raise self._wrong(error.msg, error.pos) from error
            else:
                # a number at the end may go on: 1, 1. and 1.5e are all read as less than 1.5e3
                if end < len(self._text) - _NEAR or self._ended:
                    self._at = end
                    return value
            if len(self._text) - self._at > LONGEST:
                raise self._wrong(f"an entry is longer than {LONGEST} characters")
            self._more()

    def _more(self) -> None:
        """Read on, at least as much again as is waiting, so that a long entry is tried a few times only."""
        rest = self._text[self._at :]
        read = self._file.read(max(CHUNK, len(rest)))
        self._ended = not read
        self._passed += self._at
        self._text, self._at = rest + read, 0

    def _wrong(self, what: str, place: int | None = None) -> ValueError:
        return ValueError(f"{what}, at character {self._passed + (self._at if place is None else place)}")
