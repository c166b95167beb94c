"""Samples as files: a GeoTIFF and a class mask for each original and each augmented copy."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.labels.legend import Legend
from terrazzo.rasters.chips.batch import FileBatch
from terrazzo.rasters.chips.cut import chip_grid, mask_of
from terrazzo.rasters.chips.encode import ChipFile, encode
from terrazzo.rasters.chips.look import Look, class_look, look_of
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.samples.augment.draw import AS_IS, Augmentation, draw_augmentation
from terrazzo.samples.augment.raw import RawAugmenter
from terrazzo.samples.chip import Labels, to_labels
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.store import Source

COPY_TAG = "TERRAZZO_AUGMENTED"
"""The tag that says, as JSON, where a file comes from."""


@dataclass(frozen=True, kw_only=True)
class CopyFile:
    """One pair of files."""

    sample: Sample
    called: str
    """What no other sample is called."""
    part: str
    copy: int
    """0 is the original."""

    @property
    def name(self) -> str:
        """Below the folders images and labels, without ending."""
        copy = f"_copy{self.copy}" if self.copy else ""
        return f"{self.part}/{self.called}{copy}"

    def paths(self, out: Path) -> tuple[Path, Path]:
        """Of the image and of its labels."""
        return out / "images" / f"{self.name}.tif", out / "labels" / f"{self.name}.tif"


@dataclass(frozen=True, kw_only=True)
class CopyWriter:
    """Reads samples, augments and writes them; may be called from several threads."""

    out: Path
    source: Source
    data: DataOptions
    legend: Legend
    scaling: Scaling
    options: AugmentOptions
    seed: int
    placed: bool
    """Whether files keep their place on the ground: only where no copy is moved."""

    def write(self, files: Sequence[CopyFile]) -> None:
        """Write all files of one sample that are not there yet, each whole or not at all.

        Raises RasterError or LabelError if it cannot be read, EnvironmentFault.
        """
        missing = [file for file in files if not all(path.is_file() for path in file.paths(self.out))]
        if not missing:
            return
        sample = files[0].sample
        raster = self.source.raster(sample.scene)
        look = look_of(raster, self.data)
        grid = chip_grid(raster.grid, sample.window) if self.placed else Grid(shape=sample.window.shape)
        pixels, labels = self.source.read(sample.scene, sample.window)
        augmenter = RawAugmenter(scaling=self.scaling, nodata=look.nodata)
        with FileBatch() as batch:
            for file in missing:
                augmentation = self._augmentation(file, labels)
                data = self._encoded(
                    file, augmenter.apply(pixels, augmentation), to_labels(labels, labels_shape(labels), augmentation), look, grid
                )
                for path, content in zip(file.paths(self.out), data, strict=True):
                    batch.add(path, content)

    def _augmentation(self, file: CopyFile, labels: Labels) -> Augmentation:
        if not file.copy:
            return AS_IS
        rng = np.random.default_rng((self.seed, file.copy, file.sample.id))
        return draw_augmentation(self.options, rng, labels_shape(labels), len(self.scaling.bands))

    def _encoded(self, file: CopyFile, pixels: Pixels, labels: Labels, look: Look, grid: Grid) -> Iterator[bytes]:
        tags = {COPY_TAG: json.dumps(_note(file), ensure_ascii=False)}
        image = ChipFile(look=look, grid=grid, tags=tags, compress="zstd")
        yield encode(pixels.values, mask_of(look, pixels.values, pixels.valid), image)
        classes = class_look(self.legend.values, self.legend.colors, {LEGEND_TAG: self.legend.plain().to_json()}, grid.crs)
        yield encode(self.legend.decode(labels)[np.newaxis], None, ChipFile(look=classes, grid=grid, tags=tags, compress="zstd"))


def labels_shape(labels: Labels) -> tuple[int, int]:
    return labels.shape[0], labels.shape[1]


def _note(file: CopyFile) -> dict[str, object]:
    window: Window = file.sample.window
    return {"image": file.sample.scene, "offset": [window.col_off, window.row_off], "copy": file.copy, "part": file.part}
