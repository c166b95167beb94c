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

    x: NDArray[np.float64]
    """Columns in pixels; the centre of the first pixel is 0.5."""
    y: NDArray[np.float64]
    """Rows in pixels."""
    charge_e: NDArray[np.float64]
    diffusion_px: NDArray[np.float64]
    """Standard deviation of the cloud in pixels."""


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
    charge = _log_uniform(model.muon_charge_e, rng) * STEP_PX * np.clip(1 + 0.2 * moyal, 0.3, 6)
    front, back = rng.permutation(model.diffusion_px).tolist()
    return Deposits(
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
    charge = _log_uniform(model.electron_charge_e, rng) * STEP_PX * (1 + slowness**2) * rng.gamma(4, 1 / 4, steps)
    return Deposits(
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
        x=start[0] + distance * np.cos(angle),
        y=start[1] + distance * np.sin(angle),
        charge_e=_log_uniform(model.alpha_charge_e, rng) / 16 * rng.gamma(2, 1 / 2, count),
        diffusion_px=np.full(count, rng.uniform(*model.diffusion_px)),
    )


def deposit(deposits: Deposits, charge_e: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Add a track's electrons to a frame (height, width), each deposit spread by a Gaussian integrated over the pixels.

    Returns the electrons that were added, as the smallest block of pixels that holds those inside the frame.
    """
    height, width = charge_e.shape
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
    expected = np.bincount(pixel.ravel(), share.ravel(), block_shape[0] * block_shape[1]).reshape(block_shape)
    rows = slice(max(0, -row_off), min(block_shape[0], height - row_off))
    columns = slice(max(0, -col_off), min(block_shape[1], width - col_off))
    added = rng.poisson(expected[rows, columns])
    charge_e[rows.start + row_off : rows.stop + row_off, columns.start + col_off : columns.stop + col_off] += added
    return added


def _spread(position: NDArray[np.float64], sd: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Shares (deposits, span) of Gaussians at `position` in the pixels from 0 to `span`."""
    edges = (np.arange(span + 1) - position[:, None]) / sd[:, None]
    return np.diff(np.interp(edges, _NORMAL_X, _NORMAL_CDF), axis=1)


def _steps(length_px: tuple[float, float], rng: np.random.Generator) -> int:
    return math.ceil(rng.uniform(*length_px) / STEP_PX)


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
