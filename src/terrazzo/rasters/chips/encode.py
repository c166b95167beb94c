"""GeoTIFFs of any look: how they are created, and small ones made in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetWriter, MemoryFile

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.chips.look import Look, Mask
from terrazzo.rasters.formats.directory import FAILURES
from terrazzo.rasters.grid import Grid

BLOCK_PX = 512
"""Larger chips are tiled; smaller ones are one block, for they are read whole."""

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_COLORS = (*_RGB, ColorInterp.alpha)


@dataclass(frozen=True, kw_only=True)
class ChipFile:
    """A chip but for its pixels."""

    look: Look
    grid: Grid
    tags: Mapping[str, str]
    """Besides those of the look."""
    compress: str


def profile(look: Look, grid: Grid, compress: str) -> dict[str, Any]:
    """How rasterio creates a GeoTIFF of that look, without blocks."""
    place = {} if grid.transform is None else {"transform": grid.transform, "crs": grid.crs}
    colors = look.interpretations[:3] == _RGB
    return {
        "driver": "GTiff",
        "height": grid.shape[0],
        "width": grid.shape[1],
        "count": look.bands,
        "dtype": look.dtype.name,
        "nodata": look.nodata,
        "photometric": "rgb" if colors else "minisblack",
        # bytes of colours that belong together compress best side by side
        "interleave": "pixel" if colors and look.bands <= 4 else "band",
        **compression(look.dtype, compress),
        **place,
    }


def compression(dtype: np.dtype[Any], compress: str) -> dict[str, Any]:
    if compress == "none":
        return {}
    level = {"zstd": {"zstd_level": 1}, "deflate": {"zlevel": 6}, "lzw": {}}[compress]
    return {"compress": compress, "predictor": 3 if dtype.kind == "f" else 2, **level}


def describe(dataset: DatasetWriter, look: Look, tags: Mapping[str, str]) -> None:
    """Note everything of a look in a new file, before its pixels."""
    if look.tags or tags:
        dataset.update_tags(**{**look.tags, **tags})
    if any(look.names):
        dataset.descriptions = look.names
    if look.colormap is not None:
        dataset.write_colormap(1, dict(look.colormap))
    elif any(use in _COLORS for use in look.interpretations) and dataset.colorinterp != look.interpretations:
        dataset.colorinterp = look.interpretations
    if set(look.scales) != {1.0} or set(look.offsets) != {0.0}:
        dataset.scales, dataset.offsets = look.scales, look.offsets
    if any(look.units):
        dataset.units = [unit or "" for unit in look.units]
    for band, own in enumerate(look.band_tags, start=1):
        if own:
            dataset.update_tags(band, **own)


def encode(values: NDArray[Any], mask: Mask | None, file: ChipFile) -> bytes:
    """A GeoTIFF in memory.

    values: (bands, height, width). mask: (height, width), True where there is image, to be kept inside the file.
    Raises EnvironmentFault if GDAL fails.
    """
    height, width = file.grid.shape
    large = max(height, width) > BLOCK_PX
    blocks = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX} if large else {"tiled": False, "blockysize": height}
    try:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
            with memory.open(**profile(file.look, file.grid, file.compress), **blocks) as dataset:
                describe(dataset, file.look, file.tags)
                dataset.write(values)
                if mask is not None:
                    dataset.write_mask(mask)
            return bytes(memory.getbuffer())
    except FAILURES as error:
        cause = " ".join(str(error.__cause__ or error).split())
        raise EnvironmentFault(f"A chip of {height} x {width} pixels of type {file.look.dtype} cannot be made ({cause}).") from error
