"""What all engines have in common: images in, probabilities out."""

from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from terrazzo.models.network import Precision
from terrazzo.prediction.options import EngineName

EnginePrecision = Precision | Literal["int8"]
"""int8: convolutions in whole numbers of eight bits, the rest in float32."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the last digit of a probability may depend on."""

    engine: EngineName
    device: str
    """Type of the device: cpu, cuda, mps."""
    precision: EnginePrecision

    def facts(self) -> dict[str, str]:
        """As JSON has it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.engine} on {self.device} in {self.precision}"


class Forward(Protocol):
    """A network that is ready to compute. Several threads may call it at once."""

    @property
    def means(self) -> Means: ...

    @property
    def alone(self) -> bool:
        """Whether a window a pass is best, each on a thread of its own, as on CPUs; else a batch a pass."""

    @property
    def device(self) -> torch.device:
        """Where images are expected and probabilities are left."""

    def __call__(self, images: Tensor) -> Tensor:
        """(batch, bands, height, width) float32 to probabilities (batch, classes, height, width) float32; any number of shapes, but few."""
