"""Scenes: images paired with their labels."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError, LabelError, PairingError, RecipeError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import find_images
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Shape
from terrazzo.samples.pairing import Pairing, by_name

ALIKE_CELLS = 1.1
"""Cell sizes up to this ratio count as one resolution."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One image and the class mask that belongs to it."""

    name: str
    """What tells it from the other scenes of the set, '/'-joined, without extension."""
    image: Path
    label: Path | None


@dataclass(frozen=True, kw_only=True)
class SceneFacts:
    """What the header of a scene's image says."""

    shape: Shape
    bands: int
    dtype: np.dtype[np.generic]
    grid: Grid


def find_scenes(options: DataOptions, folder: Path) -> list[Scene]:
    """Find the images of [data] and the label of each, in natural order of their names.

    A label belongs to the image of the same name; else to that of the same stem, if only one image and one label have it; else to
    the image for which the wildcards of the two patterns stand for the same text. With pair_suffix, a label's stem is its image's
    stem and the suffix. Two single files are a pair whatever they are called. Order in a listing and common beginnings never count.

    folder: what data.root is relative to. Raises RecipeError if [data] names no images, RasterError if there are none, PairingError
    listing all images without label, labels without image, and what is ambiguous.
    """
    if options.images is None:
        raise RecipeError("[data] images is missing: give a file, a folder, or a pattern such as 'images/*.tif'.")
    root = folder / options.root if options.root is not None else folder
    images = find_images(options.images, root)
    if options.labels is None:
        return [Scene(name=name, image=image.path, label=None) for name, image in by_name(images, "images").items()]
    labels = find_images(str(options.labels), root)
    masks = {label.path for label in labels}
    apart = [image for image in images if image.path not in masks]
    if not apart:
        raise PairingError(
            f"[data] images and labels name the same {counted(len(images), 'file')} ({options.images!r}). Give one pattern for each."
        )
    if len(apart) == len(labels) == 1 and (root / options.images).is_file() and (root / str(options.labels)).is_file():
        return [Scene(name=apart[0].name, image=apart[0].path, label=labels[0].path)]
    pairs = Pairing(options, apart, labels).pairs()
    return [Scene(name=image.name, image=image.path, label=pairs[image.path]) for image in apart]


def check_scenes(scenes: Sequence[Scene], options: DataOptions) -> list[SceneFacts]:
    """Open every image and label and see that they fit each other, and the images one another.

    Raises LabelError for labels of another size or place than their image, RasterError or DataError for files that cannot be read and
    for sets that mix numbers of bands or types; each names all bad files.
    """
    failures = Failures()
    facts: dict[str, SceneFacts] = {}
    for scene in scenes:
        with failures.collect():
            facts[scene.name] = _scene_facts(scene, options)
    failures.check(len(scenes), "scenes")
    found = [facts[scene.name] for scene in scenes]
    _check_alike(
        scenes,
        [f"{fact.bands} band{'' if fact.bands == 1 else 's'}" for fact in found],
        "numbers of bands",
        "Choose bands with [data] bands, or train on one group.",
    )
    _check_alike(
        scenes,
        [_type_name(fact.dtype) for fact in found],
        "types of values",
        "Their ranges differ: convert them to one type, or train on one group.",
    )
    _tell_cell_sizes(found)
    return found


def _scene_facts(scene: Scene, options: DataOptions) -> SceneFacts:
    with open_raster(scene.image, options) as image:
        facts = SceneFacts(shape=image.shape, bands=image.bands, dtype=image.dtype, grid=image.grid)
    if scene.label is not None:
        with open_raster(scene.label, DataOptions()) as label:
            shape, grid = label.shape, label.grid
        if shape != facts.shape:
            size, image_size = (f"{height} x {width}" for height, width in (shape, facts.shape))
            raise LabelError(
                f"{scene.label} is {size} pixels (height x width), its image {scene.image} is {image_size}. "
                "Give a label of the image's size; labels are never resized."
            )
        _check_place(scene, facts.grid, grid)
    return facts


def _check_place(scene: Scene, image: Grid, label: Grid) -> None:
    """Refuse a label that lies elsewhere on the ground than its image."""
    if image.transform is None or label.transform is None or None in (image.crs, label.crs) or image.crs != label.crs:
        return
    height, width = image.shape
    for corner in ((0, 0), (width, height)):
        at_image, at_label = image.transform * corner, label.transform * corner
        back = ~image.transform * at_label
        if max(abs(back[0] - corner[0]), abs(back[1] - corner[1])) > 0.5:
            raise LabelError(
                f"{scene.label} lies elsewhere than its image {scene.image}: pixel {corner} is at {at_label} and at {at_image}. "
                "Give a label on the image's own grid."
            )


def _tell_cell_sizes(facts: Sequence[SceneFacts]) -> None:
    """Warn where images show the ground at different scales."""
    sizes: defaultdict[bool, list[float]] = defaultdict(list)
    for fact in facts:
        if fact.grid.crs is not None and fact.grid.transform is not None:
            sizes[bool(fact.grid.crs.is_geographic)].append(abs(fact.grid.transform.determinant) ** 0.5)
    for found in sizes.values():
        if max(found) > ALIKE_CELLS * min(found):
            log.warning(
                "The images have cells of %.4g to %.4g (units of their CRS); a model learns one scale best.", min(found), max(found)
            )


def _type_name(dtype: np.dtype[np.generic]) -> str:
    """Types that may be mixed have one name."""
    return "float" if dtype.kind == "f" else dtype.name


def _check_alike(scenes: Sequence[Scene], facts: Sequence[str], what: str, advice: str) -> None:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for scene, fact in zip(scenes, facts, strict=True):
        groups[fact].append(str(scene.image))
    if len(groups) > 1:
        parts = "; ".join(f"{fact}: {counted(len(paths), 'image')} ({listed(paths, 3)})" for fact, paths in sorted(groups.items()))
        raise DataError(f"The images have different {what}: {parts}. {advice}")
