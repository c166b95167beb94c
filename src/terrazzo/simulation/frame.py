"""Frames of a CCD detector with exact labels: glow, hot pixels and particle tracks on noise.

A frame of any size is worked on in strips of rows; beside the strip, only its electrons, labels and digits are held.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.rasters.window import Shape
from terrazzo.simulation.detector import DELAYS, Charges, Detector, bin_sum, delays, detector_of, digitize, transfer, transfer_mean
from terrazzo.simulation.framemodel import PRESETS, FrameModel
from terrazzo.simulation.library import TrackLibrary
from terrazzo.simulation.objects import TrackTruth, cluster_objects
from terrazzo.simulation.options import SimulationOptions
from terrazzo.simulation.tracks import Track, deposit, draw_track, log_uniform

CLASSES = ("background", "glow", "hot pixels", "clusters")
BACKGROUND, GLOW, HOT, CLUSTER = range(4)
CLUSTER_SIGMAS = 3.0
"""A pixel is of a cluster if its track charge is at least this many standard deviations of the read noise."""
ATTEMPTS = 20
"""Draws of a frame until it holds every class; one is nearly always enough, tiny frames may need some."""
SIDE = 256
"""Of a frame where no size is given."""
STRIP_PX = 1 << 21
"""Sensor pixels of a strip, about."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One simulated frame; all arrays are (height, width)."""

    values: NDArray[np.uint16]
    """ADU."""
    labels: NDArray[np.uint8]
    """0 background, 1 glow, 2 hot pixels, 3 clusters."""
    charges: Charges
    """Electrons of tracks after diffusion, transfer and binning, before noise: what the cluster label is made from."""
    objects: NDArray[np.uint32]
    """(cluster pixels,) the track of each cluster pixel, row by row, by its number in `tracks`, from 1."""
    tracks: tuple[TrackTruth, ...]

    @property
    def track_e(self) -> NDArray[np.int64]:
        """The charges of tracks as an array."""
        return self.charges.dense((self.labels.shape[0], self.labels.shape[1]))

    @property
    def instances(self) -> NDArray[np.uint32]:
        """The number of the track that a cluster pixel is of, 0 elsewhere. Where tracks meet, it is the one with the most charge there."""
        numbers = np.zeros(self.labels.shape, np.uint32)
        numbers[self.labels == CLUSTER] = self.objects
        return numbers


@dataclass(frozen=True, kw_only=True)
class _Glow:
    """A band of glowing columns: the mean charge of a pixel is down[row] * across[column - left]."""

    left: int
    down: NDArray[np.float64]
    across: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Hot pixels in a row, one pixel wide."""

    rows: slice
    columns: slice
    charge_e: float


def simulate_frame(options: SimulationOptions, index: int, library: TrackLibrary | None = None) -> Frame:
    """Simulate frame `index` of a set; the same options, library and index give the same frame.

    Every frame holds every class. Labels are exact: a pixel is of a cluster if tracks left at least CLUSTER_SIGMAS
    standard deviations of the read noise in it, of a hot pixel if one of its sensor pixels is of a hot run, of glow if one of
    its sensor columns glows. Where classes meet: cluster over hot pixel over glow.

    library: where tracks are taken from; without one they are simulated. Raises UsageError if no draw holds every class.
    """
    rng = np.random.default_rng([options.seed, index])
    detector, shape = detector_of(options), options.shape_or(SIDE)
    for _ in range(ATTEMPTS):
        frame = _draw_frame(shape, detector, PRESETS[options.preset], library, rng)
        if frame.tracks and all((frame.labels == label).any() for label in range(len(CLASSES))):
            return frame
    raise UsageError(
        f"frame {index} held no pixel of a class in {ATTEMPTS} draws ({shape[0]} x {shape[1]} px, read noise {detector.read_noise_e} e, "
        f"binning {detector.bin_rows} x {detector.bin_columns}). Enlarge size, or lower read_noise_e or the binning."
    )


def _draw_frame(shape: Shape, detector: Detector, model: FrameModel, library: TrackLibrary | None, rng: np.random.Generator) -> Frame:
    """Charge on the sensor, then transfer, binning, noise and digits."""
    sensor = shape[0] * detector.bin_rows, shape[1] * detector.bin_columns
    threshold_e = CLUSTER_SIGMAS * detector.noise_e
    glow = _glow(sensor, model, rng)
    runs = _hot_runs(sensor, model, rng)
    tracks = _tracks(sensor, model, threshold_e, library, rng)
    rows, columns, electrons = (np.concatenate(part) for part in zip(*map(_entries, tracks), strict=True))
    freed = Charges.gathered(rows, columns, electrons, sensor[1])
    charges = _binned(transfer(freed, sensor, detector.transfer_loss, rng), detector, shape)
    labels = _labels(shape, detector, glow, runs)
    clusters = charges.electrons >= threshold_e
    labels[charges.rows[clusters], charges.columns[clusters]] = CLUSTER
    values = _digits(shape, detector, list(_other_charge(shape, detector, glow, runs, rng)), charges, rng)
    objects, truth = cluster_objects(tracks, charges, clusters, detector, sensor)
    return Frame(values=values, labels=labels, charges=charges, objects=objects, tracks=truth)


def _labels(shape: Shape, detector: Detector, glow: _Glow, runs: list[_Run]) -> NDArray[np.uint8]:
    """Labels (height, width) without the clusters."""
    labels = np.full(shape, BACKGROUND, np.uint8)
    labels[:, _binned_slice(slice(glow.left, glow.left + len(glow.across)), detector.bin_columns)] = GLOW
    for run in runs:
        labels[_binned_slice(run.rows, detector.bin_rows), _binned_slice(run.columns, detector.bin_columns)] = HOT
    return labels


def _other_charge(
    shape: Shape, detector: Detector, glow: _Glow, runs: list[_Run], rng: np.random.Generator
) -> Iterator[NDArray[np.integer]]:
    """Electrons of glow, hot pixels and dark current in strips of the frame.

    All are Poisson: their means are transferred, then drawn.
    """
    sensor = shape[0] * detector.bin_rows, shape[1] * detector.bin_columns
    probability = delays(sensor[0], detector.transfer_loss)
    for top, bottom in _strips(shape, detector):
        first = max(0, top - (DELAYS - 1))
        mean_e = transfer_mean(_fixed_charge((first, bottom), sensor[1], glow, runs), probability[:, first:bottom])
        binned = bin_sum(rng.poisson(mean_e[top - first :] + detector.dark_e), detector.bin_rows, detector.bin_columns)
        yield binned.astype(np.int32) if binned.max() <= np.iinfo(np.int32).max else binned


def _digits(
    shape: Shape, detector: Detector, other_e: list[NDArray[np.integer]], charges: Charges, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Digits (height, width) of all charge, with the noise of reading it. other_e: strips, of which each is let go when it is read."""
    values = np.empty(shape, np.uint16)
    top = 0
    for strip in range(len(other_e)):
        bottom = top + len(other_e[strip])
        here = slice(*np.searchsorted(charges.rows, [top, bottom]))
        charge_e = np.zeros((bottom - top, shape[1]), np.int64)
        charge_e[charges.rows[here] - top, charges.columns[here]] = charges.electrons[here]
        charge_e += other_e[strip]
        other_e[strip] = np.empty((0, 0), np.int32)
        noise_e = rng.normal(0, detector.noise_e, charge_e.shape)
        values[top:bottom] = digitize(charge_e + noise_e, detector.electrons_per_adu, detector.pedestal_adu)
        top = bottom
    return values


def _strips(shape: Shape, detector: Detector) -> Iterator[tuple[int, int]]:
    """First sensor row of each strip and the one after its last, in whole rows of the frame."""
    rows = max(1, STRIP_PX // (shape[1] * detector.bin_columns * detector.bin_rows)) * detector.bin_rows
    height = shape[0] * detector.bin_rows
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _fixed_charge(rows: tuple[int, int], width: int, glow: _Glow, runs: list[_Run]) -> NDArray[np.float64]:
    """Mean electrons of glow and hot pixels on the sensor, of the rows from the first to before the second."""
    top, bottom = rows
    glowing, hot = np.zeros((bottom - top, width)), np.zeros((bottom - top, width))
    glowing[:, glow.left : glow.left + len(glow.across)] = glow.down[top:bottom, None] * glow.across
    for run in runs:
        if run.rows.start < bottom and run.rows.stop > top:
            hot[max(0, run.rows.start - top) : run.rows.stop - top, run.columns] = run.charge_e
    return glowing + hot


def _entries(track: Track) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, columns and electrons of the pixels that a track left any in."""
    rows, columns = np.nonzero(track.electrons)
    return rows + track.row_off, columns + track.col_off, track.electrons[rows, columns]


def _binned(charges: Charges, detector: Detector, shape: Shape) -> Charges:
    if detector.bin_rows == detector.bin_columns == 1:
        return charges
    return Charges.gathered(charges.rows // detector.bin_rows, charges.columns // detector.bin_columns, charges.electrons, shape[1])


def _binned_slice(pixels: slice, by: int) -> slice:
    return slice(pixels.start // by, -(-pixels.stop // by))


def _glow(shape: Shape, model: FrameModel, rng: np.random.Generator) -> _Glow:
    """A band of glowing columns, brightest at one end and at one side."""
    height, width = shape
    columns = min(width - 1, max(1, round(rng.uniform(*model.glow_share) * width)))
    left = int(rng.integers(0, width - columns + 1))
    near, far = log_uniform(model.glow_near_e, rng), log_uniform(model.glow_far_e, rng)
    down = np.geomspace(near, far, height)[:: rng.choice([-1, 1])]
    across = np.linspace(1, 1 - model.glow_slope, columns)[:: rng.choice([-1, 1])]
    return _Glow(left=left, down=down, across=across)


def _hot_runs(shape: Shape, model: FrameModel, rng: np.random.Generator) -> list[_Run]:
    """Straight runs of hot pixels along rows or columns; a later run covers an earlier one."""
    runs = []
    wanted = max(1, round(rng.uniform(*model.hot_share) * shape[0] * shape[1]))
    filled = 0
    while filled < wanted:
        along_row = rng.random() < 0.5
        lines, pixels = shape if along_row else shape[::-1]
        length = min(pixels, math.ceil(rng.uniform(*model.hot_length_px)))
        line, start = int(rng.integers(lines)), int(rng.integers(pixels - length + 1))
        across, along = slice(line, line + 1), slice(start, start + length)
        rows, columns = (across, along) if along_row else (along, across)
        runs.append(_Run(rows=rows, columns=columns, charge_e=log_uniform(model.hot_charge_e, rng)))
        filled += length
    return runs


def _tracks(shape: Shape, model: FrameModel, threshold_e: float, library: TrackLibrary | None, rng: np.random.Generator) -> list[Track]:
    """Tracks, drawn until enough pixels hold `threshold_e` electrons of them."""
    tracks = []
    wanted = max(1, round(rng.uniform(*model.cluster_share) * shape[0] * shape[1]))
    filled = 0
    while filled < wanted:
        track = deposit(draw_track(model.tracks, shape, rng), shape, rng) if library is None else library.draw(model.tracks, shape, rng)
        tracks.append(track)
        # a track counts as some pixels at least, so that a threshold beyond all charges ends soon, too
        filled += max(5, int(np.count_nonzero(track.electrons >= threshold_e)))
    return tracks
