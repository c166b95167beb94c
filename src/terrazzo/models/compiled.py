"""Networks that torch compiles for the chip before they learn."""

import os
import shutil
import sys

import torch
from torch import nn

from terrazzo.errors import EnvironmentFault


def check_compiler(device: torch.device) -> None:
    """Raise EnvironmentFault if there is nothing to compile with: on a CPU, torch writes C++."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    name = os.environ.get("CXX", usual)
    if device.type == "cpu" and shutil.which(name) is None:
        raise EnvironmentFault(
            f"training.compile is true, and there is no C++ compiler '{name}' to compile with. "
            f"Install {usual}, name another in the environment variable CXX, or set compile = false."
        )


def compile_network(network: nn.Module) -> None:
    """From its next call on, a compiled form does the work; weights and their names stay as they are.

    Each size of batch is compiled for itself when it first comes: what is computed does not depend on what came before, and a training
    that is resumed computes as one that was not.
    """
    network.compile(dynamic=False)
