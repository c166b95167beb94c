"""kill -9 at any moment: the resumed run ends as one that nobody disturbed, bit for bit."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL", allow_module_level=True)

pytestmark = pytest.mark.slow
PATIENCE_S = 60
FORKING = """
import os, sys, traceback
from pathlib import Path
import torch
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.train import train

torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
print("ready", flush=True)
for line in sys.stdin:
    recipe, out, *sets = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if pid == 0:
        try:
            opened = open_context(recipe, sets)
            context = Context(recipe=opened.recipe, folder=opened.folder, device="cpu", threads=1)
            train(Path(recipe), Path(out), resume=True, context=context)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Trains in a process of its own for each line, without importing everything each time."""


class Trainings:
    """Starts trainings, and kills them."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout
        assert stdout.readline() == "ready\n"

    def start(self, recipe: Path, out: Path, *sets: str) -> int:
        """The number of the process."""
        print(recipe, out, *sets, sep="\t", file=self._stdin, flush=True)
        return int(self._stdout.readline())

    def end(self) -> int:
        """Wait for its exit code."""
        return int(self._stdout.readline())


@pytest.fixture(scope="module")
def trainings() -> Iterator[Trainings]:
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Trainings(process.stdin, process.stdout)


def ends(run: Path) -> dict[str, object]:
    """What two runs must have alike."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    files = ("model/model.safetensors", "model/model.json", "evaluation.json", "maps/d_predseg.tif", "windows.csv")
    digests = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in files}
    told: list[dict[str, Any]] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    return {**digests, "rows": told, "lines of the table": len((run / "metrics.csv").read_text(encoding="utf-8").splitlines())}


def half_written(folder: Path) -> bool:
    return folder.is_dir() and any(path.name.startswith(".") for path in folder.iterdir())


def wait_until(condition: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never happened"


def killed_until_the_end(trainings: Trainings, run: Path, given: tuple[Path, *tuple[str, ...]], moments: Iterator[float]) -> list[str]:
    """Train, killed at these moments (seconds after the start; below 0: while a checkpoint is written) until they or the steps are over.

    Returns where each kill hit.
    """
    hits = []
    for moment in moments:
        number = trainings.start(given[0], run, *given[1:])
        wait_until((run / "checkpoints" / "last.safetensors").exists)
        if moment < 0:
            wait_until(lambda: half_written(run / "checkpoints") or (run / "report.html").exists())
        else:
            time.sleep(moment)
        os.kill(number, signal.SIGKILL)
        if trainings.end() == 0:
            break
        half = half_written(run / "checkpoints")
        hits.append("checkpoint" if half else "account" if (run / "model" / "model.json").exists() else "step")
        assert not (run / "report.html").exists()
    trainings.start(given[0], run, *given[1:])
    assert trainings.end() == 0
    return hits


OFTEN = ("training.checkpoint_minutes=1e-9", "draw.log=true")


def test_three_kills(trainings: Trainings, data: Path, tmp_path: Path) -> None:
    """While a checkpoint is written, and somewhere."""
    trainings.start(data, tmp_path / "whole", *OFTEN)
    assert trainings.end() == 0
    hits = killed_until_the_end(trainings, tmp_path / "run", (data, *OFTEN), iter([-1, 0.3, -1]))
    assert len(hits) == 3
    assert hits[0] == hits[2] == "checkpoint"
    assert ends(tmp_path / "run") == ends(tmp_path / "whole")
    assert not half_written(tmp_path / "run" / "checkpoints")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_twenty_five_kills(trainings: Trainings, data: Path, tmp_path: Path, optimizer: str) -> None:
    """At random moments from the first step on; runs that end before are begun anew."""
    sets = (*OFTEN, f"training.optimizer='{optimizer}'", "training.epochs=30", "model.dropout=0.2", "training.keep='all'")
    trainings.start(data, tmp_path / "whole", *sets)
    assert trainings.end() == 0
    draws = random.Random(7)
    hits: list[str] = []
    for number in range(25):
        moments = (draws.choice([-1.0, draws.uniform(0, 2.5), draws.uniform(0, 2.5)]) for _ in range(25 - len(hits)))
        hits += killed_until_the_end(trainings, tmp_path / f"run{number}", (data, *sets), moments)
        assert ends(tmp_path / f"run{number}") == ends(tmp_path / "whole")
        if len(hits) == 25:
            break
    assert len(hits) == 25
    print({hit: hits.count(hit) for hit in set(hits)})  # noqa: T201 - shown with -s
    assert {"checkpoint", "step"} <= set(hits)
