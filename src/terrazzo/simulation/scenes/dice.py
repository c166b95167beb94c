"""Draws that depend on nothing but a name and a place: the same for whoever asks, in any order, for any part of a scene."""

import zlib

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64] | int

# Sebastiano Vigna's constants of splitmix64 (public domain, 2015)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Dice:
    """The draws of one scene."""

    def __init__(self, seed: int, scene: int) -> None:
        self._start = int(_mixed(_mixed(np.array([seed], np.uint64)) ^ np.uint64(scene + 1))[0])

    def bits(self, name: str, *keys: Keys) -> NDArray[np.uint64]:
        """64 random bits for each entry of the keys, which are broadcast together; any change of name or key changes all of them."""
        state = np.array([self._start ^ zlib.crc32(name.encode())], np.uint64)
        for key in keys:
            state = _mixed(state ^ np.asarray(key, np.int64).astype(np.uint64))
        return state if keys else _mixed(state)

    def uniform(self, name: str, *keys: Keys) -> NDArray[np.float64]:
        """Draws from 0 to below 1."""
        return (self.bits(name, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def between(self, low: float, high: float, name: str, *keys: Keys) -> NDArray[np.float64]:
        """Draws from low to high."""
        return low + (high - low) * self.uniform(name, *keys)

    def one(self, low: float, high: float, name: str) -> float:
        """One draw for the whole scene."""
        return float(self.between(low, high, name)[0])


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all bits."""
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    mixed: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed
