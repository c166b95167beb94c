"""Following a scene: scores, error raster and suspects, with nothing left behind where it breaks off."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from terrazzo.errors import WindowError
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, whole
from terrazzo.workflows.where.follow import Followed, Follower, errors_path

LEGEND = Legend(classes=tuple(LegendClass(value=value, name=name, color=(0, 0, 0)) for value, name in ((0, "land"), (9, "water"))))
SHAPE = (23, 31)
GRID = Grid(shape=SHAPE, crs=CRS.from_epsg(32633), transform=Affine(2, 0, 1000, 0, -2, 9000))
TRUTH = (np.add.outer(np.arange(23), np.arange(31)) % 9 > 4).astype(np.uint8)
PREDICTED = np.roll(TRUTH, 2, axis=1)
PREDICTED[:5, :5] = 255
SHARES = np.stack([PREDICTED == 0, PREDICTED == 1]).astype(np.uint16) * 65535


def rows(top: int, end: int, *, sure: bool = True) -> Rows:
    return Rows(row_off=top, truth=TRUTH[top:end], predicted=PREDICTED[top:end], probabilities=SHARES[:, top:end] if sure else None)


def follow(errors: Path | None, *, sure: bool = True) -> Follower:
    with Follower(LEGEND) as follower:
        follower.start(Followed(name="a", grid=GRID, windows={4: whole(SHAPE)}, errors=errors))
        for top in range(0, SHAPE[0], 7):
            follower.add(rows(top, top + 7, sure=sure))
    return follower


@pytest.mark.parametrize("name", ["a_errors.tif", "a_errors.png"])
def test_the_raster_holds_the_codes_in_their_colors(tmp_path: Path, name: str) -> None:
    found = follow(tmp_path / "errors" / name)
    if name.endswith(".tif"):
        with rasterio.open(tmp_path / "errors" / name) as file:
            codes, colors, place = file.read(1), file.colormap(1), file.transform
        assert place == GRID.transform
        assert (tmp_path / "errors" / "a_errors.qml").read_text().count("<paletteEntry") == 4
        assert colors[3][:3] == (255, 77, 109)
    else:
        codes = np.asarray(Image.open(tmp_path / "errors" / name))
    expected = np.select([PREDICTED == 255, TRUTH == PREDICTED, TRUTH == 0], [255, TRUTH.astype(int), 2], 3)
    assert np.array_equal(codes, expected)
    assert found.scores[4]["accuracy"] == pytest.approx((TRUTH == PREDICTED)[PREDICTED != 255].mean())
    assert found.suspects[0].scene == "a"


def test_without_probabilities_nothing_is_suspicious_or_certain(tmp_path: Path) -> None:
    found = follow(None, sure=False)
    assert found.suspects == []
    assert "loss" not in found.scores[4]
    assert list(tmp_path.iterdir()) == []


def test_scenes_come_one_after_another() -> None:
    with Follower(LEGEND) as follower:
        for number in range(3):
            follower.start(Followed(name=str(number), grid=GRID, windows={number: Window(col_off=0, row_off=0, width=9, height=9)}))
            follower.add(rows(0, SHAPE[0]))
    assert sorted(follower.scores) == [0, 1, 2]
    assert [each.scene for each in follower.suspects] == ["0", "1", "2"]


def test_what_breaks_off_leaves_no_raster(tmp_path: Path) -> None:

    def break_off(error: Exception | None) -> None:
        with Follower(LEGEND) as follower:
            follower.start(Followed(name="a", grid=GRID, windows={}, errors=tmp_path / "a_errors.tif"))
            follower.add(rows(0, 5))
            if error is not None:
                raise error

    with pytest.raises(RuntimeError):
        break_off(RuntimeError())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WindowError):
        break_off(None)
    assert list(tmp_path.iterdir()) == []


def test_rasters_are_called_as_their_maps() -> None:
    assert errors_path(Path("errors"), "x/a.b", Path("maps/x/a.b_predseg.png")) == Path("errors/x/a.b_errors.png")
    assert errors_path(Path("errors"), "a", Path("a.TIFF")) == Path("errors/a_errors.tif")
