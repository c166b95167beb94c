"""The samples that a training learns from: indexed and split by the recipe, or those of a table."""

import logging
from collections.abc import Sequence

from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.on_images import on_images
from terrazzo.samples.scenes import Scene
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.tell import audit
from terrazzo.samples.table import Samples
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import index_scenes
from terrazzo.workflows.look_alike import with_alike
from terrazzo.workflows.packed_lesson import GivenTable
from terrazzo.workflows.recount import recount_in
from terrazzo.workflows.sample_origin import check_fresh

log = logging.getLogger(__name__)


def choose_samples(scenes: Sequence[Scene], table: GivenTable | None, context: Context) -> Samples:
    """Windows with their split: those of the table that the recipe names, by its own split if it has one; else all that there are.

    Raises ConflictError if the table is stale, DataError if its windows are not on the images, SplitError if the split cannot be made
    or leaks, and what `index_scenes` raises.
    """
    recipe = context.recipe
    if table is None:
        return split_samples(index_scenes(scenes, recipe.data, context), scenes, context)
    check_fresh(table.path, table.samples, scenes, context)
    samples = on_images(table.samples, _grids(scenes, context), str(table.path))
    if samples.frame["split"].isna().all():
        return split_samples(samples, scenes, context)
    log.info("The split is that of %s.", table.path)
    samples = with_alike(samples, recipe.data, recipe.split, context.progress)
    audit(samples, recipe.split)
    return samples


def split_samples(samples: Samples, scenes: Sequence[Scene], context: Context) -> Samples:
    """Split samples by the context's [split]; pieces of windows are counted in these scenes."""
    reader = LabelReader(samples.legend, context.recipe.data, context.recipe.labels)
    samples = with_alike(samples, context.recipe.data, context.split, context.progress)
    return assign_split(samples, context.split, recount_in(scenes, reader, context.progress))


def _grids(scenes: Sequence[Scene], context: Context) -> dict[str, Grid]:
    def grid(scene: Scene) -> Grid:
        with open_raster(scene.image, context.recipe.data) as raster:
            return raster.grid

    grids = all_on_threads(grid, scenes, context.progress, "open", "images")
    return {scene.name: grid for scene, grid in zip(scenes, grids, strict=True)}
