"""Areas of interest: inside them the map is that of the whole image, beyond them nothing is read or known."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terrazzo.labels.area import Area, AreaFile
from terrazzo.labels.burn import PixelPolygons
from terrazzo.labels.legend import IGNORE
from terrazzo.labels.source import LabelledImage
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.stream import Job, Predictor, predict_rows
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

PLACE = {"crs": "EPSG:32633", "transform": Affine(2, 0, 500_000, 0, -2, 5_000_000)}
L_SHAPE = shapely.Polygon([(30, 22), (61, 22), (61, 30), (41, 30), (41, 57), (30, 57)])


def area_of(shape: tuple[int, int], polygon: BaseGeometry) -> Area:
    """polygon: in pixels."""
    return Area(shape=shape, polygons=PixelPolygons.of(np.array([polygon], object), lambda points: points))


def resizing(bundle: Bundle, resize: tuple[int, int] | None) -> Bundle:
    """A model that reads images at another size."""
    return replace(bundle, card=bundle.card.model_copy(update={"reading": DataOptions(resize=resize)}))


def predicted(job: Job, predictor: Predictor) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Indices and probabilities of the map."""
    rows = list(predict_rows([job], predictor, lambda _: None))
    assert [piece.row_off for piece in rows] == [0, *itertools.accumulate(len(piece.totals) for piece in rows)][:-1]
    return np.concatenate([piece.indices() for piece in rows]), np.concatenate([piece.probabilities() for piece in rows], axis=1)


@pytest.mark.parametrize("blend", ["hann", "crop"])
@pytest.mark.parametrize("resize", [None, (61, 50)])
@pytest.mark.parametrize("polygon", [L_SHAPE, shapely.box(-5, -9, 3.2, 200), shapely.box(70, 80, 99, 99), shapely.box(17, 40, 18, 41)])
def test_inside_the_map_is_that_of_the_whole_image(
    make_bundle: Any, make_predictor: Any, write_tiff: Any, blend: str, resize: tuple[int, int] | None, polygon: BaseGeometry
) -> None:
    hole = np.zeros((90, 75), np.bool_)
    hole[20:26, 31:40] = True
    path = write_tiff(90, 75, hole=hole, **PLACE)
    predictor = make_predictor(resizing(make_bundle(), resize), blend=blend, overlap=0.4)
    job, area = predictor.open_job(path), area_of((90, 75), polygon)
    indices, probabilities = predicted(job, predictor)
    part = job.within(area)
    found, shares = predicted(part, predictor)
    place = area.window.slices
    covered = area.covered(area.window)
    assert covered.any()
    assert np.array_equal(found, np.where(covered, indices[place], IGNORE))
    assert np.array_equal(shares, np.where(covered, probabilities[:, *place], 0))
    assert part.mapped.grid.transform == Affine(2, 0, 500_000 + 2 * area.window.col_off, 0, -2, 5_000_000 - 2 * area.window.row_off)


def test_only_windows_that_touch_it_are_read(make_predictor: Any, write_tiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = make_predictor(overlap=0.5)
    job = predictor.open_job(write_tiff(90, 75, **PLACE)).within(area_of((90, 75), L_SHAPE))
    read: list[Window] = []
    known = job.raster.read

    def watched(window: Window) -> Any:
        read.append(window.moved(job.raster.window))
        return known(window)

    monkeypatch.setattr(job.gaps, "read", lambda raster, window: watched(window))
    predicted(job, predictor)
    grid = SlidingGrid.of((90, 75), (16, 16), 0.5)
    every = [window for row in grid.row_starts for window in grid.row(row)]
    assert read == [window for window in every if job.area is not None and job.area.touches(window)]
    assert len(read) < len(every) / 2


def test_of_some_rows_it_is_a_part_of_the_same_map(make_bundle: Any, make_predictor: Any, write_tiff: Any) -> None:
    path = write_tiff(90, 75, **PLACE)
    for resize in (None, (61, 50)):
        predictor = make_predictor(resizing(make_bundle(), resize))
        job = predictor.open_job(path).within(area_of((90, 75), L_SHAPE))
        whole, _ = predicted(job, predictor)
        for first, end in ((1, len(whole)), (13, 14), (0, 34), (34, 35)):
            rows = list(predict_rows([replace(job, part=range(first, end))], predictor, lambda _: None))
            assert rows[0].row_off == first
            assert np.array_equal(np.concatenate([piece.indices() for piece in rows]), whole[first:end])


def test_without_map_coordinates_the_map_keeps_the_images_size(make_predictor: Any, write_tiff: Any) -> None:
    path, predictor = write_tiff(40, 50), make_predictor()
    job = predictor.open_job(path)
    indices, _ = predicted(job, predictor)
    image = LabelledImage(name="image", path=path, grid=job.mapped.grid)
    area = AreaFile.of_rectangle((10, 5, 20, 9)).on(image)
    assert area is not None
    found, _ = predicted(job.within(area), predictor)
    assert found.shape == (40, 50)
    expected = np.full((40, 50), IGNORE)
    expected[5:9, 10:20] = indices[5:9, 10:20]
    assert np.array_equal(found, expected)


@given(
    sides=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    size=st.integers(1, 20),
    overlap=st.floats(0, 0.75),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
@settings(max_examples=200)
def test_the_windows_around_a_window_are_those_of_the_grid(
    sides: tuple[int, int], size: int, overlap: float, corners: tuple[float, float, float, float]
) -> None:
    grid = SlidingGrid.of(sides, (size, size), overlap)
    (top, bottom), (left, right) = (
        sorted(int(share * (side - 1)) for share in pair) for side, pair in zip(sides, (corners[:2], corners[2:]), strict=True)
    )
    window = Window(col_off=left, row_off=top, width=right - left + 1, height=bottom - top + 1)
    around = grid.around(window)
    part = SlidingGrid(shape=around.shape, size=grid.size, stride=grid.stride)
    found = [each.moved(around) for row in part.row_starts for each in part.row(row)]
    assert found == [each for row in grid.row_starts for each in grid.row(row) if each.intersection(window) is not None]


def test_grids_of_parts(write_tiff: Any) -> None:
    grid = Grid(shape=(9, 7), transform=Affine(2, 1, 10, 0, -2, 20))
    window = Window(col_off=3, row_off=2, width=4, height=5)
    assert grid.part(window).footprint(window) is not None
    with open_raster(write_tiff(9, 7, **PLACE)) as raster:
        values = raster.read().values
        part = raster.part(window)
        inner = part.part(Window(col_off=1, row_off=2, width=2, height=2))
        assert np.array_equal(part.read().values, values[:, 2:7, 3:7])
        assert np.array_equal(inner.read().values, values[:, 4:6, 4:6])
        assert inner.window == Window(col_off=4, row_off=4, width=2, height=2)
        assert inner.grid.transform == Affine(2, 0, 500_008, 0, -2, 4_999_992)
        # beyond the part nothing is known, though the file goes on there
        assert part.read(Window(col_off=-1, row_off=0, width=2, height=1)).valid.tolist() == [[False, True]]
