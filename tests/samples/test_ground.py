"""Held-out ground: in the scene itself, in its copies, and on the ground of other scenes."""

from collections.abc import Callable
from dataclasses import replace

import geopandas
import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.ground import HeldOut, Rectangles
from terrazzo.samples.table import Alike, Samples

MakeSamples = Callable[..., Samples]
UTM = CRS.from_epsg(32633)
windows = st.builds(Window, col_off=st.integers(-5, 30), row_off=st.integers(-5, 30), width=st.integers(1, 12), height=st.integers(1, 12))


def split_by(samples: Samples, choose: Callable[[str, Window], str | None]) -> Samples:
    """The table with a part chosen for each window."""
    parts = [choose(scene, window) for scene, window in zip(samples.frame["scene"], samples.windows(), strict=True)]
    return replace(samples, frame=samples.frame.assign(split=parts))


def grid(shape: Shape, x: float, y: float) -> Grid:
    return Grid(shape=shape, crs=UTM, transform=Affine(1, 0, x, 0, -1, y))


@given(many=st.lists(windows, max_size=6), one=windows)
def test_rectangles_touch_where_one_of_them_does(many: list[Window], one: Window) -> None:
    assert Rectangles.of(many).touch(one) == any(one.intersection(window) is not None for window in many)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_held_out_windows_of_the_scene_are_touched_pixel_by_pixel(make_samples: MakeSamples, part: str) -> None:
    samples = split_by(make_samples({"a": (20, 40)}), lambda _, window: part if window.col_off >= 30 else "train")
    held = HeldOut.of(samples, {"a": Grid(shape=(20, 40))})
    for col_off in range(31):
        assert held.touches("a", Window(col_off=col_off, row_off=3, width=10, height=10)) == (col_off + 10 > 30)


def test_windows_dropped_at_borders_are_free(make_samples: MakeSamples) -> None:
    samples = split_by(make_samples({"a": (10, 30)}), lambda _, window: {0: "train", 10: None, 20: "test"}[window.col_off])
    held = HeldOut.of(samples, {"a": Grid(shape=(10, 30))})
    assert not held.touches("a", Window(col_off=10, row_off=0, width=10, height=10))


def test_scenes_without_a_place_know_nothing_of_each_other(make_samples: MakeSamples) -> None:
    samples = split_by(make_samples({"a": (10, 20), "b": (10, 20)}), lambda scene, _: "train" if scene == "a" else "test")
    held = HeldOut.of(samples, {"a": Grid(shape=(10, 20))})
    assert not held.touches("a", whole((10, 20)))
    assert held.touches("b", whole((10, 20)))


def test_a_copy_of_a_held_out_image_is_held_out_too(make_samples: MakeSamples) -> None:
    """The same bytes under two names: the windows of each are another part of the image."""
    samples = make_samples({"a": (10, 40), "b": (10, 40)}, digests={"a": "same", "b": "same"})
    samples = split_by(
        samples, lambda scene, window: {"a": "train", "b": "test"}[scene] if (scene == "a") == (window.col_off < 20) else None
    )
    held = HeldOut.of(samples, {"a": Grid(shape=(10, 40))})
    assert not held.touches("a", Window(col_off=10, row_off=0, width=10, height=10))
    assert held.touches("a", Window(col_off=11, row_off=0, width=10, height=10))


def test_ground_that_an_alike_image_holds_out_is_held_out_too(make_samples: MakeSamples) -> None:
    """b begins 15 pixels to the right of a, c 10 to the left of b; of c the first half is held out: columns 5 to 14 of a."""
    samples = make_samples({"a": (10, 40), "b": (10, 20), "c": (10, 20)})
    alike = (
        Alike(a="a", b="b", shift=(15, 0), kind="overlapping crops"),
        Alike(a="a", b="c", shift=(5, 0), kind="overlapping crops"),
        Alike(a="c", b="b", shift=(10, 0), kind="overlapping crops"),
    )
    samples = replace(split_by(samples, lambda scene, window: "test" if (scene, window.col_off) == ("c", 0) else "train"), alike=alike)
    held = HeldOut.of(samples, {scene: Grid(shape=(10, 40)) for scene in "abc"})
    assert [col for col in range(31) if held.touches("a", Window(col_off=col, row_off=0, width=10, height=10))] == list(range(15))
    assert not held.touches("b", whole((10, 20)))
    assert held.touches("b", Window(col_off=-1, row_off=0, width=2, height=2))
    assert held.touches("c", whole((10, 10)))


def test_a_scene_on_held_out_ground_of_another_is_not_moved_in(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (20, 20), "b": (20, 20)}, origins={"a": (0, 100), "b": (19, 100)})
    samples = split_by(samples, lambda scene, _: "train" if scene == "a" else "validation")
    assert HeldOut.of(samples, {"a": grid((20, 20), 0, 100)}).everywhere == {"a"}


@pytest.mark.parametrize("x", [20, 20 - 1e-9, 20.01, 500])
def test_scenes_side_by_side_share_no_ground(make_samples: MakeSamples, x: float) -> None:
    """Tiles of one mosaic meet at their edges; their windows may still be moved inside their own tile."""
    samples = make_samples({"a": (20, 20), "b": (20, 20)}, origins={"a": (0, 100), "b": (x, 100)})
    samples = split_by(samples, lambda scene, _: "train" if scene == "a" else "validation")
    held = HeldOut.of(samples, {"a": grid((20, 20), 0, 100)})
    assert held.everywhere == frozenset()
    assert not held.touches("a", whole((20, 20)))


def test_ground_without_windows_counts_as_well(make_samples: MakeSamples) -> None:
    """The right half of scene a has no label, so no windows; a moved window could reach it, and there scene b is held out."""
    samples = make_samples({"a": (10, 20), "b": (10, 20)}, origins={"a": (0, 100), "b": (20, 100)})
    samples = split_by(samples, lambda scene, _: "train" if scene == "a" else "test")
    assert HeldOut.of(samples, {"a": grid((10, 40), 0, 100)}).everywhere == {"a"}


def test_scenes_of_several_reference_systems_are_compared(make_samples: MakeSamples) -> None:
    """The table is in degrees then; scene a of zone 33 lies on scene b of it, scene c of zone 34 far away."""
    samples = make_samples({"a": (20, 20), "b": (20, 20), "c": (20, 20)}, origins={"a": (5e5, 5e6), "b": (5e5 + 10, 5e6), "c": (5e5, 5e6)})
    frame = samples.frame
    frame.loc[frame["scene"] == "c", "geometry"] = frame.geometry[frame["scene"] == "c"].translate(xoff=3e5)
    samples = split_by(replace(samples, frame=frame.to_crs(4326)), lambda scene, _: "test" if scene == "b" else "train")
    far = Grid(shape=(20, 20), crs=CRS.from_epsg(32634), transform=Affine(1, 0, 3e5, 0, -1, 5e6))
    held = HeldOut.of(samples, {"a": grid((20, 20), 5e5, 5e6), "c": far})
    assert held.everywhere == {"a"}


def test_scenes_without_a_place_among_others_with_one(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (10, 10), "b": (10, 10)}, origins={"b": (0, 0)})
    geometry = [None if scene == "a" else shape for scene, shape in zip(samples.frame["scene"], samples.frame.geometry, strict=True)]
    frame = geopandas.GeoDataFrame(samples.frame.drop(columns="geometry"), geometry=np.array(geometry, object), crs="EPSG:32633")
    samples = split_by(replace(samples, frame=frame), lambda scene, _: "train" if scene == "a" else "test")
    held = HeldOut.of(samples, {"a": Grid(shape=(10, 10))})
    assert held.everywhere == frozenset()
    both = split_by(samples, lambda scene, _: "test" if scene == "a" else "train")
    assert HeldOut.of(both, {"b": grid((10, 10), 0, 0)}).everywhere == frozenset()


def test_nothing_is_held_out(make_samples: MakeSamples) -> None:
    samples = split_by(make_samples({"a": (10, 20)}, origins={"a": (0, 0)}), lambda *_: "train")
    held = HeldOut.of(samples, {"a": grid((10, 20), 0, 0)})
    assert not held.touches("a", whole((10, 20)))


def test_covered_pixels_are_those_of_the_windows() -> None:
    windows = [Window(col_off=2, row_off=0, width=3, height=4), Window(col_off=6, row_off=3, width=9, height=9)]
    band = Window(col_off=1, row_off=2, width=8, height=3)
    expected = np.zeros((20, 20), bool)
    for window in windows:
        expected[window.slices] = True
    assert np.array_equal(Rectangles.of(windows).covered(band), expected[band.slices])
    assert not Rectangles.of([]).covered(band).any()
