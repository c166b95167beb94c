"""The store gives the same pixels whether scenes are kept in memory or read by window, from any number of threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore, crop

LEGEND = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=3, name="yes", color=(255, 0, 0))))
INNER = Window(col_off=3, row_off=2, width=8, height=5)


@pytest.fixture
def scene(tmp_path: Path, write_image: Any, rng: np.random.Generator) -> Scene:
    values = rng.integers(1, 200, (2, 13, 17)).astype(np.int16)
    values[:, 4, 5] = -1
    values[1, 3, 7] = -1
    labels = np.where(values[0] > 100, 3, 0).astype(np.uint8)
    labels[2, 4] = 255
    return Scene(name="a", image=write_image(tmp_path / "a.tif", values, nodata=-1), label=write_image(tmp_path / "a_mask.png", labels))


def same(one: Pixels, other: Pixels) -> bool:
    holes: tuple[NDArray[np.bool_], NDArray[np.bool_]] = tuple(  # type: ignore[assignment]
        np.zeros(each.values.shape, np.bool_) if each.holes is None else each.holes for each in (one, other)
    )
    return np.array_equal(one.values, other.values) and np.array_equal(one.valid, other.valid) and np.array_equal(*holes)


@pytest.mark.parametrize("window", [INNER, whole((13, 17)), Window(col_off=16, row_off=12, width=1, height=1)])
def test_kept_in_memory_or_read_by_window_is_the_same(scene: Scene, window: Window) -> None:
    kept, read = (SceneStore([scene], LabelReader(LEGEND, DataOptions(cache_mb=megabytes))) for megabytes in (1, 0))
    assert same(kept.image("a", window), read.image("a", window))
    assert np.array_equal(kept.labels("a", window), read.labels("a", window))
    assert kept.shape("a") == read.shape("a") == (13, 17)


def test_what_is_missing_stays_missing(scene: Scene) -> None:
    pixels = SceneStore([scene], LabelReader(LEGEND, DataOptions())).image("a", INNER)
    assert (~pixels.valid).nonzero() == (np.array([2]), np.array([2]))
    assert pixels.holes is not None
    assert np.argwhere(pixels.holes).tolist() == [[0, 2, 2], [1, 1, 4], [1, 2, 2]]


def test_labels_are_class_indices(scene: Scene) -> None:
    store = SceneStore([scene], LabelReader(LEGEND, DataOptions()))
    labels = store.labels("a", INNER)
    values = store.image("a", INNER).values[0]
    expected = np.where(values > 100, 1, 0)
    expected[0, 1] = IGNORE
    assert np.array_equal(labels, expected)


def test_a_scene_without_labels_is_left_out_everywhere(scene: Scene) -> None:
    store = SceneStore([Scene(name="a", image=scene.image, label=None)], LabelReader(LEGEND, DataOptions()))
    assert (store.labels("a", INNER) == IGNORE).all()
    assert store.labels("a", INNER).shape == INNER.shape


def test_memory_is_given_to_the_first_scenes_that_fit(tmp_path: Path, write_image: Any) -> None:
    """Each takes (2 + 1 bytes) of 600 x 600 pixels, 1.03 MB: the first fits into 2 MB, the second not any more."""
    scenes = [Scene(name=name, image=write_image(tmp_path / f"{name}.tif", np.zeros((1, 600, 600), np.uint8)), label=None) for name in "ab"]
    store = SceneStore(scenes, LabelReader(LEGEND, DataOptions(cache_mb=2)))
    for scene in scenes:
        store.shape(scene.name)
    assert [store._loaded[name].pixels is not None for name in "ab"] == [True, False]


def test_many_threads_read_the_same(scene: Scene) -> None:
    windows = [Window(col_off=column, row_off=row, width=4, height=4) for row in range(9) for column in range(13)]
    for megabytes in (0, 1):
        store = SceneStore([scene], LabelReader(LEGEND, DataOptions(cache_mb=megabytes)))
        expected = [SceneStore([scene], LabelReader(LEGEND, DataOptions())).image("a", window).values for window in windows]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda window: store.image("a", window).values, windows))  # noqa: B023 - used at once
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_crop_without_holes() -> None:
    pixels = Pixels(values=np.arange(24).reshape(1, 4, 6), valid=np.ones((4, 6), np.bool_), holes=None)
    cut = crop(pixels, Window(col_off=1, row_off=2, width=3, height=2))
    assert cut.values.tolist() == [[[13, 14, 15], [19, 20, 21]]]
    assert cut.valid.shape == (2, 3)
    assert cut.holes is None


def test_touching_objects_are_told_apart_where_labels_do(tmp_path: Path, write_image: Any) -> None:
    numbers = np.zeros((6, 8), np.uint16)
    numbers[1:4, 1:3], numbers[1:4, 3:6] = 1, 300
    image = write_image(tmp_path / "a.tif", np.zeros((1, 6, 8), np.uint8))
    label = write_image(tmp_path / "a_mask.tif", numbers)
    told = Legend(classes=LEGEND.classes, remap={1: 3}, encoding="instances")
    window = Window(col_off=2, row_off=1, width=3, height=2)
    found = SceneStore([Scene(name="a", image=image, label=label)], LabelReader(told)).instances("a", window)
    assert found is not None
    assert found[0, 0] != found[0, 1] == found[0, 2] != 0
    assert SceneStore([Scene(name="a", image=image, label=None)], LabelReader(told)).instances("a", window) is None
