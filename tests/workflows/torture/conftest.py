"""Command lines, typed: what the user sees of a fault is the exit code and a sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from terrazzo.app.cli import main
from terrazzo.training.fit import Trainer


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Typed = Callable[..., Ended]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command line. No fault is told by a traceback, and none is one of Terrazzo's own."""

    def run(verb: str, *words: object) -> Ended:
        capsys.readouterr()
        code = main([verb, "--device", "cpu", "--threads", "1", *map(str, words)])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        assert code != 1, shown.err
        return Ended(code=code, out=shown.out, err=shown.err)

    return run


@pytest.fixture
def unfinished(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Train a recipe into a run that is broken off after its first epoch."""

    def train(recipe: Path, run: Path) -> None:
        with monkeypatch.context() as patch, broken_off_after_an_epoch(patch):
            assert typed("train", recipe, "--out", run).code == 130

    return train


@contextmanager
def broken_off_after_an_epoch(patch: pytest.MonkeyPatch) -> Iterator[None]:
    conclude = Trainer._conclude

    def interrupted(trainer: Trainer, *rest: Any) -> None:
        conclude(trainer, *rest)
        raise KeyboardInterrupt

    patch.setattr(Trainer, "_conclude", interrupted)
    yield
