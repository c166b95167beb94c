"""The memory that a training will need at its peak, told before it begins: every tensor of a step, without computing it.

A step is gone through with fake tensors, which have shapes and types but no numbers, and a ledger keeps count of them. The losses look at
numbers; they are computed of a small piece, for their memory grows with the pixels.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

from terrazzo.labels.legend import IGNORE
from terrazzo.models.network import LAYOUT, Runtime
from terrazzo.rasters.window import Shape
from terrazzo.samples.loader.loader import AHEAD
from terrazzo.training.finders.ledger import Ledger
from terrazzo.training.losses.total import Loss
from terrazzo.training.optimizers import build_optimizer
from terrazzo.training.options import TrainingOptions

PROGRAM_BYTES = 1220 * 2**20
"""What the process itself holds while it trains on the CPU: the interpreter, torch and all libraries; measured on Linux."""
ENCODERS_BYTES = 150 * 2**20
"""What the libraries of architectures and encoders add."""
HEAP = 1.45
"""What the process takes for each byte that a step holds, on the CPU: freed memory is kept, in pieces that may not suit what comes next."""
PIECE = (2, 64, 64)
"""Images, height and width of what the losses are measured on."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """What a network is shown."""

    count: int
    """Samples a batch."""
    bands: int
    classes: int
    size: Shape
    """(height, width) of a sample in pixels."""

    @property
    def pixels(self) -> int:
        return self.count * math.prod(self.size)


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """Bytes that a training holds at its peak on the device that computes."""

    weights: int
    """The network, its moving average now and in the best epoch, the gradient and what the optimiser remembers."""
    step: int
    """Beside them while a step is made: what the network keeps of every layer for the gradient, and intermediate results."""
    evaluation: int
    """Beside the weights while the validation part is mapped."""
    checkpoint: int
    """Beside the weights while a checkpoint is written and read back."""
    samples: int
    """Batches that are ready, and the one in use."""
    mapping: int
    """Beside the weights, when the training is over and the held-out images are mapped."""

    @property
    def total(self) -> int:
        training = self.samples + max(self.step, self.evaluation, self.checkpoint)
        return self.weights + max(training, self.mapping)


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A network that is about to learn."""

    network: nn.Module
    """Placed by the runtime."""
    runtime: Runtime
    loss: Loss
    """On the runtime's device."""


def memory_need(learner: Learner, options: TrainingOptions, batches: Batches, windows: int) -> MemoryNeed:
    """What a training holds; the network stays as it is. windows: that are mapped at once afterwards."""
    device = learner.runtime.device
    rehearsal = _Rehearsal(learner.network, learner.runtime, options)
    loss_bytes = _loss_bytes(learner.loss, batches, device)
    weights, step = rehearsal.step(batches, loss_bytes)
    on_cpu = device.type == "cpu"
    return MemoryNeed(
        weights=weights,
        step=round(HEAP * step) if on_cpu else step,
        evaluation=rehearsal.evaluation(batches, loss_bytes),
        checkpoint=rehearsal.checkpoint() if on_cpu else 0,
        samples=_sample_bytes(batches) if on_cpu else _fed_bytes(batches),
        mapping=rehearsal.mapping(replace(batches, count=windows)),
    )


class _Rehearsal:
    """A copy of the network, its averages and its optimiser, all of them fake."""

    def __init__(self, network: nn.Module, runtime: Runtime, options: TrainingOptions) -> None:
        self._runtime = runtime
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        with FakeCopyMode(self._fake):
            self._network = copy.deepcopy(network)
        self._ledger = Ledger()
        self._ledger.hold(self._network.state_dict().values())
        with self._fake, self._ledger:
            self._average, self._best = (
                {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()} for _ in range(2)
            )
            self._optimizer = build_optimizer(self._network, options.model_copy(update={"learning_rate": 1.0}))
            for parameter in self._network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            # the first step is what makes it remember
            self._optimizer.step()
        self._lasting = self._ledger.live

    def step(self, batches: Batches, loss_bytes: int) -> tuple[int, int]:
        """What lasts, and what a step holds at most beside it."""
        self._network.train()
        self._optimizer.zero_grad(set_to_none=True)
        with self._fake:
            images = _images(batches, self._runtime.device)
        with self._fake, self._ledger:
            self._ledger.mark()
            logits = self._runtime.logits(self._network, images)
            for_loss = self._ledger.live + loss_bytes
            logits.backward(torch.empty_like(logits))  # type: ignore[no-untyped-call]
            del logits
        return self._lasting, max(self._ledger.peak, for_loss) - self._lasting

    def evaluation(self, batches: Batches, loss_bytes: int) -> int:
        """The weights of the training are put aside meanwhile."""
        forward, logits = self._forward(batches)
        return max(forward, logits + loss_bytes) + _bytes(self._average.values())

    def mapping(self, windows: Batches) -> int:
        """A second network maps the windows; what waits for it and what comes of it are probabilities as well as pixels."""
        forward, logits = self._forward(windows)
        return max(forward, 2 * logits) + _bytes(self._average.values()) + 2 * _fed_bytes(windows)

    @torch.no_grad()
    def _forward(self, batches: Batches) -> tuple[int, int]:
        """What it holds at most without a gradient, and what the logits hold."""
        self._network.eval()
        with self._fake:
            images = _images(batches, self._runtime.device)
        with self._fake, self._ledger:
            before = self._ledger.live
            self._ledger.mark()
            logits = self._runtime.logits(self._network, images)
            return self._ledger.peak - before, int(logits.nbytes)

    def checkpoint(self) -> int:
        """Written from copies in the order of the file, and read back: twice network, average and optimiser."""
        written = self._lasting - _bytes(self._network.parameters()) - _bytes(self._best.values())
        return 2 * written


def _loss_bytes(loss: Loss, batches: Batches, device: torch.device) -> int:
    """What the losses and their gradient hold beside the logits."""
    images, height, width = PIECE
    logits = torch.zeros(images, batches.classes, height, width, device=device, requires_grad=True)
    target = torch.arange(images * height * width, device=device).reshape(images, height, width) % batches.classes
    target[:, 0] = IGNORE
    ledger = Ledger()
    with ledger:
        loss(logits, target).backward()  # type: ignore[no-untyped-call]
    return math.ceil(ledger.peak * batches.pixels / math.prod(PIECE))


def _images(batches: Batches, device: torch.device) -> Tensor:
    return torch.empty(batches.count, batches.bands, *batches.size, device=device).contiguous(memory_format=LAYOUT)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(int(tensor.nbytes) for tensor in tensors)


def _fed_bytes(batches: Batches) -> int:
    """A batch as the network and the losses take it."""
    return batches.pixels * (batches.bands * torch.float32.itemsize + torch.int64.itemsize)


def _sample_bytes(batches: Batches) -> int:
    """Those that wait, the one in use, and it once more as it is fed."""
    ready = batches.pixels * (batches.bands * torch.float32.itemsize + torch.uint8.itemsize)
    return (AHEAD + 2) * ready + _fed_bytes(batches)
