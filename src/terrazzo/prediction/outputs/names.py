"""What a class map and the layers beside it are called."""

from pathlib import Path
from typing import Literal

from terrazzo.rasters.raster import Raster

MAP_SUFFIX = "_predseg"
PROBABILITIES_SUFFIX, ENTROPY_SUFFIX = "_probabilities", "_entropy"
LAYER_SUFFIXES = (PROBABILITIES_SUFFIX, ENTROPY_SUFFIX)


def map_path(out: Path, stem: str, raster: Raster, ending: Literal["auto", "fits"] = "auto", *, overlapping: bool = False) -> Path:
    """OUT/<stem>_predseg.tif; .png where the input is no GeoTIFF and has no map coordinates; .fits where that is asked for.

    overlapping: the map has a band a class, which a PNG cannot hold.
    """
    plain = not overlapping and raster.format != "GTiff" and not raster.grid.georeferenced
    automatic = "png" if plain else "tif"
    return out / f"{stem}{MAP_SUFFIX}.{automatic if ending == 'auto' else ending}"


def probabilities_path(class_map: Path) -> Path:
    """<stem>_probabilities.tif beside a class map."""
    return layer_path(class_map, PROBABILITIES_SUFFIX)


def layer_path(class_map: Path, suffix: str) -> Path:
    """The layer of a suffix beside a class map: <stem>SUFFIX.tif."""
    return class_map.with_name(f"{class_map.stem.removesuffix(MAP_SUFFIX)}{suffix}.tif")
