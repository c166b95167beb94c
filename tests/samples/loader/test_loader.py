"""Batches: the same for any number of threads and from wherever one begins; a sample that breaks is named."""

import resource
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import DataError, EnvironmentFault, RasterError
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Window
from terrazzo.samples.chip import to_chip, to_labels
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.loader.batch import Batch
from terrazzo.samples.loader.loader import AHEAD, Loader
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

Prepare = Callable[..., Preparation]


@pytest.fixture
def lively(prepare: Prepare) -> Preparation:
    """Everything drawn: jitter, warp and noise."""
    return prepare(augment=AugmentOptions(probability=1, rotate_deg=20, noise=0.1), rule="jitter")


def make(preparation: Preparation, size: int = 5, workers: int = 2, **options: Any) -> Loader:
    return Loader(preparation=preparation, batch_size=size, workers=workers, **options)


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        mine.windows == theirs.windows and np.array_equal(mine.images, theirs.images) and np.array_equal(mine.labels, theirs.labels)
        for mine, theirs in zip(one, other, strict=True)
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.tuples(*[st.integers(1, 30)] * 2), workers=st.integers(1, 9), epoch=st.none() | st.integers(0, 3))
def test_batches_depend_neither_on_threads_nor_on_where_one_begins(
    lively: Preparation, shown: list[Drawn], cut: tuple[int, int], workers: int, epoch: int | None
) -> None:
    """Each chip is what the sample alone would give. cut: samples of a batch, and number of the first batch."""
    size, start = cut
    loader = make(lively, size, workers)
    found = list(loader.batches(shown, epoch, start))
    assert len(found) == max(loader.count(len(shown)) - start, 0)
    position = start * size
    for batch in found:
        assert batch.images.shape == (len(batch.windows), 2, 16, 16)
        for window, image, label in zip(batch.windows, batch.images, batch.labels, strict=True):
            alone = np.empty_like(image), np.empty_like(label)
            assert lively.chip(shown[position], epoch, *alone) == window
            assert np.array_equal(alone[0], image)
            assert np.array_equal(alone[1], label)
            position += 1
    assert position == max(len(shown), start * size)


@pytest.mark.parametrize("start", [0, 2])
def test_what_is_stored_becomes_the_same_chips(lively: Preparation, shown: list[Drawn], start: int) -> None:
    """Moved, scaled and shaded afterwards it is what the loader makes."""
    stored = list(make(lively, 5, 3).stored(shown, 1, start))
    ready = list(make(lively, 5, 2).batches(shown, 1, start))
    assert [batch.ids for batch in stored] == [batch.ids for batch in ready]
    for mine, theirs in zip(stored, ready, strict=True):
        assert mine.windows == theirs.windows
        for number, augmentation in enumerate(mine.augmentations):
            holes = mine.holes[number] if mine.holes is not None else None
            pixels = Pixels(values=mine.values[number], valid=np.ones((16, 16), np.bool_), holes=holes)
            assert np.array_equal(to_chip(pixels, lively.scaling, (16, 16), augmentation), theirs.images[number])
            assert np.array_equal(to_labels(mine.labels[number], (16, 16), augmentation), theirs.labels[number])


def test_what_was_left_is_taken_up_where_it_was(lively: Preparation, shown: list[Drawn]) -> None:
    whole = list(make(lively, 3, 1).batches(shown, 1))
    interrupted = make(lively, 3, 4).batches(shown, 1)
    begun = [next(interrupted), next(interrupted)]
    interrupted.close()  # type: ignore[attr-defined]
    assert same(begun + list(make(lively, 3, 2).batches(shown, 1, start=2)), whole)


def test_nothing_before_the_start_is_read(lively: Preparation, shown: list[Drawn]) -> None:
    source = Watched(lively)
    list(make(source.preparation, 4).batches(shown, 0, start=4))
    assert len(source.windows) == len(shown) - 16


def test_few_batches_are_ahead(lively: Preparation, shown: list[Drawn]) -> None:
    """However slow the one who takes them."""
    source = Watched(lively)
    batches = make(source.preparation, 2, 4).batches(shown, 0)
    next(batches)
    time.sleep(0.2)
    assert len(source.windows) <= 2 * (AHEAD + 1)
    batches.close()  # type: ignore[attr-defined]


def test_who_leaves_early_leaves_no_thread(lively: Preparation, shown: list[Drawn]) -> None:
    before = threading.active_count()
    batches = make(lively, 1, 4).batches(shown, 0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


class Watched:
    """A source that counts what is read of it, and may fail at one place."""

    def __init__(self, preparation: Preparation, broken: Window | None = None, error: BaseException | None = None) -> None:
        self.windows: list[Window] = []
        self._broken, self._error = broken, error
        self._store = preparation.store
        self.preparation = replace(preparation, store=self)  # type: ignore[arg-type]
        self.shape = self._store.shape

    def read(self, scene: str, window: Window) -> tuple[Pixels, NDArray[np.uint8]]:
        self.windows.append(window)
        if self._error is not None and window == self._broken:
            raise self._error
        return self._store.read(scene, window)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", [2000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(lively: Preparation, shown: list[Drawn], count: int) -> None:
    """However many samples an epoch shows: the queue is bounded, and nothing of a batch is kept."""
    epoch = [Drawn(sample=shown[number % len(shown)].sample, repeat=number // len(shown)) for number in range(count)]
    batches = make(lively, 8, 4).batches(epoch, 0)
    for _ in range(100):
        next(batches)
    before = resident_bytes()
    assert sum(len(batch.windows) for batch in batches) == count - 800
    assert resident_bytes() - before < 8 * 2**20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


class TestFaults:
    def test_a_block_that_is_damaged(self, prepare: Prepare, shown: list[Drawn], legend: Legend, tmp_path: Path) -> None:
        """In the middle of an epoch: the batches before it come, then image, rows and sample are named."""
        preparation = prepare()
        with rasterio.open(tmp_path / "a.tif") as file:
            values = file.read()
        with rasterio.open(
            tmp_path / "a.tif", "w", driver="GTiff", count=2, height=40, width=56, dtype="float32", compress="deflate", blockysize=8
        ) as file:
            file.write(values)
        damage(tmp_path / "a.tif", strip=3)
        scene = Scene(name="a", image=tmp_path / "a.tif", label=tmp_path / "a.png")
        store = SceneStore([scene], LabelReader(legend, DataOptions(cache_mb=0)))
        batches = make(replace(preparation, store=store), 6).batches(shown, None)
        assert next(batches).ids == tuple(range(6))
        with pytest.raises(
            RasterError, match=r"a\.tif is broken: rows 16 to 31.*\nIt was met at sample 12 of scene a, rows 16 to 31"
        ) as caught:
            list(batches)
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize("epoch", [None, 3])
    def test_a_sample_that_cannot_be_read_is_named_after_the_batches_before_it(
        self, prepare: Prepare, shown: list[Drawn], epoch: int | None
    ) -> None:
        source = Watched(prepare(), shown[9].sample.window, RasterError("a.tif is broken: rows 8 to 23 cannot be read"))
        found: list[Batch] = []
        with pytest.raises(RasterError) as caught:
            found.extend(make(source.preparation, 4).batches(shown, epoch))
        assert str(caught.value) == (
            "a.tif is broken: rows 8 to 23 cannot be read\nIt was met at sample 9 of scene a, rows 8 to 23, columns 24 to 39."
        )
        assert caught.value.exit_code == 3

    def test_all_batches_before_a_broken_sample_come(self, prepare: Prepare, shown: list[Drawn]) -> None:
        source = Watched(prepare(), shown[9].sample.window, DataError("it is broken"))
        found = make(source.preparation, 4).batches(shown, 0)
        assert [next(found).ids[0] for _ in range(2)] == [0, 4]
        with pytest.raises(DataError):
            next(found)

    def test_what_is_no_fault_of_the_data_is_left_as_it_is(self, prepare: Prepare, shown: list[Drawn]) -> None:
        """Out of memory stays that, which ends with 5."""
        source = Watched(prepare(), shown[0].sample.window, MemoryError("no room"))
        with pytest.raises(MemoryError, match="no room"):
            list(make(source.preparation).batches(shown, 0))

    def test_no_more_threads(self, lively: Preparation, shown: list[Drawn], monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refused)
        with pytest.raises(EnvironmentFault, match=r"no thread can be started .* Lower training\.workers") as caught:
            list(make(lively).batches(shown, 0))
        assert caught.value.exit_code == 5


def damage(path: Path, strip: int) -> None:
    """Overwrite the compressed bytes of a strip of the first band."""
    with rasterio.open(path) as file:
        offset, size = (int(file.get_tag_item(f"BLOCK_{what}_0_{strip}", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = bytes(size)
    path.write_bytes(data)
