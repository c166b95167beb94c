"""The rules of cloud-optimised GeoTIFFs, as GDAL's validate_cloud_optimized_geotiff.py checks them."""

from itertools import pairwise
from pathlib import Path

import rasterio

LARGE_PX = 512
"""From this side on tiles and overviews are asked for."""


def problems_of(path: Path) -> list[str]:
    """What keeps a file from being a cloud-optimised GeoTIFF; nothing if it is one."""
    if path.with_name(f"{path.name}.ovr").exists():
        return ["overviews are in a file of their own"]
    with path.open("rb") as file:
        first_directory = 16 if file.read(4) == b"II+\0" else 8
    with rasterio.open(path) as dataset:
        levels: list[int | None] = [None, *range(len(dataset.overviews(1)))]

        def places(name: str) -> list[int]:
            return [int(dataset.get_tag_item(name, "TIFF", bidx=1, ovr=level)) for level in levels]

        large = max(dataset.shape) > LARGE_PX
        block_height, block_width = dataset.block_shapes[0]
        blocks_across = -(-dataset.width // block_width)
        directories, blocks = places("IFD_OFFSET"), places("BLOCK_OFFSET_0_0")
    with rasterio.open(path, overview_level=len(levels) - 2) if levels[1:] else rasterio.open(path) as smallest:
        smallest_side = max(smallest.shape)
    rules = {
        "it is stored in strips": not large or blocks_across > 1 or block_height == block_width,
        "there are no overviews": not large or len(levels) > 1,
        "the smallest overview is larger than a tile": smallest_side <= LARGE_PX,
        "the first directory is not at the start": directories[0] == first_directory,
        "directories of overviews are not in the order of their size": directories == sorted(directories),
        "blocks begin before the last directory ends": min(blocks) > max(directories),
        "blocks of a smaller level come after those of a larger one": all(one > other for one, other in pairwise(blocks)),
    }
    return [problem for problem, kept in rules.items() if not kept]
