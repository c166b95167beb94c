"""Tables that were edited: windows lie on their images, whatever the table says of the ground."""

from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from terrazzo.errors import DataError
from terrazzo.rasters.grid import Grid
from terrazzo.samples.on_images import on_images
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
GRIDS = {name: Grid(shape=(20, 30), crs=CRS.from_epsg(32633), transform=Affine(1, 0, x, 0, -1, 900)) for name, x in (("a", 0), ("b", 500))}


@pytest.fixture
def samples(make_samples: MakeSamples) -> Samples:
    made = make_samples({"a": (20, 30), "b": (20, 30)}, origins={"a": (0, 900), "b": (500, 900)})
    order = np.random.default_rng(3).permutation(len(made))
    return Samples(frame=made.frame.iloc[order].reset_index(drop=True), legend=made.legend, size=made.size, stride=made.stride)


def test_footprints_are_those_of_the_windows_whatever_the_table_says(samples: Samples) -> None:
    expected = samples.frame.geometry.to_list()
    samples.frame["geometry"] = samples.frame.translate(1e6)
    found = on_images(samples, GRIDS, "t.parquet").frame
    assert all(one.equals(other) for one, other in zip(found.geometry, expected, strict=True))
    assert found.crs == CRS.from_epsg(32633)


def test_windows_beyond_their_image_are_named(samples: Samples) -> None:
    samples.frame.loc[3, "col_off"] = 21
    with pytest.raises(DataError, match=r"t\.parquet: 1 window beyond the image: row 3 \(., 10 x 10 pixels at 21, \d+\)"):
        on_images(samples, GRIDS, "t.parquet")


def test_scenes_that_are_not_there_are_named(samples: Samples) -> None:
    with pytest.raises(DataError, match="names scenes that are not among the images: b"):
        on_images(samples, {"a": GRIDS["a"]}, "t.parquet")
