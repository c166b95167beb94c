"""Broken blocks of an image: no data there, the rest of the map as ever."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.labels.area import Area
from terrazzo.labels.burn import PixelPolygons
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction import keeping
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.parts import begin_maps, parts_of, predict_part
from terrazzo.prediction.stream import Predictor, predict_rows
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, whole

SHAPE = (100, 71)
BROKEN = Window(col_off=32, row_off=48, width=16, height=16)


def break_block(path: Path, window: Window = BROKEN) -> None:
    """Flip bits in the block of a tiled TIFF that begins where a window does."""
    with rasterio.open(path) as file:
        place = f"{window.col_off // 16}_{window.row_off // 16}"
        offset = int(file.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[offset : offset + 40] = bytes(255 - value for value in data[offset : offset + 40])
    path.write_bytes(bytes(data))


@pytest.fixture
def image(write_tiff: Any) -> Path:
    path: Path = write_tiff(*SHAPE, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    return path


def saved(out: Path, image: Path, predictor: Predictor) -> tuple[NDArray[np.uint8], list[Window]]:
    job = predictor.open_job(image)
    write_maps({out: job}, predictor, Silent())
    assert job.gaps is not None
    with rasterio.open(out) as file:
        classes: NDArray[np.uint8] = file.read(1)
    return classes, list(job.gaps.found)


def test_the_map_has_no_data_there_and_nowhere_else(
    tmp_path: Path, image: Path, make_predictor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before, none = saved(tmp_path / "before.tif", image, make_predictor())
    assert none == []
    break_block(image)
    after, found = saved(tmp_path / "after.tif", image, make_predictor())
    assert found == [BROKEN]
    expected = np.zeros(SHAPE, np.bool_)
    expected[BROKEN.slices] = True
    assert np.array_equal(after == 255, expected)
    # windows that do not see the block are as ever
    far = np.ones(SHAPE, np.bool_)
    far[32:80, 16:64] = False
    assert np.array_equal(after[far], before[far])
    assert caplog.text.count("the map has no data") == 1


def test_it_is_known_after_going_on(tmp_path: Path, image: Path, make_predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its block is above what is read again."""
    monkeypatch.setattr(keeping, "BLOCK_PX", SHAPE[1] * 8)
    break_block(image, Window(col_off=0, row_off=0, width=16, height=16))
    predictor, out = make_predictor(), tmp_path / "map.tif"
    job = predictor.open_job(image)
    assert job.gaps is not None
    read = job.gaps.read

    def broken_off(raster: Any, window: Window) -> Any:
        if window.row_off > 60:
            raise KeyboardInterrupt
        return read(raster, window)

    monkeypatch.setattr(job.gaps, "read", broken_off)
    with pytest.raises(KeyboardInterrupt):
        write_maps({out: job}, predictor, Silent())
    _, found = saved(out, image, predictor)
    assert found == [Window(col_off=0, row_off=0, width=16, height=16)]


def test_it_is_known_to_who_joins_parts(tmp_path: Path, image: Path, make_predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    break_block(image)
    predictor = make_predictor()
    expected, gaps = saved(tmp_path / "whole.tif", image, predictor)
    monkeypatch.setattr(keeping, "BLOCK_PX", SHAPE[1] * 8)
    parted = {tmp_path / "map.tif": predictor.open_job(image)}
    begin_maps(parted, predictor, [])
    for part in parts_of(2):
        predict_part({tmp_path / "map.tif": predictor.open_job(image)}, part, predictor, Silent())
    found = saved(tmp_path / "map.tif", image, predictor)
    assert np.array_equal(found[0], expected)
    assert found[1] == gaps == [BROKEN]


def test_at_another_working_size_gaps_are_in_the_images_own_pixels(
    tmp_path: Path, image: Path, make_bundle: Any, make_predictor: Any
) -> None:
    bundle = make_bundle()
    bundle = replace(bundle, card=bundle.card.model_copy(update={"reading": DataOptions(resize=(50, 36))}))
    break_block(image)
    classes, found = saved(tmp_path / "map.tif", image, make_predictor(bundle))
    assert BROKEN in found
    assert (classes[BROKEN.slices] == 255).all()


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, image: Path, make_predictor: Any) -> None:
    os.truncate(image, image.stat().st_size - 900)
    with pytest.raises(RasterError, match=r"image\.tif is truncated: pixels from row \d+ on are beyond its end\. Copy it again\."):
        saved(tmp_path / "map.tif", image, make_predictor())
    assert not (tmp_path / "map.tif").exists()


def test_a_file_that_is_decoded_whole_is_refused(tmp_path: Path, write_tiff: Any, make_predictor: Any) -> None:
    path = write_tiff(16, 16, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    break_block(path, Window(col_off=0, row_off=0, width=16, height=16))
    with pytest.raises(RasterError, match="cannot be read"):
        saved(tmp_path / "map.tif", path, make_predictor())


def test_evaluation_of_a_training_takes_no_broken_image(image: Path, make_predictor: Any) -> None:
    assert make_predictor().job(open_raster(image)).gaps is None


def test_of_a_part_of_an_image_they_are_told_in_pixels_of_all_of_it(image: Path, make_predictor: Any) -> None:
    break_block(image)
    squares = np.array([shapely.box(25, 40, 61, 90)], object)
    area = Area(shape=SHAPE, polygons=PixelPolygons.of(squares, lambda points: points))
    predictor = make_predictor()
    job = predictor.open_job(image).within(area)
    missing = np.concatenate([piece.indices() for piece in predict_rows([job], predictor, lambda _: None)]) == IGNORE
    assert job.gaps is not None
    assert list(job.gaps.found) == [BROKEN]
    expected = ~area.covered(whole(SHAPE))
    expected[BROKEN.slices] = True
    assert np.array_equal(missing, expected)
