"""What surfaces look like: reflectances of materials in up to twelve bands."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Material(IntEnum):
    """What a surface is made of."""

    GRASS = 0
    CROP = 1
    RIPE = 2
    SOIL = 3
    YARD = 4
    ASPHALT = 5
    OLD_ASPHALT = 6
    CONCRETE = 7
    DIRT = 8
    WATER = 9
    LEAVES = 10
    RED_TILE = 11
    BROWN_TILE = 12
    SLATE = 13
    GREY_ROOF = 14
    WHITE_ROOF = 15
    METAL = 16
    GRAVEL = 17
    GREEN_ROOF = 18
    PAINT = 19
    DARK_PAINT = 20
    RED_PAINT = 21
    GARDEN = 22


BANDS = ("red", "green", "blue", "nir", "red_edge", "swir_1", "swir_2", "coastal", "red_edge_2", "red_edge_3", "nir_2", "yellow")
PAN = "pan"

# blue, green, red, near infrared, two of shortwave infrared; first as it mostly is, then as it is at its driest, oldest or brightest
_SPECTRA: dict[Material, tuple[tuple[float, ...], tuple[float, ...]]] = {
    Material.GRASS: ((0.045, 0.095, 0.065, 0.44, 0.26, 0.13), (0.090, 0.140, 0.165, 0.31, 0.36, 0.24)),
    Material.CROP: ((0.035, 0.085, 0.045, 0.50, 0.23, 0.10), (0.075, 0.130, 0.110, 0.40, 0.28, 0.16)),
    Material.RIPE: ((0.095, 0.165, 0.205, 0.36, 0.38, 0.26), (0.120, 0.190, 0.240, 0.38, 0.42, 0.30)),
    Material.SOIL: ((0.075, 0.110, 0.150, 0.23, 0.33, 0.28), (0.055, 0.075, 0.100, 0.15, 0.23, 0.20)),
    Material.YARD: ((0.130, 0.150, 0.160, 0.20, 0.25, 0.23), (0.200, 0.225, 0.240, 0.28, 0.33, 0.31)),
    Material.ASPHALT: ((0.078, 0.083, 0.088, 0.11, 0.14, 0.13), (0.110, 0.118, 0.124, 0.15, 0.18, 0.17)),
    Material.OLD_ASPHALT: ((0.125, 0.134, 0.142, 0.17, 0.20, 0.19), (0.160, 0.172, 0.182, 0.21, 0.24, 0.23)),
    Material.CONCRETE: ((0.200, 0.220, 0.235, 0.27, 0.31, 0.29), (0.150, 0.162, 0.170, 0.20, 0.25, 0.23)),
    Material.DIRT: ((0.100, 0.140, 0.180, 0.25, 0.33, 0.29), (0.075, 0.115, 0.130, 0.26, 0.29, 0.22)),
    Material.WATER: ((0.058, 0.068, 0.045, 0.018, 0.006, 0.003), (0.070, 0.105, 0.092, 0.040, 0.012, 0.006)),
    Material.LEAVES: ((0.028, 0.058, 0.036, 0.43, 0.18, 0.07), (0.042, 0.090, 0.110, 0.35, 0.22, 0.11)),
    Material.RED_TILE: ((0.070, 0.098, 0.185, 0.27, 0.32, 0.29), (0.075, 0.096, 0.140, 0.22, 0.28, 0.25)),
    Material.BROWN_TILE: ((0.065, 0.085, 0.120, 0.19, 0.26, 0.23), (0.075, 0.090, 0.105, 0.16, 0.22, 0.20)),
    Material.SLATE: ((0.078, 0.082, 0.085, 0.10, 0.13, 0.12), (0.100, 0.108, 0.110, 0.14, 0.17, 0.16)),
    Material.GREY_ROOF: ((0.150, 0.160, 0.168, 0.20, 0.23, 0.22), (0.115, 0.124, 0.128, 0.16, 0.20, 0.19)),
    Material.WHITE_ROOF: ((0.330, 0.350, 0.360, 0.38, 0.36, 0.33), (0.260, 0.280, 0.290, 0.31, 0.31, 0.29)),
    Material.METAL: ((0.185, 0.180, 0.165, 0.17, 0.17, 0.16), (0.140, 0.150, 0.150, 0.16, 0.17, 0.16)),
    Material.GRAVEL: ((0.160, 0.178, 0.190, 0.23, 0.27, 0.25), (0.120, 0.145, 0.145, 0.22, 0.25, 0.22)),
    Material.GREEN_ROOF: ((0.055, 0.095, 0.080, 0.33, 0.25, 0.14), (0.085, 0.115, 0.125, 0.26, 0.29, 0.20)),
    Material.PAINT: ((0.360, 0.380, 0.390, 0.40, 0.38, 0.35), (0.300, 0.320, 0.330, 0.34, 0.33, 0.31)),
    Material.DARK_PAINT: ((0.050, 0.050, 0.052, 0.06, 0.07, 0.07), (0.075, 0.070, 0.065, 0.08, 0.09, 0.09)),
    Material.RED_PAINT: ((0.060, 0.060, 0.200, 0.25, 0.25, 0.22), (0.190, 0.110, 0.060, 0.12, 0.12, 0.12)),
    Material.GARDEN: ((0.045, 0.085, 0.070, 0.37, 0.24, 0.13), (0.085, 0.115, 0.130, 0.28, 0.30, 0.22)),
}

TEXTURE: dict[Material, tuple[float, float]] = {
    Material.GRASS: (0.06, 0.10),
    Material.CROP: (0.05, 0.06),
    Material.RIPE: (0.05, 0.06),
    Material.SOIL: (0.06, 0.10),
    Material.YARD: (0.03, 0.08),
    Material.ASPHALT: (0.025, 0.06),
    Material.OLD_ASPHALT: (0.035, 0.08),
    Material.CONCRETE: (0.02, 0.06),
    Material.DIRT: (0.06, 0.12),
    Material.WATER: (0.02, 0.05),
    Material.LEAVES: (0.22, 0.05),
    Material.GARDEN: (0.14, 0.18),
}
"""How uneven a surface is: from cell to cell, and over a few metres. Of those not named: ROOF_TEXTURE."""
ROOF_TEXTURE = (0.035, 0.045)


def band_names(count: int) -> tuple[str, ...]:
    """The names of the first bands; one or two are a panchromatic band, and near infrared."""
    return {1: (PAN,), 2: (PAN, "nir")}.get(count, BANDS[:count])


def reflectances(band: str) -> NDArray[np.float32]:
    """Reflectance of every material in a band, (2, materials): as it mostly is, and as it is at its driest, oldest or brightest."""
    table = np.array([_SPECTRA[material] for material in Material])
    return np.stack([_mixture(band, table[:, side].T) for side in range(2)]).astype(np.float32)


def textures() -> NDArray[np.float32]:
    """Unevenness of every material, (2, materials)."""
    return np.array([TEXTURE.get(material, ROOF_TEXTURE) for material in Material], np.float32).T


def _mixture(band: str, known: NDArray[np.float64]) -> NDArray[np.float64]:
    """A band from the six that are known, (6, materials); those between two are mixtures of them."""
    blue, green, red, nir, swir_1, swir_2 = known
    bands: dict[str, NDArray[np.float64]] = {
        PAN: 0.25 * blue + 0.35 * green + 0.4 * red,
        "red": red,
        "green": green,
        "blue": blue,
        "nir": nir,
        "red_edge": 0.72 * red + 0.28 * nir,
        "swir_1": swir_1,
        "swir_2": swir_2,
        "coastal": 0.9 * blue,
        "red_edge_2": 0.3 * red + 0.7 * nir,
        "red_edge_3": 0.1 * red + 0.9 * nir,
        "nir_2": 0.9 * nir + 0.1 * swir_1,
        "yellow": 0.5 * green + 0.5 * red,
    }
    return bands[band]
