"""Training steps through Terrazzo's own loader and augmentation, against other programs' steps on batches that lie in memory.

The classic U-Net (32 filters) against the same network in float32 and contiguous layout, and against Keras; segmentation_models_pytorch's
Unet of resnet34 against the loop of its quick start; and both against Terrazzo's own bare step: forward, loss, backward, optimiser.
All take turns in one process, Keras in a child of it; a round is a few steps of each.

Run: python benchmarks/bench_train.py [rounds] [side_px] [batch] [precision]
Keras takes part where .venv-keras, made by `make bench`, is there; the precision is Terrazzo's.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import segmentation_models_pytorch as smp
import torch
from imagery import ground
from learners import Problem, StepClock, as_in_tutorials, problem_at
from PIL import Image
from torch import Tensor, nn

from terrazzo.models.network import LAYOUT, build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.training.fit import Trainer
from terrazzo.training.metrics import MetricsLog
from terrazzo.workflows.course import plan

STEPS = 4
"""Of a round, which is an epoch; the first is not timed."""
FILTERS = 32
KERAS = Path(__file__).parent.parent / ".venv-keras" / "bin" / "python"
CLASSIC = ModelOptions(filters=FILTERS)
RESNET = ModelOptions(architecture="Unet", encoder="resnet34")

Round = Callable[[], float]
"""Seconds a step, of a few steps."""


def make_images(folder: Path, side_px: int, count: int) -> Path:
    """Images, masks and a recipe."""
    for number in range(count):
        image, mask = ground(side_px, side_px, number)
        for kind, pixels in (("images", image), ("masks", mask)):
            (folder / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png", compress_level=1)
    recipe = folder / "recipe.toml"
    recipe.write_text(
        f'[data]\nimages = "images/*.png"\nlabels = "masks/*.png"\n[legend]\nclasses = ["ground", "roof"]\n[samples]\nsize = {side_px}\n'
        '[split]\nby = "none"\nvalidation = 0\n',
        encoding="utf-8",
    )
    return recipe


def ours(problem: Problem) -> Round:
    """The fit loop of `terrazzo train`: reading, augmenting, stepping, averaging."""

    def steps() -> float:
        trainer = plan(problem.lesson, problem.runtime, problem.ours(STEPS, 0)).trainer
        clock = StepClock()
        with tempfile.TemporaryDirectory() as folder:
            trainer.fit(Path(folder), MetricsLog(Path(folder) / "metrics.jsonl"), clock)
        return median(clock.step_s[1:])

    return steps


def bare(problem: Problem) -> Round:
    """Forward, loss, backward and optimiser of the same network on one batch that lies there as the network reads it."""
    trainer: Trainer = plan(problem.lesson, problem.runtime, problem.ours(1, 0)).trainer
    images = torch.from_numpy(problem.images[: problem.batch_size]).contiguous(memory_format=LAYOUT)
    target = torch.from_numpy(problem.labels[: problem.batch_size]).long()
    trainer.network.train()

    def step() -> None:
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer.loss(trainer.runtime.logits(trainer.network, images), target).backward()  # type: ignore[no-untyped-call]
        trainer.optimizer.step()

    return _rounds(step)


def plain(problem: Problem) -> Round:
    """The classic network in float32 and contiguous layout, as tutorials train it."""
    network = as_in_tutorials(build_network(CLASSIC, problem.bands, problem.classes))
    return _loop(problem, network, nn.CrossEntropyLoss(), torch.optim.Adam(network.parameters(), lr=1e-3))


def quick_start(problem: Problem) -> Round:
    """The example of segmentation_models_pytorch on pets."""
    network = smp.Unet("resnet34", encoder_weights=None, in_channels=problem.bands, classes=1)
    loss = smp.losses.DiceLoss("binary", from_logits=True)
    return _loop(problem, network, loss, torch.optim.Adam(network.parameters(), lr=2e-4))


@contextmanager
def keras(side_px: int, batch: int, policy: str) -> Iterator[Round]:
    """The classic network in Keras."""
    command = [str(KERAS), str(Path(__file__).parent / "keras_steps.py"), str(side_px), str(batch), str(FILTERS), policy]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        asked, told = child.stdin, child.stdout
        if asked is None or told is None or told.readline().strip() != "ready":
            raise RuntimeError(f"{' '.join(command)} did not start.")

        def steps() -> float:
            asked.write(f"{STEPS - 1}\n")
            asked.flush()
            return float(told.readline()) / (STEPS - 1)

        try:
            yield steps
        finally:
            asked.close()


def _loop(problem: Problem, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], optimizer: torch.optim.Optimizer) -> Round:
    images = torch.from_numpy(problem.images[: problem.batch_size])
    target = torch.from_numpy(problem.labels[: problem.batch_size]).long()
    network.train()

    def step() -> None:
        optimizer.zero_grad()
        loss(network(images), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _rounds(step)


def _rounds(step: Callable[[], None]) -> Round:
    def steps() -> float:
        taken = []
        for _ in range(STEPS):
            started = time.perf_counter()
            step()
            taken.append(time.perf_counter() - started)
        return median(taken[1:])

    return steps


def report(title: str, ours_s: Round, others: dict[str, Round], rounds: int) -> None:
    """A line a program: its time over ours, the median of the rounds and their smallest and largest."""
    found: dict[str, list[float]] = {name: [] for name in others}
    own: list[float] = []
    for number in range(rounds):
        order = list(others.items())
        turn = dict(order if number % 2 else reversed(order))
        own.append(ours_s())
        for name, steps in turn.items():
            found[name].append(steps() / own[-1])
    print(f"{title}: {median(own):.2f} s a step")
    for name, ratios in found.items():
        print(f"  {name:<24} {median(ratios):6.2f} times ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def main(rounds: int, side_px: int, batch: int, precision: str) -> None:
    runtime = choose_runtime("cpu", precision)
    print(f"{batch} x {side_px} x {side_px} x 3, {torch.get_num_threads()} threads, ours in {runtime.precision}; others' time over ours")
    with tempfile.TemporaryDirectory() as folder:
        recipe = make_images(Path(folder), side_px, STEPS * batch)
        classic = problem_at(recipe, [], CLASSIC, batch, precision)
        others = {"the bare step": bare(classic), "plain PyTorch, float32": plain(classic)}
        if KERAS.exists():
            with keras(side_px, batch, "float32") as float32, keras(side_px, batch, "mixed_bfloat16") as mixed:
                report("classic U-Net", ours(classic), {**others, "Keras, float32": float32, "Keras, mixed bfloat16": mixed}, rounds)
        else:
            report("classic U-Net", ours(classic), others, rounds)
        resnet = problem_at(recipe, [], RESNET, batch, precision)
        report("smp Unet, resnet34", ours(resnet), {"the bare step": bare(resnet), "its quick start": quick_start(resnet)}, rounds)


if __name__ == "__main__":
    rounds, side_px, batch, precision = [*sys.argv[1:], *["5", "512", "2", "auto"][len(sys.argv) - 1 :]]
    main(int(rounds), int(side_px), int(batch), precision)
