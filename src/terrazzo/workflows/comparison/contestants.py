"""Who takes part in a comparison: runs, folders of maps, masks of other tools."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import DataError, LabelError, PairingError, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import ImageFile
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.workflows.context import Context
from terrazzo.workflows.held_out import map_stems
from terrazzo.workflows.map_pairs import Pair, find_maps, find_pair_legend, legend_of_others, map_headers
from terrazzo.workflows.where.finished import FinishedRun, is_run, open_run


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Maps that are compared."""

    name: str
    """Short, and unlike those of the others."""
    maps: Mapping[str, ImageFile]
    """By the name of the image."""
    run: FinishedRun | None = None
    """The run that left them, whose maps hold nothing of its training ground."""


def find_contestants(places: Sequence[str]) -> list[Contestant]:
    """The maps of each run, file, folder or pattern.

    Raises RasterError if there are none, PairingError if two of one contestant have the same name, UsageError if there are too few.
    """
    if len(places) < 2:
        raise UsageError(f"{len(places)} set of maps was given; compare takes two or more. Give runs, or folders of maps.")
    names = short_names(places)
    return [_contestant(place, name) for place, name in zip(places, names, strict=True)]


def short_names(places: Sequence[str]) -> list[str]:
    """The last part of each path; more of it where these are the same."""
    parts = [Path(place).absolute().parts for place in places]
    for length in range(1, max(len(each) for each in parts) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{Path(place).name} ({number})" for number, place in enumerate(places, 1)]


def _contestant(place: str, name: str) -> Contestant:
    run = open_run(Path(place)) if is_run(Path(place)) else None
    files = find_maps(place if run is None else str(run.folder.maps))
    if twice := [found for found, count in Counter(file.name for file in files).items() if count > 1]:
        raise PairingError(f"{place}: several maps have the same name but for their ending: {listed(twice)}. Narrow the pattern.")
    return Contestant(name=name, maps={file.name: file for file in files}, run=run)


def common_names(contestants: Sequence[Contestant]) -> tuple[list[str], list[str]]:
    """The images that all have mapped, and a sentence for each contestant of whom something is left out.

    Raises PairingError if they have none in common, DataError if runs call different images alike.
    """
    common = [name for name in contestants[0].maps if all(name in each.maps for each in contestants)]
    if not common:
        some = "; ".join(f"{each.name}: {listed(each.maps, 3)}" for each in contestants)
        raise PairingError(
            f"No image is mapped by all ({some}). Runs keep maps of what they held out; where they held out different images, "
            "predict the same images with each and compare the folders."
        )
    _check_images(contestants, common)
    left = [f"{counted(len(each.maps) - len(common), 'map')} of {each.name} left out: not mapped by all." for each in contestants]
    return common, [said for said, each in zip(left, contestants, strict=True) if len(each.maps) > len(common)]


def _check_images(contestants: Sequence[Contestant], common: Sequence[str]) -> None:
    digests: dict[str, str] = {}
    for each in contestants:
        if each.run is None:
            continue
        found = image_digests(each.run)
        for name in common:
            if digests.setdefault(name, found[name]) != found[name]:
                raise DataError(f"The runs call different images '{name}'. Compare runs of the same images.")


def image_digests(run: FinishedRun) -> dict[str, str]:
    """The fingerprint of each image of a run, by the name of its map."""
    stems, frame = map_stems(run.samples), run.samples.frame
    return {stems[str(scene)]: str(digest) for scene, digest in zip(frame["scene"], frame["image_digest"], strict=True)}


def label_reader(contestants: Sequence[Contestant], labels: Mapping[str, Path], context: Context) -> LabelReader:
    """How given labels are read: in the classes that the first maps with a legend carry, unless [legend] is given.

    labels: the label of each image. Raises LabelError if they do not go with the maps' legend.
    """
    carrying = next((each for each in contestants if carried_legend(each, list(labels)) is not None), contestants[0])
    pairs = [Pair(name=name, prediction=carrying.maps[name].path, label=label) for name, label in labels.items()]
    return find_pair_legend(pairs, map_headers(pairs), context).labels


def map_legends(contestants: Sequence[Contestant], names: Sequence[str], reading: Legend, context: Context) -> list[Legend]:
    """How the maps of each contestant are read: by the legend that they carry, else as the labels are.

    reading: the legend of the labels. Raises LabelError if one has other classes.
    """
    legends = [
        carried_legend(each, names) or legend_of_others([each.maps[name].path for name in names], reading, context) for each in contestants
    ]
    for each, legend in zip(contestants, legends, strict=True):
        if legend.overlapping:
            raise UsageError(f"The classes of {each.name} overlap; compare is for those that exclude each other. Evaluate each by itself.")
        if legend.values != reading.values:
            raise LabelError(
                f"The maps of {each.name} hold the classes {list(legend.values)}, the labels {list(reading.values)}. "
                "Only maps of the same classes can be compared."
            )
    return legends


def carried_legend(contestant: Contestant, names: Sequence[str]) -> Legend | None:
    """The legend of maps that carry one; None where they do not. Raises LabelError if they carry several."""
    files = [contestant.maps[name].path for name in names]
    carried: dict[str, Path] = {}
    failures = Failures()
    for path in files:
        with failures.collect(), open_raster(path) as raster:
            if (text := raster.tags.get(LEGEND_TAG)) is not None:
                carried.setdefault(text, path)
    failures.check(len(files), "maps")
    if len(carried) > 1:
        raise LabelError(f"{contestant.name}: the maps carry different legends, such as {listed(map(str, carried.values()), 2)}.")
    return Legend.from_json(next(iter(carried))).plain() if carried else None
