"""400 tiles of 512 x 512 as one raster, against `rio merge`: rasterio.merge to a file, without overviews or reading it back.

Run: python benchmarks/bench_mosaic.py [rounds] [side]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_chip import CHIP_PX, write_scene
from rasterio.merge import merge
from timing import in_turn

from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import open_context
from terrazzo.workflows.mosaic import mosaic


def main(rounds: int, side: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(folder / "scene.tif", side)
        chip([folder / "scene.tif"], folder / "tiles", context=open_context(None, [f"chip.size={CHIP_PX}"]))
        tiles = sorted((folder / "tiles").glob("*.tif"))
        # as rio merge does, which takes the layout of the first tile; tiled, as ours is
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "zstd"}
        print(f"{len(tiles)} tiles to {side} x {side} pixels: terrazzo, rio merge")
        print(
            in_turn(
                lambda: mosaic([folder / "tiles"], folder / "ours.tif"),
                lambda: merge(tiles, dst_path=folder / "merged.tif", dst_kwds=layout),
                rounds,
            )
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 10_240)
