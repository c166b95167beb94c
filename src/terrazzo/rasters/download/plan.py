"""What is to be fetched, to where, and whether there is room for it; before anything is fetched."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import ConflictError, DataError, EnvironmentFault
from terrazzo.rasters.download.names import find_clashes, is_inside, place_under
from terrazzo.rasters.download.part import Part
from terrazzo.rasters.download.sources import RemoteFile

SPARE_BYTES = 64 * 2**20
"""What a disk keeps free besides."""
SHOWN = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One file and its place."""

    file: RemoteFile
    target: Path


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All files, those to fetch and those that are there."""

    todo: tuple[Job, ...]
    kept: tuple[Job, ...]

    @property
    def bytes_left(self) -> int:
        """What is still to be fetched, as far as sizes are known; less by what earlier runs left."""
        return sum((job.file.size or 0) - Part(file=job.file, target=job.target).bytes_kept() for job in self.todo)


def make_plan(files: Sequence[RemoteFile], out: Path) -> Plan:
    """Give each file its place under OUT, and see what is there already.

    Raises DataError if names leave OUT or clash, ConflictError if OUT holds other files of these names; each tells of all.
    """
    jobs = list(_jobs(files, out).values())
    kept: list[Job] = []
    strange: list[str] = []
    for job in jobs:
        if job.target.exists() or job.target.is_symlink():
            difference = _difference(job)
            kept += [job] if difference is None else []
            strange += [f"{job.target} {difference}"] if difference is not None else []
        elif not is_inside(job.target, out):
            strange.append(f"{job.target} would be outside of {out}, by a link")
    if strange:
        raise ConflictError(
            "\n".join([f"{len(strange)} of {len(jobs)} files cannot be put where they belong; none is overwritten.", *_some(strange)])
            + "\nMove them away, or give another OUT."
        )
    done = set(map(id, kept))
    return Plan(todo=tuple(job for job in jobs if id(job) not in done), kept=tuple(kept))


def check_room(plan: Plan, out: Path) -> None:
    """Raises EnvironmentFault if the disk of OUT, which is there, is too small for what is left to fetch."""
    free = shutil.disk_usage(out).free
    if plan.bytes_left + SPARE_BYTES > free:
        raise EnvironmentFault(
            f"{out} has {size_words(free)} free, and {size_words(plan.bytes_left)} are to be fetched. Free the disk or give another OUT."
        )


def size_words(count: float) -> str:
    """Such as '1.24 GB'."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "bytes" else f"{count:.0f} bytes"
        count /= 1000
    return f"{count:.3g} TB"


def _jobs(files: Sequence[RemoteFile], out: Path) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    problems: list[str] = []
    for file in files:
        try:
            # an address that is given twice is fetched once
            jobs.setdefault(file.address, Job(file=file, target=place_under(out, file.name, str(file))))
        except DataError as error:
            problems.append(str(error))
    problems += find_clashes([job.target for job in jobs.values()])
    if problems:
        raise DataError("\n".join(problems if len(problems) == 1 else [f"{len(problems)} names cannot be used:", *_some(problems)]))
    return jobs


def _difference(job: Job) -> str | None:
    """How what is at a job's place differs from the file, or None."""
    file, target = job.file, job.target
    if not target.is_file():
        return "is no file"
    size = target.stat().st_size
    if file.size is not None and size != file.size:
        return f"has {size} bytes, the file to fetch {file.size}"
    if file.checksum is not None:
        same = file.checksum.of(target) == file.checksum.digits
        return None if same else f"holds other bytes: its {file.checksum.algorithm} is not what {file.checksum.said_by} says"
    if file.size is None:
        log.warning("%s is kept; the server tells neither size nor checksum to compare it with.", target)
    return None


def _some(sentences: list[str]) -> list[str]:
    more = [f"  and {len(sentences) - SHOWN} more"] if len(sentences) > SHOWN else []
    return [*(f"  {sentence}" for sentence in sentences[:SHOWN]), *more]
