"""demo: simulate, train, predict, evaluate, report; beside the model, the best rule of value thresholds."""

import json
from pathlib import Path

from terrazzo.evaluation.rule import RuleScores, ValueHistogram, best_rules
from terrazzo.evaluation.scores import PixelScores, Score
from terrazzo.evaluation.text import Column, class_table
from terrazzo.labels.reader import LabelReader
from terrazzo.recipes.recipe import overlay
from terrazzo.samples.rows import rows_of
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.store import SceneStore
from terrazzo.samples.table import load
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.held_out import evaluated_part
from terrazzo.workflows.simulate import simulate
from terrazzo.workflows.train import train


def demo(out: str | Path = "demo-out", context: Context | None = None) -> Result:
    """The whole path once on simulated CCD frames: OUT/frames and OUT/run. Run again, it shows what it left.

    Raises ConflictError if OUT holds other frames or another run, EnvironmentFault if it cannot be written.
    """
    given, out = context or open_context(), Path(out)
    simulate("ccd", out / "frames", given)
    recipe = out / "frames" / "recipe.toml"
    loaded = open_context(recipe)
    here = Context(
        recipe=overlay(loaded.recipe, given.recipe),
        folder=loaded.folder,
        progress=given.progress,
        device=given.device,
        threads=given.threads,
    )
    done = train(recipe, out / "run", context=here)
    run = RunFolder(path=(out / "run").resolve())
    pixels: PixelScores = json.loads(run.evaluation.read_text(encoding="utf-8"))["pixels"]
    column = Column(title="threshold rule F1", scores=threshold_rule(run, here))
    closing = str(done).partition("\n\n")[2]
    return Result(
        text=f"{class_table(pixels, column)}\n\n{closing}",
        written=done.written,
        facts={**done.facts, "threshold_rule_f1": list(column.scores)},
    )


def threshold_rule(run: RunFolder, context: Context) -> list[Score]:
    """F1 of each class on the evaluated part, if it were told by the one interval of values that is best on the training part."""
    samples = load(run.samples)
    store = SceneStore(find_scenes(context.recipe.data, context.folder), LabelReader(samples.legend, context.recipe.data))
    histogram = ValueHistogram(len(samples.legend.classes))
    for sample in rows_of(samples.part("train")):
        pixels, truth = store.read(sample.scene, sample.window)
        histogram.add(pixels.values[0], truth)
    scores = RuleScores(best_rules(histogram))
    for sample in rows_of(samples.part(evaluated_part(samples))):
        pixels, truth = store.read(sample.scene, sample.window)
        scores.add(pixels.values[0], truth)
    return scores.f1()
