"""Presets: how hard scenes are to learn."""

from terrazzo.simulation.scenes.materials import Material
from terrazzo.simulation.scenes.picture import Look

NORMAL = Look(blur=0.12, noise=0.006, haze=(0.02, 0.18), spread=1.0)
EASY = Look(
    blur=0.06,
    noise=0.003,
    haze=(0.0, 0.06),
    spread=0.5,
    covers={
        Material.BROWN_TILE: Material.RED_TILE,
        Material.SLATE: Material.RED_TILE,
        Material.GREY_ROOF: Material.WHITE_ROOF,
        Material.GRAVEL: Material.WHITE_ROOF,
        Material.METAL: Material.WHITE_ROOF,
        Material.GREEN_ROOF: Material.WHITE_ROOF,
        Material.CONCRETE: Material.ASPHALT,
        Material.OLD_ASPHALT: Material.ASPHALT,
        Material.DIRT: Material.ASPHALT,
    },
    ground={Material.YARD: Material.GARDEN, Material.SOIL: Material.GRASS, Material.GRAVEL: Material.GRASS, Material.RIPE: Material.CROP},
)
"""Roofs are red or white, roads dark, and the ground is green."""
HARD = Look(
    blur=0.2,
    noise=0.014,
    haze=(0.15, 0.4),
    spread=1.6,
    covers={Material.RED_TILE: Material.BROWN_TILE, Material.WHITE_ROOF: Material.GREY_ROOF},
    ground={Material.CROP: Material.SOIL},
)
"""Roofs are of the colours of roads and fields, under haze and noise."""
LOOKS = {"easy": EASY, "normal": NORMAL, "hard": HARD, "default": NORMAL}
