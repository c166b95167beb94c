"""A class map as an array with coordinates, as xarray and rioxarray know it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.rasters.grid import Grid

if TYPE_CHECKING:
    import xarray


def to_dataarray(values: NDArray[np.uint8], grid: Grid, legend: Legend) -> "xarray.DataArray":
    """Class values (height, width) with the dimensions y and x; of classes that overlap (classes, height, width), by name along `class`.

    Coordinates are those of the middles of the pixels, where the grid is neither rotated nor without a place. The CRS and the transform
    stand at `spatial_ref`, as rioxarray has them; what values mean in `flag_values` and `flag_meanings`, as CF has them, and by name.
    Raises EnvironmentFault if xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise EnvironmentFault("to_xarray needs the package xarray, which is not installed: pip install 'terrazzo[xarray]'") from error
    overlapping = legend.overlapping
    flags = {
        "flag_values": np.array(legend.values, np.uint8),
        "flag_meanings": " ".join("_".join(name.split()) for name in legend.names),
        "classes": dict(zip(legend.values, legend.names, strict=True)),
    }
    array = xarray.DataArray(
        values,
        dims=("class", "y", "x") if overlapping else ("y", "x"),
        coords={**_coordinates(grid), **({"class": list(legend.names)} if overlapping else {})},
        name="classes",
        attrs={"long_name": "class", "_FillValue": np.uint8(IGNORE), **({} if overlapping else flags)},
    )
    if grid.transform is None:
        return array
    place = {"GeoTransform": " ".join(map(repr, grid.transform.to_gdal()))}
    if grid.crs is not None:
        place |= {"crs_wkt": grid.crs.to_wkt(), "spatial_ref": grid.crs.to_wkt()}
    array.attrs["grid_mapping"] = "spatial_ref"
    return array.assign_coords(spatial_ref=xarray.Variable((), 0, place))


def _coordinates(grid: Grid) -> dict[str, NDArray[np.floating]]:
    height, width = grid.shape
    place = grid.transform
    if place is None or not place.is_rectilinear or place.b:
        return {}
    return {"y": place.f + place.e * (np.arange(height) + 0.5), "x": place.c + place.a * (np.arange(width) + 0.5)}
