"""The chain of stages: their order, which rows each asks for, and one meaning wherever a map is made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.median import majority, most_frequent
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.maps import follow_maps, write_maps
from terrazzo.prediction.prediction import Prediction
from terrazzo.prediction.refine.chain import Refiner, finished_rows
from terrazzo.prediction.refine.neighbourhood import Neighbourhood
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.stream import Job, Predictor, predict_rows
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """A stage whose work begins with blocks of rows from the map's first on: in the first row of each it clears every second pixel."""

    rows: int
    begun: list[int]

    def needed(self, wanted: range, height: int) -> range:
        return range(wanted.start // self.rows * self.rows, wanted.stop)

    def run(self, rows: Iterator[BlendedRows], job: Job, wanted: range) -> Iterator[BlendedRows]:
        for piece in rows:
            self.begun.append(piece.row_off)
            sums = piece.sums.copy()
            for row in range(piece.row_off, piece.row_end):
                if row % self.rows == 0:
                    sums[:, row - piece.row_off, ::2] = 0
            if piece.touches(wanted):
                yield replace(piece, sums=sums).between(wanted.start, wanted.stop)


def blended(predictor: Predictor, job: Job) -> BlendedRows:
    pieces = list(predict_rows([job], predictor, lambda _: None))
    return BlendedRows(
        row_off=0,
        sums=np.concatenate([each.sums for each in pieces], axis=1),
        totals=np.concatenate([each.totals for each in pieces]),
        valid=np.concatenate([each.valid for each in pieces]),
    )


def shares(rows: list[FinishedRows]) -> NDArray[np.uint16]:
    return np.concatenate([each.blended.probabilities() for each in rows], axis=1)


def test_stages_in_their_order_for_any_rows(make_predictor: Any, write_tiff: Any) -> None:
    predictor, path = make_predictor(), write_tiff(61, 23)
    begun: list[int] = []
    refiner = Refiner(
        on_probabilities=(Blocks(rows=7, begun=begun),),
        on_classes=tuple(Neighbourhood(margin=radius, filter=partial(majority, radius=radius)) for radius in (2, 3)),
    )
    job = predictor.open_job(path)
    whole = blended(predictor, job)
    cleared = next(Blocks(rows=7, begun=[]).run(iter([whole]), job, job.rows))
    expected = majority(majority(cleared.indices(), 2), 3)
    assert not np.array_equal(expected, majority(majority(whole.indices(), 2), 3))
    assert not np.array_equal(expected, majority(majority(cleared.indices(), 3), 2))
    for first_row, end in ((0, 61), (0, 1), (4, 33), (30, 31), (30, 58), (60, 61)):
        begun.clear()
        wanted = replace(job, part=range(first_row, end))
        needed = refiner.needed(wanted)
        # 3 + 2 rows above and below, and up to the block that these begin in
        assert needed.rows == range(max(0, first_row - 5) // 7 * 7, min(61, end + 5))
        pieces = predict_rows([needed], predictor, lambda _: None)
        found = list(refiner.finish(wanted, pieces))
        assert begun[0] == needed.rows.start
        assert np.array_equal(np.concatenate([each.indices for each in found]), expected[first_row:end])
        assert np.array_equal(shares(found), cleared.probabilities()[:, first_row:end])


def test_nothing_is_needed_of_a_finished_map(make_predictor: Any, write_tiff: Any) -> None:
    predictor = make_predictor(median=3)
    job = replace(predictor.open_job(write_tiff(40, 23)), part=range(40, 40))
    assert Refiner.of(predictor).needed(job).row_starts == []
    assert list(finished_rows([job], predictor, lambda _: None)) == []


def test_without_stages_each_pixel_has_its_most_probable_class(make_predictor: Any, write_tiff: Any) -> None:
    predictor, path = make_predictor(), write_tiff(40, 23)
    whole = blended(predictor, predictor.open_job(path))
    found = list(finished_rows([predictor.open_job(path)], predictor, lambda _: None))
    assert np.array_equal(np.concatenate([each.indices for each in found]), whole.indices())
    assert np.array_equal(shares(found), whole.probabilities())


@pytest.mark.parametrize("resize", [None, (31, 40)])
def test_one_meaning_on_disk_in_memory_and_for_who_follows(
    make_bundle: Any, make_predictor: Any, write_tiff: Any, tmp_path: Path, resize: tuple[int, int] | None
) -> None:
    hole = np.zeros((61, 23), np.bool_)
    hole[20:30, 3:9] = True
    paths = [write_tiff(61, 23, name="a.tif", hole=hole), write_tiff(5, 9, name="b.tif")]
    bundle = make_bundle()
    bundle = replace(bundle, card=bundle.card.model_copy(update={"reading": DataOptions(resize=resize)}))
    plain, predictor = make_predictor(bundle), make_predictor(bundle, median=3, majority=5)
    most = np.ones((5, 5), np.float32)
    jobs = {tmp_path / f"{path.stem}_predseg.tif": predictor.open_job(path) for path in paths}
    write_maps(jobs, predictor, Silent())
    followed: dict[Path, list[NDArray[np.uint8]]] = {path: [] for path in paths}
    follow_maps(
        [predictor.open_job(path) for path in paths],
        predictor,
        Silent(),
        lambda job, rows, indices: followed[job.mapped.path].append(indices),
    )
    for path, out in zip(paths, jobs, strict=True):
        before = blended(plain, plain.open_job(path)).indices()
        expected = most_frequent(majority(before, 3), most)
        with rasterio.open(out) as found:
            values = found.read(1)
        assert np.array_equal(values, bundle.legend.decode(expected))
        assert np.array_equal(values == IGNORE, before == IGNORE)
        assert np.array_equal(values, Prediction(predictor.open_job(path), predictor).classes)
        assert np.array_equal(np.concatenate(followed[path]), expected)
        assert not np.array_equal(expected, before)
