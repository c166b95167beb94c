"""What a CCD does to charge: transfer losses, binning, read noise, electrons to ADU."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.simulation.options import SimulationOptions

DELAYS = 3
"""Charge left behind is followed over this many transfers; what is left behind more often is counted with the last."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A detector, with every number in place."""

    pedestal_adu: float
    read_noise_e: float
    samples: int
    dark_e: float
    electrons_per_adu: float
    transfer_loss: float
    bin_rows: int
    bin_columns: int

    @property
    def noise_e(self) -> float:
        """Standard deviation in electrons of a pixel of the frame."""
        return read_noise_sd(self.read_noise_e, self.samples)


DEFAULTS = {"easy": (10.0, 1.0, 0.0), "normal": (20.0, 4.0, 2e-5), "hard": (30.0, 20.0, 2e-4)}
"""Read noise, dark current and transfer loss of each preset; help of the options says them too."""


def detector_of(options: SimulationOptions) -> Detector:
    """The detector that options describe: what they leave open is set by the preset."""
    read_noise_e, dark_e, transfer_loss = DEFAULTS["normal" if options.preset == "default" else options.preset]
    return Detector(
        pedestal_adu=options.pedestal_adu,
        read_noise_e=read_noise_e if options.read_noise_e is None else options.read_noise_e,
        samples=options.samples,
        dark_e=dark_e if options.dark_e is None else options.dark_e,
        electrons_per_adu=options.electrons_per_adu,
        transfer_loss=transfer_loss if options.transfer_loss is None else options.transfer_loss,
        bin_rows=options.bin_rows,
        bin_columns=options.bin_columns,
    )


@dataclass(frozen=True, kw_only=True)
class Charges:
    """Electrons in the few pixels that hold any; all arrays are (pixels,), row by row, each pixel once."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    electrons: NDArray[np.int64]

    @classmethod
    def gathered(cls, rows: NDArray[np.int64], columns: NDArray[np.int64], electrons: NDArray[np.int64], width: int) -> "Charges":
        """From entries in any order, pixels as often as they come; those without electrons are left out. width: of the sensor."""
        pixels, entry = np.unique(rows * width + columns, return_inverse=True)
        total = np.zeros(len(pixels), np.int64)
        np.add.at(total, entry, electrons)
        held = total > 0
        return cls(rows=pixels[held] // width, columns=pixels[held] % width, electrons=total[held])

    def dense(self, shape: Shape) -> NDArray[np.int64]:
        """The same as an array (height, width)."""
        frame = np.zeros(shape, np.int64)
        frame[self.rows, self.columns] = self.electrons
        return frame


def delays(rows: int, loss: float) -> NDArray[np.float64]:
    """Probability (DELAYS, rows) that an electron of each row arrives 0, 1 or at least 2 pixels late.

    Row r is read out after r + 1 transfers; each leaves an electron behind with probability `loss`, 0 <= loss < 1.
    """
    transfers = np.arange(1, rows + 1)
    none = (1 - loss) ** transfers
    once = transfers * loss * (1 - loss) ** (transfers - 1)
    return np.stack([none, once, np.maximum(0, 1 - none - once)])


def transfer(charge: Charges, shape: Shape, loss: float, rng: np.random.Generator) -> Charges:
    """Move electrons down their columns to row 0; those left behind arrive in later rows (binomial).

    Electrons are kept: the sum falls only by those that arrive after the last row. shape: (height, width) of the sensor.
    """
    probability = delays(shape[0], loss)
    waiting = charge.electrons
    remaining = np.ones(len(waiting))
    arrived = []
    for delay in range(DELAYS):
        share = probability[delay][charge.rows]
        last = delay == DELAYS - 1
        now = waiting if last else rng.binomial(waiting, np.clip(share / remaining, 0, 1))
        inside = (charge.rows + delay < shape[0]) & (now > 0)
        arrived.append((charge.rows[inside] + delay, charge.columns[inside], now[inside]))
        waiting = waiting - now
        remaining = np.maximum(remaining - share, 1e-300)
    rows, columns, electrons = (np.concatenate(part) for part in zip(*arrived, strict=True))
    return Charges.gathered(rows, columns, electrons, shape[1])


def transfer_mean(mean_e: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for the mean of a Poisson signal: Poisson counts split binomially are Poisson counts again.

    mean_e: (rows, width), neighbouring rows. probability: (DELAYS, rows), theirs, of `delays`. What comes from rows above is missing.
    """
    arrived: NDArray[np.float64] = mean_e * probability[0][:, None]
    for delay in range(1, min(DELAYS, len(mean_e))):
        arrived[delay:] += (mean_e * probability[delay][:, None])[:-delay]
    return arrived


def bin_sum(charge_e: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """Add up blocks of rows x columns pixels; the sides must be multiples of them."""
    if rows == columns == 1:
        return charge_e
    height, width = charge_e.shape
    binned: NDArray[np.int64] = charge_e.reshape(height // rows, rows, width // columns, columns).sum(axis=(1, 3))
    return binned


def read_noise_sd(noise_e: float, samples: int) -> float:
    """Standard deviation in electrons of a pixel that is read `samples` times and averaged."""
    return noise_e / math.sqrt(samples)


def digitize(charge_e: NDArray[np.float64], electrons_per_adu: float, pedestal_adu: float) -> NDArray[np.uint16]:
    """Electrons to ADU, rounded and clipped to 0 ... 65535."""
    return np.clip(np.rint(charge_e / electrons_per_adu + pedestal_adu), 0, 65535).astype(np.uint16)
