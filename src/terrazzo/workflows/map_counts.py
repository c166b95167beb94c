"""Counting maps against their labels, of any size in constant memory."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack

import numpy as np

from terrazzo.errors import DataError, LabelError, RasterError
from terrazzo.evaluation.objects.rule import ObjectRule, rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneCounts, SceneTally
from terrazzo.labels.failures import Failures
from terrazzo.labels.kinds import kind_of
from terrazzo.labels.legend import Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.sentences import counted
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.labels.survey import row_blocks
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.grid import Grid, grids_agree
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_pairs import Pair, PairLegends

Watch = Callable[[Pair, Grid], AbstractContextManager[Callable[[Rows], None]]]
"""Opens what looks on while the rows of a pair are counted."""


def image_of(pair: Pair, maps: MaskLabels) -> LabelledImage:
    """The map stands for its image: it lies on the image's grid."""
    return LabelledImage(name=pair.name, path=pair.prediction, grid=maps.grid)


def count_maps(pairs: Sequence[Pair], legends: PairLegends, context: Context, watch: Watch | None = None) -> SetTally:
    """The counts of each pair; all that cannot be compared are named at once. watch: from several threads.

    Raises LabelError or RasterError, RecipeError if [evaluation] names a class that is none.
    """
    options = context.recipe.evaluation
    objects = rule_of(options, legends.maps)
    tally = SetTally(len(legends.maps.sets.classes), objects)
    failures = Failures()

    def count(pair: Pair) -> SceneCounts | DataError:
        try:
            return count_map(pair, legends, options, objects, watch)
        except DataError as error:
            return error

    threads = context.threads or os.cpu_count() or 1
    with context.progress.task("evaluate", len(pairs), "images") as advance:
        for pair, found in zip(pairs, ahead(count, pairs, threads), strict=True):
            if isinstance(found, DataError):
                failures.add(found)
            else:
                tally.add(pair.name, found)
            advance(1)
    failures.check(len(pairs), "images")
    return tally


def count_map(
    pair: Pair, legends: PairLegends, options: EvaluationOptions, objects: ObjectRule | None = None, watch: Watch | None = None
) -> SceneCounts:
    """The counts of one pair, whose rows are read on a thread of their own.

    Raises LabelError or RasterError if they cannot be compared.
    """
    classes = len(legends.maps.classes)
    with ExitStack() as stack:
        maps = stack.enter_context(MaskLabels(pair.prediction, legends.maps))
        masks = stack.enter_context(legends.labels.open(pair.label, image_of(pair, maps)))
        _check_fit(pair, maps, masks)
        shares = stack.enter_context(open_raster(pair.probabilities)) if pair.probabilities is not None else None
        if shares is not None:
            _check_probabilities(shares, pair, maps, legends.maps)

        def read(window: Window) -> Rows:
            return Rows(
                row_off=window.row_off,
                truth=masks.read(window),
                predicted=maps.read(window),
                probabilities=shares.read(window).values if shares is not None else None,
                instances=masks.instances(window) if objects and masks.has_instances else None,
                predicted_instances=maps.instances(window) if objects and options.numbered_maps else None,
            )

        seen = stack.enter_context(watch(pair, maps.grid)) if watch is not None else None
        tally = SceneTally(classes, options, maps.shape, objects, overlapping=legends.maps.overlapping)
        for rows in ahead(read, row_blocks(maps.shape, 1 if shares is None else 2 * classes), 1):
            tally.add(rows)
            if seen is not None:
                seen(rows)
        return tally.finish()


def _check_fit(pair: Pair, maps: MaskLabels, masks: Labels) -> None:
    if maps.shape != masks.shape:
        raise LabelError(
            f"{pair.label} is {masks.shape[0]} x {masks.shape[1]} pixels, its map {pair.prediction} {maps.shape[0]} x {maps.shape[1]}."
        )
    _check_place(pair, maps.grid)


def _check_probabilities(shares: Raster, pair: Pair, maps: MaskLabels, legend: Legend) -> None:
    """Refuse probabilities that are not those of the map beside them."""
    classes = len(legend.classes)
    if shares.bands != classes or shares.dtype != np.uint16 or shares.shape != maps.shape:
        raise RasterError(
            f"{shares.path} has {counted(shares.bands, 'band')} of type {shares.dtype} and {shares.shape[0]} x {shares.shape[1]} pixels; "
            f"the probabilities of {pair.prediction.name} are {classes} of uint16 and {maps.shape[0]} x {maps.shape[1]}. Move it away."
        )


def _check_place(pair: Pair, grid: Grid) -> None:
    """Refuse a mask that lies elsewhere on the ground than its map."""
    if kind_of(pair.label) == "masks":
        with open_raster(pair.label) as mask:
            if not grids_agree(grid, mask.grid):
                raise LabelError(
                    f"{pair.label} lies elsewhere on the ground than its map {pair.prediction}. Give a label on the map's grid."
                )
