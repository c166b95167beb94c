"""train: index, split, fit, evaluate, report; leaves a run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from terrazzo.drawing.curves import range_curve
from terrazzo.drawing.panels import SampleView
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.thresholds import BestThresholds, best_thresholds
from terrazzo.labels.sentences import counted
from terrazzo.models.bundle import load_bundle, save_bundle
from terrazzo.models.compiled import check_compiler
from terrazzo.models.int8 import Range
from terrazzo.models.network import check_network
from terrazzo.models.pretrained import check_pretrained
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import write_text
from terrazzo.recipes.recipe import Recipe, to_toml
from terrazzo.samples.audit.leaks import alike_sentence, find_alike_leaks, find_leaks, leak_sentence
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.rows import rows_of
from terrazzo.samples.split.exact import list_text
from terrazzo.samples.table import PARTS, Samples
from terrazzo.training.checkpoint import load_means
from terrazzo.training.confidence import validation_confidence
from terrazzo.training.diverged import LossDivergedError
from terrazzo.training.finders.rate import RangeTest
from terrazzo.training.fit import LAST, Trainer, best_weights
from terrazzo.training.int8 import MOST_WINDOWS, int8_ranges
from terrazzo.training.means import choose_means
from terrazzo.training.metrics import MetricsLog, Mirror
from terrazzo.training.metrics_table import MetricsTable
from terrazzo.training.run import RunFolder, RunState
from terrazzo.training.tensorboard import TensorBoard
from terrazzo.training.windows import WindowLog
from terrazzo.workflows.account import Account, Shown, panels, versions_text, with_scores, write_page, write_scores
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.course import Course, card, plan
from terrazzo.workflows.held_out import NOTHING_HELD_OUT, score_held_out
from terrazzo.workflows.lesson import Lesson, judged, prepare
from terrazzo.workflows.objects import write_objects
from terrazzo.workflows.packed_lesson import GivenTable
from terrazzo.workflows.report_places import scene_maps, small_picture
from terrazzo.workflows.run_result import run_result
from terrazzo.workflows.sample_batches import draw_sample_batches
from terrazzo.workflows.sample_origin import with_table
from terrazzo.workflows.settle import as_begun, with_training
from terrazzo.workflows.start import Start, find_start, going_on
from terrazzo.workflows.where.layers import save_table, write_error_map

logger = logging.getLogger(__name__)
COMMANDS = (
    "# in this folder",
    "terrazzo train recipe.toml --out ../again    # the same weights, bit for bit on a CPU like this one",
    "terrazzo predict . IMAGES MAPS               # maps of other images",
    "terrazzo rank .                              # samples that deserve a look",
)
"""What a report of a run names to make the same again, and to go on."""


def train(recipe: str | Path, out: str | Path | None = None, *, resume: bool = False, context: Context | None = None) -> Result:
    """Train what a recipe describes and tell how good it is: a run folder with model, evaluation and report.

    recipe: a TOML file. out: the run folder; default: `runs/<recipe's name>` in the working directory.
    A finished run of the same recipe is left as it is.
    Raises RecipeError, DataError, ConflictError, EnvironmentFault or DivergedError.
    """
    return train_into(Path(out or Path("runs") / Path(recipe).stem), context or open_context(recipe), resume=resume)


def train_into(out: Path, context: Context, *, resume: bool = False) -> Result:
    """Train what the context's recipe describes, into a run folder; see `train`."""
    context, table = with_table(context)
    folder = RunFolder(path=out.resolve())
    start = find_start(folder, context)
    context = as_begun(folder, going_on(start, context))
    recipe_toml = resolved(context)
    with folder.held(recipe_toml, resume=resume) as state:
        if state is RunState.FINISHED:
            logger.info("%s is finished; nothing was done.", folder.path)
        else:
            work(folder, table, start, context)
    return run_result(folder)


def work(folder: RunFolder, table: GivenTable | None, start: Start | None, context: Context) -> None:
    """What of a run is not done yet. table: the samples table that the recipe names. start: the model that it goes on from."""
    check_network(context.recipe.model)
    if not (folder.fitted or folder.resumable):
        check_pretrained(context.model)
    kept = load_means(folder.checkpoints / LAST) if folder.resumable and not folder.fitted else None
    runtime = choose_means(context.device, context.recipe.training.precision, context.threads, kept)
    if context.recipe.training.compile and not folder.fitted:
        check_compiler(runtime.device)
    lesson = prepare(folder, table, context)
    course = None if folder.fitted else plan(lesson, runtime, context, start=start, resumed=folder.resumable)
    if course is not None:
        context = with_training(context, course.trainer.options)
    # claimed only now: a recipe or data that cannot be used leave the folder free for the mended recipe
    folder.claim(resolved(context))
    if start is not None:
        start.save(folder.start)
    lesson.samples.save(folder.samples)
    write_text(folder.split_list, list_text(lesson.samples))
    if course is not None:
        if course.tried is not None:
            tell_rate(folder, course.tried)
        if context.recipe.training.epochs:
            fit(folder, lesson, course, context)
        else:
            MetricsLog(folder.metrics, mirrors(folder, lesson, context.recipe)).cut(0)
        keep(folder, lesson, course, context)
    tell(folder, lesson, context)


def tell_rate(folder: RunFolder, tried: RangeTest) -> None:
    """Say which learning rate was found, and draw from what."""
    write_text(folder.range_test, range_curve(tried.rates, tried.losses, tried.smooth, tried.found))
    logger.info("The learning rate is %g, found in %d steps; %s shows how.", tried.found, len(tried.rates), folder.range_test.name)


def resolved(context: Context) -> str:
    """The recipe with every option, as the run keeps it; it works from any folder, for data.root is absolute."""
    data = context.recipe.data.model_copy(update={"root": context.root.resolve()})
    return to_toml(context.recipe.model_copy(update={"data": data, "split": context.split, "model": context.model}))


def fit(folder: RunFolder, lesson: Lesson, course: Course, context: Context) -> None:
    """Fit the network, from the last checkpoint where there is one; it then has the best weights."""
    trainer, log = course.trainer, MetricsLog(folder.metrics, mirrors(folder, lesson, context.recipe))
    if folder.resumable:
        trainer.resume(folder.checkpoints)
        logger.info("Resumed after step %d of %d (epoch %d).", trainer.state.step, trainer.steps, trainer.state.epoch + 1)
    elif context.recipe.training.sample_batches:
        draw_sample_batches(folder.path, trainer, lesson)
    log.cut(trainer.state.epoch)
    if context.recipe.draw.log:
        trainer.windows = WindowLog(path=folder.windows, grid=lambda scene: lesson.store.raster(scene).grid)
        trainer.windows.cut(trainer.state)
    folder.diverged.unlink(missing_ok=True)
    try:
        trainer.fit(folder.checkpoints, log, context.progress)
    except LossDivergedError as error:
        error.save(folder.diverged)
        logger.warning("%s holds the windows of the batch whose loss is no number.", folder.diverged)
        raise
    trainer.network.load_state_dict(best_weights(folder.checkpoints, trainer.runtime.device))


def keep(folder: RunFolder, lesson: Lesson, course: Course, context: Context) -> None:
    """Write the model folder: from now on the run has nothing to fit."""
    thresholds, ranges = found_thresholds(course.trainer, lesson, context), found_ranges(course.trainer, lesson, context)
    save_bundle(folder.model, course.trainer.network, card(lesson, course.scaling, context.recipe, thresholds, ranges))


def found_thresholds(trainer: Trainer, lesson: Lesson, context: Context) -> dict[str, BestThresholds]:
    """From which probability on each class is best taken, by the validation part alone; of a training without one, none."""
    if not trainer.task.validation:
        return {}
    with context.progress.task("thresholds", len(trainer.task.validation), "windows") as advance:
        return best_thresholds(validation_confidence(trainer, advance), lesson.legend.names)


def found_ranges(trainer: Trainer, lesson: Lesson, context: Context) -> dict[str, Range]:
    """By which ranges the network may be rounded to eight bits; none if its maps would suffer."""
    with context.progress.task("rounding", 2 * MOST_WINDOWS, "windows") as advance:
        return int8_ranges(trainer, rows_of(lesson.samples.part("train")), advance)


def mirrors(folder: RunFolder, lesson: Lesson, recipe: Recipe) -> list[Mirror]:
    """The forms in which a run shows the figures of its epochs, beside metrics.jsonl."""
    names = lesson.legend.names
    shown: list[Mirror] = [MetricsTable(folder.metrics_table, names)]
    return [*shown, TensorBoard(folder.tensorboard, names)] if recipe.training.tensorboard else shown


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
            values = class_map.read(sample.window).values
            predicted = predictor.legend.plain().encode(values if legend.overlapping else values[0])
        return SampleView(values=pixels.values, valid=pixels.valid, truth=store.labels(sample.scene, sample.window), predicted=predicted)

    recipe_toml, rows = folder.recipe.read_text(encoding="utf-8"), MetricsLog(folder.metrics).rows()
    account = Account(
        title=folder.path.name,
        legend=legend,
        tally=found.tally,
        options=context.recipe.evaluation,
        grids=[store.raster(scene).grid for scene in found.maps],
        images=len(found.maps),
        part=found.part,
        facts=_facts(samples, found.part, predictor, rows),
        notices=_notices(samples, found.part),
    )
    if found.tally.objects is not None:
        write_objects(folder.path, found.tally.objects, {scene: store.raster(scene).grid for scene in found.maps})
    write_scores(folder.path, account)
    maps, left_out = scene_maps(
        with_scores(full.samples.frame, found.scores), store.shape, lambda scene: small_picture(store.raster(scene))
    )
    shown = Shown(
        samples=panels(samples.part(found.part).frame, view, legend),
        scenes=maps,
        scenes_left_out=left_out,
        suspicious=found.suspicious,
        curves=rows,
        commands=COMMANDS,
        recipe_toml=recipe_toml,
    )
    write_page(folder.path, account, shown)


def scoring(samples: Samples, recipe: Recipe) -> EvaluationOptions:
    """How a run is scored: no more training samples than an epoch shows, so that the end of a short training is short too."""
    shown = Draw.of(samples.part("train"), recipe.draw).size
    options = recipe.evaluation
    return options.model_copy(update={"training_samples": min(options.training_samples, shown)})


def _facts(samples: Samples, part: str, predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    counts = samples.frame["split"].value_counts()
    split = ", ".join(f"{name} {counts[name]:,}" for name in PARTS if name in counts)
    parameters = sum(parameter.numel() for parameter in predictor.bundle.network.parameters())
    card, runtime = predictor.bundle.card, predictor.runtime_facts([])
    cells = f", cells of {card.cell_size[0]:g} x {card.cell_size[1]:g}" if card.cell_size else ""
    seconds = sum(row["seconds"] for row in rows)
    return [
        ("Images", f"{samples.frame['scene'].nunique():,}, {counted(card.bands, 'band')}"),
        ("Place", f"{card.crs}{cells}" if card.crs else "no map coordinates"),
        ("Windows", f"{card.window[0]} x {card.window[1]} pixels: {split}"),
        ("Evaluated part", part),
        ("Network", f"{card.network.name}, {parameters / 1e6:.2f} million weights"),
        ("Training", f"{counted(len(rows), 'epoch')}, {max(1, round(seconds / 60)):,} min"),
        ("Computed on", f"{runtime['device']}, {runtime['precision']}"),
        ("Versions", versions_text()),
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
