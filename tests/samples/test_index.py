"""The index against a naive count of every window."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from terrazzo.errors import DataError, LabelError
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.progress import Advance, Progress, Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import cover
from terrazzo.samples import count
from terrazzo.samples.checks import check_labels, check_scenes
from terrazzo.samples.count import count_objects
from terrazzo.samples.index import build_index
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.scenes import Scene
from terrazzo.samples.table import Samples

WriteImage = Callable[..., Path]
PLAIN = DataOptions()


def options(size: int | tuple[int, int] = 8, overlap: float = 0.0, min_valid: float = 0.0) -> SamplesOptions:
    return SamplesOptions(size=size, overlap=overlap, min_valid=min_valid)


def built(scenes: Sequence[Scene], legend: Legend, options: SamplesOptions, progress: Progress = Silent()) -> Samples:
    return build_index(check_scenes(scenes, PLAIN), LabelReader(legend, PLAIN), options, progress)


class Set:
    """Scenes on disk and in memory; the labels hold 0, 3 and 255."""

    def __init__(self, root: Path, write: WriteImage, rng: np.random.Generator) -> None:
        self.root, self.write, self.rng = root, write, rng
        self.scenes: list[Scene] = []
        self.labels: dict[str, NDArray[np.uint8]] = {}

    def add(
        self, name: str, shape: tuple[int, int], *, image: NDArray[np.generic] | None = None, nodata: float | None = None, **place: object
    ) -> None:
        pixels = image if image is not None else self.rng.integers(1, 200, (2, *shape)).astype(np.uint8)
        self.labels[name] = self.rng.choice(np.array([0, 0, 3, 255], np.uint8), shape)
        scene = Scene(
            name=name,
            image=self.write(self.root / "images" / f"{name}.tif", pixels, nodata=nodata, **place),
            label=self.write(self.root / "labels" / f"{name}.png", self.labels[name]),
        )
        self.scenes.append(scene)


@pytest.fixture
def world(tmp_path: Path, write_image: WriteImage, rng: np.random.Generator) -> Set:
    return Set(tmp_path, write_image, rng)


def check_counts(samples: Samples, world: Set, valid: dict[str, NDArray[np.bool_]]) -> None:
    """Every row against the arrays in memory."""
    for row, window in zip(samples.frame.itertuples(), samples.windows(), strict=True):
        labels = world.labels[str(row.scene)][window.slices].copy()
        labels[~valid[str(row.scene)][window.slices]] = 255
        assert row.pixels_0 == (labels == 0).sum()
        assert row.pixels_3 == (labels == 3).sum()
        assert row.valid_share == pytest.approx((labels != 255).mean())
        assert row.objects == cv2.connectedComponents((labels == 3).astype(np.uint8), connectivity=8)[0] - 1


@pytest.mark.parametrize("read_bytes", [0, 1000, 2**28])
@pytest.mark.parametrize(("size", "overlap"), [(8, 0.0), (9, 0.6), ((8, 13), 0.3)])
def test_rows_equal_a_naive_count(
    world: Set, legend: Legend, monkeypatch: pytest.MonkeyPatch, read_bytes: int, size: int | tuple[int, int], overlap: float
) -> None:
    monkeypatch.setattr(count, "READ_BYTES", read_bytes)
    hole = np.ones((2, 21, 30), np.uint8)
    hole[:, 3:9, 4:20] = 7
    world.add("small", (5, 6))
    world.add("holes", (21, 30), image=hole, nodata=7)
    world.add("odd", (17, 40))
    chosen = options(size, overlap)
    samples = built(world.scenes, legend, chosen)
    valid = {name: np.ones(labels.shape, np.bool_) for name, labels in world.labels.items()}
    valid["holes"] = hole[0] != 7
    check_counts(samples, world, valid)
    expected = [
        (scene.name, window)
        for scene in world.scenes
        for window in cover(world.labels[scene.name].shape, chosen.shape, chosen.shape[0] - chosen.steps[0])
        if (valid[scene.name] & (world.labels[scene.name] != 255))[window.slices].any()
    ]
    assert list(zip(samples.frame["scene"], samples.windows(), strict=True)) == expected
    assert samples.frame.index.tolist() == list(range(len(samples)))
    assert samples.frame["split"].isna().all()
    assert (samples.size, samples.stride) == (chosen.shape, chosen.steps)


def test_windows_with_too_little_are_left_out_and_counted(world: Set, legend: Legend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    image = np.ones((1, 8, 24), np.uint8)
    image[:, :, :8] = 9
    image[:, :4, 8:16] = 9
    world.add("a", (8, 24), image=image, nodata=9)
    world.labels["a"][:] = 3
    world.write(world.scenes[0].label, world.labels["a"])
    assert built(world.scenes, legend, options(min_valid=0.5)).frame["col_off"].tolist() == [8, 16]
    assert built(world.scenes, legend, options(min_valid=0.51)).frame["col_off"].tolist() == [16]
    assert "2 windows left out" in caplog.text
    # nothing valid at all is never a sample
    assert built(world.scenes, legend, options(min_valid=0.0)).frame["col_off"].tolist() == [8, 16]


def test_no_window_left_is_an_error(world: Set, legend: Legend) -> None:
    world.add("a", (8, 8), image=np.full((1, 8, 8), 9, np.uint8), nodata=9)
    with pytest.raises(DataError, match="None of 1 window has enough valid"):
        built(world.scenes, legend, options())


class TestFootprints:
    def test_are_on_the_ground_where_all_scenes_share_a_crs(self, world: Set, legend: Legend) -> None:
        world.add("a", (8, 20), origin=(500, 900), cell=2.0)
        samples = built(world.scenes, legend, options())
        assert samples.frame.crs.to_epsg() == 32633
        assert "crs" not in samples.frame
        assert [geometry.bounds for geometry in samples.frame.geometry] == [
            (500, 884, 516, 900),
            (516, 884, 532, 900),
            (524, 884, 540, 900),
        ]

    def test_are_in_pixels_without_any_crs(self, world: Set, legend: Legend) -> None:
        world.add("a", (8, 16))
        samples = built(world.scenes, legend, options())
        assert samples.frame.crs is None
        assert [geometry.bounds for geometry in samples.frame.geometry] == [(0, 0, 8, 8), (8, 0, 16, 8)]

    def test_are_in_degrees_where_crs_are_mixed(self, world: Set, legend: Legend, tmp_path: Path) -> None:
        world.add("a", (8, 8), origin=(500000, 5500000), crs="EPSG:32633")
        world.add("b", (8, 8), origin=(500000, 5500000), crs="EPSG:32634")
        world.add("c", (8, 8))
        with pytest.raises(DataError, match=r"EPSG:32633.*EPSG:32634"):
            check_scenes(world.scenes, PLAIN)
        samples = build_index(check_labels(world.scenes, PLAIN), LabelReader(legend, PLAIN), options(), Silent())
        assert samples.frame.crs.to_epsg() == 4326
        assert samples.frame["crs"].to_list() == ["EPSG:32633", "EPSG:32634", None]
        assert samples.frame.geometry[0].bounds[0] == pytest.approx(15.0, abs=1e-6)
        assert samples.frame.geometry[1].bounds[0] == pytest.approx(21.0, abs=1e-6)
        assert samples.frame.geometry[2] is None
        samples.save(tmp_path / "samples.parquet")


class TestObjects:
    def test_are_eight_connected(self) -> None:
        labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]], np.uint8)
        assert count_objects(labels, np.array([8, 4])) == 3

    def test_of_different_classes_are_counted_apart_and_the_first_class_not(self) -> None:
        labels = np.array([[0, 1, 2, 2], [0, 1, 2, 255]], np.uint8)
        assert count_objects(labels, np.array([2, 2, 3])) == 2


def test_all_bad_scenes_are_named(world: Set, legend: Legend) -> None:
    for name in "abc":
        world.add(name, (9, 9))
    for name in "ac":
        world.write(world.root / "labels" / f"{name}.png", np.full((9, 9), 77, np.uint8))
    with pytest.raises(LabelError, match=r"(?s)2 of 3 scenes.*a\.png.*77 \(81 pixels\).*c\.png") as caught:
        built(world.scenes, legend, options(8))
    assert "b.png" not in str(caught.value)


def test_a_broken_scene_of_many_reads_is_named_once(world: Set, legend: Legend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "READ_BYTES", 0)
    for name in "ab":
        world.add(name, (40, 40))
    world.write(world.root / "labels" / "b.png", np.full((40, 40), 77, np.uint8))
    with pytest.raises(LabelError) as caught:
        built(world.scenes, legend, options(8))
    assert str(caught.value).count("b.png") == 1
    assert "scenes cannot be used" not in str(caught.value)


def test_scenes_without_labels_are_refused(world: Set, legend: Legend) -> None:
    world.add("a", (8, 8))
    bare = Scene(name="bare", image=world.scenes[0].image, label=None)
    with pytest.raises(LabelError, match="1 image to index without labels"):
        built([*world.scenes, bare], legend, options())


def test_a_progress_can_cancel(world: Set, legend: Legend) -> None:
    for name in "abcdef":
        world.add(name, (8, 8))

    class Cancelling:
        @contextmanager
        def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:
            def advance(done: float) -> None:
                raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        built(world.scenes, legend, options(), Cancelling())


def test_copies_share_a_digest(world: Set, legend: Legend) -> None:
    image = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    for name in "ab":
        world.add(name, (8, 8), image=image)
    world.add("c", (8, 8))
    digests = built(world.scenes, legend, options()).frame["image_digest"].to_list()
    assert digests[0] == digests[1] != digests[2]


def test_a_rotated_scene_has_a_rotated_footprint(legend: Legend) -> None:
    from affine import Affine
    from rasterio.crs import CRS

    from terrazzo.rasters.grid import Grid
    from terrazzo.rasters.window import Window
    from terrazzo.samples.footprints import SceneWindows, footprints

    grid = Grid(shape=(10, 10), crs=CRS.from_epsg(32633), transform=Affine.translation(10, 20) @ Affine.rotation(30) @ Affine.scale(2, -2))
    window = Window(col_off=1, row_off=2, width=3, height=4)
    (outline,), crs, codes = footprints([SceneWindows(grid=grid, windows=[window])])
    assert (crs, codes) == (grid.crs, None)
    assert outline.equals_exact(grid.footprint(window), 1e-9)
    assert shapely.area(outline) == pytest.approx(3 * 4 * 4)
