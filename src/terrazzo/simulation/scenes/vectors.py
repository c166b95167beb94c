"""The things of scenes as polygons, and the centre lines of their roads: files that a GIS opens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from rasterio.crs import CRS

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.write import writing
from terrazzo.simulation.scenes.land import Points
from terrazzo.simulation.scenes.outlined import Outlined
from terrazzo.simulation.scenes.plots import CLASSES, ORDER, ROAD
from terrazzo.simulation.scenes.scene import Scene

BATCH = 20_000
"""Things that are written together."""
DATE = "2000-01-01T00:00:00Z"
"""When GeoPackages say that they were written, so that the same options give the same bytes."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Shapes of one class in one scene, numbered one after the other."""

    shapes: NDArray[np.object_]
    """(n,) in the CRS of the file."""
    label: int
    first: int
    """The number of the first."""
    image: str
    width: NDArray[np.float64] | None = None
    """(n,) of lines, in units of the CRS."""


class VectorFile:
    """A GeoPackage of one layer that grows.

    Its features have the attributes `class`, `id`, `image`, and `width` where they have one.
    """

    def __init__(self, path: Path, layer: str, crs: CRS) -> None:
        self._path = path
        self._layer = layer
        self._crs = crs
        self._waiting: list[Features] = []

    def add(self, features: Features) -> None:
        """Append features. Raises EnvironmentFault if they cannot be written."""
        self._waiting.append(features)
        if sum(len(waiting.shapes) for waiting in self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises EnvironmentFault if it cannot be written."""
        if not self._waiting:
            return
        table = _table(self._waiting, self._crs)
        self._waiting = []
        kind = "LineString" if "width" in table else "Polygon"
        there = self._path.exists()
        try:
            with _dated():
                pyogrio.write_dataframe(table, self._path, layer=self._layer, driver="GPKG", geometry_type=kind, append=there)
        except (DataSourceError, DataLayerError, FeatureError) as error:
            why = " ".join(str(error).split())
            raise EnvironmentFault(
                f"{self._path.parent}: vectors cannot be written there ({why}). Free the disk, or choose another folder."
            ) from error


@contextmanager
def writing_vectors(path: Path, layer: str, crs: CRS) -> Iterator[VectorFile]:
    """Write a GeoPackage: yields what takes features; it has its name when the block has succeeded.

    Raises EnvironmentFault if it cannot be written.
    """
    with writing(path) as temporary:
        file = VectorFile(temporary, layer, crs)
        yield file
        file.flush()


def add_things(scene: Scene, outlined: Outlined, polygons: VectorFile, lines: VectorFile) -> None:
    """Append the things of a scene as polygons, and the centre lines of its roads.

    The `id` of a polygon is its number in the instances. Painted in their order, a pixel being of a polygon that its centre lies in,
    polygons give the labels of the image.
    """
    transform = scene.transform
    for label in ORDER:
        for first, outlines in outlined.outlines(label):
            ring = np.repeat(np.arange(len(outlines)), outlines.counts)
            shapes = shapely.polygons(shapely.linearrings(to_crs(outlines.corners, transform), indices=ring))
            polygons.add(Features(shapes=shapes, label=label, first=first, image=scene.name))
    for first, roads, width in outlined.lines(ROAD):
        shapes = shapely.linestrings(to_crs(roads, transform))
        lines.add(Features(shapes=shapes, label=ROAD, first=first, image=scene.name, width=width * transform.a))


def to_crs(points: Points, transform: Affine) -> NDArray[np.float64]:
    """Places (..., 2) in pixels, column and row, in the CRS of a grid whose north is up."""
    return np.stack([transform.c + points[..., 0] * transform.a, transform.f + points[..., 1] * transform.e], -1)


def _table(features: Sequence[Features], crs: CRS) -> geopandas.GeoDataFrame:
    counts = [len(some.shapes) for some in features]
    columns: dict[str, NDArray[Any]] = {
        "class": np.repeat([CLASSES[some.label] for some in features], counts),
        "id": np.concatenate([some.first + np.arange(len(some.shapes)) for some in features]),
        "image": np.repeat([some.image for some in features], counts),
    }
    widths = [some.width for some in features if some.width is not None]
    if widths:
        columns["width"] = np.concatenate(widths)
    return geopandas.GeoDataFrame(columns, geometry=np.concatenate([some.shapes for some in features]), crs=crs)


@contextmanager
def _dated() -> Iterator[None]:
    """All files that GDAL writes are of one date."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
