"""Files beside a TIFF: what is obeyed agrees with GDAL's own reading of them, and nothing else is opened."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import MaskFlags

from terrazzo.errors import RasterError
from terrazzo.rasters.raster import open_raster

MakeTiff = Callable[..., Path]
Ramp = NDArray[np.uint16]

UTM = CRS.from_epsg(32631)
PLACE = Affine(2, 0.5, 400_000, 0.25, -3, 5_000_000)


def assert_as_gdal_says(path: Path) -> None:
    """Place, nodata and valid pixels are those of a reader that lets GDAL look around."""
    with open_raster(path) as raster, rasterio.open(path) as dataset:
        assert raster.grid.crs == dataset.crs
        assert raster.grid.transform is not None
        assert raster.grid.transform.almost_equals(dataset.transform, 1e-9)
        assert raster.nodata == dataset.nodatavals
        np.testing.assert_array_equal(raster.read().valid, dataset.dataset_mask() != 0)


def notes(path: Path, *elements: str) -> Path:
    place = path.with_name(path.name + ".aux.xml")
    place.write_text(f"<PAMDataset>{''.join(elements)}</PAMDataset>")
    return place


WKT = f"<SRS>{UTM.to_wkt()}</SRS>"
NUMBERS = "<GeoTransform> 4.1e+05,  2.0, 0.5,  5.1e+06,  0.0, -2.0</GeoTransform>"
STATISTICS = '<PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">3</MDI></Metadata></PAMRasterBand>'


@pytest.mark.parametrize("name", ["image.tfw", "image.tifw", "image.wld", "image.TFW"])
def test_world_files(make_tiff: MakeTiff, ramp: Ramp, name: str) -> None:
    path = make_tiff(ramp, crs=UTM)
    (path.parent / name).write_text("2.0\n0.25\n0.5\n-3.0\n400100.5\n5000200.25\n")
    assert_as_gdal_says(path)
    grid = open_raster(path).grid
    assert grid.georeferenced
    assert grid.transform == Affine(2, 0.5, 400_100.5 - 1.25, 0.25, -3, 5_000_200.25 + 1.375)


def test_the_file_knows_its_place_better_than_a_world_file(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp, crs=UTM, transform=PLACE)
    path.with_suffix(".tfw").write_text("1\n0\n0\n-1\n5\n6\n")
    assert_as_gdal_says(path)
    assert open_raster(path).grid.transform == PLACE


@pytest.mark.parametrize("text", ["", "1\n2\n3", "1\n0\n0\n-1\n5\nsix\n", "\0" * 4000])
def test_broken_world_files_are_named(make_tiff: MakeTiff, ramp: Ramp, text: str) -> None:
    path = make_tiff(ramp)
    path.with_suffix(".tfw").write_text(text)
    with pytest.raises(RasterError, match=r"image\.tfw is no world file of image\.tif"):
        open_raster(path)


@pytest.mark.parametrize("text", ["0\n0\n0\n0\n5\n6\n", "nan\n0\n0\n-1\n5\n6\n", "1\n0\n0\n-1\ninf\n6\n"])
def test_a_place_without_area_is_none(make_tiff: MakeTiff, ramp: Ramp, text: str) -> None:
    path = make_tiff(ramp)
    path.with_suffix(".tfw").write_text(text)
    with pytest.raises(RasterError, match=r"image\.tif has a transform that gives its pixels no area"):
        open_raster(path)


@pytest.mark.parametrize(
    "elements",
    [
        (WKT, NUMBERS),
        (WKT, NUMBERS, STATISTICS),
        (WKT, NUMBERS, *(f'<PAMRasterBand band="{band}"><NoDataValue>3</NoDataValue></PAMRasterBand>' for band in (1, 2, 3))),
    ],
)
@pytest.mark.parametrize("profile", [{}, {"crs": CRS.from_epsg(3857), "transform": PLACE}])
def test_notes_of_gis_programs(make_tiff: MakeTiff, ramp: Ramp, elements: tuple[str, ...], profile: dict[str, Any]) -> None:
    path = make_tiff(ramp, **profile)
    notes(path, *elements)
    assert_as_gdal_says(path)
    assert open_raster(path).grid.crs == UTM


def test_notes_with_statistics_only_change_nothing(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp, crs=UTM, transform=PLACE, nodata=9)
    notes(path, STATISTICS, "<!-- a remark -->")
    assert_as_gdal_says(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<PAMDataset>", "cannot be read"),
        ("<PAMDataset><SRS>nonsense</SRS></PAMDataset>", "cannot be read"),
        ("<PAMDataset><GeoTransform>1, 2</GeoTransform></PAMDataset>", "cannot be read"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "XML entities"),
        ("<a>" * 400_000, "too large"),
        ("<a>" * 100_000, "cannot be read"),
    ],
)
def test_broken_notes_are_named(make_tiff: MakeTiff, ramp: Ramp, text: str, said: str) -> None:
    path = make_tiff(ramp)
    path.with_name("image.tif.aux.xml").write_text(text)
    with pytest.raises(RasterError, match=rf"image\.tif\.aux\.xml.*{said}"):
        open_raster(path)


def test_entities_in_another_encoding_are_found(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp)
    path.with_name("image.tif.aux.xml").write_bytes('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"))
    with pytest.raises(RasterError, match="XML entities"):
        open_raster(path)


def virtual(of: Path) -> str:
    """A raster of GDAL's that stands for another file."""
    source = f"<SimpleSource><SourceFilename>{of}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    return (
        '<VRTDataset rasterXSize="51" rasterYSize="37"><Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>'
        f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand></VRTDataset>'
    )


def test_a_mask_that_stands_for_another_file_is_not_opened(make_tiff: MakeTiff, ramp: Ramp) -> None:
    secret = make_tiff((ramp[:1] % 2).astype(np.uint8), name="secret.tif")
    path = make_tiff(ramp)
    path.with_name("image.tif.msk").write_text(virtual(secret))
    with rasterio.open(path) as dataset:
        assert MaskFlags.per_dataset in dataset.mask_flag_enums[0]  # what would happen without care
    with pytest.raises(RasterError, match=r"image\.tif\.msk holds XML"):
        open_raster(path)


def test_overviews_that_stand_for_another_file_are_not_looked_at(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp)
    for name in ("image.tif.ovr", "elsewhere.vrt"):
        path.with_name(name).write_text(virtual(path))
    np.testing.assert_array_equal(open_raster(path).read().values, ramp)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(path.with_name("elsewhere.vrt")))
    with pytest.raises(RasterError, match=r"image\.tif names another file for its overviews, which is not opened"):
        open_raster(path)


def test_a_mask_of_another_kind_or_size(make_tiff: MakeTiff, ramp: Ramp, caplog: pytest.LogCaptureFixture) -> None:
    path = make_tiff(ramp, crs=UTM, transform=PLACE)
    np.save(path.with_name("mask.npy"), ramp[0])
    path.with_name("mask.npy").rename(path.with_name("image.tif.msk"))
    with pytest.raises(RasterError, match=r"image\.tif\.msk is not a GeoTIFF, so it cannot be the mask of image\.tif"):
        open_raster(path)
    mask = make_tiff(ramp[:1, :5], name="image.tif.msk")
    with caplog.at_level(logging.INFO, "terrazzo"):
        assert_as_gdal_says(path)
    assert "image.tif.msk does not say that it is a mask" in caplog.text
    with rasterio.open(mask, "r+") as dataset:
        dataset.update_tags(INTERNAL_MASK_FLAGS_1="2")
    with pytest.raises(RasterError, match=r"image\.tif\.msk is 5 x 51 pixels, but image\.tif is 37 x 51"):
        open_raster(path)


def test_what_is_no_file_is_not_waited_for(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp)
    for name in ("image.tfw", "image.tif.msk", "image.tif.aux.xml", "image.tif.ovr"):
        os.mkfifo(path.with_name(name))
    np.testing.assert_array_equal(open_raster(path).read().values, ramp)
