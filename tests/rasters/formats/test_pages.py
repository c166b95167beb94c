"""TIFF files of several pages; the oracle is Pillow, which reads them in another way."""

import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.ifd import read_directories
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

PAGES = np.random.default_rng(0).integers(0, 256, (5, 13, 17), np.uint8)


def save(path: Path, pages: list[NDArray[Any]], **options: Any) -> Path:
    images = [Image.fromarray(page) for page in pages]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def chain(count: int, *, last: int = 0) -> bytes:
    """A TIFF of `count` pages of 2 x 2 pixels, each 7; the last one says that page `last` follows."""
    data = bytearray(b"II*\0" + struct.pack("<I", 12) + b"\7\7\7\7")
    starts = [12 + number * 126 for number in range(count)]
    for start in starts:
        entries = [
            (256, 3, 2),
            (257, 3, 2),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, 8),
            (277, 3, 1),
            (278, 3, 2),
            (279, 4, 4),
            (282, 3, 1),
        ]
        following = start + 126 if start != starts[-1] else (starts[last - 1] if last else 0)
        body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
        data += struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    return bytes(data)


@pytest.mark.parametrize("name", ["pages.tif", "line\nbreak.tif", "GTIFF_DIR:2:x.tif", "off:8:x.tif", "a b\N{RIGHT-TO-LEFT OVERRIDE}c.tif"])
def test_a_page_by_its_number(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, list(PAGES), compression="tiff_lzw")
    for number in (1, 2, 5):
        with open_raster(path, DataOptions(page=number)) as raster:
            np.testing.assert_array_equal(raster.read().values, PAGES[number - 1 : number])
            assert raster.path == path


def test_pages_beyond_the_ninth_keep_their_order(tmp_path: Path) -> None:
    path = save(tmp_path / "pages.tif", [np.full((4, 5), number, np.uint8) for number in range(1, 13)])
    with open_raster(path, DataOptions(page="bands")) as raster:
        assert raster.read().values[:, 0, 0].tolist() == list(range(1, 13))


def test_without_a_number_the_first_page_is_read_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(tmp_path / "pages.tif", list(PAGES))
    with caplog.at_level(logging.INFO, "terrazzo"), open_raster(path) as raster:
        np.testing.assert_array_equal(raster.read().values, PAGES[:1])
    assert "5 pages" in caplog.text
    assert "data.page" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "terrazzo"):
        open_raster(path, DataOptions(page=1))
        open_raster(save(tmp_path / "single.tif", list(PAGES[:1])))
    assert not caplog.text


def test_pages_as_bands(tmp_path: Path) -> None:
    path = save(tmp_path / "pages.tif", list(PAGES))
    window = Window(col_off=-2, row_off=9, width=9, height=9)
    with open_raster(path, DataOptions(page="bands")) as raster:
        assert raster.bands == 5
        np.testing.assert_array_equal(raster.read().values, PAGES)
        np.testing.assert_array_equal(raster.read(window).values[:, :4, 2:], PAGES[:, 9:, :7])
    with open_raster(path, DataOptions(page="bands", bands=[4, 2])) as raster:
        np.testing.assert_array_equal(raster.read().values, PAGES[[3, 1]])
    with open_raster(save(tmp_path / "single.tif", list(PAGES[:1])), DataOptions(page="bands")) as raster:
        np.testing.assert_array_equal(raster.read().values, PAGES[:1])


def test_pages_of_colours_are_bands_of_their_own(tmp_path: Path) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (2, 13, 17, 4), np.uint8)
    colors[1, :3, :, 3] = 0
    with open_raster(save(tmp_path / "colors.tif", list(colors)), DataOptions(page="bands")) as raster:
        pixels = raster.read()
    np.testing.assert_array_equal(pixels.values, np.moveaxis(colors[..., :3], 3, 1).reshape(6, 13, 17))
    np.testing.assert_array_equal(pixels.valid, (colors[..., 3] != 0).all(0))


def test_pages_that_differ_are_no_bands(tmp_path: Path) -> None:
    sizes = save(tmp_path / "sizes.tif", [PAGES[0], PAGES[1, :5]])
    with pytest.raises(RasterError, match=r"sizes\.tif has pages of several sizes.*1: 13 x 17 uint8, 2: 5 x 17 uint8"):
        open_raster(sizes, DataOptions(page="bands"))
    types = save(tmp_path / "types.tif", [*PAGES, PAGES[0].astype(np.uint16), *PAGES, *PAGES])
    with pytest.raises(RasterError, match=r"6: 13 x 17 uint16.*and 8 more"):
        open_raster(types, DataOptions(page="bands"))
    with open_raster(types, DataOptions(page=6)) as raster:
        assert raster.dtype == np.uint16


@pytest.mark.parametrize(("count", "page", "said"), [(5, 6, "pages 1 to 5"), (5, 0, "pages 1 to 5"), (1, 2, "one page")])
def test_pages_that_are_not_there(tmp_path: Path, count: int, page: int, said: str) -> None:
    path = save(tmp_path / "pages.tif", list(PAGES[:count]))
    with pytest.raises(RasterError, match=rf"data\.page is {page}; .*pages\.tif has {said}"):
        open_raster(path, DataOptions(page=page))


def test_overviews_and_masks_are_no_pages(make_tiff: Callable[..., Path], ramp: NDArray[np.uint16]) -> None:
    path = make_tiff(ramp)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.ones((37, 51), bool))
        dataset.build_overviews([2, 4])
    assert len(read_directories(path)) > 3
    with open_raster(path, DataOptions(page="bands")) as raster:
        assert raster.bands == 3
    with pytest.raises(RasterError, match="one page"):
        open_raster(path, DataOptions(page=2))


def test_more_pages_than_can_be_bands(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    path.write_bytes(chain(600))
    assert (open_raster(path, DataOptions(page=600)).read().values == 7).all()
    with pytest.raises(RasterError, match=r"many\.tif has 600 pages; at most 512"):
        open_raster(path, DataOptions(page="bands"))


def test_a_chain_of_pages_that_runs_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    path.write_bytes(chain(4, last=2))
    assert len(read_directories(path)) == 4
    with pytest.raises(RasterError, match=r"circle\.tif"):
        open_raster(path, DataOptions(page=9))


def test_pages_of_real_files(shared: Callable[[str], Path]) -> None:
    for name in ("multipage.tiff", "total-pages-zero.tif"):
        path = shared("odd_rasters") / "pillow" / name
        with Image.open(path) as image:
            for number, page in enumerate(ImageSequence.Iterator(image), start=1):
                expected = np.asarray(page)
                with open_raster(path, DataOptions(page=number)) as raster:
                    values = raster.read().values[0]
                # stored inverted, which Pillow turns
                np.testing.assert_array_equal(values == 0 if expected.dtype == bool else values, expected)
