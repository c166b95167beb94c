"""predict by several processes: the maps of one, and nothing lost or left running however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from terrazzo.errors import ConflictError, RecipeError, UsageError
from terrazzo.prediction import keeping
from terrazzo.prediction.parts import parts_of
from terrazzo.progress import Silent
from terrazzo.recipes.recipe import Recipe
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_jobs import MapTask
from terrazzo.workflows.predict import predict
from terrazzo.workflows.processes import PartTask, run_parts

ContextOf = Callable[..., Context]
SHAPE = (2131, 2017)
PATIENCE_S = 300
MANY = ("--window", "256", "--overlap", "0.25", "--engine", "torch", "--probabilities", "--threads", "3")
"""Options with which a map takes some seconds."""


@pytest.fixture
def one(context_of: ContextOf) -> Context:
    return context_of()


@pytest.fixture(scope="module")
def large(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of more than four megapixels."""
    path: Path = tmp_path_factory.mktemp("large") / "large.tif"
    values = np.random.default_rng(4).integers(90, 400, (2, *SHAPE), np.uint16)
    values[:, 700:1400, 300:900] = 0
    with rasterio.open(path, "w", driver="GTiff", count=2, height=SHAPE[0], width=SHAPE[1], dtype="uint16", nodata=0) as file:
        file.write(values)
    return path


class TestParts:
    @pytest.fixture(autouse=True)
    def _all_are_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "BLOCK_PX", 8 * 48 - 1)

    def test_each_by_a_command_of_its_own(self, tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
        context, images = context_of(None, "prediction.probabilities=true", "prediction.sieve=3"), [tiny_run.folder / "images"]
        predict(tiny_run.run, images, tmp_path / "whole", context)
        for number in (3, 1, 2):
            done = predict(tiny_run.run, images, tmp_path / "out", context, part=f"{number}/3")
            assert done.text.startswith(f"Part {number}/3 of 4 maps is finished.")
            assert [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == []
        predict(tiny_run.run, images, tmp_path / "out", context)
        found, expected = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("out", "whole"))
        assert found == expected

    def test_of_maps_that_are_there_nothing_is_to_do(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "out", one)
        done = predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "out", one, part="1/2")
        assert done.text.startswith("There is nothing to do for part 1/2.")

    def test_of_other_options_are_a_conflict(self, tiny_run: Any, tmp_path: Path, one: Context, context_of: ContextOf) -> None:
        predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "out", one, part="1/2")
        with pytest.raises(ConflictError, match=r"overlap 0\.5 \(now 0\.0\)"):
            predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "out", context_of(None, "prediction.overlap=0"), part="2/2")

    def test_not_with_processes(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        with pytest.raises(UsageError, match="Leave one of them out"):
            predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path, one, part="1/2", processes=2)


def test_what_cannot_be_shared_is_made_by_one(tiny_run: Any, tmp_path: Path, one: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    done = predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path / "out", one, processes=4)
    assert done.text.startswith("1 map in")
    done = predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path / "out", one, processes=4)
    assert "1 of them kept from before" in done.text


def begin(run: Path, image: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "terrazzo", "predict", str(run), str(image), str(out), "--device", "cpu", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def children_of(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_there(process: int) -> bool:
    """Whether a process runs; not so one that ended and that nobody asked about yet."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tiny_run: Any, large: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that one process makes of the large image."""
    out = tmp_path_factory.mktemp("whole")
    code, _, err = finish(begin(tiny_run.run, large, out, *MANY))
    assert code == 0, err
    return contents(out)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells the children of a process")
class TestProcesses:
    """On a map that several share."""

    @contextmanager
    def at_work(self, run: Path, image: Path, out: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
        """The command and its children. One has finished its rows, and the second is stopped; none of them is left afterwards."""
        command = begin(run, image, out, *MANY, "--processes", "3")
        wait_until(lambda: len([*out.glob(".*/part-*.jsonl")]) == 3)
        children = children_of(command.pid)
        assert len(children) == 3
        os.kill(children[1], signal.SIGSTOP)
        wait_until(lambda: [*out.glob(".*/*.block")])
        yield command, children
        if is_there(children[1]):
            os.kill(children[1], signal.SIGCONT)
        wait_until(lambda: not any(map(is_there, [command.pid, *children])))
        assert [path for path in out.iterdir() if not path.name.startswith(".")] == []

    def test_make_the_files_of_one(self, tiny_run: Any, large: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
        code, out, err = finish(begin(tiny_run.run, large, tmp_path / "out", *MANY, "--processes", "3", "--json"))
        assert code == 0, err
        assert contents(tmp_path / "out") == whole
        assert str(tmp_path / "out" / "large_predseg.tif") in json.loads(out)["outputs"]

    def test_one_is_killed(self, tiny_run: Any, large: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
        with self.at_work(tiny_run.run, large, tmp_path / "out") as (command, children):
            os.kill(children[1], signal.SIGKILL)
            code, _, err = finish(command)
            assert code == 5
            assert err.splitlines()[-1] == (
                "error: The process that predicted part 2/3 was killed (SIGKILL); memory may have been short. "
                "The same command, with fewer --processes if need be, goes on after what is finished."
            )
        code, _, err = finish(begin(tiny_run.run, large, tmp_path / "out", *MANY, "--processes", "2"))
        assert code == 0, err
        assert contents(tmp_path / "out") == whole

    @pytest.mark.parametrize("how", [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
    def test_stopped(self, tiny_run: Any, large: Path, tmp_path: Path, whole: dict[str, bytes], how: tuple[int, int, str]) -> None:
        with self.at_work(tiny_run.run, large, tmp_path / "out") as (command, _):
            command.send_signal(how[0])
            code, out, err = finish(command)
            assert (code, out, err.splitlines()[-1]) == (how[1], "", how[2])
        assert finish(begin(tiny_run.run, large, tmp_path / "out", *MANY, "--processes", "3"))[0] == 0
        assert contents(tmp_path / "out") == whole

    def test_all_are_killed_with_the_command(self, tiny_run: Any, large: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
        with self.at_work(tiny_run.run, large, tmp_path / "out") as (command, _):
            command.kill()
        code, _, err = finish(begin(tiny_run.run, large, tmp_path / "out", *MANY))
        assert code == 0
        assert "rows are there" in err
        assert contents(tmp_path / "out") == whole

    def test_one_fails(self, tiny_run: Any, large: Path, tmp_path: Path) -> None:
        """Its error is that of the command, and who is still at it is stopped."""
        maps = MapTask(models=[tiny_run.run], inputs=[large], out=tmp_path / "out")
        tasks = [
            PartTask(part=part, maps=replace(maps, models=[model]), means={}, gaps={}, recipe=Recipe(), device="cpu", threads=1)
            for part, model in zip(parts_of(2), (tiny_run.run, tmp_path / "none"), strict=True)
        ]
        with pytest.raises(RecipeError, match="no model at") as caught:
            run_parts(tasks, 1, Silent(), lambda _: None)
        assert "Traceback" in "".join(caught.value.__notes__)
        assert children_of(os.getpid()) == []

    def test_small_maps_are_dealt(self, tiny_run: Any, data: Path, tmp_path: Path) -> None:
        """One of the images has a block that cannot be read: that is known as ever."""
        images = data.parent / "images"
        with rasterio.open(images / "b.tif") as file:
            profile, values = file.profile, file.read()
        with rasterio.open(
            images / "b.tif", "w", **{**profile, "tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
        ) as file:
            file.write(values)
        with rasterio.open(images / "b.tif") as file:
            offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
        with (images / "b.tif").open("rb+") as file:
            file.seek(offset)
            file.write(bytes(30))
        found = []
        for processes in ("1", "3"):
            out = tmp_path / processes
            code, text, err = finish(begin(tiny_run.run, images, out, "--processes", processes))
            told = [line.replace(str(out), "OUT") for line in (text + err).splitlines() if not line.startswith("predict: ")]
            found.append((code, contents(out), told))
        assert found[0] == found[1]
        assert found[0][0] == 7
        assert "failures.csv" in found[0][1]
