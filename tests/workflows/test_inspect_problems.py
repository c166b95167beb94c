"""What inspect finds wrong with single files, and that it leaves alone what is right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from terrazzo.rasters.options import DataOptions
from terrazzo.workflows.inspection import raster_problems
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.raster_facts import raster_facts

PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, 10, 10)}


def tif(path: Path, values: np.ndarray, **profile: Any) -> Path:
    bands, height, width = values.shape
    known = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": values.dtype, **PLACE}
    with rasterio.open(path, "w", **{**known, **profile}) as file:
        file.write(values)
    return path


def noise(bands: int = 1, low: float = 100, high: float = 4000, shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    return np.random.default_rng(bands).uniform(low, high, (bands, *shape))


def problems_of(path: Path, **options: Any) -> list[Problem]:
    return raster_problems.raster_problems(raster_facts(path, DataOptions(**options)))


def only(path: Path, kind: str, **options: Any) -> Problem:
    found = problems_of(path, **options)
    assert [problem.kind for problem in found] == [kind]
    return found[0]


def test_a_sound_image_has_no_problems(tmp_path: Path) -> None:
    assert problems_of(tif(tmp_path / "a.tif", noise(3).astype(np.uint16))) == []
    assert problems_of(tif(tmp_path / "b.tif", noise(1).astype(np.float32), nodata=-9999)) == []


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int16", -9999),
        ("int16", -32768),
        ("float32", -9999),
        ("float32", -3.4028235e38),
        ("float64", 1e30),
        ("int32", -99999),
        ("uint16", 65535),
    ],
)
def test_a_sentinel_without_a_tag_is_suspected(tmp_path: Path, dtype: str, value: float) -> None:
    values = noise(1).astype(dtype)
    values[0, :3] = value
    problem = only(tif(tmp_path / "a.tif", values), "suspected-nodata")
    assert "looks like missing data" in problem.what
    assert problem.figure == "7.50% of the pixels"
    setting = float(problem.advice.partition("= ")[2].rstrip("."))
    assert setting == pytest.approx(value)
    assert problems_of(tif(tmp_path / "b.tif", values), nodata=setting) == []
    assert problems_of(tif(tmp_path / "c.tif", values, nodata=value)) == []


def test_single_saturated_pixels_and_values_in_range_are_no_sentinels(tmp_path: Path) -> None:
    values = noise(1).astype(np.uint16)
    values[0, 5, 5:9] = 65535
    assert problems_of(tif(tmp_path / "a.tif", values)) == []
    ramp = np.linspace(-9999, 20_000, 2000).reshape(1, 40, 50).astype(np.float32)
    assert problems_of(tif(tmp_path / "b.tif", ramp)) == []


def test_the_setting_names_the_bands_that_have_it(tmp_path: Path) -> None:
    values = noise(3).astype(np.uint16)
    values[1, :4] = 65535
    problem = only(tif(tmp_path / "a.tif", values), "suspected-nodata")
    assert "in band 2" in problem.what
    assert "nodata = [nan, 65535, nan]" in problem.advice


def test_an_empty_border_is_suspected_where_it_reaches_the_edge(tmp_path: Path) -> None:
    values = noise(3, 20, 250).astype(np.uint8)
    values[:, np.tri(40, 50, -15, dtype=bool)] = 0
    problem = only(tif(tmp_path / "a.tif", values), "suspected-nodata")
    assert problem.what.startswith("A black border")
    assert "nodata = 0" in problem.advice
    inside = noise(3, 20, 250).astype(np.uint8)
    inside[:, 10:30, 10:40] = 0
    assert problems_of(tif(tmp_path / "b.tif", inside)) == []
    white = np.where(values == 0, 255, values)
    assert "white border" in only(tif(tmp_path / "c.tif", white), "suspected-nodata").what


def test_a_bright_sky_is_no_border(tmp_path: Path) -> None:
    picture = noise(3, 20, 250).astype(np.uint8)
    picture[:, :8] = 255
    Image.fromarray(np.moveaxis(picture, 0, -1)).save(tmp_path / "a.png")
    assert problems_of(tmp_path / "a.png") == []


def test_dark_edges_with_nearly_black_pixels_are_no_border(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).poisson(1.5, (1, 60, 70)).astype(np.uint8)
    dark[0, 20:40, 20:40] += 100
    assert problems_of(tif(tmp_path / "a.tif", dark)) == []


def test_nothing_valid_and_empty_bands(tmp_path: Path) -> None:
    only(tif(tmp_path / "a.tif", np.zeros((2, 8, 9), np.uint16), nodata=0), "all-invalid")
    values = noise(2).astype(np.uint16)
    values[1] = 0
    assert "Band 2 holds no value" in only(tif(tmp_path / "b.tif", values, nodata=0), "empty-band").what


def test_constant_images_and_bands(tmp_path: Path) -> None:
    assert only(tif(tmp_path / "a.tif", np.full((1, 8, 9), 4660, np.uint16)), "constant").what == "Every pixel is 4660"
    values = noise(3).astype(np.uint16)
    values[2] = 7
    assert "Band 3: every pixel is 7" in [problem.what for problem in problems_of(tif(tmp_path / "b.tif", values))]


def test_nan_is_told_unless_it_is_the_nodata(tmp_path: Path) -> None:
    values = noise(1).astype(np.float32)
    values[0, 0] = np.nan
    assert only(tif(tmp_path / "a.tif", values), "not-finite").figure == "2.50% of the pixels"
    assert problems_of(tif(tmp_path / "b.tif", values, nodata=np.nan)) == []


def test_a_mask_that_jpeg_smeared_gets_a_threshold(tmp_path: Path) -> None:
    disc = (np.hypot(*np.ogrid[-50:50, -60:60]) < 30).astype(np.uint8) * 255
    Image.fromarray(disc).save(tmp_path / "a.jpg", quality=75)
    problem = only(tmp_path / "a.jpg", "grey-mask")
    assert "smeared by JPEG" in problem.what
    assert "threshold = 127" in problem.advice


def test_a_mask_in_colours_gets_a_legend_to_paste(tmp_path: Path) -> None:
    colors = np.array([(255, 0, 0), (0, 128, 0), (0, 0, 255)], np.uint8)
    Image.fromarray(colors[np.repeat([0, 1, 2], [600, 400, 200]).reshape(30, 40)]).save(tmp_path / "a.png")
    problem = only(tmp_path / "a.png", "colour-mask")
    assert 'classes = ["class 0", "class 1", "class 2"], colors = ["#ff0000", "#008000", "#0000ff"]' in problem.advice


def test_numbers_of_objects_get_their_encoding(tmp_path: Path) -> None:
    numbers = (np.arange(60)[:, None] // 6 * 10 + np.arange(80) // 8).astype(np.uint16)
    Image.fromarray(numbers).save(tmp_path / "a.png")
    assert 'encoding = "instances"' in only(tmp_path / "a.png", "object-numbers").advice


def test_class_values_out_of_range_get_a_remap(tmp_path: Path) -> None:
    codes = np.tile(np.array([-1, 0, 1, 300], np.int16), 20).reshape(1, 8, 10)
    problem = only(tif(tmp_path / "a.tif", codes), "class-values")
    assert "-1, 300" in problem.what
    assert "ignore = -1" in problem.advice


def test_bands_alike_need_one_only(tmp_path: Path) -> None:
    grey = np.repeat(noise(1, 5, 250).astype(np.uint8), 3, axis=0)
    assert "bands = [1]" in only(tif(tmp_path / "a.tif", grey), "equal-bands").advice


def test_bands_of_flags_and_of_other_ranges(tmp_path: Path) -> None:
    values = noise(4).astype(np.float32)
    values[3] = np.random.default_rng(0).integers(0, 5, (40, 50))
    kinds = [problem.kind for problem in problems_of(tif(tmp_path / "a.tif", values))]
    assert kinds == ["class-band", "unlike-bands"]


def test_8_bit_values_in_16_bits(tmp_path: Path) -> None:
    assert "0 to 255, in uint16" in only(tif(tmp_path / "a.tif", noise(3, 1, 250).astype(np.uint16)), "8-bit-range").what


def test_images_without_a_place_say_what_is_missing(tmp_path: Path) -> None:
    values = noise(1).astype(np.uint16)
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in ((0, 0), (0, 49), (39, 0), (39, 49))]
    nowhere = {"crs": None, "transform": None}
    cases = {
        "control points": tif(tmp_path / "a.tif", values, **{**nowhere, "gcps": points, "crs": "EPSG:4326"}),
        "nothing says where": tif(tmp_path / "b.tif", values, transform=None),
        "not in which coordinate reference system": tif(tmp_path / "c.tif", values, crs=None),
    }
    for words, path in cases.items():
        assert words in only(path, "not-georeferenced").what
    assert problems_of(tif(tmp_path / "d.tif", values, **nowhere)) == []


def test_metres_that_are_called_degrees(tmp_path: Path) -> None:
    problem = only(tif(tmp_path / "a.tif", noise(1).astype(np.uint16), crs="EPSG:4326"), "impossible-place")
    assert "EPSG:4326" in problem.what


def test_pages_and_scales_are_told(tmp_path: Path) -> None:
    first, second = (Image.fromarray(noise(1).astype(np.uint16)[0]) for _ in range(2))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    assert "2 pages" in only(tmp_path / "a.tif", "several-pages").what
    path = tif(tmp_path / "b.tif", noise(1).astype(np.uint16))
    with rasterio.open(path, "r+") as file:
        file.scales = (0.0001,)
    only(path, "scaled")


def test_a_large_file_in_strips_is_to_be_tiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_problems, "WHOLE_BYTES", 1000)
    values = noise(1).astype(np.uint16)
    assert "gdal_translate -of COG" in only(tif(tmp_path / "a.tif", values, compress="deflate"), "untiled").advice
    assert problems_of(tif(tmp_path / "b.tif", values, compress="deflate", tiled=True, blockxsize=16, blockysize=16)) == []
