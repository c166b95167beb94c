"""A map whose parts were predicted apart is that of one process, byte for byte."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.area import AreaFile
from terrazzo.labels.source import LabelledImage
from terrazzo.prediction import keeping
from terrazzo.prediction.journal_folder import JOURNAL, begun_with, journal_folder
from terrazzo.prediction.keeping import open_journal
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.parts import Part, begin_maps, devices_for, parts_of, predict_part, shared_jobs, windows_left
from terrazzo.prediction.refine import crf
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.progress import Silent
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window

SHAPE = (151, 41)
NAME = "image_predseg.tif"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 20 rows or more, and windows of the field of 32 pixels every 16."""
    monkeypatch.setattr(keeping, "BLOCK_PX", 20 * SHAPE[1])
    monkeypatch.setattr(crf, "LEAST_SIZE_PX", 32)
    monkeypatch.setattr(crf, "LEAST_MARGIN_PX", 8)


@pytest.fixture
def image(write_tiff: Any) -> Path:
    hole = np.zeros(SHAPE, np.bool_)
    hole[60:110, 5:30] = True
    path: Path = write_tiff(*SHAPE, hole=hole)
    return path


def predict_parts(out: Path, job: Job, predictor: Predictor, parts: Sequence[Part]) -> None:
    """Each as a process of its own would."""
    jobs = shared_jobs({out / NAME: job}, predictor)
    assert jobs
    begin_maps(jobs, predictor, list(jobs.values()))
    for part in parts:
        predict_part(jobs, part, predictor, Silent())
    assert not [path for path in out.iterdir() if not path.name.startswith(".")]


def save(out: Path, job: Job, predictor: Predictor) -> dict[str, bytes]:
    write_maps({out / NAME: job}, predictor, Silent())
    return {path.name: path.read_bytes() for path in out.iterdir()}


def reading_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(raster: Raster, window: Window | None = None) -> None:
        raise AssertionError(f"{raster.path} is read at {window}")

    monkeypatch.setattr(Raster, "read", read)


class TestSameBytes:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"overlap": 0.0},
            {"overlap": 0.25, "blend": "linear", "probabilities": True},
            {"overlap": 0.75, "blend": "flat", "entropy": True},
            {"overlap": 0.4, "blend": "crop", "probabilities": True, "entropy": True},
            {"window": 40, "tta": "flips"},
            {"median": 5, "majority": 3, "probabilities": True},
            {"refine": "crf", "crf_iterations": 2, "crf_theta_px": 1, "probabilities": True},
            {"unsure": 0.5, "threshold": {"wood": 0.2}},
            {"sieve": 4, "min_size": 9, "rules": {"wood": "confidence > 0.6 and area_px > 5"}},
            {"holes": 30, "majority": 5, "entropy": True},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("count", [2, 7])
    def test_whatever_the_options(
        self, tmp_path: Path, image: Path, make_predictor: Any, options: dict[str, Any], count: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        predictor = make_predictor(**options)
        expected = save(tmp_path / "whole", predictor.open_job(image), predictor)
        predict_parts(tmp_path / "out", predictor.open_job(image), predictor, parts_of(count)[::-1])
        job = predictor.open_job(image)
        reading_nothing(monkeypatch)
        assert save(tmp_path / "out", job, predictor) == expected

    def test_a_raster_of_another_working_size(self, tmp_path: Path, image: Path, make_bundle: Any, make_predictor: Any) -> None:
        bundle = make_bundle()
        for size in ((130, 50), (320, 90)):
            reading = bundle.card.reading.model_copy(update={"resize": size})
            resizing = replace(bundle, card=bundle.card.model_copy(update={"reading": reading}))
            predictor = make_predictor(resizing, probabilities=True)
            expected = save(tmp_path / f"whole {size}", predictor.open_job(image), predictor)
            predict_parts(tmp_path / f"{size}", predictor.open_job(image), predictor, parts_of(3))
            assert save(tmp_path / f"{size}", predictor.open_job(image), predictor) == expected

    def test_an_area_of_interest(self, tmp_path: Path, write_tiff: Any, make_predictor: Any) -> None:
        place = {"crs": "EPSG:32633", "transform": [2, 0, 500_000, 0, -2, 5_000_000]}
        image, predictor = write_tiff(*SHAPE, **place), make_predictor()

        def job() -> Job:
            whole: Job = predictor.open_job(image)
            area = AreaFile.of_rectangle((500_010, 4_999_640, 500_101, 4_999_950)).on(
                LabelledImage(name="image", path=image, grid=whole.mapped.grid)
            )
            assert area is not None
            return whole.within(area)

        expected = save(tmp_path / "whole", job(), predictor)
        predict_parts(tmp_path / "out", job(), predictor, parts_of(4))
        assert save(tmp_path / "out", job(), predictor) == expected

    def test_parts_that_are_missing_are_predicted_when_the_map_is_written(self, tmp_path: Path, image: Path, make_predictor: Any) -> None:
        predictor = make_predictor(probabilities=True, median=3)
        expected = save(tmp_path / "whole", predictor.open_job(image), predictor)
        predict_parts(tmp_path / "out", predictor.open_job(image), predictor, [parts_of(5)[number] for number in (3, 1)])
        assert save(tmp_path / "out", predictor.open_job(image), predictor) == expected

    @pytest.mark.parametrize("blocks", [1, 2, 4])
    def test_broken_off_and_gone_on_by_another_number_of_processes(
        self, tmp_path: Path, image: Path, make_predictor: Any, breaking_off: Any, blocks: int
    ) -> None:
        predictor = make_predictor(probabilities=True)
        expected = save(tmp_path / "whole", predictor.open_job(image), predictor)
        with breaking_off(blocks):
            predict_parts(tmp_path / "out", predictor.open_job(image), predictor, parts_of(4)[1:])
        job = predictor.open_job(image)
        left, every = (sum(windows_left({tmp_path / name / NAME: job}, parts_of(3), predictor).values()) for name in ("out", "new"))
        assert 0 < left < every
        predict_parts(tmp_path / "out", predictor.open_job(image), predictor, parts_of(3))
        assert save(tmp_path / "out", predictor.open_job(image), predictor) == expected

    def test_a_damaged_block_is_made_anew(self, tmp_path: Path, image: Path, make_predictor: Any) -> None:
        predictor = make_predictor()
        expected = save(tmp_path / "whole", predictor.open_job(image), predictor)
        predict_parts(tmp_path / "out", predictor.open_job(image), predictor, parts_of(2))
        blocks = sorted(journal_folder(tmp_path / "out" / NAME).glob("*.block"))
        for block in blocks[1::2]:
            block.write_bytes(block.read_bytes()[:-1])
        assert save(tmp_path / "out", predictor.open_job(image), predictor) == expected


@given(
    height=st.integers(1, 500),
    size=st.integers(1, 40),
    overlap=st.floats(0, 0.75),
    count=st.integers(1, 12),
)
def test_all_parts_together_have_each_row_once(height: int, size: int, overlap: float, count: int) -> None:
    raster: Any = type("Raster", (), {"shape": (height, 5)})
    job = Job(raster=raster, grid=SlidingGrid.of((height, 5), (size, size), overlap))
    rows = [part.of(job).rows for part in parts_of(count)]
    assert [row for part in rows for row in part] == list(range(height))
    assert all(part.start % job.grid.stride[0] == 0 for part in rows if part)


@pytest.mark.parametrize("text", ["2", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/3/5", "", "1.0/2"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(UsageError, match=r"given as K/N, K from 1 to N, such as 2/4"):
        Part.parse(text)
    assert Part.parse("2/4") == Part(number=2, count=4)


def test_a_map_whose_rows_need_all_others_is_not_shared(image: Path, write_tiff: Any, make_predictor: Any) -> None:
    otsu, plain = make_predictor(threshold={"wood": "otsu"}), make_predictor(sieve=5)
    jobs = {Path("large.tif"): plain.open_job(image), Path("small.tif"): plain.open_job(write_tiff(19, 41, "small.tif"))}
    assert shared_jobs(jobs, otsu) == {}
    assert [*shared_jobs(jobs, plain)] == [Path("large.tif")]


def test_all_parts_obey_what_the_first_was_begun_with(tmp_path: Path, image: Path, make_predictor: Any) -> None:
    predictor = make_predictor()
    jobs = {tmp_path / NAME: predictor.open_job(image)}
    begin_maps(jobs, predictor, list(jobs.values()))
    begun = begun_with(tmp_path / NAME)
    assert begun is not None
    assert begun["engine"] == "torch"
    lines = (journal_folder(tmp_path / NAME) / JOURNAL).read_bytes()
    begin_maps(jobs, predictor, list(jobs.values()))
    assert (journal_folder(tmp_path / NAME) / JOURNAL).read_bytes() == lines
    with pytest.raises(ConflictError, match=r"overlap 0.5 \(now 0.25\)"):
        begin_maps(jobs, make_predictor(overlap=0.25), [])


class TestTwoAtATime:
    @pytest.fixture
    def held(self, tmp_path: Path, image: Path, make_predictor: Any) -> tuple[Path, Job, Predictor]:
        predictor = make_predictor()
        job = predictor.open_job(image)
        begin_maps({tmp_path / NAME: job}, predictor, [job])
        return tmp_path / NAME, job, predictor

    @pytest.mark.parametrize("parts", [("part-1-of-2", "part-1-of-2"), (None, "part-1-of-2"), ("part-1-of-2", None)])
    def test_that_exclude_each_other(self, held: tuple[Path, Job, Predictor], parts: tuple[str | None, str | None]) -> None:
        with (
            open_journal(*held, parts[0]),
            pytest.raises(ConflictError, match="being made by another process"),
            open_journal(*held, parts[1]),
        ):
            pass

    def test_that_do_not(self, held: tuple[Path, Job, Predictor]) -> None:
        with open_journal(*held, "part-1-of-2") as one, open_journal(*held, "part-2-of-2") as other:
            lines = {path.name for path in one.folder.glob("*.jsonl")}
            assert one.folder == other.folder
            assert lines == {"journal.jsonl", "part-1-of-2.jsonl", "part-2-of-2.jsonl"}
        with open_journal(*held) as whole:
            assert {path.name for path in whole.folder.glob("*.jsonl")} == {"journal.jsonl"}


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_for(torch.device("cuda"), 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices_for(torch.device("cuda:1"), 2) == ["cuda:1", "cuda:1"]
    assert devices_for(torch.device("cpu"), 2) == ["cpu", "cpu"]
