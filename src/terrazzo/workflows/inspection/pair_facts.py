"""Images and their labels together: which belong to each other, whether they fit, and what the labels hold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError, RasterError
from terrazzo.labels.kinds import find_labels
from terrazzo.labels.legend import IGNORE
from terrazzo.labels.reader import LabelReader, find_legend
from terrazzo.labels.sentences import counted
from terrazzo.labels.survey import row_blocks
from terrazzo.rasters.files import ImageFile, find_images
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.checks import CheckedScene, check_scenes
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspection.class_shares import ClassShare, index_shares, quiet
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.inspection.raster_facts import WHOLE_BYTES
from terrazzo.workflows.inspection.sentences import percent


@dataclass(frozen=True, kw_only=True)
class PairFacts:
    """What [data] images and labels of a recipe find."""

    images: int
    labels: int | None
    """Files of labels; None where labels are no files."""
    pairs: int
    """Images that have a label."""
    shares: Sequence[ClassShare]
    """Of the classes in all labels."""
    checked: Sequence[CheckedScene]
    """The images and what their headers say; empty where they cannot be used together."""
    faults: Sequence[str]
    """Why they cannot be used together: what is unpaired, does not fit, or is outside the legend."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "images": self.images,
            "labels": self.labels,
            "labelled": self.pairs,
            "classes": [share.plain() for share in self.shares],
            "problems": list(self.faults),
        }

    def finding(self, name: str) -> Finding:
        """What is told of them."""
        labels = "" if self.labels is None else f", {counted(self.labels, 'file')} of labels"
        shares = ", ".join(f"{share.name} {percent(share.share)}" for share in self.shares)
        return Finding(
            name=name,
            heading=f"{counted(self.images, 'image')}{labels}, {counted(self.pairs, 'image')} with labels",
            rows=[("classes", shares)] if shares else [],
            plain={"kind": "pairs", **self.plain()},
            problems=self.faults,
            shares=self.shares,
        )


def pair_facts(context: Context) -> PairFacts:
    """Pair images and labels as the context's recipe says, see whether they fit, and count what the labels hold.

    Raises RecipeError if [data], [labels] or [legend] contradict themselves.
    """
    data = context.recipe.data
    images = _found(data.images, context.root, find_images)
    labels = None if isinstance(data.labels, list) else _found(data.labels, context.root, find_labels)
    faults: list[str] = []
    scenes: list[Scene] = []
    checked: list[CheckedScene] = []
    shares: Sequence[ClassShare] = ()
    with quiet("terrazzo"):
        try:
            scenes = find_scenes(data, context.folder)
            checked = check_scenes(scenes, data, context.recipe.labels)
            shares = _shares(checked, context)
        except DataError as error:
            faults.append(str(error))
            if scenes and not shares:
                faults += _label_faults(scenes, context)
    pairs = sum(scene.label is not None for scene in scenes)
    return PairFacts(
        images=len(images),
        labels=len(labels) if labels else None,
        pairs=pairs,
        shares=shares,
        checked=checked,
        faults=list(dict.fromkeys(faults)),
    )


def _shares(checked: Sequence[CheckedScene], context: Context) -> tuple[ClassShare, ...]:
    """The classes in the labels of all images. Raises DataError if the labels cannot be used."""
    labelled = [(fact, fact.scene.label) for fact in checked if fact.scene.label is not None]
    if not labelled:
        return ()
    legend = find_legend([place for _, place in labelled], context.recipe.legend, context.recipe.labels, context.progress, overlapping=True)
    reader = LabelReader(legend, context.recipe.data, context.recipe.labels)
    pixels = np.zeros(IGNORE + 1, np.int64)
    with context.progress.task("read labels", len(labelled), "images") as advance:
        for fact, place in labelled:
            with reader.open(place, fact.labelled) as labels:
                for window in _windows(labels.shape):
                    pixels += np.bincount(labels.read(window).ravel(), minlength=IGNORE + 1)
            advance(1)
    return index_shares(pixels, legend.sets)


def _label_faults(scenes: Sequence[Scene], context: Context) -> list[str]:
    """What is wrong with the labels by themselves, where images and labels do not fit."""
    try:
        places = [scene.label for scene in scenes if scene.label is not None]
        find_legend(places, context.recipe.legend, context.recipe.labels, overlapping=True)
    except DataError as error:
        return [str(error)]
    return []


def _windows(shape: Shape) -> Iterator[Window]:
    """Windows of whole rows that hold every pixel once; of a large image every n-th."""
    windows = list(row_blocks(shape))
    return iter(windows[:: max(1, shape[0] * shape[1] // WHOLE_BYTES)])


def _found(spec: str | None, root: Path, find: Callable[[str, Path], list[ImageFile]]) -> list[ImageFile]:
    if spec is None:
        return []
    try:
        return find(spec, root)
    except RasterError:
        return []
