"""Small data sets and samples tables, built in code."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.window import Shape, cover
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
WriteImage = Callable[..., Path]


@pytest.fixture
def legend() -> Legend:
    return Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=3, name="yes", color=(255, 0, 0))))


@pytest.fixture
def write_image() -> WriteImage:
    """Writes (bands, height, width) or (height, width) as GeoTIFF or PNG, by the name's ending."""

    def write(
        path: Path,
        values: NDArray[Any],
        *,
        origin: tuple[float, float] | None = None,
        crs: str = "EPSG:32633",
        cell: float = 1.0,
        nodata: float | None = None,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(values).save(path)
            return path
        bands = values if values.ndim == 3 else values[None]
        count, height, width = bands.shape
        place: dict[str, Any] = {}
        if origin is not None:
            place = {"crs": crs, "transform": Affine.translation(*origin) @ Affine.scale(cell, -cell)}
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=bands.dtype, nodata=nodata, **place
        ) as file:
            file.write(bands)
        return path

    return write


@pytest.fixture
def make_samples(legend: Legend) -> MakeSamples:
    """Builds a samples table of scenes by name, each with a shape, and where asked an origin on the ground (upper left, in pixels)."""

    def make(
        scenes: dict[str, Shape],
        size: Shape = (10, 10),
        overlap_px: int = 0,
        *,
        origins: dict[str, tuple[float, float]] | None = None,
        digests: dict[str, str] | None = None,
        positives: Callable[[str, int], int] = lambda scene, row: 1,
    ) -> Samples:
        rows = []
        footprints: list[shapely.Polygon] = []
        for name, shape in scenes.items():
            for number, window in enumerate(cover(shape, size, overlap_px)):
                yes = positives(name, number)
                rows.append(
                    {
                        "scene": name,
                        "image": f"/images/{name}.tif",
                        "label": f"/labels/{name}.png",
                        "image_digest": (digests or {}).get(name, name),
                        "col_off": window.col_off,
                        "row_off": window.row_off,
                        "width": window.width,
                        "height": window.height,
                        "valid_share": 1.0,
                        "objects": yes,
                        "pixels_0": window.width * window.height - yes,
                        "pixels_3": yes,
                        "split": None,
                    }
                )
                x, y = (origins or {}).get(name, (0.0, 0.0))
                left, right = x + window.col_off, x + window.col_end
                top, bottom = y - window.row_off, y - window.row_end
                footprints.append(shapely.Polygon([(left, top), (right, top), (right, bottom), (left, bottom)]))
        crs = "EPSG:32633" if origins else None
        frame = geopandas.GeoDataFrame(pd.DataFrame(rows), geometry=footprints, crs=crs)
        return Samples(frame=frame, legend=legend, size=size, stride=(size[0] - overlap_px, size[1] - overlap_px))

    return make


@pytest.fixture
def overlapping_pairs() -> Callable[[Samples], list[tuple[int, int]]]:
    """The naive answer to which windows of different parts share pixels: every pair is looked at."""

    def find(samples: Samples) -> list[tuple[int, int]]:
        split, digests = samples.frame["split"].to_list(), samples.frame["image_digest"].to_list()
        windows: Sequence[Any] = samples.windows()
        return [
            (first, second)
            for first in range(len(windows))
            for second in range(first + 1, len(windows))
            if split[first]
            and split[second]
            and split[first] != split[second]
            and digests[first] == digests[second]
            and windows[first].intersection(windows[second]) is not None
        ]

    return find


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
