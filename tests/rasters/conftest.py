"""Raster files built in code, and the real ones where they are at hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def make_tiff(tmp_path: Path) -> Callable[..., Path]:
    """Write (bands, height, width) values to a GeoTIFF by rasterio alone."""

    def make(values: NDArray[Any], name: str = "image.tif", **profile: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        count, height, width = values.shape
        settings = {"driver": "GTiff", "dtype": values.dtype.name, "count": count, "height": height, "width": width, **profile}
        with rasterio.open(path, "w", **settings) as dataset:
            dataset.write(values)
        return path

    return make


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The folder of a real data set beside the project, by name."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the data set {name} is not beside the project (../shared/data)")
        return SHARED / name

    return find


@pytest.fixture
def ramp() -> NDArray[np.uint16]:
    """(3, 37, 51) values that are all different, so that a misplaced pixel shows."""
    return np.arange(3 * 37 * 51, dtype=np.uint16).reshape(3, 37, 51)
