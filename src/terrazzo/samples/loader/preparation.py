"""How a drawn sample becomes a chip."""

from dataclasses import dataclass

import numpy as np

from terrazzo.rasters.window import Shape
from terrazzo.samples.augment.draw import AS_IS, Augmentation, draw_augmentation
from terrazzo.samples.chip import Image, Labels, as_stored, to_chip, to_labels
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.loader.stored import StoredChip
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.store import Source


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """All that turns a sample into a chip; may be called from several threads."""

    store: Source
    scaling: Scaling
    size: Shape
    """(height, width) of every chip; smaller windows are padded with ignored pixels."""
    seed: int
    augment: AugmentOptions
    placer: Placer

    @property
    def bands(self) -> int:
        return len(self.scaling.bands)

    def chip(self, drawn: Drawn, epoch: int | None, image: Image, labels: Labels) -> Sample:
        """Write the chip that an epoch shows into image (bands, *size) and labels (*size); the sample with the window that is shown.

        It is a function of (seed, epoch, sample, how often the epoch drew it before). Epoch None: the sample as it is.
        Raises DataError if image or labels cannot be read.
        """
        placed = drawn.sample if epoch is None else self.placer.place(drawn, epoch)
        augmentation = AS_IS if epoch is None else self.augmentation(drawn, epoch)
        pixels, known = self.store.read(placed.scene, placed.window)
        to_chip(pixels, self.scaling, self.size, augmentation, image)
        to_labels(known, self.size, augmentation, labels)
        return placed

    def stored(self, drawn: Drawn, epoch: int) -> StoredChip:
        """What `chip` starts from, and how an epoch would move, scale and shade it."""
        placed = self.placer.place(drawn, epoch)
        pixels, known = self.store.read(placed.scene, placed.window)
        self.scaling.check(len(pixels.values))
        values, holes = as_stored(pixels, self.size)
        augmentation = self.augmentation(drawn, epoch)
        return StoredChip(sample=placed, values=values, holes=holes, labels=to_labels(known, self.size), augmentation=augmentation)

    def augmentation(self, drawn: Drawn, epoch: int) -> Augmentation:
        """How an epoch moves and shades what it draws."""
        rng = np.random.default_rng((self.seed, epoch, drawn.sample.id, drawn.repeat))
        return draw_augmentation(self.augment, rng, self.size, self.bands)
