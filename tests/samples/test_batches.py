"""From samples to batches: a function of (seed, epoch, sample), whatever the number of threads."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.batches import Batch, Preparation, batches, stream
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.options import AugmentOptions, WindowRule
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import measure
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

LEGEND = Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(value, 0, 0)) for value in range(4)))
STILL = AugmentOptions(hflip=False, vflip=False, quarter_turns=False)


@pytest.fixture
def prepare(tmp_path: Path, write_image: Any, rng: np.random.Generator) -> Callable[..., Preparation]:
    """A scene of two bands: the first is unlike at every pixel, the second is its label, in blotches of 0 and 3."""

    def make(shape: Shape = (40, 56), size: Shape = (16, 16), rule: WindowRule = "listed", **options: Any) -> Preparation:
        blotches = rng.integers(0, 2, (-(-shape[0] // 5), -(-shape[1] // 5))) * 3
        labels = np.kron(blotches, np.ones((5, 5)))[: shape[0], : shape[1]].astype(np.uint8)
        labels[0, 0] = IGNORE
        values = np.stack([np.arange(labels.size, dtype=np.float32).reshape(shape), labels])
        values[:, -1, -1] = np.nan
        scene = Scene(name="a", image=write_image(tmp_path / "a.tif", values), label=write_image(tmp_path / "a.png", labels))
        store = SceneStore([scene], LabelReader(LEGEND, DataOptions()))
        everything = store.image("a", whole(shape))
        scaling = measure([(everything, everything.valid)], "none", everything.valid.size)
        placer = Placer(source=store, size=size, seed=7, rule=rule)
        made = Preparation(store=store, scaling=scaling, size=size, seed=7, augment=STILL, placer=placer)
        return replace(made, **options)

    return make


def samples_of(shape: Shape = (40, 56), side: int = 16) -> list[Sample]:
    return [
        Sample(id=number, scene="a", window=Window(col_off=column, row_off=row, width=side, height=side))
        for number, (row, column) in enumerate(
            (row, column) for row in range(0, shape[0] - side + 1, 8) for column in range(0, shape[1] - side + 1, 8)
        )
    ]


def drawn_of() -> list[Drawn]:
    return [Drawn(sample=sample) for sample in samples_of()]


def plain(preparation: Preparation, sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    chip = preparation.plain(sample)
    return chip.image, chip.labels


def augmented(preparation: Preparation, sample: Sample, epoch: int, repeat: int = 0) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    chip = preparation.augmented(Drawn(sample=sample, repeat=repeat), epoch)
    return chip.image, chip.labels


def taken_from(image: NDArray[np.float32], width: int = 56) -> tuple[int, int]:
    """Where the upper left pixel of an unturned chip was taken from, (column, row)."""
    row, column = divmod(int(image[0, 0, 0]), width)
    return column, row


def test_plain_chips_are_the_scaled_pixels_and_their_labels(prepare: Callable[..., Preparation]) -> None:
    preparation = prepare()
    sample = samples_of()[-1]
    image, labels = plain(preparation, sample)
    window = sample.window
    assert image.dtype == np.float32
    assert np.array_equal(image[0, 0], np.arange(16) + window.row_off * 56 + window.col_off)
    assert np.array_equal(labels[:-1], image[1, :-1])


def test_pixels_without_data_are_left_out(prepare: Callable[..., Preparation]) -> None:
    preparation = prepare()
    _, labels = plain(preparation, Sample(id=0, scene="a", window=Window(col_off=40, row_off=24, width=16, height=16)))
    assert labels[-1, -1] == IGNORE
    assert np.count_nonzero(labels == IGNORE) == 1


def test_a_scene_smaller_than_the_window_is_padded_with_ignored_pixels(prepare: Callable[..., Preparation]) -> None:
    preparation = prepare(shape=(5, 9))
    sample = Sample(id=0, scene="a", window=whole((5, 9)))
    image, labels = plain(preparation, sample)
    assert image.shape == (2, 16, 16)
    assert np.isfinite(image).all()
    assert (labels[5:] == IGNORE).all()
    assert (labels[:, 9:] == IGNORE).all()
    assert np.count_nonzero(labels != IGNORE) == 5 * 9 - 2


@pytest.mark.parametrize(
    "options", [AugmentOptions(), AugmentOptions(rotate_deg=30, zoom=0.3, shift=0.2, shear_deg=10), STILL], ids=["exact", "warped", "still"]
)
def test_image_and_labels_are_moved_and_jittered_together(prepare: Callable[..., Preparation], options: AugmentOptions) -> None:
    """The second band is the label: wherever it is not blended of several classes, it is the label still."""
    preparation = prepare(augment=options, rule="jitter")
    for sample in samples_of():
        image, labels = augmented(preparation, sample, 3)
        clear = np.isin(image[1], [0, 3]) & (labels != IGNORE)
        assert clear.sum() > 100
        assert np.array_equal(labels[clear], image[1][clear])


def test_a_chip_is_a_function_of_seed_epoch_and_sample(prepare: Callable[..., Preparation]) -> None:
    options = AugmentOptions(rotate_deg=20, noise=0.1)
    preparation = prepare(augment=options, rule="jitter")
    first, second = samples_of()[5:7]
    once, again = augmented(preparation, first, 2), augmented(preparation, first, 2)
    assert np.array_equal(once[0], again[0])
    assert np.array_equal(once[1], again[1])
    for other in (
        augmented(preparation, first, 3),
        augmented(preparation, replace(first, id=second.id), 2),
        augmented(replace(preparation, seed=8), first, 2),
        augmented(preparation, first, 2, repeat=1),
    ):
        assert not np.array_equal(once[0], other[0])


@pytest.mark.parametrize("epoch", [None, 4])
def test_batches_do_not_depend_on_the_number_of_workers(prepare: Callable[..., Preparation], epoch: int | None) -> None:
    preparation = prepare(augment=AugmentOptions(rotate_deg=20, noise=0.1), rule="jitter")
    groups = batches(drawn_of(), 5)
    streams = [list(stream(groups, preparation, epoch, workers)) for workers in (1, 2, 7)]
    for one, other in ((streams[0], streams[1]), (streams[0], streams[2])):
        assert [batch.ids for batch in one] == [batch.ids for batch in other]
        assert all(np.array_equal(mine.images, theirs.images) for mine, theirs in zip(one, other, strict=True))
        assert all(np.array_equal(mine.labels, theirs.labels) for mine, theirs in zip(one, other, strict=True))


def test_a_stream_gives_every_sample_once_and_in_order(prepare: Callable[..., Preparation]) -> None:
    preparation, samples = prepare(), samples_of()
    found: list[Batch] = list(stream(batches(drawn_of(), 4), preparation, None))
    assert [number for batch in found for number in batch.ids] == [sample.id for sample in samples]
    assert all(batch.windows == tuple(samples[number] for number in batch.ids) for batch in found)
    assert {batch.images.shape for batch in found[:-1]} == {(4, 2, 16, 16)}
    assert found[-1].labels.shape == (len(samples) % 4 or 4, 16, 16)
    assert all(
        np.array_equal(image, plain(preparation, samples[number])[0])
        for batch in found
        for number, image in zip(batch.ids, batch.images, strict=True)
    )


def test_an_image_that_breaks_ends_the_stream(prepare: Callable[..., Preparation], tmp_path: Path) -> None:
    preparation = prepare()
    assert isinstance(preparation.store, SceneStore)
    fresh = SceneStore(list(preparation.store._scenes.values()), LabelReader(LEGEND, DataOptions()))
    (tmp_path / "a.tif").write_bytes(b"nothing")
    with pytest.raises(RasterError, match=r"a\.tif"):
        list(stream(batches(drawn_of(), 4), replace(preparation, store=fresh), 0))


def test_a_stream_may_be_left_early(prepare: Callable[..., Preparation]) -> None:
    chips = stream(batches(drawn_of(), 1), prepare(), 0)
    assert next(chips).ids == (0,)
    chips.close()  # type: ignore[attr-defined]


def test_without_jitter_windows_stay(prepare: Callable[..., Preparation]) -> None:
    preparation = prepare()
    for sample in samples_of():
        assert taken_from(augmented(preparation, sample, 1)[0]) == (sample.window.col_off, sample.window.row_off)


def test_cutting_into_batches() -> None:
    samples = samples_of()[:7]
    assert [len(group) for group in batches(samples, 3)] == [3, 3, 1]
    assert batches([], 3) == []


def test_golden_chip(prepare: Callable[..., Preparation]) -> None:
    """The draws of (seed 7, epoch 1, sample 2): if they change, runs of old recipes can no longer be repeated."""
    preparation = prepare(augment=AugmentOptions(), rule="jitter")
    sample = Sample(id=2, scene="a", window=Window(col_off=20, row_off=12, width=16, height=16))
    image, _ = augmented(preparation, sample, 1)
    assert [int(value) for value in image[0, [0, 0, -1, -1], [0, -1, 0, -1]]] == [1705, 865, 1720, 880]
