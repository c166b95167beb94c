"""Reading masks: the survey, and windows of class indices."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import DataError, LabelError, RasterError
from terrazzo.labels import survey as survey_module
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.masks import MaskLabels, survey
from terrazzo.progress import Silent
from terrazzo.rasters.window import Window, whole

RNG = np.random.default_rng(7)
TWO = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=1, name="yes", color=(255, 0, 0))))


def write_tif(path: Path, values: NDArray[np.generic], nodata: float | None = None) -> Path:
    bands = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2], dtype=bands.dtype, nodata=nodata
    ) as file:
        file.write(bands)
    return path


def write_png(path: Path, values: NDArray[np.uint8], palette: list[int] | None = None) -> Path:
    image = Image.fromarray(values)
    if palette is not None:
        image = Image.frombytes("P", image.size, values.tobytes())
        image.putpalette(palette)
    image.save(path)
    return path


class TestSurvey:
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32"])
    def test_counts_every_value_whatever_the_blocks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
        monkeypatch.setattr(survey_module, "BLOCK_BYTES", 30)
        values = RNG.integers(0, 5, (23, 17)).astype(dtype)
        found = survey([write_tif(tmp_path / "a.tif", values)], Silent()).total
        assert found == {value: int((values == value).sum()) for value in range(5)}

    def test_adds_files_up_and_keeps_them_apart(self, tmp_path: Path) -> None:
        paths = [write_png(tmp_path / f"{value}.png", np.full((3, 5), value, np.uint8)) for value in (2, 0, 2)]
        found = survey(paths, Silent())
        assert found.total == {0: 15, 2: 30}
        assert [dict(file.counts) for file in found.files] == [{2: 15}, {0: 15}, {2: 15}]

    def test_counts_nodata_apart(self, tmp_path: Path) -> None:
        values = np.array([[0, 0, 1], [3, 3, 3]], np.uint8)
        found = survey([write_tif(tmp_path / "a.tif", values, nodata=3)], Silent())
        assert (found.total, found.nodata) == ({0: 2, 1: 1}, {3: 3})

    def test_knows_lossy_files(self, tmp_path: Path) -> None:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
        write_png(tmp_path / "b.png", np.zeros((8, 8), np.uint8))
        assert [file.lossy for file in survey([tmp_path / "a.jpg", tmp_path / "b.png"], Silent()).files] == [True, False]

    def test_names_all_bad_files_at_once(self, tmp_path: Path) -> None:
        good = write_png(tmp_path / "good.png", np.zeros((4, 4), np.uint8))
        stack = write_tif(tmp_path / "stack.tif", RNG.integers(0, 9, (5, 4, 4)).astype(np.uint8))
        broken = tmp_path / "broken.png"
        broken.write_bytes(good.read_bytes()[:40])
        with pytest.raises(DataError) as caught:
            survey([good, stack, tmp_path / "gone.png", broken], Silent())
        for part in ("3 of 4 masks", "stack.tif", "gone.png", "broken.png", "5 bands"):
            assert part in str(caught.value)
        with pytest.raises(LabelError, match=r"stack\.tif has 5 bands of type uint8.*one-hot"):
            survey([stack], Silent())
        with pytest.raises(RasterError, match=r"gone\.png"):
            survey([tmp_path / "gone.png"], Silent())


class TestMaskLabels:
    def test_windows_equal_the_whole_and_255_lies_around_it(self, tmp_path: Path) -> None:
        values = RNG.integers(0, 2, (11, 13)).astype(np.uint8)
        with MaskLabels(write_tif(tmp_path / "a.tif", values), TWO) as masks:
            assert masks.shape == (11, 13)
            assert np.array_equal(masks.read(whole((11, 13))), values)
            window = Window(col_off=-2, row_off=7, width=20, height=6)
            expected = np.pad(values, 20, constant_values=255)[27:33, 18:38]
            assert np.array_equal(masks.read(window), expected)
            assert (masks.read(Window(col_off=50, row_off=50, width=2, height=3)) == 255).all()

    def test_a_palette_gives_its_indices(self, tmp_path: Path) -> None:
        values = RNG.integers(0, 2, (5, 6)).astype(np.uint8)
        path = write_png(tmp_path / "a.png", values, palette=[255, 255, 255, 0, 0, 255])
        assert np.array_equal(MaskLabels(path, TWO).read(whole((5, 6))), values)

    def test_nodata_is_left_out_unless_it_is_a_class(self, tmp_path: Path) -> None:
        values = np.array([[0, 1, 9]], np.int16)
        beyond = Window(col_off=0, row_off=0, width=4, height=1)
        assert MaskLabels(write_tif(tmp_path / "a.tif", values, nodata=9), TWO).read(beyond).tolist() == [[0, 1, 255, 255]]
        path = write_tif(tmp_path / "b.tif", values[:, :2], nodata=0)
        assert MaskLabels(path, TWO).read(beyond).tolist() == [[0, 1, 255, 255]]

    def test_values_outside_the_legend_name_the_file(self, tmp_path: Path) -> None:
        path = write_png(tmp_path / "odd.png", np.array([[0, 1, 7]], np.uint8))
        with pytest.raises(LabelError, match=r"odd\.png.*7 \(1 pixel\)"):
            MaskLabels(path, TWO).read(whole((1, 3)))

    def test_bands_that_differ_are_refused(self, tmp_path: Path) -> None:
        values = np.zeros((2, 4, 4), np.uint8)
        values[0, 2, 2] = 1
        with pytest.raises(LabelError, match=r"a\.tif, rows 0 to 4: its 2 bands differ"):
            MaskLabels(write_tif(tmp_path / "a.tif", values), TWO).read(whole((4, 4)))
