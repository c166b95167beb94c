"""Files that come from no server but from memory, with faults on order."""

import hashlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from terrazzo.rasters.download.sources import Checksum, Chunk, RemoteFile


@dataclass(kw_only=True)
class Memory:
    """A source of bytes. Before each chunk, `before(position)` may raise or wait."""

    body: bytes
    chunk: int = 2**16
    before: Callable[[int], None] = lambda _: None
    ranges: list[tuple[int, int | None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        with self.lock:
            self.ranges.append((start, stop))
        end = len(self.body) if stop is None else stop
        for position in range(start, end, self.chunk):
            self.before(position)
            yield self.body[position : min(position + self.chunk, end)]


@pytest.fixture
def remote_file() -> Callable[..., RemoteFile]:
    """Make a file of bytes; its source is a Memory."""

    def make(body: bytes, name: str = "dir/a.bin", **facts: Any) -> RemoteFile:
        source = facts.pop("source", None) or Memory(body=body)
        known = {"size": len(body), "state": '"one"', "checksum": sha256(body), **facts}
        return RemoteFile(address=f"https://host.example/{name}", name=name, source=source, **known)

    return make


@pytest.fixture
def memory() -> Callable[..., Memory]:
    return Memory


def sha256(body: bytes) -> Checksum:
    return Checksum(algorithm="sha256", digits=hashlib.sha256(body).hexdigest(), said_by="the catalogue")
