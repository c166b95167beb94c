"""What inspect measures of a raster: figures against numpy, quantiles, places, storage, kinds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.transform import Affine, from_origin

from terrazzo.rasters.options import DataOptions
from terrazzo.workflows.inspection import band_facts, raster_facts
from terrazzo.workflows.inspection.band_facts import BandFacts, CountedBand, SampledBand, histogram_of, levels_of
from terrazzo.workflows.inspection.pooling import pool
from terrazzo.workflows.inspection.raster_facts import RasterFacts


def tif(path: Path, values: np.ndarray, **profile: Any) -> Path:
    bands, height, width = values.shape
    known = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": values.dtype}
    with rasterio.open(path, "w", **{**known, **profile}) as file:
        file.write(values)
    return path


def png(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def facts_of(path: Path, **options: Any) -> RasterFacts:
    return raster_facts.raster_facts(path, DataOptions(**options))


def smooth(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Something like a photo: slow waves with noise, 30 to 220."""
    rng = np.random.default_rng(seed)
    waves = np.add.outer(np.sin(np.arange(shape[0]) / 9), np.cos(np.arange(shape[1]) / 7)) * 45 + 125
    return (waves + rng.normal(0, 4, shape)).clip(30, 220).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int16, st.integers(1, 300)), st.integers(1, 7))
def test_counted_and_sampled_bands_agree_with_numpy(values: np.ndarray, parts: int) -> None:
    for tally in (CountedBand(values.dtype), SampledBand(1)):
        for part in np.array_split(values, parts):
            if part.size:
                tally.add(part)
        facts = tally.facts(BandFacts(name="b", nodata=None))
        exact = values.astype(np.float64)
        assert (facts.count, facts.low, facts.high) == (len(values), exact.min(), exact.max())
        assert facts.mean == pytest.approx(exact.mean(), abs=1e-6)
        assert facts.sd == pytest.approx(exact.std(), abs=1e-6, rel=1e-9)
        for percent in (0, 1, 50, 99, 100):
            assert facts.level(percent) == np.percentile(exact, percent, method="inverted_cdf")
        if facts.values is not None:
            assert facts.values == dict(zip(*(part.tolist() for part in np.unique(exact, return_counts=True)), strict=True))


def test_a_long_band_is_sampled_evenly() -> None:
    values = np.random.default_rng(3).normal(50, 10, 200_000)
    tally = SampledBand(37)
    for part in np.array_split(values, 13):
        tally.add(part)
    facts = tally.facts(BandFacts(name=None, nodata=None))
    assert (facts.low, facts.high) == (values.min(), values.max())
    assert facts.levels[50] == pytest.approx(50, abs=0.6)
    assert facts.levels[99] == pytest.approx(np.percentile(values, 99), abs=1.5)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(2, 200), elements=st.floats(-1e6, 1e6)))
@example(np.array([0.0, 5e-324]))
@example(np.array([1.0, np.nextafter(1.0, 2.0)]))
def test_a_histogram_holds_nearly_all_values(values: np.ndarray) -> None:
    ordered = np.sort(values)
    found = histogram_of(ordered, np.ones(len(ordered), np.int64), whole=False)
    if found is None:
        levels = levels_of(ordered, np.ones(len(ordered), np.int64))
        assert levels[1] == levels[99] or ordered[-1] - ordered[0] <= 48 * np.spacing(np.abs(ordered).max())
        return
    assert 0.97 <= sum(found.shares) <= 1.0 + 1e-9
    assert ordered[0] <= found.low < found.high <= ordered[-1]


def test_bins_of_whole_numbers_hold_the_same_number_of_them() -> None:
    values = np.arange(256)
    found = histogram_of(values.astype(np.float64), np.ones(256, np.int64), whole=True)
    assert found is not None
    inner = found.shares[:-1]
    assert max(inner) == pytest.approx(min(inner))


@settings(max_examples=40, deadline=None)
@given(st.lists(arrays(np.uint8, st.integers(1, 80)), min_size=1, max_size=5))
def test_pooled_bands_have_the_figures_of_all_values(parts: list[np.ndarray]) -> None:
    bands = []
    for part in parts:
        tally = CountedBand(part.dtype)
        tally.add(part)
        bands.append(tally.facts(BandFacts(name=None, nodata=None)))
    values = np.concatenate(parts).astype(np.float64)
    pooled = pool(bands)
    assert (pooled.count, pooled.low, pooled.high) == (len(values), values.min(), values.max())
    assert pooled.mean == pytest.approx(values.mean())
    assert pooled.sd == pytest.approx(values.std(), abs=1e-6)
    assert list(pooled.levels) == sorted(pooled.levels)
    assert set(pooled.levels) <= set(values.tolist())


def test_a_pooled_band_without_values_says_so() -> None:
    pooled = pool([BandFacts(name=None, nodata=0.0, missing_share=1.0)])
    assert (pooled.count, pooled.levels, pooled.missing_share) == (0, (), 1.0)


def test_missing_values_are_counted_band_by_band(tmp_path: Path) -> None:
    values = np.ones((2, 10, 10), np.float32)
    values[0, :2] = np.nan
    values[1, :1] = -5
    values[1, 5, 5] = np.inf
    bands = facts_of(tif(tmp_path / "a.tif", values, nodata=-5)).bands
    assert [band.missing_share for band in bands] == [0.2, pytest.approx(0.11)]
    assert [band.not_finite_share for band in bands] == [0.2, 0.01]
    assert [band.count for band in bands] == [80, 89]


def test_plain_facts_are_json_whatever_the_values(tmp_path: Path) -> None:
    values = np.full((1, 4, 4), np.nan, np.float64)
    values[0, 0] = [1e308, -1e308, np.inf, 3]
    np.save(tmp_path / "a.npy", values)
    plain = facts_of(tmp_path / "a.npy").plain()
    assert json.loads(json.dumps(plain, allow_nan=False))["bands"][0]["count"] == 3


def test_a_place_in_metres_is_told_in_degrees(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tif", np.ones((1, 4, 5), np.uint8), crs="EPSG:32633", transform=from_origin(500_000, 5_000_000, 10, 10))
    place = facts_of(path).place
    assert place.bounds == (500_000, 4_999_960, 500_050, 5_000_000)
    assert place.lonlat is not None
    assert place.lonlat[0] == pytest.approx(15.0, abs=1e-6)
    assert place.lonlat[3] == pytest.approx(45.15, abs=0.01)


@pytest.mark.parametrize(
    ("transform", "orientation"),
    [
        (Affine(2, 0, 100, 0, -2, 900), "north-up"),
        (Affine(2, 0, 100, 0, 2, 900), "south-up"),
        (Affine(-2, 0, 100, 0, -2, 900), "mirrored"),
        (Affine(1.5, 1, 100, 1, -1.5, 900), "rotated"),
    ],
)
def test_the_orientation_is_told(tmp_path: Path, transform: Affine, orientation: str) -> None:
    assert facts_of(tif(tmp_path / "a.tif", np.ones((1, 4, 5), np.uint8), crs="EPSG:32633", transform=transform)).place.orientation == (
        orientation
    )


def test_control_points_and_a_lonely_crs_are_told(tmp_path: Path) -> None:
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in ((0, 0), (0, 5), (4, 0), (4, 5))]
    with_points = facts_of(tif(tmp_path / "a.tif", np.ones((1, 4, 5), np.uint8), gcps=points, crs="EPSG:4326")).storage
    alone = facts_of(tif(tmp_path / "b.tif", np.ones((1, 4, 5), np.uint8), crs="EPSG:32633")).storage
    assert with_points is not None
    assert alone is not None
    assert (with_points.control_points, with_points.crs_alone) == (4, False)
    assert (alone.control_points, alone.crs_alone) == (0, True)


def test_storage_is_told(tmp_path: Path) -> None:
    path = tif(
        tmp_path / "a.tif", np.ones((3, 300, 400), np.uint8), tiled=True, blockxsize=64, blockysize=32, compress="zstd", interleave="band"
    )
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    storage = facts_of(path).storage
    assert storage is not None
    assert (storage.tiled, storage.block, storage.compression, storage.interleave) == (True, (32, 64), "zstd", "band")
    assert storage.overviews == (2, 4)
    assert storage.colors == ("red", "green", "blue")
    plain = facts_of(tif(tmp_path / "b.tif", np.ones((1, 30, 40), np.uint8))).storage
    assert plain is not None
    assert (plain.tiled, plain.compression, plain.overviews, plain.pages) == (False, None, (), 1)
    assert facts_of(png(tmp_path / "c.png", np.ones((5, 6), np.uint8))).storage is None


def test_strips_and_many_bands_are_read_in_blocks_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_facts, "BLOCK_BYTES", 4000)
    values = np.random.default_rng(0).integers(0, 60_000, (5, 33, 47)).astype(np.uint16)
    for name, profile in (("strips", {}), ("tiles", {"tiled": True, "blockxsize": 16, "blockysize": 16})):
        bands = facts_of(tif(tmp_path / f"{name}.tif", values, **profile)).bands
        assert [band.mean for band in bands] == pytest.approx([band.mean() for band in values.astype(np.float64)])
        assert [band.count for band in bands] == [33 * 47] * 5


def test_bands_beyond_the_counters_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(band_facts, "COUNTED_BYTES", 0)
    values = np.random.default_rng(0).integers(0, 200, (2, 33, 47)).astype(np.uint8)
    bands = facts_of(tif(tmp_path / "a.tif", values)).bands
    assert [band.mean for band in bands] == pytest.approx([band.mean() for band in values.astype(np.float64)])
    assert bands[0].levels[50] == np.percentile(values[0], 50, method="inverted_cdf")


def test_an_image_looks_like_one(tmp_path: Path) -> None:
    assert facts_of(png(tmp_path / "a.png", smooth((60, 80)))).kind == "image"
    assert facts_of(png(tmp_path / "b.png", np.stack([smooth((60, 80), seed) for seed in range(3)], axis=-1))).kind == "image"
    assert facts_of(tif(tmp_path / "c.tif", np.random.default_rng(0).normal(0, 1, (1, 30, 40)).astype(np.float32))).kind == "image"


def test_masks_are_told_from_images_and_from_each_other(tmp_path: Path) -> None:
    disc = np.hypot(*np.ogrid[-30:30, -40:40]) < 20
    blurred = np.asarray(Image.fromarray(disc.astype(np.uint8) * 255).resize((82, 61), Image.Resampling.BILINEAR))
    objects = np.arange(80 * 60).reshape(60, 80) // 80 // 4 * 20 + np.arange(80) // 4
    colors = np.array([(255, 0, 0), (0, 0, 0)], np.uint8)[disc.astype(int)]
    onehot = np.stack([disc, ~disc]).astype(np.uint8)
    kinds = {
        "classes": png(tmp_path / "a.png", disc.astype(np.uint8)),
        "grey mask": png(tmp_path / "b.png", blurred),
        "objects": png(tmp_path / "c.png", np.where(disc, objects, 0).astype(np.uint16)),
        "colour mask": png(tmp_path / "d.png", colors),
        "one-hot mask": tif(tmp_path / "e.tif", onehot),
    }
    assert {expected: facts_of(path).kind for expected, path in kinds.items()} == {kind: kind for kind in kinds}


def test_codes_of_classes_are_low_or_sentinels(tmp_path: Path) -> None:
    codes = np.repeat(np.array([111, 523, -9999], np.int32), 20).reshape(1, 6, 10)
    assert facts_of(tif(tmp_path / "a.tif", codes)).kind == "classes"
    assert facts_of(tif(tmp_path / "b.tif", np.where(codes > 200, 65535, 0).astype(np.uint16))).kind == "classes"
    assert facts_of(tif(tmp_path / "c.tif", (codes + 21_000).astype(np.uint16))).kind == "image"


def test_colours_are_counted_where_valid_only(tmp_path: Path) -> None:
    values = np.zeros((3, 10, 10), np.uint8)
    values[:, 5:] = np.array([200, 10, 10], np.uint8)[:, None, None]
    values[:, 7:] = np.array([10, 10, 200], np.uint8)[:, None, None]
    facts = facts_of(tif(tmp_path / "a.tif", values, nodata=0))
    assert facts.content.colors == {(10, 10, 200): 30, (200, 10, 10): 20}
