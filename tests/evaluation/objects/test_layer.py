"""Where objects are: places, sizes and status of each."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from terrazzo.evaluation.objects.layer import SceneObjects, object_table
from terrazzo.evaluation.objects.rows import rows_of
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.rasters.grid import Grid

SHAPE = (20, 30)
GROUND = Grid(shape=SHAPE, crs=CRS.from_epsg(32633), transform=Affine(2.0, 0, 500_000, 0, -2.0, 5_000_000))


def objects(name: str, grid: Grid) -> SceneObjects:
    """One of each status, in this order: matched, poor, missed, false."""
    truth, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    truth[1:5, 2:8] = predicted[1:5, 2:7] = 1
    truth[8:10, 2:8] = predicted[8:10, 6:12] = 1
    truth[15, 20:24] = 1
    predicted[18:20, 28:30] = 1
    tally = ObjectTally(ObjectRule(classes=(1,), thresholds=(500_000,)))
    tally.add(0, truth, predicted)
    return SceneObjects(scene=name, grid=grid, rows=rows_of(tally.found(), 500_000))


def test_a_row_an_object() -> None:
    table = object_table([objects("a", GROUND)])
    assert table["status"].to_list() == ["matched", "poor", "missed", "false", "false"]
    assert table["pixels"].to_list() == [24, 12, 4, 12, 4]
    assert table["iou"].to_list() == pytest.approx([20 / 24, 4 / 20, 0, 4 / 20, 0])
    assert table["area"].to_list() == [4.0 * pixels for pixels in table["pixels"]]
    assert table.loc[0, ["column", "row", "col_off", "row_off", "width", "height"]].to_list() == [5.0, 3.0, 2, 1, 6, 4]
    assert table.loc[0, ["x", "y"]].to_list() == [500_010.0, 4_999_994.0]
    assert table.geometry[0].bounds == (500_004.0, 4_999_990.0, 500_016.0, 4_999_998.0)
    assert table.crs == GROUND.crs


def test_without_a_place_boxes_are_in_pixels() -> None:
    table = object_table([objects("a", Grid(shape=SHAPE))])
    assert table.geometry[0].bounds == (2.0, 1.0, 8.0, 5.0)
    assert not {"x", "y", "area"} & {*table.columns}
    assert table.crs is None


def test_scenes_of_several_crs_are_brought_to_degrees() -> None:
    other = Grid(shape=SHAPE, crs=CRS.from_epsg(32632), transform=GROUND.transform)
    table = object_table([objects("a", GROUND), objects("b", other)])
    assert table["scene"].to_list() == ["a"] * 5 + ["b"] * 5
    assert table.crs.to_epsg() == 4326
    assert table["crs"].unique().tolist() == ["EPSG:32633", "EPSG:32632"]
    assert table["x"].between(500_000, 500_060).all()


def test_no_objects() -> None:
    tally = ObjectTally(ObjectRule(classes=(1,), thresholds=(500_000,)))
    nothing = SceneObjects(scene="a", grid=GROUND, rows=rows_of(tally.found(), 500_000))
    table = object_table([nothing])
    assert len(table) == 0
    assert "status" in table
