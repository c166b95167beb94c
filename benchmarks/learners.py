"""Three programs that learn to map the same windows: Terrazzo with its defaults, and two as quick starts and tutorials write them."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.labels.legend import IGNORE
from terrazzo.models.blocks import Doubling
from terrazzo.models.network import Runtime, build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.progress import Advance
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.loader.loader import Loader
from terrazzo.samples.options import AugmentOptions, DrawOptions
from terrazzo.samples.rows import Sample, rows_of
from terrazzo.training.fit import best_weights
from terrazzo.training.metrics import MetricsLog
from terrazzo.training.options import TrainingOptions
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.course import plan
from terrazzo.workflows.lesson import Lesson, chosen_lesson

EXAMPLES = Path(__file__).parent.parent / "examples"
BATCH = 8
NETWORK = ModelOptions(filters=16)
"""Of Terrazzo and of the plain loop: two minutes on two cores are too short for the usual 32 filters."""

Predict = Callable[[NDArray[np.float32]], NDArray[np.uint8]]
"""(batch, bands, height, width) scaled pixels to (batch, height, width) class indices."""
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a training gives."""

    predict: Predict
    seconds: float
    """What followed its first step took."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Windows to learn from and windows to be judged by."""

    context: Context
    lesson: Lesson
    runtime: Runtime
    images: NDArray[np.float32]
    """(windows, bands, height, width) of the training part, scaled."""
    labels: NDArray[np.uint8]
    network: ModelOptions
    """Terrazzo's."""
    batch_size: int

    @property
    def classes(self) -> int:
        return len(self.lesson.legend.classes)

    @property
    def bands(self) -> int:
        return int(self.images.shape[1])

    def ours(self, steps: int, seed: int) -> Context:
        """The recipe's images, labels and split, and defaults for all that is to be learned, for so many steps."""
        batches = -(-len(self.images) // self.batch_size)
        epochs = max(1, round(steps / batches))
        draw = DrawOptions(per_epoch=steps * self.batch_size if steps < batches else None)
        training = TrainingOptions(epochs=epochs, batch_size=self.batch_size, seed=seed)
        return _defaults(self.context, self.network, draw, training)

    def score(self, predict: Predict) -> float:
        """Mean IoU over the classes, from the counts of all held-out windows."""
        loader = Loader(
            preparation=plan(self.lesson, self.runtime, self.ours(1, 0)).trainer.task.preparation, batch_size=self.batch_size, workers=1
        )
        confusion = Confusion(self.classes)
        for batch in loader.batches([Drawn(sample=sample) for sample in _part(self.lesson, "test")], None):
            confusion.add(batch.labels, predict(batch.images))
        names = self.lesson.legend.names
        return float(pixel_scores(confusion, self.lesson.legend.values, names)["mean_iou"] or 0.0)


def problem_of(name: str, root: Path) -> Problem:
    """What examples/NAME.toml asks, of the images under root; all windows that are not held out are learned from."""
    return problem_at(EXAMPLES / f"{name}.toml", [f"data.root={root.resolve()}", "split.validation=0"], NETWORK, BATCH)


def problem_at(recipe: Path, settings: list[str], network: ModelOptions, batch_size: int, precision: str = "auto") -> Problem:
    """What a recipe asks, with defaults for augmentation and training."""
    context = _defaults(open_context(recipe, settings), network, DrawOptions(), TrainingOptions())
    runtime = choose_runtime("cpu", precision)
    lesson = chosen_lesson(None, context)
    loader = Loader(preparation=plan(lesson, runtime, context).trainer.task.preparation, batch_size=batch_size, workers=2)
    batches = list(loader.batches([Drawn(sample=sample) for sample in _part(lesson, "train")], None))
    return Problem(
        context=context,
        lesson=lesson,
        runtime=runtime,
        images=np.concatenate([batch.images for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        network=network,
        batch_size=batch_size,
    )


def terrazzo(problem: Problem, steps: int, seed: int) -> Learned:
    """The fit loop of `terrazzo train`."""
    trainer = plan(problem.lesson, problem.runtime, problem.ours(steps, seed)).trainer
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder:
        trainer.fit(Path(folder), MetricsLog(Path(folder) / "metrics.jsonl"), clock)
        trainer.network.load_state_dict(best_weights(Path(folder), problem.runtime.device))
    return Learned(predict=_mapping(trainer.network), seconds=clock.seconds)


def quick_start(problem: Problem, steps: int, seed: int) -> Learned:
    """The example of segmentation_models_pytorch on pets: Unet of resnet34, Dice loss, Adam 2e-4 that falls as a cosine."""
    torch.manual_seed(seed)
    two = problem.classes == 2
    network = smp.Unet("resnet34", encoder_weights=None, in_channels=problem.bands, classes=1 if two else problem.classes)
    loss = smp.losses.DiceLoss("binary" if two else "multiclass", from_logits=True, ignore_index=IGNORE)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=1e-5)
    seconds = _loop(problem, network, loss, optimizer, steps, schedule.step)
    return Learned(predict=_mapping(network), seconds=seconds)


def plain(problem: Problem, steps: int, seed: int) -> Learned:
    """The classic U-Net in float32 as tutorials train it: cross-entropy, Adam 1e-3."""
    network = as_in_tutorials(build_network(NETWORK, problem.bands, problem.classes, seed))
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    seconds = _loop(problem, network, nn.CrossEntropyLoss(ignore_index=IGNORE), optimizer, steps, lambda: None)
    return Learned(predict=_mapping(network), seconds=seconds)


PROGRAMS: Mapping[str, Callable[[Problem, int, int], Learned]] = {"terrazzo": terrazzo, "smp": quick_start, "plain": plain}


def as_in_tutorials(network: nn.Module) -> nn.Module:
    """The network with torch's own convolutions, of the same weights, in place of those that Terrazzo makes quicker."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.__class__ = nn.Conv2d
        for name, child in module.named_children():
            if isinstance(child, Doubling):
                setattr(module, name, child.conv)
    return network


def _loop(
    problem: Problem, network: nn.Module, loss: Loss, optimizer: torch.optim.Optimizer, steps: int, after: Callable[[], object]
) -> float:
    network.train()
    started = time.perf_counter()
    for number, rows in enumerate(_shuffled(len(problem.images), steps)):
        if number == 1:
            started = time.perf_counter()
        images, target = torch.from_numpy(problem.images[rows]), torch.from_numpy(problem.labels[rows]).long()
        optimizer.zero_grad()
        loss(network(images), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        after()
    return time.perf_counter() - started


def _shuffled(windows: int, steps: int) -> Iterator[NDArray[np.int64]]:
    """Rows of so many batches: every window once before any twice; the last of a round may be smaller, of one window it is left out."""
    made = 0
    while made < steps:
        for rows in torch.randperm(windows).split(BATCH):  # type: ignore[no-untyped-call]
            if made < steps and (len(rows) > 1 or windows == 1):
                made += 1
                yield rows.numpy()


def _mapping(network: nn.Module) -> Predict:
    network.eval()

    @torch.inference_mode()
    def predict(images: NDArray[np.float32]) -> NDArray[np.uint8]:
        logits = network(torch.from_numpy(images))
        chosen = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
        values: NDArray[np.uint8] = chosen.to(torch.uint8).numpy()
        return values

    return predict


def _defaults(context: Context, network: ModelOptions, draw: DrawOptions, training: TrainingOptions) -> Context:
    tables = {"augment": AugmentOptions(), "draw": draw, "model": network, "training": training}
    return Context(recipe=context.recipe.model_copy(update=tables), folder=context.folder)


def _part(lesson: Lesson, part: str) -> list[Sample]:
    return rows_of(lesson.samples.part(part))


class StepClock:
    """A progress that notes how long steps take."""

    def __init__(self) -> None:
        self.step_s: list[float] = []
        self.seconds = 0.0
        """What followed the first step took."""

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's arguments
        last = time.perf_counter()

        def advance(steps: float) -> None:
            nonlocal last
            now = time.perf_counter()
            if steps:
                self.step_s.append(now - last)
            last = now

        yield advance
        self.seconds = sum(self.step_s[1:]) + time.perf_counter() - last
