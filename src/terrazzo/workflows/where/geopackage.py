"""Areas on the ground as layers of one GeoPackage, each with its style for QGIS."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas
import pyogrio

from terrazzo.drawing.qgis import layer_styles
from terrazzo.errors import EnvironmentFault
from terrazzo.prediction.vectorize.files import FAILURES, vector_fault
from terrazzo.rasters.write import writing


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Areas, a row each, and how QGIS shows them."""

    frame: geopandas.GeoDataFrame
    style: str
    """Of `drawing.qgis`."""


def write_layers(path: Path, layers: Mapping[str, Layer]) -> None:
    """Write a GeoPackage, layer by layer under their names.

    Without a CRS, places are columns and rows, which grow downwards: they are mirrored, so that a GIS shows them upright.
    Raises EnvironmentFault if it cannot be written.
    """
    with writing(path) as temporary:
        try:
            _write(temporary, layers)
            whole = all(_rows(temporary, name) == len(layer.frame) for name, layer in layers.items())
        except FAILURES as error:
            raise vector_fault(path, error) from error
        if not whole:
            raise EnvironmentFault(f"{path} does not hold all that was written. The disk may be full or broken; choose another folder.")


def _write(path: Path, layers: Mapping[str, Layer]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        for name, layer in layers.items():
            frame = layer.frame
            upright = frame if frame.crs is not None else frame.set_geometry(frame.geometry.scale(yfact=-1, origin=(0, 0)))
            upright.to_file(path, layer=name, driver="GPKG", engine="pyogrio", geometry_type="Polygon")
        pyogrio.write_dataframe(layer_styles({name: layer.style for name, layer in layers.items()}), path, layer="layer_styles")


def _rows(path: Path, layer: str) -> int:
    return int(pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"])
