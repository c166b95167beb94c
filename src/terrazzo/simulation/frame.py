"""Frames of a CCD detector with exact labels: glow, hot pixels and particle tracks on noise."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.rasters.window import Shape
from terrazzo.simulation.detector import bin_sum, digitize, read_noise_sd, transfer, transfer_mean
from terrazzo.simulation.options import SimulationOptions
from terrazzo.simulation.tracks import TrackModel, deposit, draw_track

CLASSES = ("background", "glow", "hot pixels", "clusters")
BACKGROUND, GLOW, HOT, CLUSTER = range(4)
CLUSTER_SIGMAS = 3.0
"""A pixel is of a cluster if its track charge is at least this many standard deviations of the read noise."""
ATTEMPTS = 20
"""Draws of a frame until it holds every class; one is nearly always enough, tiny frames may need some."""


@dataclass(frozen=True, kw_only=True)
class FrameModel:
    """What is in a frame; every range is (smallest, largest). Shares are of the sensor's pixels."""

    glow_share: tuple[float, float] = (0.03, 0.07)
    """Columns that glow: one band of neighbours."""
    glow_near_e: tuple[float, float] = (250.0, 1500.0)
    """Mean charge at the end of the columns where the amplifier is."""
    glow_far_e: tuple[float, float] = (70.0, 200.0)
    """Mean charge at their other end; in between it falls exponentially."""
    glow_slope: float = 0.4
    """The band's dimmest column has this share less than its brightest."""
    hot_share: tuple[float, float] = (0.005, 0.01)
    hot_length_px: tuple[float, float] = (12.0, 110.0)
    hot_charge_e: tuple[float, float] = (90.0, 3000.0)
    """Charge of all pixels of a run, drawn evenly in its logarithm; about it they have Poisson noise only."""
    cluster_share: tuple[float, float] = (0.01, 0.02)
    tracks: TrackModel = field(default_factory=TrackModel)


PRESETS: dict[str, FrameModel] = {"default": FrameModel()}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One simulated frame; all arrays are (height, width)."""

    values: NDArray[np.uint16]
    """ADU."""
    labels: NDArray[np.uint8]
    """0 background, 1 glow, 2 hot pixels, 3 clusters."""
    track_e: NDArray[np.int64]
    """Electrons of tracks after diffusion, transfer and binning, before noise: what the cluster label is made from."""


def simulate_frame(options: SimulationOptions, index: int) -> Frame:
    """Simulate frame `index` of a set; the same options and index give the same frame.

    Every frame holds every class. Labels are exact: a pixel is of a cluster if tracks left at least CLUSTER_SIGMAS
    standard deviations of the read noise in it, of a hot pixel if one of its sensor pixels is of a hot run, of glow if one of
    its sensor columns glows. Where classes meet: cluster over hot pixel over glow.

    Raises UsageError if no draw holds every class.
    """
    rng = np.random.default_rng([options.seed, index])
    model = PRESETS[options.preset]
    for _ in range(ATTEMPTS):
        frame = _draw_frame(options, model, rng)
        if len(np.unique(frame.labels)) == len(CLASSES):
            return frame
    raise UsageError(
        f"frame {index} held no pixel of some class in {ATTEMPTS} draws (size {options.size}, read noise {options.read_noise_e} e, "
        f"binning {options.bin_rows} x {options.bin_columns}). Enlarge size, or lower read_noise_e or the binning."
    )


def _draw_frame(options: SimulationOptions, model: FrameModel, rng: np.random.Generator) -> Frame:
    """Charge on the sensor, then transfer, binning, noise and digits."""
    shape = options.size * options.bin_rows, options.size * options.bin_columns
    sd = read_noise_sd(options.read_noise_e, options.samples)
    glow_e = _glow(shape, model, rng)
    hot_e = _hot_runs(shape, model, rng)
    freed_e = _tracks(shape, model, CLUSTER_SIGMAS * sd, rng)
    track_e = _binned(transfer(freed_e, options.transfer_loss, rng), options)
    # glow, hot pixels and dark current are Poisson: their means are transferred, then drawn
    mean_e = transfer_mean(glow_e + hot_e, options.transfer_loss) + options.dark_e
    other_e = _binned(rng.poisson(mean_e), options)
    noise_e = rng.normal(0, sd, track_e.shape)
    labels = np.full(track_e.shape, BACKGROUND, np.uint8)
    labels[_binned(glow_e > 0, options) > 0] = GLOW
    labels[_binned(hot_e > 0, options) > 0] = HOT
    labels[track_e >= CLUSTER_SIGMAS * sd] = CLUSTER
    values = digitize(track_e + other_e + noise_e, options.electrons_per_adu, options.pedestal_adu)
    return Frame(values=values, labels=labels, track_e=track_e)


def _binned(charge: NDArray[np.generic], options: SimulationOptions) -> NDArray[np.int64]:
    return bin_sum(charge.astype(np.int64, copy=False), options.bin_rows, options.bin_columns)


def _glow(shape: Shape, model: FrameModel, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean electrons (height, width) of a band of glowing columns, brightest at one end and at one side."""
    height, width = shape
    columns = min(width - 1, max(1, round(rng.uniform(*model.glow_share) * width)))
    left = int(rng.integers(0, width - columns + 1))
    near, far = _log_uniform(model.glow_near_e, rng), _log_uniform(model.glow_far_e, rng)
    down = np.geomspace(near, far, height)[:: rng.choice([-1, 1])]
    across = np.linspace(1, 1 - model.glow_slope, columns)[:: rng.choice([-1, 1])]
    glow = np.zeros(shape)
    glow[:, left : left + columns] = down[:, None] * across
    return glow


def _hot_runs(shape: Shape, model: FrameModel, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean electrons (height, width) of straight runs of hot pixels, one pixel wide, along rows or columns."""
    hot = np.zeros(shape)
    wanted = max(1, round(rng.uniform(*model.hot_share) * hot.size))
    filled = 0
    while filled < wanted:
        # the transposed view turns a row run into a column run
        view = hot if rng.random() < 0.5 else hot.T
        length = min(view.shape[1], math.ceil(rng.uniform(*model.hot_length_px)))
        row, start = int(rng.integers(view.shape[0])), int(rng.integers(view.shape[1] - length + 1))
        view[row, start : start + length] = _log_uniform(model.hot_charge_e, rng)
        filled += length
    return hot


def _tracks(shape: Shape, model: FrameModel, threshold_e: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Electrons (height, width) of tracks, drawn until enough pixels hold `threshold_e` electrons of them."""
    charge_e = np.zeros(shape, np.int64)
    wanted = max(1, round(rng.uniform(*model.cluster_share) * charge_e.size))
    filled = 0
    while filled < wanted:
        added = deposit(draw_track(model.tracks, shape, rng), charge_e, rng)
        # a track counts as some pixels at least, so that a threshold beyond all charges ends soon, too
        filled += max(5, int(np.count_nonzero(added >= threshold_e)))
    return charge_e


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
