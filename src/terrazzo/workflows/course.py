"""A training made ready: what is measured of the training part, and the network that goes with it."""

import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError, RecipeError
from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.thresholds import BestThresholds
from terrazzo.labels.sentences import counted
from terrazzo.models.bundle import ModelCard, reading_of, without_paths
from terrazzo.models.int8 import Range
from terrazzo.models.network import Runtime, build_network
from terrazzo.models.pretrained import load_pretrained
from terrazzo.models.start import go_on
from terrazzo.prediction.refine.chain import check_decisions
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import cover
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.draw.facts import draw_sentence
from terrazzo.samples.draw.place import Placer, listed_windows
from terrazzo.samples.ground import HeldOut
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.rows import rows_by_scene, rows_of
from terrazzo.samples.scaling import Scaling, measure
from terrazzo.samples.store import Source
from terrazzo.samples.table import Samples
from terrazzo.training.aim import choose_aim
from terrazzo.training.finders.memory import Learner
from terrazzo.training.finders.rate import RangeTest, range_test
from terrazzo.training.fit import Task, Trainer
from terrazzo.training.losses.total import balanced_weights, build_loss, check_loss, odds_weights
from terrazzo.training.options import TrainingOptions
from terrazzo.workflows.account import versions
from terrazzo.workflows.context import Context
from terrazzo.workflows.lesson import Lesson
from terrazzo.workflows.settle import settle_batch
from terrazzo.workflows.start import Start, check_bands, start_model

logger = logging.getLogger(__name__)
WEIGHT_POWERS = {"sqrt": 0.5, "balanced": 1.0}
BLOCK = 1024
"""Side of the blocks in which statistics are measured, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A training that is ready to start."""

    trainer: Trainer
    scaling: Scaling
    tried: RangeTest | None = None
    """What the learning rate was found from, where the recipe leaves it open."""


def plan(lesson: Lesson, runtime: Runtime, context: Context, *, start: Start | None = None, resumed: bool = False) -> Course:
    """Measure the scaling and build the network: all that may find a recipe wanting, before anything is written.

    start: the model to go on from. resumed: weights will come from a checkpoint, so neither its nor pretrained ones are looked for.
    Raises RecipeError or DataError; with a start or pretrained weights also ModelError, ConflictError or EnvironmentFault.
    """
    recipe, train_part = context.recipe, lesson.samples.part("train")
    if not len(train_part.frame):
        raise DataError("the training part is empty. Lower [split] validation and test, or name other scenes.")
    draw = Draw.of(train_part, recipe.draw)
    logger.info("%s", draw_sentence(draw, lesson.legend.sets.names, recipe.training.seed))
    check_batches(recipe, recipe.training, draw.size)
    check_loss(recipe.training, lesson.legend.names, overlapping=lesson.legend.overlapping)
    check_decisions(recipe.prediction, lesson.legend, validated_classes(lesson.samples))
    if start is None:
        scaling = measure_scaling(train_part, lesson.store, recipe)
    else:
        check_bands(start, lesson.samples, lesson.store)
        scaling = start.scaling
    classes = len(lesson.legend.classes)
    network = build_network(recipe.model, len(scaling.bands), classes, recipe.training.seed)
    if not resumed:
        load_pretrained(network, context.model)
        if start is not None:
            donor = start_model(start, lesson.legend, context)
            go_on(network, donor.network, lesson.legend.names, start.classes)
    validation = rows_of(lesson.samples.part("validation"))
    objects = rule_of(recipe.evaluation, lesson.legend)
    task = Task(
        draw=draw,
        validation=validation,
        preparation=preparation(lesson, train_part, scaling, recipe),
        classes=classes,
        overlapping=lesson.legend.overlapping,
        objects=objects,
        aim=choose_aim(recipe.training, lesson.legend.names, validated=bool(validation), objects=objects is not None),
    )
    weights = class_weights(recipe, train_part)
    loss = build_loss(recipe.training, weights, runtime.device, overlapping=lesson.legend.overlapping)
    learner = Learner(network=runtime.place(network), runtime=runtime, loss=loss)
    options = settle_batch(learner, context, len(scaling.bands), classes)
    check_batches(recipe, options, draw.size)
    tried = None
    if options.learning_rate == "find":
        tried = range_test(learner, options, task, context.progress)
        options = options.model_copy(update={"learning_rate": tried.found})
    return Course(trainer=Trainer(network, runtime, loss, options, task), scaling=scaling, tried=tried)


def validated_classes(samples: Samples) -> list[str]:
    """The classes of which the validation part holds a pixel."""
    held = samples.part("validation").class_pixels().sum(axis=0)
    return [name for name, pixels in zip(samples.legend.names, held, strict=True) if pixels]


def check_batches(recipe: Recipe, options: TrainingOptions, drawn: int) -> None:
    """Raise RecipeError if a batch holds a single value of each channel: batch normalisation cannot learn from it.

    options: [training]; a batch that is not settled yet is not looked at. drawn: samples of an epoch.
    """
    if options.batch_size == "auto":
        return
    smallest = drawn % options.batch or options.batch
    multiple = recipe.model.subpixel * 2**recipe.model.depth
    deepest = math.prod(math.ceil(side / multiple) for side in recipe.samples.shape)
    if recipe.model.architecture is None and recipe.model.norm == "instance" and deepest == 1:
        raise RecipeError(
            f"model.depth = {recipe.model.depth} halves windows of {' x '.join(map(str, recipe.samples.shape))} pixels to a single one, "
            "in which normalisation by image leaves nothing to see. Lower model.depth, or set model.norm = 'batch'."
        )
    if recipe.model.architecture is None and recipe.model.norm == "batch" and smallest * deepest == 1:
        raise RecipeError(
            f"model.depth = {recipe.model.depth} halves windows of {' x '.join(map(str, recipe.samples.shape))} pixels to a single one, "
            f"and of {counted(drawn, 'sample')} an epoch the last batch has one: batch normalisation cannot learn from that. "
            "Lower model.depth, change training.batch_size, or set model.norm = 'group'."
        )


def preparation(lesson: Lesson, train_part: Samples, scaling: Scaling, recipe: Recipe) -> Preparation:
    """What makes the chips that a training sees."""
    return Preparation(
        store=lesson.store,
        scaling=scaling,
        size=recipe.samples.shape,
        seed=recipe.training.seed,
        augment=recipe.augment,
        placer=placer(lesson, train_part, recipe),
    )


def placer(lesson: Lesson, train_part: Samples, recipe: Recipe) -> Placer:
    """Places training windows inside their scenes, clear of held-out ground."""
    grids = {str(scene): lesson.store.raster(scene).grid for scene in train_part.frame["scene"].unique()}
    return Placer(
        source=lesson.store,
        size=recipe.samples.shape,
        seed=recipe.training.seed,
        rule=recipe.draw.windows,
        held_out=HeldOut.of(lesson.samples, grids),
        listed=listed_windows(lesson.samples),
    )


def measure_scaling(train_part: Samples, store: Source, recipe: Recipe) -> Scaling:
    """Band statistics over every valid pixel of the training windows, each pixel once."""
    covered = int((train_part.frame["width"] * train_part.frame["height"]).sum())
    return measure(_training_blocks(train_part, store), recipe.data.scaling, covered)


def _training_blocks(train_part: Samples, store: Source) -> Iterator[tuple[Pixels, NDArray[np.bool_]]]:
    for scene, members in rows_by_scene(train_part).items():
        for block in cover(store.shape(scene), (BLOCK, BLOCK), 0):
            counted = np.zeros(block.shape, np.bool_)
            for sample in members:
                if (inner := sample.window.intersection(block)) is not None:
                    counted[inner.inside(block)] = True
            if counted.any():
                yield store.image(scene, block), counted


def class_weights(recipe: Recipe, train_part: Samples) -> list[float] | None:
    """The weights that the recipe asks for, one a class, or None for equal ones. Raises DataError if a list has another length."""
    asked, values = recipe.training.class_weights, train_part.legend.values
    if asked == "none":
        return None
    if isinstance(asked, str):
        pixels, power = train_part.class_pixels().sum(axis=0).tolist(), WEIGHT_POWERS[asked]
        overlapping = train_part.legend.overlapping
        asked = odds_weights(pixels, int(train_part.set_pixels().sum()), power) if overlapping else balanced_weights(pixels, power)
    if len(asked) != len(values):
        raise DataError(f"training.class_weights has {len(asked)} numbers, the legend {len(values)} classes. Give one a class.")
    return list(asked)


def card(
    lesson: Lesson, scaling: Scaling, recipe: Recipe, thresholds: dict[str, BestThresholds], int8_ranges: dict[str, Range]
) -> ModelCard:
    """What the model keeps beside its weights; no path of this machine among it.

    thresholds: by the classes' names. int8_ranges: by the convolutions' names.
    """
    first = lesson.store.raster(str(lesson.samples.frame["scene"].iloc[0])).grid
    return ModelCard(
        network=recipe.model.pathless(),
        bands=len(scaling.bands),
        window=recipe.samples.shape,
        cell_size=first.cell_size,
        crs=first.crs.to_string() if first.crs is not None else None,
        reading=reading_of(recipe.data),
        legend=json.loads(lesson.legend.to_json()),
        scaling=asdict(scaling),
        thresholds=thresholds,
        int8_ranges=int8_ranges,
        recipe=pathless(recipe).model_dump(mode="json"),
        versions=versions(),
    )


def pathless(recipe: Recipe) -> Recipe:
    """The recipe without any path of this machine; of files that it names beside the data their bare names stay."""
    table, split = recipe.samples.table, recipe.split
    named = {name: Path(path.name) for name, path in split.files.items()}
    return recipe.model_copy(
        update={
            "data": without_paths(recipe.data),
            "samples": recipe.samples.model_copy(update={"table": table and Path(str(table)).name}),
            "split": split.model_copy(update=named),
            "model": recipe.model.pathless(),
        }
    )
