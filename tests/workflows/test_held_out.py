"""What a run says of its held-out ground: counted once a pixel, equal to a naive count on the maps it leaves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.where.by_sample import score_row
from terrazzo.labels.reader import LabelReader
from terrazzo.models.bundle import load_bundle
from terrazzo.prediction.stream import Predictor
from terrazzo.progress import Silent
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.ground import Rectangles
from terrazzo.samples.rows import rows_of
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.store import SceneStore
from terrazzo.samples.table import Samples, load
from terrazzo.training.run import RunFolder
from terrazzo.workflows.held_out import Ground, HeldOutScores, Judged, evaluated_part, score_held_out
from terrazzo.workflows.predict import predict
from terrazzo.workflows.train import scoring


@pytest.fixture
def samples(tiny_run: Any) -> Samples:
    return load(tiny_run.run / "samples.parquet")


def scored(tiny_run: Any, samples: Samples, out: Path, *sets: str) -> HeldOutScores:
    context = tiny_run.context(*sets)
    store = SceneStore(find_scenes(context.recipe.data, context.folder), LabelReader(samples.legend, context.recipe.data))
    predictor = Predictor.of(load_bundle(tiny_run.run), "cpu", context.recipe.prediction)
    return score_held_out(
        Judged(samples=samples, store=store, working=store), predictor, context.recipe.evaluation, RunFolder(path=out), Silent()
    )


def truth_and_map(tiny_run: Any, class_map: Path, scene: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class indices of a scene's labels, 255 where image or label has none, and of its map."""
    truth = np.asarray(Image.open(tiny_run.folder / "labels" / f"{scene}.png"))
    with rasterio.open(tiny_run.folder / "images" / f"{scene}.tif") as file:
        valid = (file.read() != 0).any(axis=0)
    with rasterio.open(class_map) as file:
        predicted = file.read(1)
    table = np.full(256, 255, np.uint8)
    table[[0, 7]] = [0, 1]
    return np.where(valid, table[truth], 255).astype(np.uint8), table[predicted]


def test_every_held_out_pixel_counts_once_though_samples_overlap(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    found = scored(tiny_run, samples, tmp_path)
    assert found.part == "test"
    truth, predicted = truth_and_map(tiny_run, found.maps["d"], "d")
    naive = Confusion(2)
    naive.add(truth, predicted)
    assert found.tally.total.confusion.counts.tolist() == naive.counts.tolist()
    assert found.tally.total.confusion.pixels == np.count_nonzero(truth != 255) == 40 * 48 - 4 * 5 - 1
    assert found.tally.total.confusion.unpredicted.tolist() == [0, 0]


def test_each_sample_has_the_count_of_its_own_window(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    found = scored(tiny_run, samples, tmp_path)
    truth, predicted = truth_and_map(tiny_run, found.maps["d"], "d")
    rows = rows_of(samples.part("test"))
    for row in rows:
        naive = Confusion(2)
        naive.add(truth[row.window.slices], predicted[row.window.slices])
        expected = {name: np.nan if score is None else score for name, score in score_row(naive, samples.legend).items()}
        assert found.scores.loc[row.id, list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)


def test_only_held_out_ground_counts_where_a_scene_has_both(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    """And there the map is the one that predict makes of the whole image."""
    windows = samples.windows()
    parts = [
        "test" if scene == "d" and window.col_off >= 32 else "train" for scene, window in zip(samples.frame["scene"], windows, strict=True)
    ]
    found = scored(tiny_run, replace(samples, frame=samples.frame.assign(split=parts)), tmp_path / "part")
    truth, predicted = truth_and_map(tiny_run, found.maps["d"], "d")
    naive = Confusion(2)
    naive.add(truth[:, 32:].copy(), predicted[:, 32:].copy())
    assert found.tally.total.confusion.counts.tolist() == naive.counts.tolist()
    predict(tiny_run.run, [tiny_run.folder / "images" / "d.tif"], tmp_path / "all", tiny_run.context())
    _, everything = truth_and_map(tiny_run, tmp_path / "all" / "d_predseg.tif", "d")
    assert np.array_equal(predicted[:, 32:], everything[:, 32:])
    assert (predicted[:, 0] == 255).all()


def test_the_batch_of_the_prediction_does_not_matter(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    few, many = (scored(tiny_run, samples, tmp_path / str(size), f"prediction.batch_size={size}").tally.total.confusion for size in (3, 64))
    assert few.counts.tolist() == many.counts.tolist()


@pytest.mark.parametrize(
    ("parts", "expected"), [({"c": "validation", "d": "test"}, "test"), ({"d": "validation"}, "validation"), ({}, "train")]
)
def test_the_last_honest_part_is_evaluated(
    samples: Samples, parts: dict[str, str], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    split = [parts.get(scene, "train") for scene in samples.frame["scene"]]
    assert evaluated_part(replace(samples, frame=samples.frame.assign(split=split))) == expected
    assert ("Nothing is held out" in caplog.text) == (expected == "train")


def test_samples_of_every_part_are_scored_at_their_place(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    """Scores of training are those of the model on that ground; rows of the table are windows with a place."""
    found = scored(tiny_run, samples, tmp_path, "prediction.overlap=0")
    assert set(found.scores.index) == set(samples.frame.index)
    assert set(found.maps) == {"d"}
    context = tiny_run.context("prediction.probabilities=true", "prediction.overlap=0")
    predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path / "all", context)
    truth, predicted = truth_and_map(tiny_run, tmp_path / "all" / "a_predseg.tif", "a")
    with rasterio.open(tmp_path / "all" / "a_probabilities.tif") as file:
        shares = file.read() / 65535
    for row in rows_of(replace(samples, frame=samples.frame[samples.frame["scene"] == "a"])):
        there = (slice(None), *row.window.slices)
        t, p, q = truth[there[1:]], predicted[there[1:]], shares[there]
        known = t != 255
        assert found.scores.loc[row.id, "accuracy"] == pytest.approx((t == p)[known].mean())
        of_truth = np.where(t == 1, q[1], q[0])[known]
        assert found.scores.loc[row.id, "loss"] == pytest.approx(-np.log(np.maximum(of_truth, 0.5 / 65535)).mean(), abs=1e-4)
        assert found.scores.loc[row.id, "margin"] == pytest.approx(np.abs(q[0] - q[1])[known].mean(), abs=1e-4)


def test_errors_of_training_and_validation_lie_in_one_raster(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    windows = samples.windows()
    parts = ["validation" if w.col_off >= 32 else "train" if w.col_off < 16 else None for w in windows]
    found = scored(tiny_run, replace(samples, frame=samples.frame.assign(split=parts)), tmp_path)
    with rasterio.open(tmp_path / "errors" / "a_errors.tif") as file:
        codes = file.read(1)
    truth, shown = truth_and_map(tiny_run, found.maps["a"], "a")
    assert (codes[:, 24:32] == 255).all()
    assert ((codes != 255) == (truth != 255))[:, :24].all()
    assert np.array_equal(codes[:, 32:] == 3, (truth == 1)[:, 32:] & (shown == 0)[:, 32:])
    assert (shown[:, :24] == 255).all(), "the map shows ground of the training"


def test_training_is_scored_as_far_as_asked(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    held_out = set(samples.frame.index[samples.frame["split"] != "train"])
    none = scored(tiny_run, samples, tmp_path / "none", "evaluation.score_training=false", "evaluation.error_maps=false")
    assert set(none.scores.index) == held_out
    assert not (tmp_path / "none" / "errors").exists()
    some = scored(tiny_run, samples, tmp_path / "some", "evaluation.training_samples=3")
    assert len(some.scores) == len(held_out) + 3
    again = scored(tiny_run, samples, tmp_path / "again", "evaluation.training_samples=3")
    assert some.scores.equals(again.scores)


def test_training_ground_takes_as_few_windows_as_cover_it(tiny_run: Any, samples: Samples, tmp_path: Path) -> None:
    """And each of its samples is scored all the same; held-out ground beside it gets every window that touches it."""
    context = tiny_run.context()
    store = SceneStore(find_scenes(context.recipe.data, context.folder), LabelReader(samples.legend, context.recipe.data))
    predictor = Predictor.of(load_bundle(tiny_run.run), "cpu", context.recipe.prediction)
    judged = Judged(samples=samples, store=store, working=store)
    nothing = Rectangles.of([])
    left = Rectangles.of([Window(col_off=0, row_off=0, width=8, height=40)])
    everything = Rectangles.of([whole(store.shape("a"))])

    def wanted(ground: Ground) -> list[Window]:
        job = judged.job("a", ground, predictor)
        return [window for row_off in job.grid.row_starts for window in job.grid.row(row_off) if job.needs(window)]

    full, few = wanted(Ground(held_out=everything, training=nothing)), wanted(Ground(held_out=nothing, training=everything))
    assert Rectangles.of(few).covered(whole(store.shape("a"))).all()
    assert len(few) <= len(full) / 2
    both = wanted(Ground(held_out=left, training=everything))
    assert {window for window in full if left.touch(window)} | set(few) == set(both)


def test_no_more_training_samples_are_scored_than_an_epoch_shows(tiny_run: Any, samples: Samples) -> None:
    recipe = tiny_run.context("draw.per_epoch=5").recipe
    assert scoring(samples, recipe).training_samples == 5
    assert scoring(samples, recipe).model_copy(update={"training_samples": 500}) == recipe.evaluation
    assert scoring(samples, tiny_run.context("draw.per_epoch=900").recipe).training_samples == 500
