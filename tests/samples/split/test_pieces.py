"""Windows across a border, cut: exact pieces, no ground on two sides, counts of their own."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import SplitError
from terrazzo.rasters.window import Window
from terrazzo.samples.count import Counts
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]


def counter(truth: Mapping[str, NDArray[np.uint8]]) -> Callable[[Mapping[str, Sequence[Window]]], Mapping[str, Counts]]:
    """Counts classes 0 and 1 of label images in memory; objects are the pixels of class 1."""

    def count(windows: Mapping[str, Sequence[Window]]) -> Mapping[str, Counts]:
        found = {}
        for scene, held in windows.items():
            pixels = np.array([np.bincount(truth[scene][window.slices].ravel(), minlength=2)[:2] for window in held])
            found[scene] = Counts(pixels=pixels, objects=pixels[:, 1])
        return found

    return count


@given(
    shape=st.tuples(st.integers(60, 130), st.integers(60, 130)),
    overlap_px=st.integers(1, 8),
    options=st.builds(
        SplitOptions,
        by=st.sampled_from(["block", "strip"]),
        border=st.just("ignore"),
        seed=st.integers(0, 2**40),
        test=st.sampled_from([0.0, 0.15]),
        buffer_px=st.sampled_from([0, 0, 3]),
    ),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pixel_is_on_two_sides_and_pieces_hold_what_they_say(
    make_samples: MakeSamples, shape: tuple[int, int], overlap_px: int, options: SplitOptions
) -> None:
    truth = {"a": np.random.default_rng(1).integers(0, 2, shape).astype(np.uint8)}
    samples = make_samples({"a": shape}, overlap_px=overlap_px, origins={"a": (10.0, 20.0)})
    done = assign_split(samples, options, counter(truth))
    drawn = {part: np.zeros(shape, np.bool_) for part in ("train", "validation", "test")}
    for part, window in zip(done.frame["split"], done.windows(), strict=True):
        if part is not None:
            drawn[part][window.slices] = True
    assert np.sum(list(drawn.values()), axis=0).max() <= 1
    whole = done.frame.iloc[: len(samples)]
    assert whole.drop(columns=["split", "piece_of"], errors="ignore").equals(samples.frame.drop(columns="split"))
    for row, window in list(zip(done.frame.itertuples(), done.windows(), strict=True))[len(samples) :]:
        parent = samples.windows()[int(row.piece_of)]
        assert window.intersection(parent) == window
        assert window.width * window.height >= 25
        assert row.pixels_3 == row.objects == truth["a"][window.slices].sum()
        assert row.valid_share == pytest.approx(window.width * window.height / 100)
        assert row.geometry.bounds == pytest.approx((10 + window.col_off, 20 - window.row_end, 10 + window.col_end, 20 - window.row_off))
        assert whole["split"].loc[int(row.piece_of)] is None


def test_windows_are_cut_at_the_border(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (10, 100)}, overlap_px=5)
    options = SplitOptions(border="ignore", block_px=22, validation=0.4)
    done = assign_split(samples, options, counter({"a": np.zeros((10, 100), np.uint8)})).frame
    pieces = done[done["piece_of"].notna()] if "piece_of" in done else done.iloc[:0]
    assert len(pieces)
    for row in pieces.itertuples():
        assert row.col_off % 22 == 0 or (row.col_off + row.width) % 22 == 0
        assert row.width >= 3
        assert (row.height, row.row_off) == (10, 0)
    # every side of a border that a window lies across is kept
    parents = pieces.groupby("piece_of")["split"].agg(set)
    assert any(len(parts) == 2 for parts in parents)


def test_splitting_again_starts_from_whole_windows(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (80, 80)}, overlap_px=5)
    count = counter({"a": np.ones((80, 80), np.uint8)})
    once = assign_split(samples, SplitOptions(border="ignore"), count)
    assert once.frame.index.is_unique
    again = assign_split(once, SplitOptions(border="ignore"), count)
    assert again.frame.equals(once.frame)
    plain = assign_split(once, SplitOptions()).frame
    assert plain.equals(assign_split(samples, SplitOptions()).frame)


def test_images_that_share_ground_are_cut_without_sharing_a_pixel(make_samples: MakeSamples) -> None:
    shapes = {"a": (60, 60), "b": (60, 60)}
    samples = make_samples(shapes, overlap_px=4, origins={"a": (0.0, 0.0), "b": (30.4, -20.7)})
    truth = {name: np.ones(shape, np.uint8) for name, shape in shapes.items()}
    done = assign_split(samples, SplitOptions(border="ignore", block_px=12), counter(truth)).frame
    assert done["piece_of"].notna().any()
    ground = {part: shapely.union_all(rows.geometry.to_numpy()) for part, rows in done.groupby("split")}
    assert shapely.area(shapely.intersection(ground["train"], ground["validation"])) < 0.1


def test_turned_images_are_not_cut(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (60, 60), "b": (60, 60)}, overlap_px=4, origins={"a": (0.0, 0.0), "b": (30.0, -20.0)})
    turned = shapely.transform(samples.frame.geometry.to_numpy(), lambda xy: xy @ np.array([[0.8, -0.6], [0.6, 0.8]]))
    samples = Samples(**{**vars(samples), "frame": samples.frame.set_geometry(turned, crs="EPSG:32633")})
    done = assign_split(samples, SplitOptions(border="ignore"))
    assert len(done) == len(samples)


def test_who_cannot_count_says_so(make_samples: MakeSamples) -> None:
    with pytest.raises(SplitError, match="Set \\[split\\] border = 'drop'"):
        assign_split(make_samples({"a": (80, 80)}, overlap_px=5), SplitOptions(border="ignore", block_px=12))
