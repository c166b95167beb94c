"""A training step and a prediction of the classic U-Net, against PyTorch as most tutorials write it: float32, NCHW, eager.

Run: python benchmarks/bench_network.py [repeats]
"""

import sys
from functools import partial

import torch
from learners import as_in_tutorials
from timing import in_turn
from torch import Tensor, nn

from terrazzo.models.network import Runtime, build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.training.losses.total import build_loss
from terrazzo.training.options import TrainingOptions

BATCH, SIDE, BANDS, CLASSES = 4, 256, 3, 4


class Learner:
    """A network, its optimiser and one batch."""

    def __init__(self, runtime: Runtime, *, channels_last: bool) -> None:
        network = build_network(ModelOptions(filters=32), BANDS, CLASSES)
        self.network: nn.Module = runtime.place(network) if channels_last else as_in_tutorials(network).to(runtime.device)
        self.runtime = runtime
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=channels_last)
        self.loss = build_loss(TrainingOptions(), None, runtime.device)
        numbers = torch.Generator().manual_seed(0)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images = torch.randn(BATCH, BANDS, SIDE, SIDE, generator=numbers)
        self.images = images.to(runtime.device).contiguous(memory_format=layout)
        self.target = torch.randint(0, CLASSES, (BATCH, SIDE, SIDE), generator=numbers).to(runtime.device)

    def step(self) -> None:
        self.network.train()
        loss: Tensor = self.loss(self.runtime.logits(self.network, self.images), self.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self) -> None:
        self.network.eval()
        self.runtime.logits(self.network, self.images).softmax(1)


def main(repeats: int) -> None:
    runtime = choose_runtime("cpu", "auto")
    ours = Learner(runtime, channels_last=True)
    tutorial = Learner(choose_runtime("cpu", "float32"), channels_last=False)
    print(f"classic U-Net, 32 filters, {BATCH} x {SIDE} x {SIDE}, {torch.get_num_threads()} threads; ours in {runtime.precision}")
    print(f"{'':<16}{'ours':>12}{'tutorial':>13}   tutorial / ours")
    for name in ("step", "predict"):
        print(f"{name:<16}{in_turn(partial(getattr(ours, name)), partial(getattr(tutorial, name)), repeats)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
