"""Counting maps against their labels, of any size in constant memory."""

from collections.abc import Sequence

from terrazzo.errors import LabelError
from terrazzo.evaluation.objects.rule import ObjectRule, rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally
from terrazzo.labels.failures import Failures
from terrazzo.labels.kinds import kind_of
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.survey import row_blocks
from terrazzo.rasters.grid import Grid, grids_agree
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.context import Context
from terrazzo.workflows.map_pairs import Pair, PairLegends


def image_of(pair: Pair, maps: MaskLabels) -> LabelledImage:
    """The map stands for its image: it lies on the image's grid."""
    return LabelledImage(name=pair.name, path=pair.prediction, grid=maps.grid)


def count_maps(pairs: Sequence[Pair], legends: PairLegends, context: Context) -> SetTally:
    """The counts of each pair; all that cannot be compared are named at once.

    Raises LabelError or RasterError, RecipeError if [evaluation] names a class that is none.
    """
    options = context.recipe.evaluation
    objects = rule_of(options, legends.maps)
    tally = SetTally(len(legends.maps.classes), objects)
    failures = Failures()
    with context.progress.task("evaluate", len(pairs), "images") as advance:
        for pair in pairs:
            with failures.collect():
                scene = count_map(pair, legends, options, objects)
                tally.add(pair.name, scene.finish(), scene.objects())
            advance(1)
    failures.check(len(pairs), "images")
    return tally


def count_map(pair: Pair, legends: PairLegends, options: EvaluationOptions, objects: ObjectRule | None = None) -> SceneTally:
    """One pair, counted. Raises LabelError or RasterError if map and label cannot be compared."""
    with MaskLabels(pair.prediction, legends.maps) as maps, legends.labels.open(pair.label, image_of(pair, maps)) as masks:
        if maps.shape != masks.shape:
            raise LabelError(
                f"{pair.label} is {masks.shape[0]} x {masks.shape[1]} pixels, its map {pair.prediction} {maps.shape[0]} x {maps.shape[1]}."
            )
        _check_place(pair, maps.grid)
        tally = SceneTally(len(legends.maps.classes), options, maps.shape, objects)
        for window in row_blocks(maps.shape):
            tally.add(
                Rows(
                    row_off=window.row_off,
                    truth=masks.read(window),
                    predicted=maps.read(window),
                    instances=masks.instances(window) if objects and masks.has_instances else None,
                    predicted_instances=maps.instances(window) if objects and options.numbered_maps else None,
                )
            )
        return tally


def _check_place(pair: Pair, grid: Grid) -> None:
    """Refuse a mask that lies elsewhere on the ground than its map."""
    if kind_of(pair.label) == "masks":
        with open_raster(pair.label) as mask:
            if not grids_agree(grid, mask.grid):
                raise LabelError(
                    f"{pair.label} lies elsewhere on the ground than its map {pair.prediction}. Give a label on the map's grid."
                )
