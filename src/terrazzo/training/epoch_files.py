"""Weights of single epochs, a file each, for those who want more than the best."""

import re
from pathlib import Path
from typing import Literal

from torch import Tensor

from terrazzo.models.tensors import write_tensors

NAME = re.compile(r"epoch_(\d{4,})_loss_.*\.safetensors")

Keep = Literal["best", "all"] | int


def epoch_file(epoch: int, loss: float, figure: str, value: float | None) -> str:
    """Such as epoch_0012_loss_0.3456_mean_dice_0.8123.safetensors; the value is left out where there is none."""
    scored = "" if value is None else f"_{figure}_{abs(value):.4f}"
    return f"epoch_{epoch:04d}_loss_{loss:.4f}{scored}.safetensors"


def keep_epoch(path: Path, weights: dict[str, Tensor], keep: Keep) -> None:
    """Write the weights, as in model.safetensors, and remove those of epochs that are no longer among the newest `keep`.

    'best' keeps none of them, 'all' keeps them all.
    """
    if keep == "best":
        return
    write_tensors(path, weights)
    if keep != "all":
        for _, old in _epochs(path.parent)[:-keep]:
            old.unlink()


def _epochs(folder: Path) -> list[tuple[int, Path]]:
    found = ((NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)
