"""Files that can be fetched, whatever kind of server has them."""

import hashlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from terrazzo.errors import DataError
from terrazzo.rasters.location import shown

Chunk = bytes | bytearray | memoryview

_HEX_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class Interruption(Exception):
    """A fault that may pass: the connection was cut, the server is busy. Its text says what happened, without the address."""


class Source(Protocol):
    """Gives the bytes of one file."""

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        """The bytes from start to before stop, or to the end. A chunk is good until the next is asked for.

        Raises Interruption where trying again may help, DataError or EnvironmentFault where not.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """What the bytes of a whole file must hash to."""

    algorithm: str
    """md5, sha1, sha256 or sha512."""
    digits: str
    """Hexadecimal, in lower case."""
    said_by: str
    """Who says so, for messages: 'the catalogue'."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]*", self.digits) or len(self.digits) != _HEX_LENGTHS[self.algorithm]:
            raise DataError(
                f"{self.said_by} gives {self.digits!r} as {self.algorithm}, which has {_HEX_LENGTHS[self.algorithm]} digits of 0 to f."
            )

    def of(self, path: Path) -> str:
        """What a file on disk hashes to. Raises OSError."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest()


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file on a server, and what is known of it before it is fetched."""

    address: str
    name: str
    """Its name under OUT, '/'-joined; not checked yet."""
    size: int | None
    """In bytes; None where the server does not say."""
    state: str | None
    """Changes when the file does: its ETag, or when it was last modified."""
    source: Source
    checksum: Checksum | None = None
    parts: bool = True
    """Whether the server sends parts of it."""

    @property
    def shown(self) -> str:
        """Its address without secrets."""
        return shown(self.address)

    def __str__(self) -> str:
        return self.shown
