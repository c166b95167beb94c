"""Maps and their labels: paired by name, read in the same classes."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from terrazzo.errors import LabelError, PairingError, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.kinds import find_labels, fingerprint, one_kind
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.reader import LabelReader, find_legend
from terrazzo.labels.rules import are_rules
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.survey import survey
from terrazzo.prediction.outputs.names import LAYER_SUFFIXES, MAP_SUFFIX, layer_path, probabilities_path
from terrazzo.rasters.files import ImageFile, digest, find_images
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.workflows.context import Context

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A map and its label."""

    name: str
    prediction: Path
    label: Path

    @property
    def probabilities(self) -> Path | None:
        """The probabilities beside the map, as predict writes them; None if there are none."""
        path = probabilities_path(self.prediction)
        return path if path.exists() else None


@dataclass(frozen=True, kw_only=True)
class PairLegends:
    """How maps and labels are read: the same classes, in the same order."""

    maps: Legend
    labels: LabelReader


def find_maps(spec: str) -> list[ImageFile]:
    """The maps that are meant; where some end in _predseg, only those, and the ending is no part of their names."""
    found = find_images(spec, Path.cwd())
    ours = [file for file in found if file.name.endswith(MAP_SUFFIX)]
    if ours:
        return [ImageFile(name=file.name.removesuffix(MAP_SUFFIX), path=file.path) for file in ours]
    beside = {layer_path(file.path, suffix) for file in found for suffix in LAYER_SUFFIXES}
    return [file for file in found if file.path not in beside]


@dataclass(frozen=True, kw_only=True)
class MapHeader:
    """What a map says of itself."""

    grid: Grid
    legend: str | None
    """The legend that it carries, as JSON."""


def map_headers(pairs: Sequence[Pair]) -> list[MapHeader]:
    """Raises RasterError naming all maps that cannot be opened."""
    failures, found = Failures(), []
    for pair in pairs:
        with failures.collect(), open_raster(pair.prediction) as raster:
            found.append(MapHeader(grid=raster.grid, legend=raster.tags.get(LEGEND_TAG)))
    failures.check(len(pairs), "maps")
    return found


def pair_maps(maps: Sequence[ImageFile], labels: str, data: DataOptions) -> tuple[list[Pair], int]:
    """Each map with its label, and how many labels are left; one vector file or table serves all maps.

    Raises UsageError for rules, PairingError if maps and labels do not fit.
    """
    if twice := [name for name, count in Counter(file.name for file in maps).items() if count > 1]:
        raise PairingError(f"Several maps have the same name but for their ending: {listed(twice)}. Narrow the pattern.")
    if are_rules(labels) and not Path(labels).exists():
        raise UsageError("Rules need the images, which are not at hand here. Make masks of them first: terrazzo mask IMAGES RULES OUT.")
    if data.pair_table is not None:
        raise UsageError("evaluate pairs maps with labels by name, not by [data] pair_table. Leave it out, or name the labels as the maps.")
    found = find_labels(labels, Path.cwd())
    if len(found) == 1 and one_kind(found) != "masks":
        return [Pair(name=file.name, prediction=file.path, label=found[0].path) for file in maps], 0
    one_kind(found)
    return _pair(maps, found, data)


def _pair(maps: Sequence[ImageFile], labels: Sequence[ImageFile], data: DataOptions) -> tuple[list[Pair], int]:
    """Each map with the label of the same name, else of the same stem if only one has it; and how many labels are left."""
    by_name: dict[str, ImageFile] = {}
    twice = [label for label in labels if by_name.setdefault(_bare(label.name, data), label) is not label]
    if twice:
        raise PairingError(
            f"Several labels have the same name but for their ending: {listed(label.path.name for label in twice)}. Narrow the pattern."
        )
    by_stem: dict[str, list[ImageFile]] = {}
    for name, label in by_name.items():
        by_stem.setdefault(name.rpartition("/")[2], []).append(label)
    pairs: list[Pair] = []
    alone: list[str] = []
    for file in maps:
        same_stem = by_stem.get(file.name.rpartition("/")[2], [])
        partner = by_name.get(file.name) or (same_stem[0] if len(same_stem) == 1 else None)
        if partner is None:
            alone.append(file.name)
        else:
            pairs.append(Pair(name=file.name, prediction=file.path, label=partner.path))
    if alone:
        raise PairingError(
            f"{len(alone)} of {counted(len(maps), 'map')} without a label of the same stem: {listed(alone)}. "
            "Check the folders, or set data.pair_suffix or pair_prefix."
        )
    used = [pair.label for pair in pairs]
    if len(set(used)) < len(used):
        raise PairingError("Two maps would share a label. Give maps and labels whose sub-folders tell them apart.")
    return pairs, len(labels) - len(used)


def _bare(name: str, data: DataOptions) -> str:
    """A label's name without the prefix and suffix of its stem, where it has them."""
    folder, slash, stem = name.rpartition("/")
    return f"{folder}{slash}{stem.removeprefix(data.pair_prefix).removesuffix(data.pair_suffix)}"


def pairs_origin(pairs: Sequence[Pair], context: Context) -> str:
    """A digest of all that an evaluation of the pairs depends on: their bytes and the options, without paths.

    Raises RasterError or LabelError if a file cannot be read.
    """
    recipe = context.recipe
    labels = {label: fingerprint(label) for label in {pair.label for pair in pairs}}
    facts = {
        "pairs": [
            [pair.name, labels[pair.label], *(digest(path) for path in (pair.prediction, pair.probabilities) if path is not None)]
            for pair in pairs
        ],
        "options": [table.model_dump(mode="json") for table in (recipe.legend, recipe.labels, recipe.evaluation)],
        "terrazzo": version("terrazzo"),
    }
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=20).hexdigest()


def find_pair_legend(pairs: Sequence[Pair], headers: Sequence[MapHeader], context: Context) -> PairLegends:
    """The legend that the maps carry; [legend], if given, says how the labels are read."""
    carried: dict[str, str] = {}
    for pair, header in zip(pairs, headers, strict=True):
        if header.legend is not None:
            carried.setdefault(header.legend, pair.name)
    if len(carried) > 1:
        raise LabelError(f"The maps carry different legends, such as {listed(carried.values(), 2)}. Evaluate them apart.")
    given = context.recipe.legend
    if carried and given == LegendOptions():
        legend = Legend.from_json(next(iter(carried)))
    else:
        legend = find_legend(
            [pair.label for pair in pairs], given, context.recipe.labels, context.progress, to_learn=False, overlapping=True
        )
    maps = Legend.from_json(next(iter(carried))) if carried else legend
    if maps.overlapping != legend.overlapping:
        told = ("overlap", "do not") if maps.overlapping else ("do not overlap", "do")
        raise LabelError(f"The classes of the maps {told[0]}, those of [legend] {told[1]}. They must be the same.")
    if maps.values != legend.values:
        raise LabelError(f"The maps hold the classes {list(maps.values)}, [legend] gives {list(legend.values)}. They must be the same.")
    # maps of other tools are read like the labels: their 255 may be a class
    reader = LabelReader(legend, options=context.recipe.labels)
    return PairLegends(
        maps=maps.plain() if carried else legend_of_others([pair.prediction for pair in pairs], legend, context), labels=reader
    )


def legend_of_others(maps: Sequence[Path], legend: Legend, context: Context) -> Legend:
    """How maps of other tools are read: as the labels are, but white is class 1 where they are black and white and the labels 0 and 1."""
    given = context.recipe.legend
    if (
        legend.values != (0, 1)
        or legend.ignore != IGNORE
        or legend.encoding != "values"
        or legend.threshold is not None
        or given.ignore is not None
    ):
        return legend
    held = survey(maps, context.progress, given).total
    if set(held) - {0} != {IGNORE}:
        return legend
    logger.info("Maps hold 0 and 255: 255 is taken as class 1. Set [legend] ignore = 255 to leave these pixels out instead.")
    return replace(legend, remap={**legend.remap, IGNORE: 1}, ignore=None)
