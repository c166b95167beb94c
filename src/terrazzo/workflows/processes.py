"""predict by several processes on one machine: each does a part, and tells this one how it gets on."""

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple, Self

from terrazzo.errors import EnvironmentFault
from terrazzo.prediction.maps import Counted
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.parts import Part, begin_maps, devices_for, parts_of, windows_left
from terrazzo.prediction.refine.chain import needed_jobs
from terrazzo.prediction.stream import windows_of
from terrazzo.progress import Progress
from terrazzo.rasters.ahead import cores
from terrazzo.recipes.recipe import Recipe
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_jobs import MapTask, MapWork

PROGRAM = "terrazzo.workflows.part_process"
Notes = Sequence[Sequence[object]]
"""See `Gaps.notes`."""


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """What one process is to do."""

    part: Part
    """Its part of large maps, and which of the others."""
    maps: MapTask
    means: Mapping[str, object]
    """What all maps are made with; see `Predictor.runtime_facts`."""
    gaps: Mapping[Path, Notes]
    """What is known and was told already of images that cannot be read all over, by their maps."""
    recipe: Recipe
    device: str
    threads: int


class MadeMap(NamedTuple):
    """A map that a process has made by itself."""

    path: Path
    counts: Mapping[str, Any]
    """Notes of its tally."""
    gaps: Notes
    """Of what of its image could not be read."""


Message = float | MadeMap | logging.LogRecord | BaseException
"""What a process tells: that so many windows are done, or a map, a warning, or what ended it."""


def share_maps(maps: MapTask, work: MapWork, processes: int, context: Context, counted: Counted) -> None:
    """Predict maps by several processes: of large ones a part each, into their journals; the others are dealt to them, and written.

    counted: is told what was counted of each that was written. Where less than two have anything to do, nothing is done here.
    Raises as `begin_maps` and `run_parts`.
    """
    predictor, jobs = work.predictor, list(work.jobs.values())
    begin_maps(work.shared, predictor, jobs)
    windows = windows_left(work.shared, parts_of(processes), predictor)
    for part in windows:
        windows[part] += windows_of(needed_jobs(list(work.whole_of(part).values()), predictor))
    busy = [part for part in windows if windows[part]]
    if len(busy) < 2:
        return
    threads = max(1, (context.threads or cores()) // len(busy))
    means = predictor.runtime_facts(jobs)
    gaps = {path: job.gaps.notes() for path, job in work.todo.items() if job.gaps is not None and job.gaps.found}
    tasks = [
        PartTask(part=part, maps=maps, means=means, gaps=gaps, recipe=context.recipe, device=device, threads=threads)
        for part, device in zip(busy, devices_for(predictor.device, len(busy)), strict=True)
    ]

    def take(made: MadeMap) -> None:
        gaps = work.jobs[made.path].gaps
        if gaps is not None:
            gaps.add_notes(made.gaps)
        tally = Tally(predictor.legend)
        tally.add_notes(made.counts)
        counted(made.path, tally)

    run_parts(tasks, sum(windows.values()), context.progress, take)


def run_parts(tasks: Sequence[PartTask], windows: int, progress: Progress, take: Callable[[MadeMap], None]) -> None:
    """Do each task in a process of its own. However this ends, no process is left.

    windows: of all tasks. take: is told each map that is made.
    Raises what was raised in the process that failed first; EnvironmentFault if one was killed.
    """
    told: set[str] = set()
    with ExitStack() as stack:
        running = {child.connection: child for child in [stack.enter_context(_Child(task)) for task in tasks]}
        # how long they take to begin is no part of the rate
        wait(list(running))
        advance = stack.enter_context(progress.task("predict", windows, "windows"))
        while running:
            for connection in wait(list(running)):
                assert isinstance(connection, Connection), "nothing else is waited for"
                try:
                    message: Message = connection.recv()
                except (EOFError, ConnectionResetError):
                    running.pop(connection).check_end()
                    continue
                if isinstance(message, BaseException):
                    raise message
                if isinstance(message, float):
                    advance(message)
                elif isinstance(message, MadeMap):
                    take(message)
                elif message.getMessage() not in told:
                    # what several warn of is said once
                    told.add(message.getMessage())
                    logging.getLogger(message.name).handle(message)


class _Child:
    """A process at its task. It ends with this one, whatever ends that: the other end of its connection is closed then."""

    def __init__(self, task: PartTask) -> None:
        self._task = task

    def __enter__(self) -> Self:
        self.connection, theirs = Pipe()
        with theirs:
            # in a group of its own: what Ctrl-C means to it is for this process to say
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter that runs this
                [sys.executable, "-m", PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
        self.connection.send(self._task)
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        # its journal can bear that at any moment
        self._process.kill()
        self._process.wait()

    def check_end(self) -> None:
        """Wait for its end. Raises EnvironmentFault if that was not the end of its task."""
        code = self._process.wait()
        if code:
            how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
            raise EnvironmentFault(
                f"The process that predicted part {self._task.part} {how}; memory may have been short. "
                "The same command, with fewer --processes if need be, goes on after what is finished."
            )
