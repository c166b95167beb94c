"""Weights of single epochs: named by what they score, as many as asked for, and nothing else is touched."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from terrazzo.training.epoch_files import Keep, epoch_file, keep_epoch

WEIGHTS = {"a.weight": torch.randn(3, 2, 2, 2).contiguous(memory_format=torch.channels_last)}


def test_names_tell_the_figures() -> None:
    assert epoch_file(12, 0.34561, "mean_dice", 0.81234) == "epoch_0012_loss_0.3456_mean_dice_0.8123.safetensors"
    assert epoch_file(3, 0.5, "loss", -0.25) == "epoch_0003_loss_0.5000_loss_0.2500.safetensors"
    assert epoch_file(12345, 2.0, "mean_dice", None) == "epoch_12345_loss_2.0000.safetensors"


@pytest.mark.parametrize(("keep", "left"), [("best", []), ("all", [1, 2, 3, 4, 10000]), (2, [4, 10000]), (9, [1, 2, 3, 4, 10000])])
def test_as_many_are_left_as_asked_for(tmp_path: Path, keep: Keep, left: list[int]) -> None:
    others = [tmp_path / "last.safetensors", tmp_path / "epoch_0001.txt", tmp_path / "my_epoch_0001_loss_0.1.safetensors"]
    for path in others:
        path.write_bytes(b"mine")
    for epoch in (1, 2, 3, 4, 10000):
        keep_epoch(tmp_path / epoch_file(epoch, 0.5, "mean_dice", 0.1), WEIGHTS, keep)
    expected = {epoch_file(epoch, 0.5, "mean_dice", 0.1) for epoch in left} | {path.name for path in others}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_they_are_those_of_a_model(tmp_path: Path) -> None:
    keep_epoch(tmp_path / epoch_file(1, 0.5, "mean_dice", 0.1), WEIGHTS, "all")
    [path] = tmp_path.iterdir()
    found = load_file(path)
    assert found.keys() == WEIGHTS.keys()
    assert torch.equal(found["a.weight"], WEIGHTS["a.weight"])
