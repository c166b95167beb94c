"""Particle tracks in silicon: muons, electrons and alphas as clouds of charge that diffuse on their way to the pixels."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape

STEP_PX = 0.25
"""Distance of two deposits along a track."""
REACH_PX = 3
"""A deposit spreads over this many pixels to each side: more than five times the widest diffusion."""
_NORMAL_X = np.linspace(-6.0, 6.0, 4097)
_NORMAL_CDF = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in _NORMAL_X])


@dataclass(frozen=True, kw_only=True)
class TrackModel:
    """Which tracks there are; every range is (smallest, largest), drawn evenly, charges evenly in their logarithm."""

    shares: tuple[float, float, float] = (0.35, 0.45, 0.2)
    """Shares of muons, electrons and alphas among the tracks."""
    muon_length_px: tuple[float, float] = (12.0, 90.0)
    muon_oblique_rad: float = 0.2
    """A muon's smallest angle to the rows and columns."""
    muon_charge_e: tuple[float, float] = (250.0, 2000.0)
    """Most probable charge of a pixel's length."""
    electron_length_px: tuple[float, float] = (12.0, 50.0)
    electron_charge_e: tuple[float, float] = (250.0, 2000.0)
    """Mean charge of a pixel's length at the start of the track; it doubles towards the end."""
    alpha_radius_px: tuple[float, float] = (2.0, 4.5)
    alpha_charge_e: tuple[float, float] = (250.0, 3000.0)
    """Mean charge of a pixel."""
    diffusion_px: tuple[float, float] = (0.2, 0.45)
    """Standard deviation of the charge cloud, from charge freed at the pixels to charge freed at the back of the chip."""


@dataclass(frozen=True, kw_only=True)
class Deposits:
    """Charge freed along one track; all arrays have one entry a deposit."""

    kind: str
    """muon, electron or alpha."""
    x: NDArray[np.float64]
    """Columns in pixels; the centre of the first pixel is 0.5."""
    y: NDArray[np.float64]
    """Rows in pixels."""
    charge_e: NDArray[np.float64]
    diffusion_px: NDArray[np.float64]
    """Standard deviation of the cloud in pixels."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """The electrons that one track left in a frame."""

    kind: str
    row_off: int
    """Row of the frame that holds the first row of `electrons`."""
    col_off: int
    electrons: NDArray[np.int64]
    """(height, width), all of it inside the frame; empty if the track is outside."""


def draw_track(model: TrackModel, shape: Shape, rng: np.random.Generator) -> Deposits:
    """Draw one track that starts inside a frame of (height, width) pixels; it may leave the frame."""
    kind = rng.choice(3, p=model.shares)
    start = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
    return (_muon, _electron, _alpha)[kind](model, start, rng)


def _muon(model: TrackModel, start: tuple[float, float], rng: np.random.Generator) -> Deposits:
    """A straight oblique line, sharp where it enters and wide at the other end; its charge is Landau-like.

    Source: J. E. Moyal, Theory of ionization fluctuations, Phil. Mag. 46 (1955): -ln(z^2) of a normal z.
    """
    steps = _steps(model.muon_length_px, rng)
    oblique = model.muon_oblique_rad
    angle = rng.integers(4) * math.pi / 2 + rng.uniform(oblique, math.pi / 2 - oblique)
    along = np.arange(steps, dtype=np.float64) * STEP_PX
    moyal = -np.log(np.square(rng.standard_normal(steps)) + 1e-12)
    charge = log_uniform(model.muon_charge_e, rng) * STEP_PX * np.clip(1 + 0.2 * moyal, 0.3, 6)
    front, back = rng.permutation(model.diffusion_px).tolist()
    return Deposits(
        kind="muon",
        x=start[0] + along * math.cos(angle),
        y=start[1] + along * math.sin(angle),
        charge_e=charge,
        diffusion_px=np.linspace(front, back, steps),
    )


def _electron(model: TrackModel, start: tuple[float, float], rng: np.random.Generator) -> Deposits:
    """A worm: the electron is scattered more, and frees more charge, the slower it gets."""
    steps = _steps(model.electron_length_px, rng)
    slowness = np.linspace(0, 1, steps)
    turns = rng.normal(0, (0.15 + 0.35 * slowness) * math.sqrt(STEP_PX))
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(turns)
    charge = log_uniform(model.electron_charge_e, rng) * STEP_PX * (1 + slowness**2) * rng.gamma(4, 1 / 4, steps)
    return Deposits(
        kind="electron",
        x=start[0] + np.cumsum(np.cos(heading)) * STEP_PX,
        y=start[1] + np.cumsum(np.sin(heading)) * STEP_PX,
        charge_e=charge,
        diffusion_px=np.full(steps, rng.uniform(*model.diffusion_px)),
    )


def _alpha(model: TrackModel, start: tuple[float, float], rng: np.random.Generator) -> Deposits:
    """A disc: the dense plasma of an alpha spreads evenly before it drifts."""
    radius = rng.uniform(*model.alpha_radius_px)
    count = math.ceil(16 * math.pi * radius**2)
    distance, angle = radius * np.sqrt(rng.random(count)), rng.uniform(0, 2 * math.pi, count)
    return Deposits(
        kind="alpha",
        x=start[0] + distance * np.cos(angle),
        y=start[1] + distance * np.sin(angle),
        charge_e=log_uniform(model.alpha_charge_e, rng) / 16 * rng.gamma(2, 1 / 2, count),
        diffusion_px=np.full(count, rng.uniform(*model.diffusion_px)),
    )


def deposit(deposits: Deposits, shape: Shape, rng: np.random.Generator) -> Track:
    """The electrons of a track in a frame of (height, width) pixels: each deposit spread by a Gaussian integrated over the pixels."""
    left, top = np.floor(deposits.x).astype(np.int64) - REACH_PX, np.floor(deposits.y).astype(np.int64) - REACH_PX
    span = 2 * REACH_PX + 1
    col_off, row_off = int(left.min()), int(top.min())
    block_shape = int(top.max()) - row_off + span, int(left.max()) - col_off + span
    across = _spread(deposits.x - left, deposits.diffusion_px, span)
    down = _spread(deposits.y - top, deposits.diffusion_px, span)
    share = (down[:, :, None] * across[:, None, :]) * deposits.charge_e[:, None, None]
    pixel = ((top - row_off)[:, None, None] + np.arange(span)[:, None]) * block_shape[1] + (
        (left - col_off)[:, None, None] + np.arange(span)
    )
    expected_e = np.bincount(pixel.ravel(), share.ravel(), block_shape[0] * block_shape[1]).astype(np.float64)
    return place(deposits.kind, expected_e.reshape(block_shape), (row_off, col_off), shape, rng)


def place(kind: str, expected_e: NDArray[np.float64], corner: tuple[int, int], shape: Shape, rng: np.random.Generator) -> Track:
    """Draw the electrons (Poisson) of expected charges (height, width) whose first pixel is at (row, column) `corner` of a frame."""
    (row_off, col_off), (height, width) = corner, shape
    rows = slice(max(0, -row_off), max(0, min(expected_e.shape[0], height - row_off)))
    columns = slice(max(0, -col_off), max(0, min(expected_e.shape[1], width - col_off)))
    electrons = rng.poisson(expected_e[rows, columns])
    return Track(kind=kind, row_off=rows.start + row_off, col_off=columns.start + col_off, electrons=electrons)


def _spread(position: NDArray[np.float64], sd: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Shares (deposits, span) of Gaussians at `position` in the pixels from 0 to `span`."""
    edges = (np.arange(span + 1) - position[:, None]) / sd[:, None]
    return np.diff(np.interp(edges, _NORMAL_X, _NORMAL_CDF), axis=1)


def _steps(length_px: tuple[float, float], rng: np.random.Generator) -> int:
    return math.ceil(rng.uniform(*length_px) / STEP_PX)


def log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A draw between two bounds above 0, even in its logarithm."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
