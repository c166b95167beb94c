"""Torture 38: a disk that is full at any moment ends a verb with 5; what was finished stays, and the same command ends what it began."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from terrazzo.models.bundle import load_bundle
from terrazzo.prediction import keeping
from terrazzo.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
SHARES = (0.02, 0.15, 0.3, 0.45, 0.6, 0.75, 0.95)
"""Sizes of the disk, of what is needed."""
CPU = torch.device("cpu")
SmallDisk = Callable[[int], Path]


def kib(folder: Path) -> int:
    """What the files of a folder take on a disk of whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


def check_whole(run: Path) -> None:
    """What is there under the name of a model or a checkpoint can be read."""
    for path in run.glob("checkpoints/*.safetensors"):
        load_checkpoint(path, CPU)
    if (run / "model" / "model.json").exists():
        load_bundle(run)


@pytest.mark.parametrize("share", SHARES)
def test_training(typed: Any, tiny_run: Any, data: Path, tmp_path: Path, small_disk: SmallDisk, share: float) -> None:
    needed = kib(tiny_run.run)
    run = small_disk(max(8, int(share * needed))) / "run"
    words = ("train", data, "--out", run)
    ended = typed(*words)
    assert ended.code == 5, ended.err
    assert "No space left on device" in ended.err or "does not read back" in ended.err or "cannot be written" in ended.err
    check_whole(run)
    small_disk(4 * needed)
    assert typed(*words, "--resume").code == 0
    mine, whole = ({path.relative_to(each).as_posix() for path in each.rglob("*")} for each in (run, tiny_run.run))
    assert mine == whole
    for name in ("model/model.safetensors", "model/model.json", "evaluation.json", "maps/d_predseg.tif", "classes.csv"):
        assert (run / name).read_bytes() == (tiny_run.run / name).read_bytes(), name


@pytest.fixture(params=[500, keeping.BLOCK_PX], ids=["journal", "none"])
def _journal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of more pixels than that have one."""
    monkeypatch.setattr(keeping, "BLOCK_PX", request.param)


@pytest.mark.usefixtures("_journal")
@pytest.mark.parametrize("share", SHARES)
def test_prediction(typed: Any, tiny_run: Any, tmp_path: Path, small_disk: SmallDisk, written: Any, share: float) -> None:
    made = ("--probabilities", "--entropy", "--overlay", "--polygons", "--rle", "water", "--isolate", "water")
    words = ("predict", tiny_run.run, tiny_run.folder / "images")
    assert typed(*words, tmp_path / "whole", *made).code == 0
    needed, whole = kib(tmp_path / "whole"), written(tmp_path / "whole")
    out = small_disk(max(8, int(share * needed))) / "maps"
    ended = typed(*words, out, *made)
    assert ended.code == 5, ended.err
    found = written(out)
    assert found == {name: whole[name] for name in found}
    small_disk(8 * needed)
    assert typed(*words, out, *made).code == 0
    assert written(out) == whole
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
