"""Augmented pixels in the type of their file, to be written to disk."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.validity import representable
from terrazzo.samples.augment.carry import move_holes
from terrazzo.samples.augment.draw import Augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.shade import PLAIN
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import Scaling


@dataclass(frozen=True, kw_only=True)
class RawAugmenter:
    """Augments pixels and gives them back as they were stored: not scaled, in their type."""

    scaling: Scaling
    """Whose statistics tell how far a standard deviation is."""
    nodata: float | None
    """What holes become; None: the band's mean."""

    def apply(self, pixels: Pixels, augmentation: Augmentation) -> Pixels:
        """Pixels of the same shape and type; where only places change, exactly those.

        Whole numbers are rounded and stay in the range of their type; what is there never becomes nodata by chance.
        """
        placement = augmentation.placement
        holes = None if pixels.holes is None else np.stack(move_holes(pixels.holes, placement))
        valid = pixels.valid if pixels.valid.all() else ~move_holes(~pixels.valid[np.newaxis], placement)[0]
        if placement.exact and augmentation.shading == PLAIN:
            return Pixels(values=_rearranged(pixels.values, placement), valid=valid, holes=holes)
        height, width = pixels.valid.shape
        differences = to_chip(pixels, self._differences(), (height, width), augmentation)
        means = np.array([band.statistics.mean for band in self.scaling.bands])[:, np.newaxis, np.newaxis]
        values = _of_type(differences + means, pixels.values.dtype)
        return Pixels(values=self._with_nodata(values, holes), valid=valid, holes=holes)

    def _differences(self) -> Scaling:
        """A scaling to the distance from the mean, in the band's own units."""
        bands = self.scaling.bands
        return Scaling(bands=tuple(replace(band, method="standard", offset=band.statistics.mean, factor=1.0, fill=0.0) for band in bands))

    def _with_nodata(self, values: NDArray[Any], holes: NDArray[np.bool_] | None) -> NDArray[Any]:
        exact = representable(self.nodata, values.dtype)
        if exact is not None:
            values[values == exact] = _beside(exact)
        if holes is not None and self.nodata is not None:
            values[holes] = self.nodata
        return values


def _of_type(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype)
    bounds = np.iinfo(dtype)
    # the largest 64-bit numbers are none of float64: the next lower ones are
    high = float(bounds.max) if bounds.bits < 64 else np.nextafter(float(bounds.max), 0)
    return values.round().clip(float(bounds.min), high).astype(dtype)


def _beside(value: np.generic) -> float:
    """The next value of the same type, towards zero from below and above; of whole numbers upwards if there is one."""
    kind, plain = value.dtype, value.item()
    if kind.kind == "f":
        nearest: np.floating = np.nextafter(kind.type(plain), kind.type(np.inf if plain < 0 else -np.inf))
        return float(nearest)
    return int(plain) + 1 if plain < np.iinfo(kind.name).max else int(plain) - 1


def _rearranged(values: NDArray[Any], placement: Placement) -> NDArray[Any]:
    if placement.mirror_x:
        values = values[..., ::-1]
    if placement.mirror_y:
        values = values[..., ::-1, :]
    return np.ascontiguousarray(np.rot90(values, placement.quarter_turns, axes=(-2, -1)))
