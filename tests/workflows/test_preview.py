"""preview: what the network will see, on one sheet, by the loader's own draws; no other file is overwritten."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.workflows.conftest import tiny_context, write_data

from terrazzo.drawing.rgb import HATCH
from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.rasters.window import Window
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling
from terrazzo.workflows.preview import HEADINGS, Shown, pairs_sheet, preview

LEGEND = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=1, name="yes", color=(255, 0, 0))))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("preview"))


def sheet_of(recipe: Path, out: Path, *sets: str, **options: Any) -> Any:
    preview(recipe, out, context=tiny_context(recipe, *sets), **options)
    return np.asarray(Image.open(out))


def test_the_sheet_is_a_function_of_recipe_and_epoch(recipe: Path, tmp_path: Path) -> None:
    first, again, other, turned = (
        sheet_of(recipe, tmp_path / f"{number}.png", *sets, count=4, epoch=epoch)
        for number, (epoch, sets) in enumerate([(0, ()), (0, ()), (1, ()), (0, ("augment.rotate_deg=45",))])
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, turned)


@pytest.mark.parametrize("size", ["[17, 25]", "[40, 48]", "[64, 80]"])
def test_windows_of_any_size_are_moved_and_shaded(recipe: Path, tmp_path: Path, size: str) -> None:
    """Oblong, odd, and larger than their image."""
    moves = ("augment.rotate_deg=180", "augment.zoom=0.3", "augment.crop_pad=0.2", "augment.blur_px=1.0", "augment.band_drop=0.5")
    found = sheet_of(recipe, tmp_path / "sheet.png", f"samples.size={size}", *moves, count=2)
    assert not np.array_equal(found, sheet_of(recipe, tmp_path / "sheet.png", f"samples.size={size}", count=2))


def test_more_samples_make_a_longer_sheet(recipe: Path, tmp_path: Path) -> None:
    heights = [sheet_of(recipe, tmp_path / f"{count}.png", count=count).shape[0] for count in (3, 4, 7)]
    assert heights[0] < heights[1] < heights[2]


def test_held_out_samples_are_shown_as_they_are(recipe: Path, tmp_path: Path) -> None:
    plain, turned = (
        sheet_of(recipe, tmp_path / f"{number}.png", *sets, part="validation")
        for number, sets in enumerate([(), ("augment.rotate_deg=45", "augment.brightness=2.0")])
    )
    assert np.array_equal(plain, turned)


def test_an_earlier_preview_is_overwritten_and_nothing_else(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    before = sheet_of(recipe, out, count=1)
    assert not np.array_equal(sheet_of(recipe, out, count=5), before)
    for name, write in (("photo.png", lambda path: Image.new("RGB", (4, 4)).save(path)), ("text.png", lambda path: path.write_text("x"))):
        write(tmp_path / name)
        held = (tmp_path / name).read_bytes()
        with pytest.raises(ConflictError, match="no earlier preview"):
            sheet_of(recipe, tmp_path / name)
        assert (tmp_path / name).read_bytes() == held


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 2.5}, "count is 2.5"),
        ({"count": 1000}, "at most 200"),
        ({"epoch": -1}, "epoch is -1"),
        ({"part": "all"}, "part is 'all'"),
    ],
)
def test_wrong_numbers_and_parts(recipe: Path, tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sheet_of(recipe, tmp_path / "sheet.png", **options)


def test_only_png(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.png"):
        preview(recipe, tmp_path / "sheet.jpg", context=tiny_context(recipe))


def test_a_part_that_is_empty(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="test part is empty"):
        sheet_of(recipe, tmp_path / "sheet.png", "split.test_scenes=[]", part="test")


@pytest.mark.parametrize("bands", [1, 2, 3, 12])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pictures_share_a_stretch_and_labels_lie_over_them(bands: int, dtype: Any) -> None:
    """The second chip is brighter by a deviation, and its picture is too; classes have their colours, what is left out is hatched."""
    statistics = BandStatistics(mean=100, sd=20, median=100, spread=20, low=50, high=150)
    scaling = Scaling(bands=(BandScaling.of("standard", statistics),) * bands)
    image = np.random.default_rng(0).normal(0, 1, (bands, 30, 40)).astype(np.float32)
    labels = np.zeros((2, 30, 40), np.uint8)
    labels[:, 5:10, 5:10], labels[:, 20:] = 1, IGNORE
    windows = [Sample(id=number, scene="a/b", window=Window(col_off=7, row_off=9, width=40, height=30)) for number in range(2)]
    shown = Shown(windows=windows, images=np.stack([image, image + 1]), labels=labels)
    sheet = pairs_sheet("title", shown, scaling, LEGEND, np.dtype(dtype))
    assert sheet.headings == HEADINGS * 2
    row = sheet.rows[0]
    assert [row.caption, *row.more] == ["a/b   column 7, row 9"] * 2
    plain, with_labels, brighter, _ = row.pictures
    assert brighter.mean() > plain.mean() + 10
    assert np.array_equal(with_labels[10:20], plain[10:20])
    assert (with_labels[5:10, 5:10, 0] > with_labels[5:10, 5:10, 1]).all()
    assert {tuple(color) for color in with_labels[20:].reshape(-1, 3).tolist()} == set(HATCH)
    assert [key.name for key in sheet.keys] == ["yes", "left out of the loss"]
    nothing_left_out = replace(shown, labels=np.zeros_like(labels))
    assert [key.name for key in pairs_sheet("title", nothing_left_out, scaling, LEGEND, np.dtype(dtype)).keys] == ["yes"]
