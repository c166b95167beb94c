"""Images and their labels together: which belong to each other, whether they fit, and what the labels hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import DataError, RasterError
from terrazzo.labels.resolve import resolve_legend
from terrazzo.labels.sentences import counted
from terrazzo.labels.survey import survey
from terrazzo.progress import Progress
from terrazzo.rasters.files import IMAGE_SUFFIXES, find_images
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.scenes import find_scenes
from terrazzo.workflows.inspection.class_shares import ClassShare, class_shares, quiet, used_values
from terrazzo.workflows.inspection.finding import Finding
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


def pair_facts(recipe: Recipe, folder: Path, progress: Progress) -> PairFacts:
    """Pair images and labels as a recipe says, and see whether they fit.

    folder: what data.root is relative to. Raises RecipeError if [data] or [legend] contradict themselves.
    """
    root = folder / (recipe.data.root or "")
    images = _found(recipe.data.images, root)
    labels = None if isinstance(recipe.data.labels, list) else _found(recipe.data.labels, root)
    masks = [path for path in labels or () if path.suffix.lower() in IMAGE_SUFFIXES]
    faults: list[str] = []
    pairs = 0
    try:
        with quiet("terrazzo"):
            scenes = find_scenes(recipe.data, folder)
            pairs = sum(scene.label is not None for scene in scenes)
            check_scenes(scenes, recipe.data, recipe.labels)
    except DataError as error:
        faults.append(str(error))
    shares: Sequence[ClassShare] = ()
    if masks and len(masks) == len(labels or ()):
        try:
            with quiet("terrazzo"):
                surveyed = survey(masks, progress, recipe.legend)
                legend = resolve_legend(recipe.legend, surveyed)
            total: Counter[float] = Counter()
            for file in surveyed.files:
                total.update(used_values(file, legend))
            shares = class_shares(total, legend)
        except DataError as error:
            faults.append(str(error))
    return PairFacts(images=len(images), labels=None if labels is None else len(labels), pairs=pairs, shares=shares, faults=faults)


def _found(spec: str | None, root: Path) -> list[Path]:
    if spec is None:
        return []
    try:
        return [image.path for image in find_images(spec, root)]
    except RasterError:
        return []
