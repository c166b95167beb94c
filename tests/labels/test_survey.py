"""The survey of masks in every form: what the files of a set hold, found out or declared."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import DataError, LabelError, RasterError, RecipeError
from terrazzo.labels import forms as forms_module
from terrazzo.labels import survey as survey_module
from terrazzo.labels.forms import ValueCounts
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import NO_BAND, raw_of_color
from terrazzo.labels.survey import row_blocks, survey
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions

RNG = np.random.default_rng(11)
BLACK, RED, GREEN, WHITE = (raw_of_color(color) for color in ((0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255)))
COLORS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [255, 255, 255]], np.uint8)


def tif(path: Path, bands: NDArray[Any], **profile: Any) -> Path:
    bands = bands if bands.ndim == 3 else bands[None]
    height, width = bands.shape[1:]
    with rasterio.open(path, "w", driver="GTiff", count=len(bands), height=height, width=width, dtype=bands.dtype, **profile) as file:
        file.write(bands)
    return path


def png(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """(height, width) or (height, width, 3 or 4)."""
    Image.fromarray(pixels).save(path)
    return path


def hot(indices: NDArray[np.integer[Any]], bands: int, high: int = 1, dtype: str = "uint8") -> NDArray[Any]:
    """(bands, height, width), `high` in the band that each index says; negative indices are in none."""
    return np.where(np.arange(bands)[:, None, None] == indices, high, 0).astype(dtype)


def survey_of(*files: Path, **options: Any) -> ValueCounts:
    return survey(files, Silent(), LegendOptions(**options))


INDICES = RNG.integers(0, 3, (7, 9))


class TestOneBand:
    def test_holds_values_whatever_the_legend_says_of_colors(self, tmp_path: Path) -> None:
        found = survey_of(png(tmp_path / "a.png", INDICES.astype(np.uint8)), colors=["#000000", "#ff0000", "#00ff00"])
        assert found.encoding == "values"
        assert found.total == {value: np.count_nonzero(value == INDICES) for value in range(3)}

    @pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "float64"])
    def test_of_any_type(self, tmp_path: Path, dtype: str) -> None:
        values = np.array([[0, 1, 1], [100, 0, 0]], dtype)
        np.save(tmp_path / "a.npy", values)
        assert survey_of(tmp_path / "a.npy").total == {0: 3, 1: 2, 100: 1}

    def test_booleans_are_0_and_1(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", INDICES > 0)
        assert survey_of(tmp_path / "a.npy").total == {0: int((INDICES == 0).sum()), 1: int((INDICES > 0).sum())}

    def test_transparent_pixels_are_left_out(self, tmp_path: Path) -> None:
        pixels = np.stack([np.full((2, 3), 5), np.array([[0, 255, 255], [255, 9, 0]])], axis=-1).astype(np.uint8)
        Image.fromarray(pixels, "LA").save(tmp_path / "a.png")
        assert survey_of(tmp_path / "a.png").total == {5: 4}

    def test_reading_says_where_the_pixels_are(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.moveaxis(hot(INDICES, 3), 0, 2))
        assert survey([tmp_path / "a.npy"], Silent(), LegendOptions(), DataOptions(axes="bands_last")).encoding == "onehot"


class TestGrey:
    def test_saved_as_red_green_blue_is_one_band(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        values = np.repeat(INDICES[..., None] * 100, 3, axis=-1).astype(np.uint8)
        found = survey_of(png(tmp_path / "a.png", values), png(tmp_path / "b.png", np.zeros((3, 4), np.uint8)))
        assert (found.encoding, set(found.total)) == ("values", {0, 100, 200})
        assert "bands of the masks are equal" in caplog.text

    def test_is_colors_where_the_legend_has_these(self, tmp_path: Path) -> None:
        path = png(tmp_path / "a.png", COLORS[[[0, 3, 3]]])
        found = survey_of(path, classes=["a", "b"], colors=["#000000", "#ffffff"])
        assert (found.encoding, found.total) == ("colors", {BLACK: 1, WHITE: 2})
        assert survey_of(path, classes=["a", "b"], colors=["#000000", "#ff0000"]).encoding == "values"


class TestColors:
    def test_are_counted_as_colors(self, tmp_path: Path) -> None:
        paths = [png(tmp_path / f"{number}.png", COLORS[number * np.eye(5, dtype=np.int64)]) for number in range(4)]
        found = survey_of(*paths)
        assert (found.encoding, found.total) == ("colors", {BLACK: 85, RED: 5, GREEN: 5, WHITE: 5})

    def test_of_transparent_pixels_are_left_out(self, tmp_path: Path) -> None:
        pixels = np.dstack([COLORS[[[1, 1, 2, 2]]], np.array([[255, 0, 7, 0]], np.uint8)])
        assert survey_of(png(tmp_path / "a.png", pixels)).total == {RED: 1, GREEN: 1}

    def test_declared_as_nodata_are_counted_apart(self, tmp_path: Path) -> None:
        found = survey_of(tif(tmp_path / "a.tif", np.moveaxis(COLORS[[[0, 0, 1, 3]]], 2, 0), nodata=0))
        assert (found.total, found.nodata) == ({RED: 1, WHITE: 1}, {BLACK: 2})

    def test_of_a_palette_and_of_grey_may_be_asked_for(self, tmp_path: Path) -> None:
        image = Image.frombytes("P", (2, 1), bytes([1, 2]))
        image.putpalette([9, 9, 9, 255, 0, 0, 0, 255, 0])
        image.save(tmp_path / "a.png")
        grey = png(tmp_path / "b.png", np.array([[0, 255]], np.uint8))
        assert survey_of(tmp_path / "a.png", grey, encoding="colors").total == {RED: 1, GREEN: 1, BLACK: 1, WHITE: 1}
        assert survey_of(tmp_path / "a.png", grey).total == {0: 1, 1: 1, 2: 1, 255: 1}

    def test_snap_counts_the_nearest(self, tmp_path: Path) -> None:
        noisy = np.clip(COLORS[INDICES] + RNG.integers(-60, 60, (7, 9, 3)), 0, 255).astype(np.uint8)
        found = survey_of(png(tmp_path / "a.png", noisy), classes=["a", "b", "c"], colors=["#000000", "#ff0000", "#00ff00"], snap=True)
        assert found.total == {raw: np.count_nonzero(index == INDICES) for index, raw in enumerate((BLACK, RED, GREEN))}

    def test_of_photos_are_counted_only_so_far(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(survey_module, "BLOCK_BYTES", 60)
        monkeypatch.setattr(forms_module, "MOST_VALUES", 50)
        found = survey_of(png(tmp_path / "a.png", RNG.integers(0, 256, (40, 10, 3)).astype(np.uint8)))
        assert (found.encoding, 50 < len(found.total) < 80) == ("colors", True)

    def test_colors_that_cannot_be_read_are_a_fault_of_the_recipe(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="#rrggbb"):
            survey_of(png(tmp_path / "a.png", COLORS[[[1]]]), colors=["red", "green"])


class TestOneHot:
    @pytest.mark.parametrize("bands", [2, 3, 4, 5, 12])
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
    def test_of_ones_is_known_by_itself(self, tmp_path: Path, bands: int, dtype: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        indices = RNG.integers(0, bands, (6, 8))
        # GDAL takes the last of four bytes for alpha
        found = survey_of(tif(tmp_path / "a.tif", hot(indices, bands, dtype=dtype)))
        assert (found.encoding, found.files[0].bands) == ("onehot", bands)
        assert found.total == {band: int((indices == band).sum()) for band in np.unique(indices)}
        assert f"{bands} bands, of which one is set" in caplog.text

    def test_of_white_is_known_unless_it_may_be_colors(self, tmp_path: Path) -> None:
        assert survey_of(tif(tmp_path / "5.tif", hot(INDICES, 5, high=255))).encoding == "onehot"
        three = tif(tmp_path / "3.tif", hot(INDICES, 3, high=255))
        assert survey_of(three).encoding == "colors"
        assert survey_of(three, classes=["a", "b", "c"]).encoding == "onehot"
        assert survey_of(three, classes=["a", "b", "c"], colors=["#ff0000", "#00ff00", "#0000ff"]).encoding == "colors"
        assert survey_of(three, encoding="onehot").total == {band: np.count_nonzero(band == INDICES) for band in range(3)}

    def test_of_four_bands_or_colors_with_alpha(self, tmp_path: Path) -> None:
        four = tif(tmp_path / "4.tif", hot(RNG.integers(0, 4, (6, 8)), 4, high=255))
        assert survey_of(four).encoding == "colors"
        assert survey_of(four, classes=["a", "b", "c", "d"]).encoding == "onehot"
        black = png(tmp_path / "black.png", np.full((3, 3, 4), (0, 0, 0, 255), np.uint8))
        assert survey_of(black).encoding == "values"

    def test_pixels_of_no_band_are_counted(self, tmp_path: Path) -> None:
        indices = INDICES - 1
        found = survey_of(tif(tmp_path / "a.tif", hot(indices, 2)))
        assert found.total == {NO_BAND: int((INDICES == 0).sum()), 0: int((INDICES == 1).sum()), 1: int((INDICES == 2).sum())}

    def test_nodata_of_all_bands_is_no_band(self, tmp_path: Path) -> None:
        found = survey_of(tif(tmp_path / "a.tif", hot(INDICES - 1, 5), nodata=0))
        assert (set(found.total), found.nodata) == ({0, 1}, {NO_BAND: int((INDICES == 0).sum())})

    def test_files_without_anything_do_not_hide_it(self, tmp_path: Path) -> None:
        found = survey_of(tif(tmp_path / "a.tif", np.zeros((3, 4, 4), np.uint8)), tif(tmp_path / "b.tif", hot(INDICES, 3)))
        assert (found.encoding, found.total[NO_BAND]) == ("onehot", 16)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (np.array([1, 1, 0, 0, 0]), "1 pixel have several of its 5 bands set"),
            (np.array([0, 0, 9, 0, 0]), "bands hold values such as 9"),
            (np.array([0, 255, 0, 0, 0]), "bands hold values such as 255"),
        ],
    )
    def test_other_stacks_are_refused(self, tmp_path: Path, change: NDArray[np.int64], words: str) -> None:
        bands = hot(INDICES, 5)
        bands[:, 4, 4] = change
        for options in ({}, {"encoding": "onehot"}):
            with pytest.raises(LabelError, match=words) as caught:
                survey_of(tif(tmp_path / "a.tif", bands), **options)
            assert "a.tif" in str(caught.value)

    def test_both_kinds_of_one_in_blocks_of_one_file_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(survey_module, "BLOCK_BYTES", 9 * 5)
        bands = hot(INDICES, 5)
        bands[:, 3:] *= 255
        with pytest.raises(LabelError, match="0 and 1, others 0 and 255"):
            survey_of(tif(tmp_path / "a.tif", bands))

    def test_must_have_one_number_of_bands(self, tmp_path: Path) -> None:
        with pytest.raises(LabelError, match=r"one number of bands, these have 4, 5: .*4 bands, one-hot: 1 file .*a\.tif"):
            survey_of(tif(tmp_path / "a.tif", hot(INDICES, 4)), tif(tmp_path / "b.tif", hot(INDICES, 5)))


class TestInstances:
    def test_are_counted_as_one(self, tmp_path: Path) -> None:
        path = tif(tmp_path / "a.tif", np.array([[0, 1, 2], [700, 0, 65535]], np.uint16))
        assert survey_of(path, encoding="instances").total == {0: 2, 1: 4}
        assert survey_of(path, encoding="instances", ignore=65535).total == {0: 2, 1: 3, 65535: 1}

    def test_any_number_of_them_is_fine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(survey_module, "BLOCK_BYTES", 4000)
        monkeypatch.setattr(forms_module, "MOST_VALUES", 100)
        path = tif(tmp_path / "a.tif", np.arange(5000, dtype=np.int32).reshape(50, 100))
        assert survey_of(path, encoding="instances").total == {0: 1, 1: 4999}
        assert len(survey_of(path).total) < 5000

    def test_what_is_no_number_of_an_object_is_told(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.array([[0, -2, 3, 1.5]]))
        assert survey_of(tmp_path / "a.npy", encoding="instances").total == {-2: 1, 0: 1, 1: 1, 1.5: 1}


def test_a_threshold_needs_no_count_of_every_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "BLOCK_BYTES", 400)
    monkeypatch.setattr(forms_module, "MOST_VALUES", 20)
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(30, 20)
    values[0, 0] = np.nan
    total = survey_of(tif(tmp_path / "a.tif", values), threshold=0.9).total
    assert sorted(total.values()) == [60, 539]
    assert [raw > 0.9 for raw in sorted(total)] == [False, True]


@pytest.mark.parametrize(
    ("encoding", "pixels", "words"),
    [
        ("onehot", np.zeros((3, 3), np.uint8), "it has one band"),
        ("colors", np.zeros((2, 3, 3), np.uint8), "2 bands of type uint8; colours are three bands of 8 bits"),
        ("colors", np.zeros((3, 3, 3), np.uint16), "3 bands of type uint16"),
        ("values", np.arange(18, dtype=np.uint8).reshape(2, 3, 3), "its 2 bands differ"),
        ("instances", np.arange(18, dtype=np.uint8).reshape(2, 3, 3), "its 2 bands differ"),
    ],
)
def test_what_is_declared_must_be_there(tmp_path: Path, encoding: str, pixels: NDArray[Any], words: str) -> None:
    with pytest.raises(LabelError, match=rf"a\.tif is no mask of the \[legend\] encoding '{encoding}': .*{words}"):
        survey_of(tif(tmp_path / "a.tif", pixels), encoding=encoding)


def test_sets_of_several_forms_name_the_files_of_each(tmp_path: Path) -> None:
    files = [
        png(tmp_path / "grey.png", INDICES.astype(np.uint8)),
        png(tmp_path / "color.png", COLORS[INDICES]),
        tif(tmp_path / "hot.tif", hot(INDICES, 6)),
        tif(tmp_path / "equal.tif", np.stack([INDICES, INDICES]).astype(np.uint8)),
    ]
    with pytest.raises(LabelError) as caught:
        survey_of(*files)
    for part in (
        "one band of values: 1 file",
        "colours: 1 file",
        "6 bands, one-hot",
        "2 equal bands",
        "color.png",
        "hot.tif",
        "[legend] encoding",
    ):
        assert part in str(caught.value)


def test_many_files_keep_their_order_and_their_faults(tmp_path: Path) -> None:
    paths = [png(tmp_path / f"{number}.png", np.full((2, 2), number, np.uint8)) for number in range(30)]
    assert [list(file.counts) for file in survey_of(*paths).files] == [[number] for number in range(30)]
    for number in (3, 17):
        paths[number].write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(RasterError, match=r"(?s)2 of 30 masks.*3\.png.*17\.png"):
        survey_of(*paths)
    with pytest.raises(DataError, match="gone"):
        survey_of(tmp_path / "gone.png")


def test_blocks_hold_every_pixel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "BLOCK_BYTES", 100)
    for shape, pixel_bytes in (((23, 7), 1), ((23, 7), 8), ((5, 300), 1), ((1, 1), 999)):
        seen = np.zeros(shape, np.int64)
        for window in row_blocks(shape, pixel_bytes):
            seen[window.slices] += 1
        assert (seen == 1).all()
