"""From rasters to finished rows: equal to a naive blend of the whole image, whatever the batch, the size and the company."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from terrazzo.errors import DataError, ModelError
from terrazzo.labels.legend import IGNORE
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.blend import PROBABILITY_ONE, side_weights
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.stream import Predictor, options_of, predict_rows, windows_of
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.rasters.window import Window
from terrazzo.samples.chip import to_chip

SHAPES = [(1, 1), (1, 100), (100, 1), (5, 9), (16, 16), (17, 33), (40, 56)]


def predicted(predictor: Predictor, *paths: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.uint16]]]:
    """Indices and probabilities of each image, put together of their rows."""
    jobs = [predictor.job(open_raster(path)) for path in paths]
    rows = predict_rows(jobs, predictor, lambda _: None)
    found = []
    for job in jobs:
        mine = [next(rows) for _ in job.grid.row_starts]
        assert [each.row_off for each in mine] == job.grid.row_starts
        found.append((np.concatenate([each.indices() for each in mine]), np.concatenate([each.probabilities() for each in mine], axis=1)))
    assert next(rows, None) is None
    return found


def naive(bundle: Bundle, path: Path, overlap: float) -> NDArray[np.float64]:
    """(classes, height, width) probabilities: the whole image in memory, one window at a time, in floating point."""
    with open_raster(path) as raster:
        pixels = raster.read()
    scaled = to_chip(pixels, bundle.scaling, raster.shape)
    height, width = scaled.shape[1:]
    grid = SlidingGrid.of((height, width), (16, 16), overlap)
    weights = np.outer(side_weights(16, "hann"), side_weights(16, "hann")).astype(np.float64)
    sums, totals = np.zeros((3, height + 16, width + 16)), np.zeros((height + 16, width + 16))
    for row in grid.row_starts:
        for column in grid.col_starts:
            chip = scaled[:, row : row + 16, column : column + 16]
            chip = np.pad(chip, ((0, 0), (0, 16 - chip.shape[1]), (0, 16 - chip.shape[2])), mode="symmetric")
            with torch.inference_mode():
                probabilities = bundle.network(torch.from_numpy(chip)[None])[0].softmax(0).numpy().astype(np.float64)
            sums[:, row : row + 16, column : column + 16] += probabilities * weights
            totals[row : row + 16, column : column + 16] += weights
    blend: NDArray[np.float64] = (sums / np.maximum(totals, 1))[:, :height, :width]
    return blend


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.7])
def test_equals_a_naive_blend_within_quantisation(
    make_bundle: Any, make_predictor: Any, write_tiff: Any, shape: tuple[int, int], overlap: float
) -> None:
    bundle, path = make_bundle(), write_tiff(*shape)
    expected = naive(bundle, path, overlap)
    indices, probabilities = predicted(make_predictor(bundle, overlap=overlap), path)[0]
    assert indices.shape == shape
    # rounded twice: each window, then the mean; and the arithmetic of a batch may differ in a last digit
    assert np.abs(probabilities / PROBABILITY_ONE - expected).max() < 1.5 / PROBABILITY_ONE
    ordered = np.sort(expected, axis=0)
    clear = ordered[-1] - ordered[-2] > 3 / PROBABILITY_ONE
    assert np.array_equal(indices[clear], expected.argmax(axis=0)[clear])
    assert clear.mean() > 0.7


def test_cropped_windows_equal_the_whole_image_at_once(make_bundle: Any, make_predictor: Any, write_tiff: Any) -> None:
    """The margin of 32 pixels is more than the network sees around a pixel, and windows begin at multiples of its coarsest cells."""
    bundle, path = make_bundle(window=(128, 128)), write_tiff(256, 320)
    with open_raster(path) as raster:
        scaled = to_chip(raster.read(), bundle.scaling, raster.shape)
    with torch.inference_mode():
        expected = bundle.network(torch.from_numpy(scaled)[None])[0].softmax(0).numpy()
    indices, probabilities = predicted(make_predictor(bundle, overlap=0.5, blend="crop"), path)[0]
    assert np.abs(probabilities / PROBABILITY_ONE - expected).max() < 1 / PROBABILITY_ONE
    ordered = np.sort(expected, axis=0)
    clear = ordered[-1] - ordered[-2] > 2 / PROBABILITY_ONE
    assert clear.mean() > 0.9
    assert np.array_equal(indices[clear], expected.argmax(axis=0)[clear])
    blended = predicted(make_predictor(bundle, overlap=0.5), path)[0][1]
    assert np.abs(blended / PROBABILITY_ONE - expected).max() > 0.01


@pytest.mark.parametrize("hole_share", [0.1, 0.6])
def test_no_data_in_no_class_out(make_predictor: Any, write_tiff: Any, hole_share: float) -> None:
    hole = np.random.default_rng(4).random((40, 56)) < hole_share
    hole[:20, :20] = True
    indices, probabilities = predicted(make_predictor(), write_tiff(40, 56, hole=hole))[0]
    assert np.array_equal(indices == IGNORE, hole)
    assert (probabilities[:, hole] == 0).all()
    assert (probabilities[:, ~hole].sum(axis=0) > 0).all()


def test_an_image_without_any_data(make_predictor: Any, write_tiff: Any) -> None:
    indices, probabilities = predicted(make_predictor(), write_tiff(20, 30, hole=np.ones((20, 30), np.bool_)))[0]
    assert (indices == IGNORE).all()
    assert (probabilities == 0).all()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_the_class_map_does_not_depend_on_the_batch(make_bundle: Any, make_predictor: Any, write_tiff: Any, batch_size: int) -> None:
    """Nor do the probabilities: on a CPU each window is a pass of its own."""
    bundle, path = make_bundle(), write_tiff(40, 56)
    one, other = (predicted(make_predictor(bundle, batch_size=size), path)[0] for size in (4, batch_size))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


def test_images_in_one_batch_do_not_know_of_each_other(make_predictor: Any, write_tiff: Any) -> None:
    """Bit for bit, in any order."""
    predictor = make_predictor(batch_size=5)
    paths = [write_tiff(*shape, name=f"{number}.tif") for number, shape in enumerate(SHAPES)]
    alone = [predicted(predictor, path)[0] for path in paths]
    together = predicted(predictor, *paths)
    turned = predicted(predictor, *paths[::-1])[::-1]
    for one, other, third in zip(alone, together, turned, strict=True):
        for what in (0, 1):
            assert np.array_equal(one[what], other[what])
            assert np.array_equal(one[what], third[what])


def test_windows_that_are_not_wanted_are_neither_read_nor_predicted(
    make_predictor: Any, write_tiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is wanted is predicted as if all were."""
    predictor, path = make_predictor(), write_tiff(40, 56)
    everything = predicted(predictor, path)[0][0]
    ground = Window(col_off=20, row_off=10, width=7, height=9)
    job = predictor.job(open_raster(path), lambda window: window.intersection(ground) is not None)
    read: list[Window] = []
    read_window = job.raster.read

    def noted(window: Window) -> Pixels:
        read.append(window)
        found: Pixels = read_window(window)
        return found

    monkeypatch.setattr(job.raster, "read", noted)
    part = np.concatenate([rows.indices() for rows in predict_rows([job], predictor, lambda _: None)])
    assert np.array_equal(part[ground.slices], everything[ground.slices])
    assert (part == IGNORE).any()
    assert read
    assert all(window.intersection(ground) is not None for window in read)


def test_another_window_than_the_models(make_bundle: Any, make_predictor: Any, write_tiff: Any) -> None:
    path = write_tiff(40, 56)
    predictor = make_predictor(make_bundle(window=(16, 24)))
    assert predictor.job(open_raster(path)).grid.size == (16, 24)
    assert make_predictor(window=32).job(open_raster(path)).grid.size == (32, 32)
    assert predicted(predictor, path)[0][0].shape == (40, 56)


def test_another_number_of_bands_is_refused(make_predictor: Any, write_tiff: Any) -> None:
    with pytest.raises(DataError, match=r"image.tif has 3 bands, the model takes 2") as caught:
        make_predictor().job(open_raster(write_tiff(20, 20, bands=3)))
    assert caught.value.exit_code == 3


def test_progress_counts_every_window(make_predictor: Any, write_tiff: Any) -> None:
    predictor = make_predictor()
    jobs = [predictor.job(open_raster(write_tiff(*shape, name=f"{shape[0]}.tif"))) for shape in ((40, 56), (5, 9))]
    steps: list[float] = []
    list(predict_rows(jobs, predictor, steps.append))
    assert sum(steps) == windows_of(jobs) == 4 * 6 + 1


class TestProvenance:
    def test_says_model_image_and_options_by_content(self, make_predictor: Any, write_tiff: Any) -> None:
        facts = json.loads(make_predictor().provenance(open_raster(write_tiff(5, 9))))
        assert facts["model"] == "abc"
        assert facts["image"].startswith("blake2b:")
        assert facts["options"]["overlap"] == 0.5
        assert set(facts) == {"terrazzo", "model", "image", "options"}

    def test_what_does_not_change_the_map_is_no_part_of_it(self, make_predictor: Any, write_tiff: Any) -> None:
        raster = open_raster(write_tiff(5, 9))
        assert make_predictor().provenance(raster) == make_predictor(batch_size=7, probabilities=True).provenance(raster)
        assert make_predictor().provenance(raster) != make_predictor(overlap=0.25).provenance(raster)

    def test_another_image_under_the_same_name_is_another(self, make_predictor: Any, write_tiff: Any) -> None:
        first = make_predictor().provenance(open_raster(write_tiff(5, 9)))
        assert make_predictor().provenance(open_raster(write_tiff(9, 5))) != first


class TestOptions:
    def test_given_over_the_models_own(self, make_bundle: Any) -> None:
        bundle = make_bundle()
        bundle.card.recipe["prediction"] = {"overlap": 0.25, "blend": "flat"}
        assert options_of(bundle, {"overlap": 0.1}) == PredictionOptions(overlap=0.1, blend="flat")

    def test_a_model_without_any(self, make_bundle: Any) -> None:
        bundle = make_bundle()
        bundle.card.recipe.clear()
        assert options_of(bundle, {}) == PredictionOptions()

    @pytest.mark.parametrize("own", [{"overlap": 7}, {"colour": "red"}, 5])
    def test_a_damaged_recipe_in_the_model(self, make_bundle: Any, own: Any) -> None:
        bundle = make_bundle()
        bundle.card.recipe["prediction"] = own
        with pytest.raises(ModelError, match=r"\[prediction\] that is not valid"):
            options_of(bundle, {})
