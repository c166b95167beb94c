"""Tensors on disk: a safetensors file that is whole under its name, and was read back."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.write import writing

_FAULT = re.compile(r"I/O error: (.*?)(?: \(os error \d+\))?$")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write atomically: whoever is killed in between, or fills the disk, leaves what was at the path before.

    The file is the same for the same tensors, whatever device and layout they have. Raises EnvironmentFault if it cannot be written, or
    does not hold what was written.
    """
    plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    with writing(path) as temporary:
        # the library makes the file anew, readable for its owner alone
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(plain, temporary, metadata)
        except SafetensorError as error:
            if (fault := _FAULT.search(str(error))) is None:
                raise
            raise EnvironmentFault(f"{path} cannot be written: {fault[1]}. Free the disk or choose another folder.") from error
        temporary.chmod(mode)
        _check(temporary, plain, path)


def _check(written: Path, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        with safe_open(written, framework="pt") as file:
            whole = set(file.keys()) == tensors.keys() and all(_same(file.get_tensor(name), tensor) for name, tensor in tensors.items())
    except SafetensorError:
        whole = False
    if not whole:
        raise EnvironmentFault(f"{path} cannot be written: what is read back is not what was written. Check the disk.")


def _same(one: Tensor, other: Tensor) -> bool:
    """Bit for bit: NaN equals itself."""
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(_bytes(one), _bytes(other))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8)
