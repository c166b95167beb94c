"""Particle tracks from a file, to be thrown on simulated frames."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.labels.sentences import listed
from terrazzo.rasters.formats.npy import FAILURES
from terrazzo.rasters.window import Shape
from terrazzo.simulation.tracks import Track, TrackModel, log_uniform, place

LARGEST_MB = 1024
"""Of the arrays of a library, unpacked."""
LIT = 0.1
"""A pixel of a track is lit if it holds this share of the charge of its brightest one."""


@dataclass(frozen=True, kw_only=True)
class TrackLibrary:
    """Tracks as small images of charge."""

    shapes: NDArray[np.int64]
    """(tracks, 2) height and width of each."""
    values: NDArray[np.float32]
    """The charges of all, row by row, one track after another; at least 0."""
    unit_e: float | None = None
    """Electrons a unit of the values; None: each track is scaled like a simulated one."""

    @cached_property
    def digest(self) -> str:
        """Tells this library from others."""
        parts = self.shapes.astype("<i8").tobytes() + self.values.astype("<f4").tobytes()
        return hashlib.sha256(parts).hexdigest()[:16]

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.shapes.prod(axis=1))

    def draw(self, model: TrackModel, shape: Shape, rng: np.random.Generator) -> Track:
        """Throw one track, turned and mirrored at random, on a frame of (height, width) pixels; its middle is inside."""
        number = int(rng.integers(len(self.shapes)))
        height, width = self.shapes[number]
        charge = self.values[self._ends[number] - height * width : self._ends[number]].reshape(height, width).astype(np.float64)
        turned = np.rot90(charge, int(rng.integers(4)))
        turned = turned[:, ::-1] if rng.random() < 0.5 else turned
        corner = int(rng.integers(shape[0])) - turned.shape[0] // 2, int(rng.integers(shape[1])) - turned.shape[1] // 2
        wanted_e = log_uniform(model.electron_charge_e, rng)
        unit_e = wanted_e / turned[turned >= LIT * turned.max()].mean() if self.unit_e is None else self.unit_e
        return place("library", np.minimum(turned * unit_e, 1e9), corner, shape, rng)


def load_library(path: Path, unit_e: float | None = None) -> TrackLibrary:
    """Read a library: an NPZ file with integers 'shapes' (tracks, 2) and numbers 'values', the tracks flattened one after another.

    Tracks without charge are left out. Raises DataError that says what is wrong.
    """
    arrays = _read_arrays(path)
    shapes, values = arrays["shapes"], arrays["values"]
    if shapes.dtype.kind not in "iu" or shapes.ndim != 2 or shapes.shape[1] != 2 or len(shapes) == 0:
        raise DataError(
            f"{path}: 'shapes' is {shapes.dtype} of shape {shapes.shape}; it must be whole numbers (tracks, 2), rows and columns."
        )
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise DataError(f"{path}: 'values' is {values.dtype} of shape {values.shape}; it must be numbers in one row.")
    if shapes.min() < 1 or shapes.max() > len(values) or shapes.astype(np.int64).prod(axis=1).sum() != len(values):
        raise DataError(
            f"{path}: the {len(shapes)} 'shapes' do not add up to the {len(values)} 'values'. Each track has rows x columns of them."
        )
    if not np.isfinite(values).all() or values.min() < 0:
        raise DataError(f"{path}: 'values' holds negative charges, or NaN. Charges are at least 0.")
    return _lit_only(path, shapes.astype(np.int64), values.astype(np.float32), unit_e)


def _lit_only(path: Path, shapes: NDArray[np.int64], values: NDArray[np.float32], unit_e: float | None) -> TrackLibrary:
    """The library of the tracks that have any charge."""
    sizes = shapes.prod(axis=1)
    lit = np.maximum.reduceat(values, np.cumsum(sizes) - sizes) > 0
    if not lit.any():
        raise DataError(f"{path}: no track of the library has any charge.")
    return TrackLibrary(shapes=shapes[lit], values=values[np.repeat(lit, sizes)], unit_e=unit_e)


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with zipfile.ZipFile(path) as packed:
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in packed.infolist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as an NPZ file ({error}). A track library is one, with 'shapes' and 'values'.") from error
    missing = [name for name in ("shapes", "values") if name not in sizes]
    if missing:
        raise DataError(f"{path} has no array {missing[0]!r}; it has {listed(sizes) or 'none'}.")
    if sum(sizes.values()) > LARGEST_MB * 1e6:
        raise DataError(f"{path} unpacks to {sum(sizes.values()) / 1e6:.0f} MB; a track library has at most {LARGEST_MB}.")
    try:
        # objects in a file are never unpickled
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in ("shapes", "values")}
    except (*FAILURES, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{path} is no readable track library ({' '.join(str(error).split())}).") from error
