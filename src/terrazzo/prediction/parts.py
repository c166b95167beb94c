"""One map by several processes: each predicts a part of its rows into the journal of the map, which is then written from that.

 part 1 of 3   part 2 of 3   part 3 of 3      rows of the map, from top to bottom
|-------------|-------------|------------|
          [ windows that touch  ]             at a cut both sides read and predict the same windows
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from terrazzo.errors import UsageError
from terrazzo.prediction.hold import holding
from terrazzo.prediction.journal_folder import BEGINNING, journal_folder
from terrazzo.prediction.keeping import is_large, kept_means, kept_rows, missing_jobs, open_journal
from terrazzo.prediction.refine.chain import Refiner, finished_rows, needed_jobs
from terrazzo.prediction.stream import Job, Predictor, windows_of
from terrazzo.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one of several processes does."""

    number: int
    """From 1 on."""
    count: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """'2/4' is the second of four. Raises UsageError if it is no such thing."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"--part {text}: a part is given as K/N, K from 1 to N, such as 2/4 for the second of four.")
        return cls(number=int(found[1]), count=int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, job: Job) -> Job:
        """The job of its rows of a map: all parts together have each row once. They meet where rows of windows begin, every stride."""
        height, step = job.mapped.shape[0], job.grid.stride[0]
        steps = -(-height // step)
        first, end = (min(steps * number // self.count * step, height) for number in (self.number - 1, self.number))
        return replace(job, part=range(first, end))


def parts_of(count: int) -> list[Part]:
    """All parts, of that many processes."""
    return [Part(number=number, count=count) for number in range(1, count + 1)]


def shared_jobs(jobs: Mapping[Path, Job], predictor: Predictor) -> dict[Path, Job]:
    """The jobs that several processes can share: those of large maps, unless every row needs all others, as for Otsu's threshold."""
    refiner = Refiner.of(predictor)
    return {path: job for path, job in jobs.items() if is_large(job) and refiner.needed(replace(job, part=range(1))).rows != job.rows}


def begin_maps(shared: Mapping[Path, Job], predictor: Predictor, jobs: Sequence[Job]) -> None:
    """Write down what shared maps are made with: as was written before, else as is chosen now for all jobs. All parts obey it.

    Of several processes that begin at the same time one does it, and the others wait. Raises as `Predictor.engine_for` and `Journal`.
    """
    if not shared:
        return
    folder = journal_folder(next(iter(shared)))
    folder.mkdir(parents=True, exist_ok=True)
    with holding(folder / BEGINNING):
        predictor.engine_for(jobs, kept_means(shared))
        for path, job in shared.items():
            open_journal(path, job, predictor).begin()


def windows_left(shared: Mapping[Path, Job], parts: Sequence[Part], predictor: Predictor) -> dict[Part, int]:
    """How many windows each part has still to predict."""
    left: dict[Part, int] = dict.fromkeys(parts, 0)
    for path, job in shared.items():
        journal = open_journal(path, job, predictor)
        for part in parts:
            left[part] += _windows(missing_jobs(part.of(job), journal), predictor)
    return left


def predict_part(shared: Mapping[Path, Job], part: Part, predictor: Predictor, progress: Progress) -> None:
    """Predict what is missing of a part of each job into the journals of the maps, which were begun; `write_maps` makes maps of them.

    Raises ConflictError if another process is at this part, or at all of a map.
    """
    # all at once: what they are made with is what was chosen, also when memory is short later and batches are halved
    journals = {path: open_journal(path, job, predictor, f"part-{part.number}-of-{part.count}") for path, job in shared.items()}
    own = {path: part.of(job) for path, job in shared.items()}
    windows = sum(_windows(missing_jobs(job, journals[path]), predictor) for path, job in own.items())
    with progress.task("predict", windows, "windows") as advance:
        for path, job in own.items():
            with journals[path] as journal:
                works = missing_jobs(job, journal)
                pieces = finished_rows(works, predictor, advance)
                for work in works:
                    for _ in kept_rows(work, pieces, journal, predictor):
                        pass


def _windows(jobs: Sequence[Job], predictor: Predictor) -> int:
    return windows_of(needed_jobs(jobs, predictor))


def devices_for(device: torch.device, processes: int) -> list[str]:
    """Where each of several processes computes: on all CUDA devices in turn, unless one of them, or another device, is meant."""
    if device.type == "cuda" and device.index is None:
        return [f"cuda:{number % torch.cuda.device_count()}" for number in range(processes)]
    return [str(device)] * processes
