"""Command lines, typed: what the user sees of a fault is the exit code and a sentence."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd
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
    """Train a recipe into a run that Ctrl-C ends after its first epoch."""
    conclude = Trainer._conclude

    def interrupted(trainer: Trainer, *rest: Any) -> None:
        conclude(trainer, *rest)
        os.kill(os.getpid(), signal.SIGINT)

    def train(recipe: Path, run: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_conclude", interrupted)
            assert typed("train", recipe, "--out", run).code == 130

    return train


@pytest.fixture
def written() -> Callable[[Path], dict[str, bytes]]:
    """What of a folder of maps must be alike however it came to be: all files that have a name of their own.

    A GeoPackage keeps the time at which it was written: of it the rows count. How sure a model was of a map is not known any more where
    it was whole when the command was broken off.
    """

    def told(path: Path) -> bytes:
        if path.suffix == ".gpkg":
            return str(geopandas.read_file(path, layer="polygons").to_csv()).encode()
        if path.name == "areas.csv":
            return pd.read_csv(path).drop(columns="mean_confidence").to_csv().encode()
        return path.read_bytes()

    return lambda folder: {path.name: told(path) for path in folder.iterdir() if not path.name.startswith(".")}
