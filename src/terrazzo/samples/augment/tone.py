"""Scaling and shading of one band in one step: a table for 8-bit values, else one multiplication and one addition.

value -> gamma -> (value - offset) * factor -> asinh -> contrast around the mean, brightness
         where asked                           where asked
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.scaling import BandScaling, Scaling

BYTES = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Tone:
    """What becomes of the values of one band."""

    scaling: BandScaling
    gain: float = 1.0
    added: float = 0.0
    gamma: float = 1.0

    @classmethod
    def of_bands(cls, scaling: Scaling, shading: Shading) -> "list[Tone]":
        """One a band."""
        tones = []
        for number, band in enumerate(scaling.bands):
            dropped = shading.dropped == number
            gain, added = (0.0, 0.0) if dropped else (shading.contrast, shading.added(number) * band.unit)
            tones.append(cls(scaling=band, gain=gain, added=band.fill * (1 - gain) + added, gamma=shading.gamma))
        return tones

    @property
    def linear(self) -> bool:
        return self.gamma == 1 and self.scaling.method != "asinh"

    def put(self, plane: NDArray[Any], origin: float, into: NDArray[np.float32]) -> None:
        """Write the tones of a plane (height, width).

        plane: uint8 or uint16 as they are, or float32 from which origin has been subtracted.
        """
        if plane.dtype == np.uint8:
            cv2.LUT(plane, self._of(BYTES + origin), into)
        elif self.linear:
            factor = self.scaling.factor * self.gain
            np.multiply(plane, np.float32(factor), out=into)
            into += np.float32((origin - self.scaling.offset) * factor + self.added)
        else:
            into[:] = self._of(plane.astype(np.float64) + origin)

    def _of(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        if self.gamma != 1:
            values = _gamma(values, self.scaling.statistics.low, self.scaling.statistics.high, self.gamma)
        return (self.scaling.apply(values) * self.gain + self.added).astype(np.float32)


def _gamma(values: NDArray[np.float64], low: float, high: float, gamma: float) -> NDArray[np.float64]:
    """A power of values above low, which stays where it is, as high does; below low nothing changes."""
    if high <= low:
        return values
    share = (values - low) / (high - low)
    return np.where(share > 0, low + (high - low) * np.maximum(share, 0) ** gamma, values)
