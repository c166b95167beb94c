"""Images given to a verb, with their labels where there are any, opened and found to fit."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError
from terrazzo.labels.failures import Failures
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelPlace, LabelReader, place_digest
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.files import digest, find_images
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.layers import join_types
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.tables.flatten import Picture
from terrazzo.rasters.tables.layout import TableClass, values_as_stored
from terrazzo.samples.checks import check_labels
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import label_reader
from terrazzo.workflows.origin import legend_origin, reading_origin


@dataclass(frozen=True, kw_only=True)
class GivenImage:
    """An image, what its header says, and where its labels are."""

    name: str
    """What tells it from the others."""
    path: Path
    grid: Grid
    dtype: np.dtype[np.generic]
    band_names: tuple[str | None, ...]
    labels: tuple[LabelPlace, LabelledImage] | None = None


@dataclass(frozen=True, kw_only=True)
class GivenImages:
    """Images, and what reads their labels."""

    images: tuple[GivenImage, ...]
    reader: LabelReader | None = None

    @property
    def classes(self) -> tuple[TableClass, ...] | None:
        """Of the labels, in the order of their indices."""
        return None if self.reader is None else table_classes(self.reader.legend)

    @property
    def band_names(self) -> tuple[str | None, ...]:
        """Of each band the name that all images which have it give it."""
        most = max(len(image.band_names) for image in self.images)
        names = [{image.band_names[place] for image in self.images if place < len(image.band_names)} for place in range(most)]
        return tuple(found.pop() if len(found) == 1 else None for found in names)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type that holds the values of all images exactly. Raises DataError if there is none."""
        found = {values_as_stored(image.dtype) for image in self.images}
        dtype = join_types(list(found))
        if dtype is None:
            names = listed(sorted(kind.name for kind in found))
            raise DataError(f"The images hold values of the types {names}, which no one type holds exactly. Take each group by itself.")
        return dtype

    def check_bands(self, why: str) -> None:
        """Raises DataError if the images differ in their number of bands. why: what needs them to be alike."""
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for image in self.images:
            groups[len(image.band_names)].append(str(image.path))
        if len(groups) > 1:
            parts = "; ".join(f"{counted(bands, 'band')}: {listed(paths, 3)}" for bands, paths in sorted(groups.items()))
            raise DataError(f"{why}, and the images have different numbers of bands: {parts}. Choose with [data] bands, or take one group.")

    @contextmanager
    def open(self, number: int, data: DataOptions) -> Iterator[Picture]:
        """An image by its number from 0, and its labels. Raises RasterError or LabelError if they cannot be read."""
        image = self.images[number]
        with ExitStack() as stack:
            raster = stack.enter_context(open_raster(image.path, data))
            reader = self.reader
            labels = stack.enter_context(reader.open(*image.labels)) if reader is not None and image.labels is not None else None
            yield Picture(number=number, raster=raster, classes=None if labels is None else labels.read)

    def fingerprint(self, data: DataOptions, **options: float) -> str:
        """What tells a result of these images, their labels and the options from all others; paths do not count."""
        made: dict[str, object] = {
            **options,
            "images": {image.name: digest(image.path) for image in self.images},
            "reading": reading_origin(data),
        }
        if self.reader is not None:
            places = {image.labels[0] for image in self.images if image.labels is not None}
            made |= {
                "labels": sorted(place_digest(place) for place in places),
                "legend": legend_origin(self.reader.legend),
                "options": self.reader.options.model_dump(mode="json"),
            }
        text = json.dumps(made, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=20).hexdigest()


def table_classes(legend: Legend) -> tuple[TableClass, ...]:
    """The classes of a legend as a table names them."""
    return tuple(TableClass(value=entry.value, name=entry.name, color=entry.color) for entry in legend.classes)


def given_images(images: Sequence[str | Path], labels: str | None, context: Context) -> GivenImages:
    """Find and open images, and their labels where they are given.

    images: files, folders or patterns. labels: masks, vector files, a run-length table, COCO, or rules.
    Raises RasterError, PairingError or LabelError naming all files that cannot be used.
    """
    data = context.recipe.data
    found = {file.path: file for given in images for file in find_images(given, Path.cwd())}
    if labels is None:
        scenes = [Scene(name=file.name, image=file.path, label=None) for file in found.values()]
        return GivenImages(images=_opened(scenes, data))
    paired = data.model_copy(update={"images": str(images[0]), "labels": labels})
    scenes = find_scenes(paired, Path.cwd(), None if len(images) == 1 else list(found.values()))
    check_labels(scenes, paired, context.recipe.labels)
    reader = label_reader(scenes, paired, context)
    return GivenImages(images=_opened(scenes, data), reader=reader)


def _opened(scenes: Sequence[Scene], data: DataOptions) -> tuple[GivenImage, ...]:
    failures, opened = Failures(), []
    for scene in scenes:
        with failures.collect(), open_raster(scene.image, data) as raster:
            labelled = LabelledImage(name=scene.name, path=scene.image, grid=raster.grid, place=raster.place, own_grid=raster.own_grid)
            opened.append(
                GivenImage(
                    name=scene.name,
                    path=scene.image,
                    grid=raster.grid,
                    dtype=raster.dtype,
                    band_names=raster.band_names,
                    labels=None if scene.label is None else (scene.label, labelled),
                )
            )
    failures.check(len(scenes), "images")
    return tuple(opened)
