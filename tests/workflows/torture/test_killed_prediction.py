"""kill -9 of predict at any moment: the same command ends with the same files, map by map."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from terrazzo.app.cli import main
from terrazzo.prediction import keeping

pytestmark = pytest.mark.slow
KILLS = 5
MADE = ("--probabilities", "--entropy", "--min-size", "3", "--overlay", "--rle", "water", "--isolate", "water", "--device", "cpu")


@pytest.fixture
def images(tiny_run: Any, tmp_path: Path) -> Path:
    """Two images, each of some blocks of the journal."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, times in (("a", (1, 5, 2)), ("b", (1, 4, 3))):
        with rasterio.open(tiny_run.folder / "images" / f"{name}.tif") as file:
            profile, values = file.profile, np.tile(file.read(), times)
        with rasterio.open(folder / f"{name}.tif", "w", **{**profile, "height": values.shape[1], "width": values.shape[2]}) as file:
            file.write(values)
    return folder


def predicting(words: list[str]) -> int:
    """The number of a process that runs a command line."""
    child = os.fork()
    if child == 0:
        os._exit(main(words))
    return child


def test_ends_with_the_same_files(tiny_run: Any, images: Path, tmp_path: Path, written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "BLOCK_PX", 24 * 96 - 1)
    threads, draws, hits, number = torch.get_num_threads(), random.Random(3), 0, 0
    # a forked process has no threads of its parent's pools
    torch.set_num_threads(1)
    try:
        begun = time.monotonic()
        assert main(["predict", str(tiny_run.run), str(images), str(tmp_path / "whole"), *MADE]) == 0
        took, whole = time.monotonic() - begun, written(tmp_path / "whole")
        while hits < KILLS:
            number += 1
            out = tmp_path / str(number)
            words = ["predict", str(tiny_run.run), str(images), str(out), *MADE]
            ended = False
            while not ended:
                child = predicting(words)
                if hits < KILLS:
                    time.sleep(draws.uniform(0, took))
                    os.kill(child, signal.SIGKILL)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                assert code in (0, -signal.SIGKILL)
                hits += code != 0
                ended = code == 0
            assert written(out) == whole
    finally:
        torch.set_num_threads(threads)
    assert number < KILLS
