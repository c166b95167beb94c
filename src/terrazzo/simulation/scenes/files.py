"""A set of simulated scenes on disk, ready to train on."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self, TextIO

import numpy as np
from rasterio.crs import CRS

from terrazzo.errors import ConflictError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.run_write import HEADER
from terrazzo.labels.sentences import listed
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import MapStyle, MapWriter, check_writable, write_text, writing, writing_bands
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.simulation.scenes.outlined import Outlined
from terrazzo.simulation.scenes.plots import BUILDING, CLASSES
from terrazzo.simulation.scenes.runs import building_runs
from terrazzo.simulation.scenes.scene import NODATA, SIDE, Block, Scene, make_scene
from terrazzo.simulation.scenes.siting import find_site
from terrazzo.simulation.scenes.vectors import VectorFile, add_things, writing_vectors

logger = logging.getLogger(__name__)

COUNT = 20
COLORS = ((0, 0, 0), (213, 94, 0), (170, 170, 170), (0, 114, 178), (0, 158, 115))
"""Of the classes: told apart by all eyes."""
TAG = "TERRAZZO_SIMULATION"
"""The tag of an image that holds, as JSON, what it was simulated with."""
BLOCK_PX = 512
FOLDERS = ("images", "labels", "instances")
SET_FILES = ("vectors.gpkg", "centre_lines.gpkg", "buildings_rle.csv")
FEW = 5
"""Fewer scenes than this are split by ground, not by scene."""
BY_SCENE = 'by = "scene"                      # whole scenes are held out'
BY_GROUND = 'by = "block"                      # blocks of ground are held out'


def simulate_scenes(
    out: Path, options: SimulationOptions, scenes: ScenesOptions, progress: Progress, threads: int | None = None
) -> list[Path]:
    """Write a set of scenes and OUT/recipe.toml; returns the images.

    Of each scene: OUT/images/scene_0000.tif; OUT/labels/scene_0000.tif, the class of each pixel; OUT/instances/scene_0000.tif, the
    number of the building or tree. Of all: vectors.gpkg, the polygons that the labels were made from; centre_lines.gpkg, of roads;
    buildings_rle.csv, a row a building.

    The same options write the same bytes, with any number of threads (None: one a core). Images that are there
    already, and a recipe, are left alone, so a broken-off simulation goes on where it stopped.

    Raises ConflictError, before anything is written, if `out` holds other scenes, UsageError if the CRS is unknown or not projected, and
    EnvironmentFault if `out` cannot be written.
    """
    site = find_site(scenes.crs)
    count = COUNT if options.count is None else options.count
    _check_empty_or_same(out, count, options, scenes)
    check_writable(out)
    height, width = options.shape_or(SIDE)
    with ExitStack() as stack:
        advance = stack.enter_context(progress.task("simulate", count * height * width / 1e6, "Mpx"))
        files = _SetFiles.opened(out, site.crs, stack)
        pool = stack.enter_context(ThreadPoolExecutor(threads or os.cpu_count()))
        for index in range(count):
            scene = make_scene(index, options, scenes, site)
            with Outlined(scene, out) as outlined:
                _write_images(out, scene, _strips(scene, pool), _layout(scene, index, options, scenes), advance)
                files.add(scene, outlined, out / "instances" / f"{scene.name}.tif")
    recipe = out / "recipe.toml"
    if recipe.exists():
        logger.info("%s is there already and was kept", recipe)
    else:
        write_text(recipe, recipe_text(count))
    return [out / "images" / f"scene_{index:04d}.tif" for index in range(count)]


def recipe_text(count: int) -> str:
    """The recipe that trains on a number of simulated scenes."""
    text = resources.files("terrazzo.simulation.scenes").joinpath("recipe.toml").read_text(encoding="utf-8")
    return text if count >= FEW else text.replace(BY_SCENE, BY_GROUND)


def legend() -> Legend:
    """The classes of scenes."""
    classes = enumerate(zip(CLASSES, COLORS, strict=True))
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=color) for value, (name, color) in classes))


@dataclass(frozen=True, kw_only=True)
class _SetFiles:
    """The files that hold something of all scenes."""

    polygons: VectorFile
    lines: VectorFile
    table: TextIO

    @classmethod
    def opened(cls, out: Path, crs: CRS, stack: ExitStack) -> Self:
        polygons, lines, runs = (out / name for name in SET_FILES)
        temporary = stack.enter_context(writing(runs))
        table = stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        table.write(HEADER + "\n")
        return cls(
            polygons=stack.enter_context(writing_vectors(polygons, "polygons", crs)),
            lines=stack.enter_context(writing_vectors(lines, "centre_lines", crs)),
            table=table,
        )

    def add(self, scene: Scene, outlined: Outlined, instances: Path) -> None:
        """Add what a scene holds. instances: the file of its object numbers."""
        add_things(scene, outlined, self.polygons, self.lines)
        with open_raster(instances, DataOptions()) as numbers:
            texts = [runs.text() for runs in building_runs(outlined.outlines(BUILDING), numbers)]
        self.table.writelines(f"{instances.name},{text}\n" for text in texts or [""])


def _layout(scene: Scene, index: int, options: SimulationOptions, scenes: ScenesOptions) -> TiffLayout:
    """How the picture of a scene is written."""
    return TiffLayout(
        dtype=np.dtype(scenes.dtype),
        band_names=scene.bands,
        nodata=NODATA[scenes.dtype] if scenes.nodata_share > 0 else None,
        tags={TAG: _facts(index, options, scenes)},
        compress=scenes.compress,
        overviews="mean",
    )


def _write_images(out: Path, scene: Scene, strips: Iterator[Block], layout: TiffLayout, advance: Callable[[float], None]) -> None:
    """Write the picture of a scene, its labels and its instances, unless all are there."""
    height, width = scene.plots.shape
    image, labels, instances = (out / folder / f"{scene.name}.tif" for folder in FOLDERS)
    if image.exists() and labels.exists() and instances.exists():
        advance(height * width / 1e6)
        return
    style = MapStyle(colors=dict(enumerate(COLORS)), legend_json=legend().to_json())
    numbered = TiffLayout(dtype=np.dtype(np.uint32), band_names=("object",))
    with (
        writing_bands(instances, scene.grid, numbered) as number_rows,
        MapWriter(labels, scene.grid, style) as label_rows,
        writing_bands(image, scene.grid, layout) as value_rows,
    ):
        for rows in strips:
            value_rows.add(rows.values)
            label_rows.write(rows.labels)
            number_rows.add(rows.instances[None])
            advance(rows.labels.size / 1e6)


def _strips(scene: Scene, pool: Executor) -> Iterator[Block]:
    """All rows of a scene from top to bottom, some at a time; the blocks of a strip are drawn side by side."""
    height, width = scene.plots.shape
    for top in range(0, height, BLOCK_PX):
        low = min(BLOCK_PX, height - top)
        windows = [Window(col_off=left, row_off=top, width=min(BLOCK_PX, width - left), height=low) for left in range(0, width, BLOCK_PX)]
        blocks = list(pool.map(scene.block, windows))
        yield Block(
            values=np.concatenate([block.values for block in blocks], axis=2),
            labels=np.concatenate([block.labels for block in blocks], axis=1),
            instances=np.concatenate([block.instances for block in blocks], axis=1),
        )


def _facts(index: int, options: SimulationOptions, scenes: ScenesOptions) -> str:
    """What a scene was simulated with, as JSON."""
    preset = "normal" if options.preset == "default" else options.preset
    common = {"world": "scenes", "preset": preset, "seed": options.seed, "index": index, "size": options.shape_or(SIDE)}
    return json.dumps({**common, **scenes.model_dump(mode="json")})


def _check_empty_or_same(out: Path, count: int, options: SimulationOptions, scenes: ScenesOptions) -> None:
    """Refuse to mix two simulations: other names, or an image that was made with other options."""
    names = {f"scene_{index:04d}.tif" for index in range(count)}
    for folder in FOLDERS:
        strange = sorted({path.name for path in (out / folder).glob("[!.]*")} - names)
        if strange:
            raise ConflictError(f"{out / folder} holds files of something else: {listed(strange)}. Choose an empty folder.")
    for index in range(count):
        image = out / "images" / f"scene_{index:04d}.tif"
        if image.exists():
            with open_raster(image, DataOptions()) as raster:
                if raster.tags.get(TAG) != _facts(index, options, scenes):
                    raise ConflictError(f"{image} was simulated with other options, which its tag {TAG} tells. Choose an empty folder.")
