"""A file that is not whole yet: its bytes, and a journal of which of them are there.

    .big-1f2e3d4c5b.part        as long as the file; holes where nothing is yet
    .big-1f2e3d4c5b.part.json   what file it is, and [start, done, stop] of its segments

    0        start          done               stop             size
    |--- ... --|##############|..................|--- ... --------|

Stopped anywhere, also by kill -9, the bytes before `done` are good: they are written before the journal says so. Under its final name a
file is whole, and its checksum was right where one is known.
"""

import fcntl
import hashlib
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.rasters.download.names import short_name
from terrazzo.rasters.download.sources import Chunk, RemoteFile

OVERLAP_BYTES = 2**16
"""Of what an earlier run left, so much is fetched again and compared, where the server does not tell one state of a file from another."""
SEGMENT_BYTES = 128 * 2**20
"""Each connection is for about so much of a file: more of them cost a server more than they bring."""
SAVE_EVERY_S = 1.0
"""Files that take less have no journal, unless something goes wrong."""

_PIECE_BYTES = 2**20


@dataclass(kw_only=True)
class Segment:
    """Bytes of a file that come one after another."""

    start: int
    done: int
    """The first byte that is not there yet."""
    stop: int | None
    """The first byte after the segment; None where the size of the file is not known."""
    known: int = 0
    """Bytes before this one are on disk from an earlier run: what comes of them again must be the same."""

    @property
    def complete(self) -> bool:
        return self.done == self.stop


@dataclass(kw_only=True, eq=False)
class Part:
    """A file on its way. `write` may be called from several threads, one for each segment."""

    file: RemoteFile
    target: Path
    segments: list[Segment] = field(default_factory=list)
    left: int = 0
    """Segments that are still at work; whoever brings it to 0 finishes or closes the part."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    error: Exception | None = None
    spoiled: bool = False
    """What an earlier run left is of another state of the file."""

    def __post_init__(self) -> None:
        self._path = short_name(self.target, ".part")
        self._journal = short_name(self.target, ".part.json")
        self._descriptor: int | None = None
        self._saved_at = 0.0
        self._hash = hashlib.new(self.file.checksum.algorithm, usedforsecurity=False) if self.file.checksum is not None else None
        self._hashed = 0

    def bytes_kept(self) -> int:
        """How many bytes earlier runs left that can be used."""
        return sum(segment.done - segment.start for segment in self._read_journal() or ())

    def open(self, connections: int) -> None:
        """Go on where an earlier run stopped, or begin: sets `segments`.

        Raises ConflictError if another process is at it, OSError.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise ConflictError(f"{self.target} is being fetched by another process. Wait for it, or give another OUT.") from error
        self._saved_at = time.monotonic()
        found = self._read_journal()
        if found is None:
            self.segments = self._cut(connections)
            self._journal.unlink(missing_ok=True)
            os.ftruncate(self._descriptor, 0)
            if self.file.size is not None:
                os.ftruncate(self._descriptor, self.file.size)
        else:
            self.segments = found
            if self._state[1] is None:
                _step_back(found)
        self.left = sum(not segment.complete for segment in self.segments)

    def write(self, segment: Segment, chunk: Chunk) -> None:
        """Add bytes to a segment. Raises EnvironmentFault if they are not those that are there already, OSError."""
        if self._descriptor is None:
            raise ValueError("the part is closed")
        view = memoryview(chunk)
        again = max(min(segment.known - segment.done, len(view)), 0)
        if again and os.pread(self._descriptor, again, segment.done) != view[:again]:
            self.spoiled = True
            raise EnvironmentFault(
                f"{self.file} was changed on the server since an earlier run; what that left is removed. Run this again."
            )
        if segment.done == self._hashed and segment.start == 0 and self._hash is not None:
            # the first segment comes in order: half of the reading back is saved
            self._hash.update(view)
            self._hashed += len(view)
        while view:
            # a full disk may take a piece before it takes no more
            written = os.pwrite(self._descriptor, view, segment.done)
            segment.done += written
            view = view[written:]
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self.save()

    def restart(self, segment: Segment) -> None:
        """Forget what a segment has: its server sends no parts."""
        segment.done = segment.start
        self._hash = self._hash and hashlib.new(self._hash.name, usedforsecurity=False)
        self._hashed = 0

    def flush(self) -> None:
        """Let the disk have what is there, while other segments are still coming. Raises OSError."""
        descriptor = self._descriptor
        if descriptor is not None:
            os.fdatasync(descriptor)

    def save(self) -> None:
        """Write the journal, once the disk has what it tells of. Raises OSError."""
        if self._descriptor is None or not self._journaled:
            return
        with self.lock:
            self._saved_at = time.monotonic()
            facts = {"state": self._state, "segments": [[segment.start, segment.done, segment.stop] for segment in self.segments]}
            os.fdatasync(self._descriptor)
            temporary = self._journal.with_suffix(".new")
            temporary.write_text(json.dumps(facts), encoding="utf-8")
            temporary.replace(self._journal)

    def finish(self) -> None:
        """Check the bytes and give the file its name.

        Raises EnvironmentFault if the checksum is wrong (then nothing is left), ConflictError if a file of that name has come, OSError.
        """
        if self._descriptor is None:
            raise ValueError("the part is closed")
        if self.file.size is None:
            os.ftruncate(self._descriptor, self.segments[0].done)
        os.fsync(self._descriptor)
        checksum = self.file.checksum
        if checksum is not None and self._digits() != checksum.digits:
            self.discard()
            hint = " If its bucket encrypts with keys of its own, add --ignore-etags." if checksum.said_by == "its ETag" else ""
            raise EnvironmentFault(
                f"{self.file} came with the wrong {checksum.algorithm}: not what {checksum.said_by} says.{hint} Fetch it again."
            )
        if self.target.exists() or self.target.is_symlink():
            raise ConflictError(f"{self.target} has come into being while it was fetched; it is not overwritten.")
        self._path.rename(self.target)
        self.discard()

    def _digits(self) -> str:
        """What all bytes hash to: those that were not hashed as they came are read from disk."""
        if self._hash is None:
            raise ValueError("nothing to hash for")
        with self._path.open("rb") as file:
            file.seek(self._hashed)
            while piece := file.read(_PIECE_BYTES):
                self._hash.update(piece)
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Remove what is left of a part."""
        self._journal.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Stop here; what is there stays for the next run, if there is a journal of it."""
        with self.lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def tidy(self) -> None:
        """Remove a journal whose part has become the file, as a stop in between leaves it."""
        if self._journal.exists() and not self._path.exists():
            self._journal.unlink(missing_ok=True)

    @property
    def _journaled(self) -> bool:
        return self.file.parts and self.file.size is not None

    @property
    def _state(self) -> list[object]:
        """What must be the same to go on with a part."""
        return [self.file.size, self.file.state or (self.file.checksum.digits if self.file.checksum else None)]

    def _cut(self, connections: int) -> list[Segment]:
        """Segments of about equal length, none without a byte."""
        size = self.file.size
        if size is None or not self.file.parts:
            return [Segment(start=0, done=0, stop=size)]
        count = max(1, min(connections, -(-size // SEGMENT_BYTES)))
        edges = [size * number // count for number in range(count + 1)]
        return [Segment(start=start, done=start, stop=stop) for start, stop in pairwise(edges)]

    def _read_journal(self) -> list[Segment] | None:
        """The segments of an earlier run; None if there are none that belong to this file and its state."""
        if not self._journaled:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = json.loads(self._journal.read_text(encoding="utf-8"))
            segments = [Segment(start=start, done=done, stop=stop) for start, done, stop in facts["segments"]]
            edges = [0, *(segment.stop for segment in segments)]
            fits = [segment.start for segment in segments] == edges[:-1] and edges[-1] == self.file.size
            whole = all(isinstance(segment.stop, int) and segment.start <= segment.done <= segment.stop for segment in segments)
            if facts["state"] == self._state and fits and whole and self._path.stat().st_size == self.file.size:
                return segments
        return None


def _step_back(segments: list[Segment]) -> None:
    """Let the last bytes that each segment has come again, to be compared."""
    for segment in segments:
        segment.known = segment.done
        segment.done = max(segment.done - OVERLAP_BYTES, segment.start)
