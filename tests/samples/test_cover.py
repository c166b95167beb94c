"""Where windows lie: every pixel, every kind of edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.errors import WindowError
from terrazzo.rasters.window import Window, cover, whole
from terrazzo.samples.cover import windows_of
from terrazzo.samples.options import SamplesOptions

SIDES = st.tuples(st.integers(8, 30), st.integers(8, 30))
SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 90))


@given(
    shape=SHAPES, size=SIDES, stride=SIDES, offset=st.tuples(st.integers(0, 9), st.integers(0, 9)), edges=st.sampled_from(["shift", "pad"])
)
@settings(max_examples=100, deadline=None)
def test_every_pixel_from_the_offset_on_is_covered(
    shape: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], offset: tuple[int, int], edges: str
) -> None:
    steps = min(stride[0], size[0]), min(stride[1], size[1])
    options = SamplesOptions.model_validate({"size": size, "stride": steps, "offset": offset, "edges": edges})
    if offset[0] >= shape[1] or offset[1] >= shape[0]:
        with pytest.raises(WindowError, match="offset is"):
            windows_of(shape, options)
        return
    covered = np.zeros(shape, np.bool_)
    found = windows_of(shape, options)
    for window in found:
        assert window.intersection(whole(shape)) == window
        covered[window.slices] = True
        if edges == "shift":
            assert window.shape == (min(size[0], shape[0] - (0 if shape[0] >= size[0] else offset[1])), window.width)
        else:
            assert (window.col_off - offset[0]) % steps[1] == (window.row_off - offset[1]) % steps[0] == 0
    assert covered[offset[1] :, offset[0] :].all()
    assert len(set(found)) == len(found)


@given(shape=SHAPES, size=SIDES, overlap=st.floats(0, 0.9))
@settings(max_examples=50, deadline=None)
def test_without_offset_it_is_the_cover_of_the_image(shape: tuple[int, int], size: tuple[int, int], overlap: float) -> None:
    options = SamplesOptions(size=size, overlap=overlap)
    assert windows_of(shape, options) == list(cover(shape, size, int(overlap * min(size))))


def test_edges() -> None:
    def starts(edges: str, **more: object) -> list[tuple[int, int]]:
        options = SamplesOptions.model_validate({"size": 10, "edges": edges, **more})
        return [(window.col_off, window.width) for window in windows_of((10, 25), options)]

    assert starts("shift") == [(0, 10), (10, 10), (15, 10)]
    assert starts("pad") == [(0, 10), (10, 10), (20, 5)]
    assert starts("drop") == [(0, 10), (10, 10)]
    assert starts("drop", offset=(3, 0), stride=[10, 6]) == [(3, 10), (9, 10), (15, 10)]
    # gaps are left where the stride is larger than the window
    assert starts("pad", stride=12) == [(0, 10), (12, 10), (24, 1)]


def test_an_image_smaller_than_a_window_is_one() -> None:
    options = SamplesOptions(size=64)
    assert windows_of((1, 1), options) == [Window(col_off=0, row_off=0, width=1, height=1)]
    assert windows_of((1, 1), SamplesOptions(size=64, edges="drop")) == []


def test_overlap_and_stride_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match=r"overlap \(0.5\) and stride \(8\) say the same thing twice"):
        SamplesOptions(size=16, overlap=0.5, stride=8)
    assert SamplesOptions(size=(16, 32), overlap=0.5).steps == (8, 24)
    assert SamplesOptions(size=16, stride=(4, 8)).steps == (4, 8)
