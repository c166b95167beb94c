"""One scene in rows: any bands count the same, and scenes and shards add up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import LabelError, UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneCounts, SceneTally

OPTIONS = EvaluationOptions()
CLASSES = 3


def drawn(seed: int, shape: tuple[int, int], *, probabilities: bool = True) -> Rows:
    """A scene in patches, some of them left out."""
    rng = np.random.default_rng(seed)
    values = np.array([*range(CLASSES), 255], np.uint8)
    blocks = rng.choice(values, (shape[0] // 3 + 1, shape[1] // 3 + 1)).repeat(3, 0).repeat(3, 1)
    shares = rng.integers(0, 65536, (CLASSES, *shape), dtype=np.uint16) if probabilities else None
    return Rows(row_off=0, truth=blocks[: shape[0], : shape[1]], predicted=rng.choice(values, shape), probabilities=shares)


def counted(scene: Rows, heights: list[int]) -> SceneCounts:
    """Counted in bands of these heights, the last one as high as is left."""
    tally = SceneTally(CLASSES, OPTIONS, scene.truth.shape)
    starts = [0, *(start for start in np.cumsum(heights).tolist() if start < len(scene.truth)), len(scene.truth)]
    for start, end in pairwise(starts):
        shares = scene.probabilities[:, start:end] if scene.probabilities is not None else None
        tally.add(Rows(row_off=start, truth=scene.truth[start:end], predicted=scene.predicted[start:end], probabilities=shares))
    return tally.finish()


def arrays(counts: Counts) -> list[NDArray[np.int64]]:
    """All that was counted."""
    confusion = counts.confusion
    found = [confusion.counts, confusion.unpredicted, confusion.unlabelled]
    for part in (counts.boundary, counts.confidence):
        if part is not None:
            found += [getattr(part, name) for name in part.__dataclass_fields__]
    return found


def same(one: Counts, other: Counts) -> bool:
    return all(np.array_equal(*pair) for pair in zip(arrays(one), arrays(other), strict=True))


@settings(max_examples=25)
@given(seed=st.integers(0, 99), heights=st.lists(st.integers(1, 9), max_size=6))
def test_bands_of_any_height_count_the_same(seed: int, heights: list[int]) -> None:
    scene = drawn(seed, (23, 11))
    whole, bands = (counted(scene, each) for each in ([], heights))
    assert same(whole.counts, bands.counts)
    assert np.array_equal(whole.blocks, bands.blocks)


@settings(max_examples=15)
@given(seeds=st.lists(st.integers(0, 99), max_size=4, unique=True), cut=st.integers(0, 4))
def test_shards_add_up_to_the_whole(seeds: list[int], cut: int) -> None:
    """Some scenes have probabilities, others not."""
    scenes = [counted(drawn(seed, (7, 9), probabilities=bool(seed % 3)), []).counts for seed in seeds]
    whole, one, other = (sum(some, Counts.none(CLASSES)) for some in (scenes, scenes[:cut], scenes[cut:]))
    assert same(whole, one + other)
    assert same(whole, other + one)


def test_blocks_hold_every_pixel_once() -> None:
    scene = drawn(3, (300, 150))
    found = counted(scene, [100])
    naive = Confusion(CLASSES)
    naive.add(scene.truth, scene.predicted)
    assert found.blocks.shape == (6, CLASSES, CLASSES)
    assert found.blocks.sum(axis=0).tolist() == naive.counts.tolist()
    corner = Confusion(CLASSES)
    corner.add(scene.truth[256:, 128:].copy(), scene.predicted[256:, 128:].copy())
    assert found.blocks[-1].tolist() == corner.counts.tolist()


def test_rows_come_in_order_and_whole() -> None:
    scene = drawn(0, (4, 4))
    tally = SceneTally(CLASSES, OPTIONS, (4, 4))
    with pytest.raises(UsageError, match="Rows from 2 cannot be counted after 0 rows"):
        tally.add(Rows(row_off=2, truth=scene.truth[2:], predicted=scene.predicted[2:]))
    tally.add(Rows(row_off=0, truth=scene.truth[:3], predicted=scene.predicted[:3]))
    with pytest.raises(UsageError, match="3 rows of 4"):
        tally.finish()


def test_rows_of_another_width() -> None:
    scene = drawn(0, (4, 4))
    with pytest.raises(LabelError, match=r"shape \(4, 4\) and the prediction \(4, 3\); both must be 4 wide"):
        SceneTally(CLASSES, OPTIONS, (4, 4)).add(Rows(row_off=0, truth=scene.truth, predicted=scene.predicted[:, :3]))


class TestSets:
    def test_are_the_sum_of_their_scenes(self) -> None:
        tally, scenes = SetTally(CLASSES), [counted(drawn(seed, (9, 8)), []) for seed in range(2)]
        for number, scene in enumerate(scenes):
            tally.add(f"s{number}", scene)
        assert same(tally.total, scenes[0].counts + scenes[1].counts)
        assert list(tally.scenes) == ["s0", "s1"]
        assert tally.scenes["s1"].confusion is scenes[1].counts.confusion
        assert tally.scenes["s1"].mean_confidence is not None
        with pytest.raises(UsageError, match="The scene s1 was counted already"):
            tally.add("s1", scenes[1])

    def test_scenes_are_drawn_anew_where_there_are_enough(self) -> None:
        tally = SetTally(CLASSES)
        for number in range(5):
            tally.add(str(number), counted(drawn(number, (9, 8)), []))
        units = tally.units()
        assert units is not None
        assert (units.kind, len(units.counts)) == ("scenes", 5)

    def test_else_blocks_of_large_scenes(self) -> None:
        tally = SetTally(CLASSES)
        tally.add("large", counted(drawn(1, (300, 300), probabilities=False), []))
        units = tally.units()
        assert units is not None
        assert (units.kind, len(units.counts)) == ("blocks", 9)
        assert units.counts.sum() == tally.total.confusion.pixels

    def test_else_nothing(self) -> None:
        tally = SetTally(CLASSES)
        tally.add("small", counted(drawn(1, (30, 30)), []))
        assert tally.units() is None
