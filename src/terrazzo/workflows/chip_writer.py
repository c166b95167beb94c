"""The chips of one image, and their class masks, from pixels to files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.source import Labels
from terrazzo.rasters.chips.batch import FileBatch
from terrazzo.rasters.chips.cut import Chip, chip_grid, cut, mask_of
from terrazzo.rasters.chips.encode import ChipFile, encode
from terrazzo.rasters.chips.journal import Entry, Kept
from terrazzo.rasters.chips.layout import ChipPlace, around
from terrazzo.rasters.chips.look import Look, class_look
from terrazzo.rasters.chips.options import ChipOptions
from terrazzo.rasters.chips.tag import ChipNote
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape
from terrazzo.rasters.write import LEGEND_TAG


@dataclass(frozen=True, kw_only=True)
class ChipFolder:
    """Where chips go."""

    out: Path
    labelled: bool

    def image(self, chip: str) -> Path:
        return (self.out / "images" if self.labelled else self.out) / f"{chip}.tif"

    def label(self, chip: str) -> Path:
        return self.out / "labels" / f"{chip}.tif"

    def paths(self, chip: str) -> list[Path]:
        """All files of a chip."""
        return [self.image(chip), self.label(chip)] if self.labelled else [self.image(chip)]


@dataclass(frozen=True, kw_only=True)
class ImageChips:
    """Cuts an image and writes its chips; from several threads if need be."""

    raster: Raster
    look: Look
    stem: str
    """What the chips are called by."""
    made: str
    """The fingerprint that they carry."""
    options: ChipOptions
    folder: ChipFolder
    labels: Labels | None = None
    legend: Legend | None = None

    def write(self, places: Sequence[ChipPlace]) -> list[Entry]:
        """Write the chips at places beside each other, each file whole or not at all, and tell what became of each.

        Raises RasterError or LabelError where the image or its labels are broken, EnvironmentFault.
        """
        window = around(places)
        classes = None if self.labels is None else self.labels.read(window)
        entries = []
        with FileBatch() as batch:
            for chip in cut(self.raster, self.look, places):
                rows, columns = chip.place.shown.inside(window)
                entries.append(self._add(batch, chip, None if classes is None else _padded(classes[rows, columns], chip)))
        return entries

    def _add(self, batch: FileBatch, chip: Chip, classes: NDArray[np.uint8] | None) -> Entry:
        name = f"{self.stem}{chip.place.suffix}"
        counts = () if classes is None or self.legend is None else _counts(classes, self.legend)
        kept = self._kept(name, chip.valid_share, counts)
        files: list[bytes] = []
        if kept == "yes":
            files.append(encode(chip.values, mask_of(self.look, chip.values, chip.shown), self._file(self.look, chip)))
            if classes is not None and self.legend is not None:
                look = class_look(self.legend.values, self.legend.colors, {LEGEND_TAG: self.legend.plain().to_json()}, self.look.crs)
                files.append(encode(self.legend.decode(classes)[None], None, self._file(look, chip)))
            for path, data in zip(self.folder.paths(name), files, strict=True):
                batch.add(path, data)
        return _entry(name, self.stem, chip, kept, counts, files)

    def _kept(self, name: str, valid_share: float, counts: Sequence[int]) -> Kept:
        least = self.options.min_valid
        if (valid_share == 0) if least is None else (valid_share < least):
            return "no data"
        if counts and not any(counts[1:]) and not kept_by_draw(self.options.seed, name, self.options.keep_empty):
            return "no class"
        return "yes"

    def _file(self, look: Look, chip: Chip) -> ChipFile:
        place = chip.place
        note = ChipNote(
            image=self.stem,
            made=self.made,
            shape=self.raster.shape,
            col_off=place.window.col_off,
            row_off=place.window.row_off,
            inside=place.shown.shape if place.padded else None,
        )
        return ChipFile(look=look, grid=chip_grid(self.raster.grid, place.window), tags=note.tags, compress=self.options.compress)


def kept_by_draw(seed: int, name: str, share: float) -> bool:
    """Whether a chip is among a share of all, by its name alone."""
    drawn = int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(errors="surrogateescape"), digest_size=8).digest())
    return drawn < share * 2**64


def _padded(classes: NDArray[np.uint8], chip: Chip) -> NDArray[np.uint8]:
    """Class indices of a whole chip; what is no image is left out."""
    shape: Shape = chip.place.window.shape
    full = np.full(shape, IGNORE, np.uint8)
    full[: classes.shape[0], : classes.shape[1]] = classes
    full[~chip.shown] = IGNORE
    return full


def _counts(classes: NDArray[np.uint8], legend: Legend) -> tuple[int, ...]:
    return tuple(np.bincount(classes.ravel(), minlength=IGNORE + 1)[: len(legend.classes)].tolist())


def _entry(name: str, image: str, chip: Chip, kept: Kept, counts: tuple[int, ...], files: Sequence[bytes]) -> Entry:
    shown = chip.place.shown
    return Entry(
        chip=name,
        image=image,
        col=shown.col_off,
        row=shown.row_off,
        width=shown.width,
        height=shown.height,
        valid=round(chip.valid_share, 6),
        kept=kept,
        pixels=counts,
        sizes=tuple(map(len, files)),
    )
