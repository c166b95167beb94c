"""Fetching files, several segments at a time, with patience for servers and lines that fail."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import EnvironmentFault, TerrazzoError
from terrazzo.progress import Progress
from terrazzo.rasters.download.part import Part, Segment
from terrazzo.rasters.download.plan import Job
from terrazzo.rasters.download.sources import Interruption

MEGABYTE = 10**6
LOOK_EVERY_S = 0.1
LAST_WORDS_S = 3.0
"""How long one waits for connections to end when the work is broken off."""
GIVE_UP_AFTER = 10
"""Files in a row that fail for the network's sake, after which the others are not tried."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often and how long one tries again; the count begins anew whenever bytes come."""

    tries: int = 6
    wait_s: float = 0.5
    """Before the second try; doubled before each further one."""
    most_s: float = 30.0

    def before(self, attempt: int) -> float:
        """Seconds to wait before a try, 1 being the second."""
        return min(self.wait_s * 2.0 ** (attempt - 1), self.most_s)


class Transfer:
    """Fetches the files of jobs over some connections."""

    def __init__(self, connections: int, patience: Patience = Patience()) -> None:
        self._connections = connections
        self._patience = patience
        self._stop = threading.Event()
        self._choosing = threading.Lock()
        self._parts: list[Part] = []
        self._failures: dict[Path, TerrazzoError] = {}
        self._done: set[Path] = set()
        self._bytes = 0
        self._failed_in_a_row = 0
        self._fatal: Exception | None = None

    def run(self, jobs: Sequence[Job], progress: Progress) -> dict[Path, TerrazzoError]:
        """Fetch all; returns what went wrong, by the place of the file, in the order of the jobs.

        Broken off, also by an exception of `progress`, it leaves journals to go on from.
        Raises EnvironmentFault if the disk fails.
        """
        units = self._units(jobs)
        threads = [threading.Thread(target=self._work, args=(units,), daemon=True, name="download") for _ in range(self._connections)]
        try:
            left = sum((job.file.size or 0) - Part(file=job.file, target=job.target).bytes_kept() for job in jobs)
            with progress.task("download", left / MEGABYTE, "MB") as advance:
                for thread in threads:
                    thread.start()
                shown = 0
                for thread in threads:
                    while thread.is_alive():
                        thread.join(LOOK_EVERY_S)
                        shown, before = self._bytes, shown
                        advance((shown - before) / MEGABYTE)
        finally:
            self._end(threads)
        if self._fatal is not None:
            raise self._fatal
        return {job.target: self._outcome(job) for job in jobs if job.target not in self._done}

    def _outcome(self, job: Job) -> TerrazzoError:
        given_up = EnvironmentFault(f"{job.file} was not tried, because {GIVE_UP_AFTER} files before it failed.")
        return self._failures.get(job.target, given_up)

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Stop what is at work and keep what it has."""
        self._stop.set()
        until = time.monotonic() + LAST_WORDS_S
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0))
        for part in self._parts:
            # what cannot be saved is fetched again
            with suppress(OSError):
                part.save()
            # a thread that still waits for its server may yet write
            if not any(thread.is_alive() for thread in threads):
                part.close()

    def _units(self, jobs: Sequence[Job]) -> Iterator[tuple[Part, Segment | None]]:
        """Segments to fetch, in the order of the jobs; none for a part that has all its bytes."""
        for job in jobs:
            part = Part(file=job.file, target=job.target)
            try:
                part.open(self._connections)
            except TerrazzoError as error:
                self._fail(part, error)
                continue
            self._parts.append(part)
            missing = [segment for segment in part.segments if not segment.complete]
            yield from ((part, segment) for segment in missing)
            if not missing:
                yield part, None

    def _work(self, units: Iterator[tuple[Part, Segment | None]]) -> None:
        """What each thread does: one unit after another, until there is none or all is stopped."""
        try:
            while not self._stop.is_set():
                with self._choosing:
                    part, segment = next(units, (None, None))
                if part is None:
                    return
                self._do(part, segment)
        except Exception as error:  # noqa: BLE001 - a thread's last stop: raised again where the work was asked for
            self._fatal = self._fatal or _fatal(error)
            self._stop.set()

    def _do(self, part: Part, segment: Segment | None) -> None:
        try:
            if segment is not None:
                self._fetch(part, segment)
        except TerrazzoError as error:
            part.error = part.error or error
        with part.lock:
            part.left -= segment is not None
            last = part.left == 0
        if last and not self._stop.is_set():
            self._conclude(part)
        elif not last:
            part.flush()

    def _fetch(self, part: Part, segment: Segment) -> None:
        """Fetch a segment; raises what keeps it from being fetched for good."""
        attempt = 0
        while not self._stop.is_set() and part.error is None:
            try:
                with closing(part.file.source.read(segment.done, segment.stop)) as chunks:
                    for chunk in chunks:
                        part.write(segment, chunk)
                        # what is begun anew each time never gets on
                        attempt = 0 if part.file.parts else attempt
                        with self._choosing:
                            self._bytes += len(chunk)
                        if self._stop.is_set() or part.error is not None:
                            return
            except Interruption as error:
                attempt += 1
                if attempt >= self._patience.tries:
                    raise EnvironmentFault(
                        f"{part.file} could not be fetched: {error}. Run this again later: it goes on from here."
                    ) from error
                if not part.file.parts:
                    part.restart(segment)
                self._stop.wait(self._patience.before(attempt))
            else:
                return

    def _conclude(self, part: Part) -> None:
        """All segments of a part are at their end."""
        try:
            if part.error is not None:
                raise part.error
            part.finish()
        except TerrazzoError as error:
            if part.spoiled:
                part.discard()
            else:
                part.save()
            self._fail(part, error)
        else:
            self._done.add(part.target)
            self._failed_in_a_row = 0
        part.close()
        self._parts.remove(part)

    def _fail(self, part: Part, error: TerrazzoError) -> None:
        self._failures[part.target] = error
        if isinstance(error, EnvironmentFault):
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= GIVE_UP_AFTER:
                self._stop.set()


def _fatal(error: Exception) -> Exception:
    """Faults of the disk as sentences; others are faults of Terrazzo and stay what they are."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return EnvironmentFault(
            f"The download cannot be written{where}: {error.strerror}. Free the disk and run this again: it goes on from here."
        )
    return error
