"""Whether images and labels fit each other, and the images one another, before any long work."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError, LabelError, PairingError
from terrazzo.labels.coco import CocoFile
from terrazzo.labels.failures import Failures
from terrazzo.labels.kinds import kind_of
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.reader import load_coco, load_runs, load_vectors, resampled
from terrazzo.labels.runs import RunTable
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.grid import Grid, grids_agree
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import Place
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.alike import check_grids
from terrazzo.samples.scenes import Scene

SHOWN = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CheckedScene:
    """A scene whose image and labels go together, and what its image's header says."""

    scene: Scene
    bands: int
    dtype: np.dtype[np.generic]
    grid: Grid
    own_grid: Grid
    """Of the file's own pixels; `grid` is another where options ask for one."""
    place: Place | None

    @property
    def labelled(self) -> LabelledImage:
        return LabelledImage(name=self.scene.name, path=self.scene.image, grid=self.grid, place=self.place, own_grid=self.own_grid)


def check_scenes(scenes: Sequence[Scene], options: DataOptions, labels: LabelOptions = LabelOptions()) -> list[CheckedScene]:
    """See that images and labels fit each other, and the images one another: what a model is to learn from.

    Raises as `check_labels` does, and DataError for sets that mix numbers of bands, types or grids, listing the groups.
    """
    found = check_labels(scenes, options, labels)
    _check_bands(found)
    if "scaling" not in options.model_fields_set:
        _check_types(found)
    check_grids([(fact.scene.image, fact.grid) for fact in found], any_cell=options.resize is not None)
    return found


def check_labels(scenes: Sequence[Scene], options: DataOptions, labels: LabelOptions = LabelOptions()) -> list[CheckedScene]:
    """Open every image and its labels and see that they fit each other.

    Raises LabelError for labels of another size or place than their image, PairingError for images that a table does not name,
    RasterError for files that cannot be read; each names all bad files.
    """
    failures = Failures()
    found: list[CheckedScene] = []
    for scene in scenes:
        with failures.collect():
            found.append(check_scene(scene, options))
    failures.check(len(scenes), "scenes")
    check_shared([(fact.labelled, fact.scene.label) for fact in found if isinstance(fact.scene.label, Path)], labels)
    return found


def check_scene(scene: Scene, options: DataOptions) -> CheckedScene:
    """Open an image, and see that its mask fits it if it has one. Raises LabelError or RasterError."""
    with open_raster(scene.image, options) as image:
        fact = CheckedScene(scene=scene, bands=image.bands, dtype=image.dtype, grid=image.grid, own_grid=image.own_grid, place=image.place)
    if isinstance(scene.label, Path) and kind_of(scene.label) == "masks" and not resampled(options):
        _check_mask(scene.image, fact.own_grid, scene.label)
    return fact


def _check_mask(image: Path, image_grid: Grid, mask: Path) -> None:
    """Refuse a mask of another size than its image, or that lies elsewhere on the ground."""
    with open_raster(mask, DataOptions()) as raster:
        grid = raster.grid
    if grid.shape != image_grid.shape:
        size, image_size = (f"{height} x {width}" for height, width in (grid.shape, image_grid.shape))
        raise LabelError(
            f"{mask} is {size} pixels (height x width), its image {image} is {image_size}. "
            "Give a label of the image's size; labels are never resized."
        )
    if not grids_agree(image_grid, grid):
        raise LabelError(f"{mask} lies elsewhere on the ground than its image {image}. Give a label on the image's own grid.")


def _check_bands(found: Sequence[CheckedScene]) -> None:
    _check_alike(
        found,
        [counted(fact.bands, "band") for fact in found],
        "numbers of bands",
        "Choose bands with [data] bands, or train on one group.",
    )


def _check_types(found: Sequence[CheckedScene]) -> None:
    # floats may be mixed: they hold the same values
    _check_alike(
        found,
        ["float" if fact.dtype.kind == "f" else fact.dtype.name for fact in found],
        "types of values",
        "Their ranges differ: convert them to one type, train on one group, or say by [data] scaling that their values mean the same.",
    )


def _check_alike(found: Sequence[CheckedScene], facts: Sequence[str], what: str, advice: str) -> None:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for checked, fact in zip(found, facts, strict=True):
        groups[fact].append(str(checked.scene.image))
    if len(groups) > 1:
        parts = "; ".join(f"{fact}: {counted(len(paths), 'image')} ({listed(paths, 3)})" for fact, paths in sorted(groups.items()))
        raise DataError(f"The images have different {what}: {parts}. {advice}")


def check_shared(images: Sequence[tuple[LabelledImage, Path]], options: LabelOptions) -> None:
    """See that label files which hold the labels of many images hold those of these images; nothing is asked of masks.

    images: each with its label file.
    Raises LabelError or PairingError naming all label files that do not.
    """
    by_file: defaultdict[Path, list[LabelledImage]] = defaultdict(list)
    for image, path in images:
        by_file[path].append(image)
    failures = Failures()
    for path, members in by_file.items():
        with failures.collect():
            kind = kind_of(path)
            if kind == "vectors":
                _check_touched(path, members, options)
            elif kind != "masks":
                _check_named(path, members, load_runs(path) if kind == "runs" else load_coco(path))
    failures.check(len(by_file), "label files")


def _check_touched(path: Path, members: Sequence[LabelledImage], options: LabelOptions) -> None:
    vectors = load_vectors(path, options)
    if vectors.in_pixels and len(members) > 1:
        raise LabelError(
            f"{path} is in pixels, which are those of one image; there are {len(members)}. "
            "Give a vector file an image, or labels on the ground."
        )
    apart = [image.name for image in members if not vectors.touches(image, options)]
    if len(apart) == len(members) and len(vectors.parts):
        raise LabelError(
            f"None of the features of {path} lies on {'the image' if len(members) == 1 else 'one of the images'} ({listed(apart, 3)}). "
            "Check the CRS of both; [labels] crs says that of vectors whose file names none."
        )
    if apart:
        log.warning("%s without a feature of %s, taken as empty: %s.", counted(len(apart), "image"), path, listed(apart, SHOWN))


def _check_named(path: Path, members: Sequence[LabelledImage], table: RunTable | CocoFile) -> None:
    """Refuse images that a table does not name, or names together; of what it names besides, a notice tells."""
    named: defaultdict[str | None, list[str]] = defaultdict(list)
    for image in members:
        named[table.find(image)].append(image.name)
    missing = named.pop(None, [])
    others = [name for name in table.names if name not in named]
    if missing:
        advice = f" It names {counted(len(others), 'other image')}: {listed(others, SHOWN)}." if others else ""
        raise PairingError(
            f"{path} does not name {len(missing)} of {counted(len(members), 'image')}: {listed(missing, SHOWN)}.{advice}\n"
            "An image without objects needs an entry too; names are compared with and without their ending."
        )
    twice = [f"{name} ({listed(images)})" for name, images in named.items() if len(images) > 1]
    if twice:
        raise PairingError(f"{path} has one entry for several images: {listed(twice)}. Give names with the folders that tell them apart.")
    if others:
        log.info("%s names %s that are not among the images: left out.", path, counted(len(others), "image"))
