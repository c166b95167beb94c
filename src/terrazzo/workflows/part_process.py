"""The program of a process that predicts a part: it gets its task from the process that started it, and tells that how it gets on."""

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from terrazzo.errors import TerrazzoError
from terrazzo.prediction.maps import Watch, write_maps
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.parts import predict_part
from terrazzo.progress import Advance
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_jobs import plan_maps
from terrazzo.workflows.processes import MadeMap, Message, PartTask

FAILED = 1


class Teller:
    """Tells the other process, from any thread: it is the progress and takes the warnings of this one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def tell(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's arguments
        yield lambda done: self.tell(float(done))


class _Warnings(logging.Handler):
    def __init__(self, teller: Teller) -> None:
        super().__init__(logging.WARNING)
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        # what the text is made of may not be what can be sent
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._teller.tell(record)


def main(descriptor: int) -> int:
    """Do the task that comes through a connection; returns the exit code."""
    connection = Connection(descriptor)
    task: PartTask = connection.recv()
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    teller = Teller(connection)
    logging.getLogger("terrazzo").addHandler(_Warnings(teller))
    # those of libraries: the other process says what is to be known of the images
    warnings.simplefilter("ignore")
    try:
        _do(task, teller)
    except Exception as error:  # noqa: BLE001 - the last stop: the other process raises it
        teller.tell(_as_sent(error))
        return FAILED
    return 0


def _do(task: PartTask, teller: Teller) -> None:
    work = plan_maps(task.maps, Context(recipe=task.recipe, device=task.device, threads=task.threads))
    predictor = work.predictor
    predictor.engine_for(list(work.jobs.values()), task.means)
    for path, notes in task.gaps.items():
        gaps = work.jobs[path].gaps
        assert gaps is not None, "there are notes of it"
        gaps.add_notes(notes)
    predict_part(work.shared, task.part, predictor, teller)

    def tell(path: Path, tally: Tally) -> None:
        gaps = work.jobs[path].gaps
        teller.tell(MadeMap(path, tally.notes(), [] if gaps is None else gaps.notes()))

    write_maps(work.whole_of(task.part), predictor, teller, Watch(counted=tell, quiet=True))


def _end_with(connection: Connection) -> None:
    """End this process once the other is gone. What it kept is whole at any moment."""
    connection.poll(None)
    os._exit(FAILED)


def _as_sent(error: Exception) -> Exception:
    """An exception that the other process can read, with what --debug shows of it."""
    known = isinstance(error, TerrazzoError | OSError | MemoryError)
    sent = error if known else RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note("".join(traceback.format_exception(error)))
    return sent


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
