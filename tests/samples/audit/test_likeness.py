"""Near-identical pictures and overlapping crops are found; other ground, water and noise are not."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio

from terrazzo.errors import RasterError
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.audit import likeness
from terrazzo.samples.audit.gray import GrayImage
from terrazzo.samples.audit.keypoints import find_keypoints
from terrazzo.samples.audit.likeness import AlikePair, alike_pairs

SIDE = 256


def find(paths: list[Path]) -> list[AlikePair]:
    return alike_pairs(paths, DataOptions(), Silent())


@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("shift", [(0, 0), (37, 0), (0, -91), (101, 83), (-3, 130)], ids=str)
def test_crops_of_one_scene_are_found_whatever_the_shift(ground: Any, save_jpeg: Any, shift: tuple[int, int], quality: int) -> None:
    scene = ground(1)
    x, y = (max(0, -step) for step in shift)
    crops = [(x, y), (x + shift[0], y + shift[1])]
    paths = [
        save_jpeg(str(number), scene[row : row + SIDE, column : column + SIDE], quality, gain)
        for number, ((column, row), gain) in enumerate(zip(crops, (1.0, 0.9), strict=True))
    ]
    (pair,) = find(paths)
    assert (pair.a, pair.b) == (0, 1)
    assert np.abs(np.subtract(pair.shift, shift)).max() <= 1
    assert pair.kind == ("near-identical" if shift == (0, 0) else "overlapping crops")


def test_most_crops_that_share_a_sixth_or_more_are_found_and_no_others(ground: Any, save_jpeg: Any) -> None:
    """24 scenes, two crops of each at any offset: recall on textured ground, and false alarms between 1,104 other pairs."""
    rng = np.random.default_rng(5)
    paths: list[Path] = []
    expected: set[tuple[int, int]] = set()
    for number in range(24):
        scene = ground(100 + number)
        while True:
            first, second = rng.integers(0, len(scene) - SIDE, (2, 2))
            if 0.16 < np.prod((SIDE - np.abs(first - second)) / SIDE) < 0.6:
                break
        for x, y in (first, second):
            paths.append(save_jpeg(str(len(paths)), scene[y : y + SIDE, x : x + SIDE], int(rng.integers(75, 96))))
        expected.add((len(paths) - 2, len(paths) - 1))
    found = {(pair.a, pair.b) for pair in find(paths)}
    assert found <= expected
    assert len(found) >= 23


def test_a_crop_inside_a_larger_image(ground: Any, save_jpeg: Any) -> None:
    scene = ground(3)
    (pair,) = find([save_jpeg("part", scene[60:260, 100:300]), save_jpeg("whole", scene)])
    assert pair == AlikePair(a=0, b=1, shift=(-100, -60), kind="overlapping crops")


def test_open_water_and_empty_frames_are_not_alike(save_jpeg: Any) -> None:
    """The same colour everywhere, noise of its own in each: nothing to be found."""
    rng = np.random.default_rng(0)
    waves = [cv2.GaussianBlur(rng.normal(0, 30, (SIDE, SIDE, 3)).astype(np.float32), (0, 0), 2) for _ in range(6)]
    images = [np.full((SIDE, SIDE, 3), 40, np.uint8)] * 3 + [np.clip(60 + wave, 0, 255).astype(np.uint8) for wave in waves]
    paths = [save_jpeg(str(number), image, 80 + number) for number, image in enumerate(images)]
    assert find(paths) == []


def test_straight_edges_stars_and_blobs_are_no_likeness(tmp_path: Path) -> None:
    """Frames of one detector: a bright register at the side, stars of one shape, round cells."""
    rng = np.random.default_rng(2)
    paths = []
    for number in range(5):
        frame = rng.normal(1000, 8, (SIDE, SIDE))
        frame[:, :33] += 4000
        for x, y in rng.integers(45, SIDE - 10, (40, 2)):
            frame[y : y + 3, x : x + 3] += 3000
        for x, y in rng.integers(60, SIDE - 30, (5, 2)):
            rows, columns = np.indices(frame.shape)
            frame += 900 * (np.hypot(columns - x, rows - y) < 18 + number)
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], cv2.GaussianBlur(frame, (0, 0), 1).astype(np.uint16))
    assert find(paths) == []


def test_a_mark_in_the_corner_of_every_image_is_no_likeness(ground: Any, save_jpeg: Any) -> None:
    mark = ground(9)[:40, :90]
    paths = []
    for number in range(3):
        image = ground(20 + number)[:SIDE, :SIDE].copy()
        image[-40:, -90:] = mark
        paths.append(save_jpeg(str(number), image))
    assert find(paths) == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_other_types_many_bands_and_missing_data(ground: Any, tmp_path: Path) -> None:
    """Two overlapping crops of floats with five bands, a corner of nodata in each."""
    scene = ground(4).astype(np.float32).mean(axis=2) / 1000
    bands = np.stack([scene, 1 - scene, scene**2, 0 * scene, scene])
    paths = []
    for number, x in enumerate((0, 90)):
        crop = bands[:, :SIDE, x : x + SIDE].copy()
        crop[:, :70, :70] = -9999
        paths.append(tmp_path / f"{number}.tif")
        with rasterio.open(paths[-1], "w", driver="GTiff", count=5, height=SIDE, width=SIDE, dtype="float32", nodata=-9999) as file:
            file.write(crop)
    (pair,) = find(paths)
    assert pair.shift == (90, 0)


def test_large_sets_get_fewer_points_an_image(ground: Any, save_jpeg: Any) -> None:
    with open_raster(save_jpeg("a", ground(1))) as raster:
        counts = [len(find_keypoints(GrayImage(raster), most)) for most in (10_000, 100, 25, 1)]
    assert counts[0] > 200
    assert 75 < counts[1] <= 4 * 25
    assert 20 <= counts[2] == counts[3] <= 25


def test_images_are_read_in_strips_and_parts(ground: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large image is gone through in strips, and of a large overlap a part is compared: the same pair is found."""
    scene = ground(6, 600)
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    np.save(paths[0], np.moveaxis(scene[:, :500], -1, 0))
    np.save(paths[1], np.moveaxis(scene[:, 60:], -1, 0))
    whole = find(paths)
    monkeypatch.setattr("terrazzo.samples.audit.keypoints.STRIP_ROWS", 70)
    monkeypatch.setattr("terrazzo.samples.audit.gray.KEPT_BYTES", 1000)
    monkeypatch.setattr(likeness, "COMPARED_PX", 200)
    assert find(paths) == whole == [AlikePair(a=0, b=1, shift=(60, 0), kind="overlapping crops")]


def test_images_smaller_than_the_surroundings_of_a_point_say_nothing(ground: Any, save_jpeg: Any) -> None:
    scene = ground(7)
    paths = [save_jpeg("a", scene[:30, :300]), save_jpeg("b", scene[:30, :299]), save_jpeg("c", scene[:1, :1])]
    assert find(paths) == []
    assert find([]) == []


def test_all_broken_images_are_named(ground: Any, save_jpeg: Any, tmp_path: Path) -> None:
    good = save_jpeg("good", ground(8))
    for name in ("x", "y"):
        (tmp_path / f"{name}.jpg").write_bytes(b"nothing")
    with pytest.raises(RasterError, match=r"(?s)2 of 3 images.*x\.jpg.*y\.jpg"):
        find([good, tmp_path / "x.jpg", tmp_path / "y.jpg"])
