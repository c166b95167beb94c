"""A prediction that is broken off goes on after its finished rows, and ends with the same bytes."""

import errno
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.prediction import journal, keeping
from terrazzo.prediction.journal import Block, Journal
from terrazzo.prediction.journal_folder import JOURNAL, journal_folder
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.refine import crf
from terrazzo.prediction.stream import Job, Predictor, predict_rows
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.rasters.window import Window

SHAPE = (203, 61)
NAMES = ("image_predseg.tif", "image_probabilities.tif", "image_entropy.tif")
MADE_WITH = {"model": "abc", "probabilities": True}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 24 rows: three rows of windows."""
    monkeypatch.setattr(keeping, "BLOCK_PX", 24 * SHAPE[1] - 30)


@pytest.fixture
def predictor(make_predictor: Any) -> Predictor:
    found: Predictor = make_predictor(probabilities=True, entropy=True)
    return found


@pytest.fixture
def image(write_tiff: Any) -> Path:
    hole = np.zeros(SHAPE, np.bool_)
    hole[90:140, 5:30] = True
    path: Path = write_tiff(*SHAPE, hole=hole)
    return path


def save(out: Path, image: Path, predictor: Predictor, job: Callable[[Job], Job] = lambda job: job) -> None:
    write_maps({out / NAMES[0]: job(predictor.open_job(image))}, predictor, Silent())


def contents(out: Path) -> list[bytes]:
    """Of all files; nothing else may be there."""
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    return [(out / name).read_bytes() for name in NAMES]


@pytest.fixture
def expected(tmp_path: Path, image: Path, predictor: Predictor) -> list[bytes]:
    save(tmp_path / "whole", image, predictor)
    return contents(tmp_path / "whole")


def breaking(job: Job, row: int) -> Job:
    """A job whose reading is broken off at a row."""
    read = job.raster.read

    def broken(window: Window | None = None) -> Pixels:
        if window is None or window.row_off >= row:
            raise KeyboardInterrupt
        return read(window)

    job.raster.read = broken  # type: ignore[method-assign]
    return job


def break_off(out: Path, image: Path, predictor: Predictor, row: int = 140) -> Path:
    """Predict until a row is read; the folder of the journal."""
    with pytest.raises(KeyboardInterrupt):
        save(out, image, predictor, lambda job: breaking(job, row))
    assert [path for path in out.iterdir() if not path.name.startswith(".")] == []
    return journal_folder(out / NAMES[0])


class TestGoingOn:
    @pytest.mark.parametrize("row", [0, 24, 96, 150, 192])
    def test_ends_with_the_same_bytes(self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes], row: int) -> None:
        break_off(tmp_path / "out", image, predictor, row)
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == expected

    @pytest.mark.parametrize("row", [96, 192])
    def test_rows_that_look_at_their_neighbours(
        self, tmp_path: Path, image: Path, make_predictor: Any, expected: list[bytes], row: int
    ) -> None:
        predictor = make_predictor(probabilities=True, entropy=True, median=5, majority=3)
        save(tmp_path / "filtered", image, predictor)
        break_off(tmp_path / "out", image, predictor, row)
        save(tmp_path / "out", image, predictor)
        found, filtered = contents(tmp_path / "out"), contents(tmp_path / "filtered")
        assert found == filtered
        assert found[0] != expected[0]
        assert found[1:] == expected[1:]

    @pytest.mark.parametrize("row", [96, 192])
    def test_rows_that_a_field_refines(
        self, tmp_path: Path, image: Path, make_predictor: Any, monkeypatch: pytest.MonkeyPatch, row: int
    ) -> None:
        # windows of 32 pixels every 16
        monkeypatch.setattr(crf, "LEAST_SIZE_PX", 32)
        monkeypatch.setattr(crf, "LEAST_MARGIN_PX", 8)
        predictor = make_predictor(probabilities=True, entropy=True, refine="crf", crf_iterations=2, crf_theta_px=1)
        save(tmp_path / "refined", image, predictor)
        folder = break_off(tmp_path / "out", image, predictor, row)
        assert Journal(folder.parent / NAMES[0], _made_with(folder), SHAPE[1], 4).rows_done > 0
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == contents(tmp_path / "refined")

    def test_a_threshold_of_the_whole_image(
        self, tmp_path: Path, image: Path, make_predictor: Any, expected: list[bytes], breaking_off: Any
    ) -> None:
        """Broken off when all is predicted and some of it decided."""
        predictor = make_predictor(probabilities=True, entropy=True, threshold={"wood": "otsu"}, median=2)
        save(tmp_path / "thresholded", image, predictor)
        with breaking_off(3):
            save(tmp_path / "out", image, predictor)
        save(tmp_path / "out", image, predictor)
        found = contents(tmp_path / "out")
        assert found == contents(tmp_path / "thresholded")
        assert found[0] != expected[0]

    @pytest.mark.parametrize("layers", [True, False])
    def test_objects_that_are_cleaned_as_a_whole(self, tmp_path: Path, image: Path, make_predictor: Any, layers: bool) -> None:  # noqa: FBT001
        rules = {"wood": "confidence > 0.6 and area_px > 5"}
        predictor = make_predictor(probabilities=layers, entropy=layers, sieve=4, min_size=9, rules=rules)
        save(tmp_path / "cleaned", image, predictor)
        break_off(tmp_path / "out", image, predictor, 150)
        save(tmp_path / "out", image, predictor)
        found, cleaned = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("out", "cleaned"))
        assert found == cleaned
        assert len(found) == (3 if layers else 1)

    def test_finished_rows_are_neither_read_nor_predicted_again(self, tmp_path: Path, image: Path, predictor: Predictor) -> None:
        folder = break_off(tmp_path / "out", image, predictor, 140)
        done = Journal(folder.parent / NAMES[0], _made_with(folder), SHAPE[1], 3).rows_done
        assert done >= 72
        rows: list[int] = []

        def noted(job: Job) -> Job:
            read = job.raster.read

            def noting(window: Window | None = None) -> Pixels:
                rows.append(window.row_off if window is not None else -1)
                return read(window)

            job.raster.read = noting  # type: ignore[method-assign]
            return job

        save(tmp_path / "out", image, predictor, noted)
        assert done - 16 < min(rows) <= done

    def test_a_map_that_only_had_to_be_moved(
        self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All rows are in the journal: no window is read."""
        monkeypatch.setattr(Journal, "remove", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "out", image, predictor)
        monkeypatch.undo()
        monkeypatch.setattr(keeping, "BLOCK_PX", 24 * SHAPE[1] - 30)
        for name in NAMES:
            (tmp_path / "out" / name).unlink()
        save(tmp_path / "out", image, predictor, lambda job: breaking(job, 0))
        assert contents(tmp_path / "out") == expected

    @pytest.mark.parametrize("damage", ["missing", "flipped", "short"])
    def test_a_damaged_block_is_made_anew(
        self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes], damage: str
    ) -> None:
        folder = break_off(tmp_path / "out", image, predictor)
        block = folder / "24.block"
        data = bytearray(block.read_bytes())
        data[30] ^= 4
        block.write_bytes({"missing": b"", "flipped": bytes(data), "short": bytes(data[:20])}[damage])
        if damage == "missing":
            block.unlink()
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == expected

    def test_a_line_that_was_broken_off(self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes]) -> None:
        lines = break_off(tmp_path / "out", image, predictor) / JOURNAL
        lines.write_bytes(lines.read_bytes()[:-20])
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == expected

    def test_a_journal_without_a_beginning_counts_for_nothing(
        self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes]
    ) -> None:
        (break_off(tmp_path / "out", image, predictor) / JOURNAL).write_text('{"made_w')
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == expected

    def test_an_all_one_class_map_is_told_with_the_rows_of_before(
        self, tmp_path: Path, image: Path, make_bundle: Any, make_predictor: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        bundle = make_bundle()
        with torch.no_grad():
            bundle.network.head.weight.zero_()
            bundle.network.head.bias.copy_(torch.tensor([0.0, 2.0, 0.0]))
        one_class = make_predictor(bundle, probabilities=True, entropy=True)
        save(tmp_path / "whole", image, one_class)
        told = caplog.messages[-1]
        break_off(tmp_path / "out", image, one_class)
        save(tmp_path / "out", image, one_class)
        assert caplog.messages[-1] == told
        assert "Every predicted pixel is 'sand'" in told


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _made_with(folder: Path) -> dict[str, Any]:
    lines = (folder / JOURNAL).read_text().split("\n")
    made_with: dict[str, Any] = json.loads(next(line for line in lines if line))["made_with"]
    return made_with


class TestRefused:
    @pytest.mark.parametrize("other", [{"overlap": 0.25}, {"median": 3}, {"sieve": 4}, {"probabilities": False}, {"entropy": False}])
    def test_other_settings(self, tmp_path: Path, image: Path, predictor: Predictor, make_predictor: Any, other: dict[str, Any]) -> None:
        folder = break_off(tmp_path / "out", image, predictor)
        before = sorted(path.name for path in folder.iterdir())
        with pytest.raises(ConflictError, match=r"unfinished map, made with \w+ \S+ \(now \S+\)\. Run what began it") as caught:
            save(tmp_path / "out", image, make_predictor(**{"probabilities": True, "entropy": True, **other}))
        assert caught.value.exit_code == 6
        assert next(iter(other)) in str(caught.value)
        assert sorted(path.name for path in folder.iterdir()) == before

    def test_another_model(self, tmp_path: Path, image: Path, predictor: Predictor, make_bundle: Any, make_predictor: Any) -> None:
        break_off(tmp_path / "out", image, predictor)
        with pytest.raises(ConflictError, match=r"model abc \(now other\)"):
            save(tmp_path / "out", image, make_predictor(replace(make_bundle(), identity="other"), probabilities=True, entropy=True))

    def test_another_image_under_the_same_name(self, tmp_path: Path, image: Path, predictor: Predictor, write_tiff: Any) -> None:
        break_off(tmp_path / "out", image, predictor)
        with pytest.raises(ConflictError, match="image blake2b"):
            save(tmp_path / "out", write_tiff(*SHAPE), predictor)

    def test_two_at_a_time(self, tmp_path: Path) -> None:
        with (
            Journal(tmp_path / "a.tif", MADE_WITH, 5, 3),
            pytest.raises(ConflictError, match="being made by another process"),
            Journal(tmp_path / "a.tif", MADE_WITH, 5, 3),
        ):
            pass


def test_small_maps_have_none(tmp_path: Path, predictor: Predictor, write_tiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "__enter__", _interrupted)
    save(tmp_path / "out", write_tiff(20, 61), predictor)
    assert len(contents(tmp_path / "out")) == len(NAMES)


def test_files_of_others_in_its_folder_are_left(tmp_path: Path, image: Path, predictor: Predictor) -> None:
    folder = break_off(tmp_path / "out", image, predictor)
    (folder / "notes.txt").write_text("mine")
    save(tmp_path / "out", image, predictor)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


class TestDisk:
    def blocks(self) -> Iterator[Block]:
        rng = np.random.default_rng(0)
        for row in (0, 4):
            layers = rng.integers(0, 65536, (3, 4, 5), np.uint16)
            yield Block(row_off=row, indices=rng.integers(0, 3, (4, 5), np.uint8), layers=layers, notes={"n": [row]})

    def test_gives_back_what_it_was_given(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "a.tif", MADE_WITH, 5, 3) as kept:
            for block in self.blocks():
                kept.add(block)
        found = Journal(tmp_path / "a.tif", MADE_WITH, 5, 3)
        assert found.rows_done == 8
        for one, other in zip(found.replay(), self.blocks(), strict=True):
            assert (one.row_off, one.notes) == (other.row_off, other.notes)
            assert np.array_equal(one.indices, other.indices)
            assert one.layers is not None
            assert other.layers is not None
            assert np.array_equal(one.layers, other.layers)

    @pytest.mark.parametrize("where", ["write", "swallow", "note"])
    def test_full_is_told_and_loses_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        first, second = self.blocks()
        with Journal(tmp_path / "a.tif", MADE_WITH, 5, 3) as kept:
            kept.add(first)
            with monkeypatch.context() as patch:
                if where == "swallow":
                    whole = journal._write_whole
                    patch.setattr(journal, "_write_whole", lambda path, data: whole(path, data[:-3]))
                else:
                    patch.setattr(os if where == "note" else journal, "write" if where == "note" else "_write_whole", _full)
                with pytest.raises(EnvironmentFault, match="Free the disk") as caught:
                    kept.add(second)
            assert caught.value.exit_code == 5
        assert Journal(tmp_path / "a.tif", MADE_WITH, 5, 3).rows_done == 4
        with Journal(tmp_path / "a.tif", MADE_WITH, 5, 3) as kept:
            kept.add(second)
        assert Journal(tmp_path / "a.tif", MADE_WITH, 5, 3).rows_done == 8

    def test_full_in_the_middle_of_a_map(
        self, tmp_path: Path, image: Path, predictor: Predictor, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, calls = journal._write_whole, []

        def until_full(path: Path, data: bytes) -> None:
            calls.append(path)
            if len(calls) > 3:
                _full()
            whole(path, data)

        with monkeypatch.context() as patch:
            patch.setattr(journal, "_write_whole", until_full)
            with pytest.raises(EnvironmentFault, match="No space left"):
                save(tmp_path / "out", image, predictor)
        assert Journal(tmp_path / "out" / NAMES[0], _made_with(calls[0].parent), SHAPE[1], 3).rows_done == 72
        save(tmp_path / "out", image, predictor)
        assert contents(tmp_path / "out") == expected


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed(out: Path, image: Path, predictor: Predictor, seconds: float) -> bool:
    """Predict in a process of its own, and kill it so many seconds after it keeps the first rows; whether it was still at it."""
    child = os.fork()
    if child == 0:
        save(out, image, predictor)
        os._exit(0)
    folder, until = journal_folder(out / NAMES[0]), time.monotonic() + 60
    while not (list(folder.glob("*.block")) or (out / NAMES[0]).exists()):
        assert time.monotonic() < until, "nothing was kept"
        time.sleep(1e-3)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def check_kills(count: int, tmp_path: Path, image: Path, predictor: Predictor) -> None:
    """Kill at so many random moments after the first rows, and go on, as often as it takes for each map to end; all maps are alike."""
    threads, draws = torch.get_num_threads(), np.random.default_rng(7)
    # a forked process has no threads of its parent's pools
    torch.set_num_threads(1)
    try:
        save(tmp_path / "warm", image, predictor)
        started = time.monotonic()
        save(tmp_path / "whole", image, predictor)
        took = time.monotonic() - started
        expected = contents(tmp_path / "whole")
        hits = 0
        for number in range(20 * count):
            out = tmp_path / str(number)
            while hits < count and killed(out, image, predictor, draws.uniform(0, took)):
                hits += 1
                assert not (out / NAMES[0]).exists() or (out / NAMES[0]).read_bytes() == expected[0]
            # a map that is whole may still have its journal
            save(out, image, predictor)
            assert contents(out) == expected
            if hits == count:
                return
    finally:
        torch.set_num_threads(threads)
    pytest.fail(f"only {hits} of {count} kills were in the middle")


def test_killed_in_the_middle(tmp_path: Path, image: Path, predictor: Predictor) -> None:
    check_kills(2, tmp_path, image, predictor)


@pytest.mark.slow
def test_killed_at_25_random_moments(tmp_path: Path, write_tiff: Any, predictor: Predictor) -> None:
    check_kills(25, tmp_path, write_tiff(901, 61), predictor)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"sieve": 4, "holes": 5, "min_size": 9, "rules": {"wood": "confidence > 0.6 and area_px > 5"}},
        {"threshold": {"wood": "otsu", "sea": 0.3}, "unsure": 0.4},
        {"median": 5, "majority": 3},
    ],
    ids=lambda options: next(iter(options)),
)
def test_killed_at_some_moments_whatever_makes_the_map_better(
    tmp_path: Path, write_tiff: Any, make_predictor: Any, options: dict[str, Any]
) -> None:
    check_kills(5, tmp_path, write_tiff(401, 61), make_predictor(probabilities=True, entropy=True, **options))


@pytest.fixture(scope="module")
def module_predictor(make_predictor: Any) -> Predictor:
    found: Predictor = make_predictor()
    return found


@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 40)),
    working=st.none() | st.tuples(st.integers(8, 50), st.integers(8, 40)),
    overlap=st.sampled_from([0.0, 0.3, 0.5, 0.7]),
    shares=st.tuples(st.floats(0, 0.999), st.floats(0, 1)),
)
@settings(max_examples=25, deadline=None)
def test_any_rows_are_those_of_the_whole_map(
    tmp_path_factory: pytest.TempPathFactory,
    module_predictor: Predictor,
    shape: tuple[int, int],
    working: tuple[int, int] | None,
    overlap: float,
    shares: tuple[float, float],
) -> None:
    path = tmp_path_factory.mktemp("images") / "a.npy"
    np.save(path, np.random.default_rng(shape[0]).normal(50, 20, (2, *shape)).astype(np.float32))
    predictor = replace(module_predictor, options=module_predictor.options.model_copy(update={"overlap": overlap}))
    full = open_raster(path)
    job = predictor.job(open_raster(path, DataOptions(resize=working)), full=full) if working else predictor.job(full)
    first = int(shares[0] * shape[0])
    part = range(first, max(first + 1, round(shares[1] * shape[0])))

    def sums(work: Job) -> tuple[Any, Any]:
        rows = list(predict_rows([work], predictor, lambda _: None))
        assert [each.row_off for each in rows[1:]] == [each.row_end for each in rows[:-1]]
        assert (rows[0].row_off, rows[-1].row_end) == (work.rows.start, work.rows.stop)
        return np.concatenate([each.probabilities() for each in rows], axis=1), np.concatenate([each.indices() for each in rows])

    whole, found = sums(job), sums(replace(job, part=part))
    assert np.array_equal(whole[0][:, part.start : part.stop], found[0])
    assert np.array_equal(whole[1][part.start : part.stop], found[1])
