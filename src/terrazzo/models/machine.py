"""What there is to compute with, and how fast it is."""

import time
from dataclasses import dataclass

import torch

from terrazzo.models.network import precision_for

MEASURE_S = 0.6
"""Seconds that one measurement takes, about."""
SIDES = {"cpu": 1024, "cuda": 8192, "mps": 2048}
"""Side of the square matrices that are multiplied, by type of device: large enough to fill it."""


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """A device that torch can compute on."""

    name: str
    """As --device takes it."""
    chip: str
    memory_bytes: int | None
    """Of the device itself; None where it shares the machine's."""
    bfloat16: bool
    """Whether the chip multiplies bfloat16 faster than float32."""


def devices() -> list[DeviceFacts]:
    """The CPU, then accelerators."""
    found = [DeviceFacts(name="cpu", chip="", memory_bytes=None, bfloat16=_fast(torch.device("cpu")))]
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        facts = torch.cuda.get_device_properties(device)
        found.append(DeviceFacts(name=str(device), chip=facts.name, memory_bytes=facts.total_memory, bfloat16=_fast(device)))
    if torch.backends.mps.is_available():
        found.append(DeviceFacts(name="mps", chip="Apple", memory_bytes=None, bfloat16=_fast(torch.device("mps"))))
    return found


def measure_products(device: torch.device) -> dict[str, float]:
    """GFLOP/s of matrix products on a device, by precision; takes about a second and a half."""
    return {
        "float32": _gigaflops(device, torch.float32),
        "bfloat16": _gigaflops(device, torch.bfloat16),
    }


def _fast(device: torch.device) -> bool:
    return precision_for(device)[0] == "bfloat16"


def _gigaflops(device: torch.device, precision: torch.dtype) -> float:
    side = SIDES.get(device.type, SIDES["cpu"])
    factor = torch.full((side, side), 0.5, dtype=precision, device=device)
    _multiply(factor)  # the first one sets up libraries
    products, started = 0, time.perf_counter()
    while True:
        _multiply(factor)
        products += 1
        took = time.perf_counter() - started
        if took >= MEASURE_S:
            return 2 * side**3 * products / took / 1e9


def _multiply(factor: torch.Tensor) -> None:
    """Multiply and wait for the outcome: accelerators answer before they are done."""
    (factor @ factor)[0, 0].item()
