"""What a recipe leaves to the training becomes numbers when the run begins, which the run keeps and obeys when it goes on."""

from collections.abc import Callable
from dataclasses import replace

from terrazzo.models.free_memory import free_bytes
from terrazzo.prediction.engines.choose import batch_before_trial
from terrazzo.recipes.recipe import load_recipe
from terrazzo.training.finders.batch import choose_batch
from terrazzo.training.finders.memory import Batches, Learner, MemoryNeed, memory_need
from terrazzo.training.options import TrainingOptions
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context


def as_begun(folder: RunFolder, context: Context) -> Context:
    """The context with the numbers that the run in the folder began with, where the recipe leaves them open."""
    names = context.recipe.training.open
    if not names or not folder.recipe.exists():
        return context
    begun = load_recipe(folder.recipe).recipe.training
    return with_training(context, context.recipe.training.model_copy(update={name: getattr(begun, name) for name in names}))


def with_training(context: Context, options: TrainingOptions) -> Context:
    """The context with another [training]."""
    return replace(context, recipe=context.recipe.model_copy(update={"training": options}))


def settle_batch(learner: Learner, context: Context, bands: int, classes: int) -> TrainingOptions:
    """[training] with numbers for a batch that is left open; see `choose_batch`."""
    return choose_batch(context.recipe.training, needs(learner, context, bands, classes), free_bytes(learner.runtime.device))


def needs(learner: Learner, context: Context, bands: int, classes: int) -> Callable[[int], MemoryNeed]:
    """What the context's training takes with batches of so many samples."""
    recipe = context.recipe
    windows = batch_before_trial(recipe.prediction, learner.runtime.device, context.threads)

    def need_of(count: int) -> MemoryNeed:
        batches = Batches(count=count, bands=bands, classes=classes, size=recipe.samples.shape)
        return memory_need(learner, recipe.training, batches, windows)

    return need_of
