"""One scene: its land, its grid, and the pixels of any window of it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.simulation.scenes.border import Border, draw_border
from terrazzo.simulation.scenes.dice import Dice
from terrazzo.simulation.scenes.land import draw_land
from terrazzo.simulation.scenes.looks import LOOKS
from terrazzo.simulation.scenes.materials import band_names
from terrazzo.simulation.scenes.picture import HALO_PX, Look, picture
from terrazzo.simulation.scenes.plots import BUILDING, TREE, Plots
from terrazzo.simulation.scenes.siting import Site
from terrazzo.simulation.scenes.view import look

SIDE = 512
"""Of a scene where no size is given."""
IGNORED = 255
"""The label of pixels without data."""
NODATA: dict[str, float] = {"uint8": 0, "uint16": 0, "int16": -9999, "float32": float("nan")}
UNIT = 10_000
"""Digital units of whole reflectance in uint16 and int16."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The pixels of a window."""

    values: NDArray[Any]
    """(bands, height, width) in the type of the images."""
    labels: NDArray[np.uint8]
    """(height, width) class, 255 without data."""
    instances: NDArray[np.uint32]
    """(height, width) number of the building or tree, 0 elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A scene that is drawn where it is looked at; nothing of its pixels is kept."""

    name: str
    crs: CRS
    transform: Affine
    """(column, row) to (x, y) in the CRS; north is up."""
    plots: Plots
    look: Look
    border: Border | None
    """None: there is data everywhere."""
    bands: tuple[str, ...]
    dtype: str

    @property
    def grid(self) -> Grid:
        return Grid(shape=self.plots.shape, crs=self.crs, transform=self.transform)

    def block(self, window: Window) -> Block:
        """The pixels of a window inside the scene; those of windows that overlap agree, whatever their size."""
        wide = Window(
            col_off=window.col_off - HALO_PX,
            row_off=window.row_off - HALO_PX,
            width=window.width + 2 * HALO_PX,
            height=window.height + 2 * HALO_PX,
        )
        view = look(self.plots, wide)
        values = _digits(picture(view, self.look, self.bands), self.dtype)
        owners = view.owners[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]
        labels = view.labels[owners]
        instances = np.where(np.isin(labels, (BUILDING, TREE)), view.numbers[owners], np.uint32(0))
        if self.border is not None:
            outside = ~self.border.inside(window)
            values[:, outside] = NODATA[self.dtype]
            labels[outside] = IGNORED
            instances[outside] = 0
        return Block(values=values, labels=labels, instances=instances)


def make_scene(index: int, options: SimulationOptions, scenes: ScenesOptions, site: Site) -> Scene:
    """Scene `index` of a set."""
    dice, shape, style = Dice(options.seed, index), options.shape_or(SIDE), LOOKS[options.preset]
    land = draw_land(dice, style.haze)
    return Scene(
        name=f"scene_{index:04d}",
        crs=site.crs,
        transform=site.transform(index, shape, scenes.cell_size_m),
        plots=Plots(land, shape, scenes.cell_size_m),
        look=style,
        border=draw_border(dice, shape, scenes.nodata_share) if scenes.nodata_share > 0 else None,
        bands=band_names(scenes.bands),
        dtype=scenes.dtype,
    )


def _digits(reflectance: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Reflectance as digital units of a type; none of them is the type's nodata value."""
    if dtype == "float32":
        return np.maximum(reflectance, np.float32(1e-4))
    units = np.rint(np.clip(reflectance * UNIT, 1, 30_000)).astype(np.int32)
    return _bright()[units] if dtype == "uint8" else units.astype(dtype)


@cache
def _bright() -> NDArray[np.uint8]:
    """Units of reflectance as bytes that look right on a screen, 1 to 255."""
    shares = np.clip(np.arange(30_001) / UNIT * 2.4, 0, 1)
    return np.clip(np.rint(255 * shares ** (1 / 1.75)), 1, 255).astype(np.uint8)
