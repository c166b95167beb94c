"""chip, then mosaic: the same raster again."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.mosaic import mosaic

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
NORTH = Affine(0.3, 0, 500_000.1, 0, -0.3, 5_000_000.7)
PLACES = {
    "none": None,
    "north-up": NORTH,
    "south-up": Affine(10, 0, -20_000, 0, 10, 30_000),
    "turned": Affine(1.7, 0.9, 400_000.123, 0.9, -1.7, 6_000_000.321),
    "degrees": Affine(1 / 3600, 0, 7.123456789, 0, -1 / 3600, 51.987654321),
}


def context(**options: object) -> Context:
    return open_context(None, [f"chip.{name}={_toml(value)}" for name, value in options.items()])


def _toml(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else f'"{value}"' if isinstance(value, str) else str(value)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A raster and how it is cut."""

    shape: tuple[int, int]
    bands: int
    dtype: str
    place: str
    nodata: float | None
    holes: str
    seed: int
    size: tuple[int, int]
    stride: tuple[int, int]
    edges: str
    overlap: str

    def values(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(bands, height, width), and where the file's own mask shows them."""
        rng = np.random.default_rng(self.seed)
        full = (self.bands, *self.shape)
        if self.dtype.startswith("float"):
            values = rng.normal(0, 1e5, full).astype(self.dtype)
        else:
            bounds = np.iinfo(self.dtype)
            values = rng.integers(bounds.min, bounds.max, full, self.dtype, endpoint=True)
        hole = rng.random(self.shape) < 0.3
        hole[: self.shape[0] // 2] |= rng.random() < 0.5
        if self.holes == "nodata" and self.nodata is not None:
            values[:, hole] = np.array(self.nodata, self.dtype)
        elif self.holes == "nan" and self.dtype.startswith("float"):
            values[:, hole] = np.nan
        return values, ~hole

    def write(self, path: Path) -> None:
        values, mask = self.values()
        profile: dict[str, Any] = {"driver": "GTiff", "count": self.bands, "height": self.shape[0], "width": self.shape[1]}
        transform = PLACES[self.place]
        if transform is not None:
            profile |= {"transform": transform, "crs": "EPSG:4326" if self.place == "degrees" else "EPSG:32633"}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", dtype=self.dtype, nodata=self.nodata, photometric="minisblack", **profile) as file,
        ):
            file.write(values)
            if self.holes == "mask":
                file.write_mask(mask)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = (draw(st.integers(9, 40)), draw(st.integers(9, 40)))
    dtype = draw(st.sampled_from(DTYPES))
    nodatas = [None, 0, 7, 120] + ([float("nan"), -9999.0] if dtype.startswith("float") else [])
    edges = draw(st.sampled_from(["pad", "shift", "partial"]))
    return Case(
        shape=(draw(st.integers(1, 90)), draw(st.integers(1, 90))),
        bands=draw(st.integers(1, 9)),
        dtype=dtype,
        place=draw(st.sampled_from(sorted(PLACES))),
        nodata=draw(st.sampled_from(nodatas)),
        holes=draw(st.sampled_from(["none", "nodata", "mask", "nan"])),
        seed=draw(st.integers(0, 99)),
        size=size,
        stride=(draw(st.integers(max(1, size[0] // 2), size[0])), draw(st.integers(max(1, size[1] // 2), size[1]))),
        edges=edges,
        overlap=draw(st.sampled_from(["first", "last", "error", "min", "max", "mean"])),
    )


# every example writes files: to shrink one that fails takes minutes
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_chip_then_mosaic_gives_the_same_raster(case: Case) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        case.write(folder / "image.tif")
        chip(
            [folder / "image.tif"],
            folder / "chips",
            context=context(size=case.size, stride=case.stride, edges=case.edges, min_valid=0.0),
        )
        mosaic([folder / "chips"], folder / "again.tif", overlap=case.overlap)
        with rasterio.open(folder / "image.tif") as before, rasterio.open(folder / "again.tif") as after:
            assert after.crs == before.crs
            assert after.transform == before.transform
            assert after.dtypes == before.dtypes
            assert str(after.nodata) == str(before.nodata)
            same = after.read().tobytes() == before.read().tobytes()
            assert same
        with open_raster(folder / "image.tif") as before_ours, open_raster(folder / "again.tif") as after_ours:
            np.testing.assert_array_equal(after_ours.read().valid, before_ours.read().valid)
