"""PyTorch, on any device: the engine that all others are measured by."""

import torch
from torch import Tensor

from terrazzo.models.bundle import Bundle
from terrazzo.models.network import LAYOUT, Runtime
from terrazzo.prediction.engines.forward import Means


class TorchForward:
    """The network itself, channels last."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self._runtime = runtime
        self._overlapping = bundle.legend.overlapping
        self._network = runtime.place(bundle.network).eval()

    @property
    def means(self) -> Means:
        return Means(engine="torch", device=self.device.type, precision=self._runtime.precision)

    @property
    def alone(self) -> bool:
        return self.device.type == "cpu"

    @property
    def device(self) -> torch.device:
        return self._runtime.device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        logits = self._runtime.logits(self._network, images.contiguous(memory_format=LAYOUT))
        return logits.sigmoid() if self._overlapping else logits.softmax(1)
