"""What a CCD does to charge: transfer losses, binning, read noise, electrons to ADU."""

import math

import numpy as np
from numpy.typing import NDArray

DELAYS = 3
"""Charge left behind is followed over this many transfers; what is left behind more often is counted with the last."""


def delays(rows: int, loss: float) -> NDArray[np.float64]:
    """Probability (DELAYS, rows) that an electron of each row arrives 0, 1 or at least 2 pixels late.

    Row r is read out after r + 1 transfers; each leaves an electron behind with probability `loss`, 0 <= loss < 1.
    """
    transfers = np.arange(1, rows + 1)
    none = (1 - loss) ** transfers
    once = transfers * loss * (1 - loss) ** (transfers - 1)
    return np.stack([none, once, np.maximum(0, 1 - none - once)])


def transfer(charge_e: NDArray[np.int64], loss: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Move electrons (height, width) down their columns to row 0; those left behind arrive in later rows (binomial).

    Electrons are kept: the sum falls only by those that arrive after the last row.
    """
    probability = delays(len(charge_e), loss)
    rows, columns = np.nonzero(charge_e)
    waiting = charge_e[rows, columns]
    remaining = np.ones(len(rows))
    arrived = np.zeros_like(charge_e)
    for delay in range(DELAYS):
        share = probability[delay][rows]
        last = delay == DELAYS - 1
        now = waiting if last else rng.binomial(waiting, np.clip(share / remaining, 0, 1))
        inside = rows + delay < len(charge_e)
        arrived[rows[inside] + delay, columns[inside]] += now[inside]
        waiting = waiting - now
        remaining = np.maximum(remaining - share, 1e-300)
    return arrived


def transfer_mean(mean_e: NDArray[np.float64], loss: float) -> NDArray[np.float64]:
    """The same for the mean of a Poisson signal: Poisson counts split binomially are Poisson counts again."""
    probability = delays(len(mean_e), loss)
    arrived: NDArray[np.float64] = mean_e * probability[0][:, None]
    for delay in range(1, min(DELAYS, len(mean_e))):
        arrived[delay:] += (mean_e * probability[delay][:, None])[:-delay]
    return arrived


def bin_sum(charge_e: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """Add up blocks of rows x columns pixels; the sides must be multiples of them."""
    height, width = charge_e.shape
    binned: NDArray[np.int64] = charge_e.reshape(height // rows, rows, width // columns, columns).sum(axis=(1, 3))
    return binned


def read_noise_sd(noise_e: float, samples: int) -> float:
    """Standard deviation in electrons of a pixel that is read `samples` times and averaged."""
    return noise_e / math.sqrt(samples)


def digitize(charge_e: NDArray[np.float64], electrons_per_adu: float, pedestal_adu: float) -> NDArray[np.uint16]:
    """Electrons to ADU, rounded and clipped to 0 ... 65535."""
    return np.clip(np.rint(charge_e / electrons_per_adu + pedestal_adu), 0, 65535).astype(np.uint16)
