"""train: index, split, fit, evaluate, report; leaves a run."""

import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.panels import SampleView
from terrazzo.errors import DataError, RecipeError
from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.text import class_table, object_text, score_lines
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted, listed
from terrazzo.models.bundle import ModelCard, load_bundle, reading_of, save_bundle, without_paths
from terrazzo.models.network import Runtime, build_network, choose_runtime, use_threads
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.rasters.window import cover
from terrazzo.rasters.write import write_text
from terrazzo.recipes.recipe import Recipe, to_toml
from terrazzo.samples.audit.leaks import alike_sentence, find_alike_leaks, find_leaks, leak_sentence
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.draw.facts import draw_sentence
from terrazzo.samples.draw.place import Placer, listed_windows
from terrazzo.samples.ground import HeldOut
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.rows import rows_by_scene, rows_of
from terrazzo.samples.scaling import Scaling, measure
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.samples.split.exact import list_text
from terrazzo.samples.store import SceneStore, Source
from terrazzo.samples.table import PARTS, Samples, load
from terrazzo.training.fit import Task, Trainer, best_weights
from terrazzo.training.losses.total import balanced_weights, build_loss, check_loss
from terrazzo.training.metrics import MetricsLog
from terrazzo.training.run import RunFolder, RunState
from terrazzo.training.windows import WindowLog
from terrazzo.workflows.account import Account, panels, versions, with_scores, write_page, write_scores
from terrazzo.workflows.account_tables import write_log
from terrazzo.workflows.context import Context, Result, Written, open_context
from terrazzo.workflows.held_out import NOTHING_HELD_OUT, Judged, score_held_out
from terrazzo.workflows.lesson_samples import choose_samples
from terrazzo.workflows.objects import object_files, write_objects
from terrazzo.workflows.packed_lesson import GivenTable, kept_samples, packed_samples
from terrazzo.workflows.sample_origin import with_table
from terrazzo.workflows.where.layers import save_table, write_error_map

logger = logging.getLogger(__name__)
WEIGHT_POWERS = {"sqrt": 0.5, "balanced": 1.0}
BLOCK = 1024
"""Side of the blocks in which statistics are measured, in pixels."""


def train(recipe: str | Path, out: str | Path | None = None, *, resume: bool = False, context: Context | None = None) -> Result:
    """Train what a recipe describes and tell how good it is: a run folder with model, evaluation and report.

    recipe: a TOML file. out: the run folder; default: `runs/<recipe's name>` in the working directory.
    A finished run of the same recipe is left as it is.
    Raises RecipeError, DataError, ConflictError, EnvironmentFault or DivergedError.
    """
    context, table = with_table(context or open_context(recipe))
    folder = RunFolder(path=Path(out or Path("runs") / Path(recipe).stem).resolve())
    recipe_toml = resolved(context)
    state = folder.check(recipe_toml, resume=resume)
    if state is RunState.FINISHED:
        logger.info("%s is finished; nothing was done.", folder.path)
        return run_result(folder)
    use_threads(context.threads)
    runtime = choose_runtime(context.device, context.recipe.training.precision)
    lesson = prepare(folder, table, context)
    course = None if folder.fitted else plan(lesson, runtime, context)
    # claimed only now: a recipe or data that cannot be used leave the folder free for the mended recipe
    folder.claim(recipe_toml)
    lesson.samples.save(folder.samples)
    write_text(folder.split_list, list_text(lesson.samples))
    if course is not None:
        fit(folder, lesson, course, context)
    tell(folder, lesson, context)
    return run_result(folder)


def resolved(context: Context) -> str:
    """The recipe with every option, as the run keeps it; it works from any folder, for data.root is absolute."""
    data = context.recipe.data.model_copy(update={"root": context.root.resolve()})
    return to_toml(context.recipe.model_copy(update={"data": data, "split": context.split}))


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """All that a training learns from."""

    scenes: list[Scene]
    """Of a packed store, none."""
    samples: Samples
    store: Source

    @property
    def legend(self) -> Legend:
        return self.samples.legend


@dataclass(frozen=True, kw_only=True)
class Course:
    """A training that is ready to start."""

    trainer: Trainer
    scaling: Scaling


def prepare(folder: RunFolder, table: GivenTable | None, context: Context) -> Lesson:
    """Find the scenes, index and split them; a samples table that the run already has is used as it is.

    table: the samples table that the recipe names; of a packed store, no image is looked for.
    """
    if not folder.samples.exists():
        return chosen_lesson(table, context)
    if table is not None and table.store is not None:
        return Lesson(scenes=[], samples=kept_samples(folder.samples, table.store), store=table.store)
    scenes, samples = find_scenes(context.recipe.data, context.folder), load(folder.samples)
    if gone := sorted(set(samples.frame["scene"]) - {scene.name for scene in scenes}):
        raise DataError(f"{folder.samples} names scenes that are no longer there: {listed(gone)}. Bring them back, or start a new run.")
    return lesson_of(scenes, samples, context.recipe)


def chosen_lesson(table: GivenTable | None, context: Context) -> Lesson:
    """What a training learns from that begins anew: all windows of the images, or those of the table that the recipe names."""
    if table is not None and table.store is not None:
        return Lesson(scenes=[], samples=packed_samples(table.store, context.recipe, context.progress), store=table.store)
    scenes = find_scenes(context.recipe.data, context.folder)
    return lesson_of(scenes, choose_samples(scenes, table, context), context.recipe)


def lesson_of(scenes: list[Scene], samples: Samples, recipe: Recipe) -> Lesson:
    """Samples of scenes, with what reads them."""
    return Lesson(scenes=scenes, samples=samples, store=SceneStore(scenes, LabelReader(samples.legend, recipe.data, recipe.labels)))


def judged(lesson: Lesson, recipe: Recipe) -> Judged:
    """The same windows in pixels of the images themselves, where the model works at another size: maps are judged at full size."""
    if recipe.data.resize is None or not isinstance(lesson.store, SceneStore):
        return Judged(samples=lesson.samples, store=lesson.store, working=lesson.store)
    data = recipe.data.model_copy(update={"resize": None})
    store = SceneStore(lesson.scenes, LabelReader(lesson.legend, data, recipe.labels))
    frame = lesson.samples.frame.copy()
    shapes = {scene: (lesson.store.shape(scene), store.shape(scene)) for scene in frame["scene"].unique()}
    windows = [window.rescaled(*shapes[scene]) for scene, window in zip(frame["scene"], lesson.samples.windows(), strict=True)]
    for name in ("col_off", "row_off", "width", "height"):
        frame[name] = [getattr(window, name) for window in windows]
    return Judged(samples=replace(lesson.samples, frame=frame), store=store, working=lesson.store)


def plan(lesson: Lesson, runtime: Runtime, context: Context) -> Course:
    """Measure the scaling and build the network: all that may find a recipe wanting, before anything is written.

    Raises RecipeError or DataError.
    """
    recipe, train_part = context.recipe, lesson.samples.part("train")
    if not len(train_part.frame):
        raise DataError("the training part is empty. Lower [split] validation and test, or name other scenes.")
    draw = Draw.of(train_part, recipe.draw)
    logger.info("%s", draw_sentence(draw, lesson.legend.names, recipe.training.seed))
    check_batches(recipe, draw.size)
    check_loss(recipe.training, lesson.legend.names)
    scaling = measure_scaling(train_part, lesson.store, recipe)
    classes = len(lesson.legend.classes)
    network = build_network(recipe.model, len(scaling.bands), classes, recipe.training.seed)
    task = Task(
        draw=draw,
        validation=rows_of(lesson.samples.part("validation")),
        preparation=preparation(lesson, train_part, scaling, recipe),
        classes=classes,
        objects=rule_of(recipe.evaluation, lesson.legend),
    )
    loss = build_loss(recipe.training, class_weights(recipe, train_part), runtime.device)
    return Course(trainer=Trainer(network, runtime, loss, recipe.training, task), scaling=scaling)


def fit(folder: RunFolder, lesson: Lesson, course: Course, context: Context) -> None:
    """Fit the network, from the last checkpoint where there is one, and keep the model."""
    trainer, log = course.trainer, MetricsLog(folder.metrics)
    if folder.resumable:
        trainer.resume(folder.checkpoints)
        logger.info("Resumed after step %d of %d (epoch %d).", trainer.state.step, trainer.steps, trainer.state.epoch + 1)
    log.cut(trainer.state.epoch)
    if context.recipe.draw.log:
        trainer.windows = WindowLog(path=folder.windows, grid=lambda scene: lesson.store.raster(scene).grid)
        trainer.windows.cut(trainer.state)
    trainer.fit(folder.checkpoints, log, context.progress)
    trainer.network.load_state_dict(best_weights(folder.checkpoints, trainer.runtime.device))
    save_bundle(folder.model, trainer.network, card(lesson, course.scaling, context.recipe))


def tell(folder: RunFolder, lesson: Lesson, context: Context) -> None:
    """Map the held-out ground, compare it with the labels, and write scores, samples table and report."""
    bundle, legend = load_bundle(folder.model), lesson.legend
    full = judged(lesson, context.recipe)
    store = full.store
    predictor = Predictor.of(bundle, context.device, context.recipe.prediction)
    found = score_held_out(full, predictor, scoring(lesson.samples, context.recipe), folder, context.progress)
    samples = replace(lesson.samples, frame=with_scores(lesson.samples.frame, found.scores))
    samples.save(folder.samples)
    save_table(folder.suspicious, found.suspicious)
    write_error_map(folder.error_map, samples.frame, found.suspicious)
    windows = {sample.id: sample for sample in rows_of(full.samples)}

    def view(number: int) -> SampleView:
        sample = windows[number]
        pixels = store.image(sample.scene, sample.window)
        with open_raster(found.maps[sample.scene]) as class_map:
            predicted = legend.plain().encode(class_map.read(sample.window).values[0])
        return SampleView(values=pixels.values, valid=pixels.valid, truth=store.labels(sample.scene, sample.window), predicted=predicted)

    account = Account(
        title=folder.path.name,
        legend=legend,
        tally=found.tally,
        options=context.recipe.evaluation,
        grids=[store.raster(scene).grid for scene in found.maps],
        images=len(found.maps),
        part=found.part,
        facts=_facts(samples, found.part, predictor),
        notices=_notices(samples, found.part),
    )
    if found.tally.objects is not None:
        write_objects(folder.path, found.tally.objects, {scene: store.raster(scene).grid for scene in found.maps})
    recipe_toml, rows = folder.recipe.read_text(encoding="utf-8"), MetricsLog(folder.metrics).rows()
    write_scores(folder.path, account)
    write_log(folder.path, rows, legend.names)
    write_page(folder.path, account, panels(samples.part(found.part).frame, view, legend), rows, recipe_toml)


def scoring(samples: Samples, recipe: Recipe) -> EvaluationOptions:
    """How a run is scored: no more training samples than an epoch shows, so that the end of a short training is short too."""
    shown = Draw.of(samples.part("train"), recipe.draw).size
    options = recipe.evaluation
    return options.model_copy(update={"training_samples": min(options.training_samples, shown)})


def run_result(folder: RunFolder) -> Result:
    """What a finished run shows and names."""
    evaluation = json.loads(folder.evaluation.read_text(encoding="utf-8"))
    objects = f"{object_text(evaluation['objects'])}\n\n" if "objects" in evaluation else ""
    more = "\n".join(score_lines(evaluation))
    text = f"{class_table(evaluation['pixels'])}\n\n{more}\n{objects}"
    text += f"Evaluated on the {evaluation['part']} part, {evaluation['images']} images.\n"
    text += f"Report: {folder.report}\nMaps:   {folder.maps}\nErrors: {folder.error_map}\nModel:  {folder.model}"
    written: Written = {
        "run": folder.path,
        "model": folder.model,
        "evaluation": folder.evaluation,
        "report": folder.report,
        "samples": folder.samples,
        "outputs": [
            *sorted(path for path in folder.maps.rglob("*") if path.is_file()),
            folder.error_map,
            folder.suspicious,
            *object_files(folder.path),
        ],
    }
    return Result(text=text, written=written, facts={key: evaluation[key] for key in ("pixels", "objects") if key in evaluation})


def _facts(samples: Samples, part: str, predictor: Predictor) -> list[tuple[str, str]]:
    counts = samples.frame["split"].value_counts()
    split = ", ".join(f"{name} {counts[name]}" for name in PARTS if name in counts)
    parameters = sum(parameter.numel() for parameter in predictor.bundle.network.parameters())
    runtime = predictor.engine.runtime
    return [
        ("Evaluated part", part),
        ("Samples", split),
        ("Network", f"{predictor.bundle.card.network.kind}, {parameters / 1e6:.2f} million weights"),
        ("Computed on", f"{runtime.device.type}, {runtime.precision}"),
        *versions().items(),
    ]


def _notices(samples: Samples, part: str) -> list[str]:
    notices = []
    if part == "train":
        notices.append(NOTHING_HELD_OUT)
    if leaks := find_leaks(samples):
        notices.append(leak_sentence(leaks))
    if alike := find_alike_leaks(samples):
        notices.append(f"{alike_sentence(alike)} Scores of the held-out part are too good.")
    return notices


def check_batches(recipe: Recipe, drawn: int) -> None:
    """Raise RecipeError if a batch holds a single value of each channel: batch normalisation cannot learn from it.

    drawn: samples of an epoch.
    """
    smallest = drawn % recipe.training.batch_size or recipe.training.batch_size
    multiple = recipe.model.subpixel * 2**recipe.model.depth
    deepest = math.prod(math.ceil(side / multiple) for side in recipe.samples.shape)
    if recipe.model.norm == "batch" and smallest * deepest == 1:
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
        asked = balanced_weights(train_part.class_pixels().sum(axis=0).tolist(), WEIGHT_POWERS[asked])
    if len(asked) != len(values):
        raise DataError(f"training.class_weights has {len(asked)} numbers, the legend {len(values)} classes. Give one a class.")
    return list(asked)


def pathless(recipe: Recipe) -> Recipe:
    """The recipe without any path of this machine; of files that it names beside the data their bare names stay."""
    table, split = recipe.samples.table, recipe.split
    named = {name: Path(path.name) for name, path in split.files.items()}
    return recipe.model_copy(
        update={
            "data": without_paths(recipe.data),
            "samples": recipe.samples.model_copy(update={"table": table and Path(str(table)).name}),
            "split": split.model_copy(update=named),
        }
    )


def card(lesson: Lesson, scaling: Scaling, recipe: Recipe) -> ModelCard:
    """What the model keeps beside its weights; no path of this machine among it."""
    first = lesson.store.raster(str(lesson.samples.frame["scene"].iloc[0])).grid
    return ModelCard(
        network=recipe.model,
        bands=len(scaling.bands),
        window=recipe.samples.shape,
        cell_size=first.cell_size,
        crs=first.crs.to_string() if first.crs is not None else None,
        reading=reading_of(recipe.data),
        legend=json.loads(lesson.legend.to_json()),
        scaling=asdict(scaling),
        recipe=pathless(recipe).model_dump(mode="json"),
        versions=versions(),
    )
