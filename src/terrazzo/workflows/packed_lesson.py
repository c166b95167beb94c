"""Training from a packed store: what the store says of its samples holds, and the recipe must not say otherwise."""

import logging
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import ConflictError, RecipeError
from terrazzo.labels.sentences import listed
from terrazzo.progress import Progress
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.pack.recut import recut
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.table import Samples, load
from terrazzo.workflows.origin import READING

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GivenTable:
    """The samples table that a recipe names."""

    path: Path
    samples: Samples
    store: PackedStore | None = None
    """Where it is a packed store."""


def as_packed(recipe: Recipe, store: PackedStore) -> Recipe:
    """The recipe with size, reading and table of a packed store; what it says of images, labels and split is not looked at.

    Raises RecipeError where it says otherwise how pixels are read or which classes there are, or asks for windows larger than the samples.
    """
    manifest, samples = store.manifest, store.samples
    given = sorted(recipe.data.model_fields_set & READING)
    wrong = [f"[data] {name}" for name in given if getattr(recipe.data, name) != getattr(manifest.reading, name)]
    names = list(store.legend.names)
    if recipe.legend.classes not in (None, names) or recipe.legend.target not in (None, names[-1]):
        wrong.append("[legend] classes or target")
    if recipe.legend.overlapping and not store.legend.overlapping:
        wrong.append("[legend] overlapping")
    size = recipe.samples.shape if "size" in recipe.samples.model_fields_set else samples.size
    if size[0] > samples.size[0] or size[1] > samples.size[1]:
        wrong.append("[samples] size")
    if wrong:
        raise RecipeError(
            f"{listed(wrong)}: the samples of {store.path} were packed otherwise ({samples.size[0]} x {samples.size[1]} pixels, classes "
            f"{listed(names, 8)}). Leave it out of the recipe, or pack the samples anew."
        )
    unread = [f"[data] {name}" for name in ("images", "labels") if name in recipe.data.model_fields_set]
    unread += ["[split]"] if recipe.split.model_fields_set else []
    if unread:
        log.info("Samples and their split are those of %s; %s of the recipe are not looked at.", store.path, listed(unread))
    reading = {name: getattr(manifest.reading, name) for name in READING}
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=reading),
            "samples": recipe.samples.model_copy(update={"size": size, "table": str(store.path)}),
        }
    )


def packed_samples(store: PackedStore, recipe: Recipe, progress: Progress) -> Samples:
    """The samples of a store; windows inside them where the recipe asks for smaller ones."""
    return store.samples if recipe.samples.shape == store.samples.size else recut(store, recipe.samples, progress)


def kept_samples(table: Path, store: PackedStore) -> Samples:
    """The table of a run that goes on with a store. Raises ConflictError if the store was packed anew since the run began."""
    samples = load(table)
    ours, theirs = (set(zip(each.frame["scene"], each.frame["image_digest"], strict=True)) for each in (samples, store.samples))
    if not ours <= theirs:
        raise ConflictError(f"{store.path} holds other samples than when this run began. Bring them back, or start a new run.")
    return samples
