"""Models that are averaged: what they must have in common, and that each sees pixels as it learned them."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, ModelError, RecipeError
from terrazzo.labels.legend import Legend
from terrazzo.models.bundle import Bundle, save_bundle
from terrazzo.models.network import choose_runtime
from terrazzo.prediction import keeping
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.engines.torch_engine import TorchForward
from terrazzo.prediction.ensemble import load_models
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.prediction import Model
from terrazzo.prediction.refine.views import mean_over, views_of
from terrazzo.prediction.stream import Predictor, predict_rows
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import BandScaling, Scaling

Save = Callable[..., Path]
BEST = {"sand": {"f1": 0.4, "f2": 0.3}}


def scaled_otherwise(bundle: Bundle) -> Bundle:
    """The same network, which takes brighter pixels."""
    bands = tuple(BandScaling.of("range", replace(band.statistics, low=0.0, high=90.0)) for band in bundle.scaling.bands)
    return replace(bundle, scaling=Scaling(bands=bands), identity="def")


def averaged(*bundles: Bundle, **options: Any) -> Predictor:
    chosen = PredictionOptions(**{"precision": "float32", "batch_size": 4, **options})
    return Predictor.of(bundles[0], "cpu", chosen, bundles[1:])


def shares(predictor: Predictor, path: Path) -> NDArray[np.uint16]:
    rows = predict_rows([predictor.open_job(path)], predictor, lambda _: None)
    return np.concatenate([each.probabilities() for each in rows], axis=1)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """The folder of a model whose card is changed."""

    def write(name: str, bundle: Bundle, **changes: Any) -> Path:
        card = bundle.card.model_copy(update={"scaling": asdict(bundle.scaling), **changes})
        save_bundle(tmp_path / name, bundle.network, card)
        return tmp_path / name

    return write


@pytest.fixture
def two(make_bundle: Any) -> list[Bundle]:
    """Of other networks and other scalings."""
    return [make_bundle(), scaled_otherwise(make_bundle(kind="resunet", filters=6))]


class TestTheMean:
    @pytest.mark.parametrize("options", [{}, {"tta": "d4"}, {"tta": "flips", "tta_scales": [1, 0.5]}])
    def test_is_of_what_each_finds_in_pixels_scaled_for_it(self, two: list[Bundle], write_tiff: Any, options: dict[str, Any]) -> None:
        """Bit for bit: one window, without blending."""
        path = write_tiff(16, 16)
        with open_raster(path) as raster:
            pixels = raster.read()
        found = []
        for bundle in two:
            forward = TorchForward(bundle, choose_runtime("cpu", "float32"))
            chip = torch.from_numpy(to_chip(pixels, bundle.scaling, (16, 16)))[None]
            found.append(mean_over(views_of(PredictionOptions(**options)), forward, chip)[0].numpy())
        mean = np.mean(found, axis=0, dtype=np.float64).astype(np.float32)
        assert np.array_equal(shares(averaged(*two, **options), path), np.rint(mean * np.float32(PROBABILITY_ONE)))
        assert np.abs(found[0] - found[1]).max() > 0.1

    @pytest.mark.parametrize("options", [{}, {"tta": "flips", "tta_scales": [1, 0.5]}, {"window": 24, "overlap": 0.6}])
    def test_of_a_model_and_itself_is_the_model_alone(
        self, make_bundle: Any, write_tiff: Any, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        hole = np.zeros((40, 57), np.bool_)
        hole[3:30, 20:44] = True
        path = write_tiff(40, 57, hole=hole)
        for name, count in (("alone", 1), ("twice", 2), ("thrice", 3)):
            predictor = averaged(*(make_bundle() for _ in range(count)), probabilities=True, **options)
            write_maps({tmp_path / name / "a_predseg.tif": predictor.open_job(path)}, predictor, Silent())
        for name in ("a_predseg.tif", "a_probabilities.tif"):
            assert len({(tmp_path / folder / name).read_bytes() for folder in ("alone", "twice", "thrice")}) == 1

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_does_not_depend_on_the_batch(self, two: list[Bundle], write_tiff: Any, batch_size: int) -> None:
        path = write_tiff(40, 57)
        assert np.array_equal(shares(averaged(*two), path), shares(averaged(*two, batch_size=batch_size), path))

    def test_of_another_window_is_that_of_the_first(self, two: list[Bundle], write_tiff: Any) -> None:
        wide = replace(two[1], card=two[1].card.model_copy(update={"window": (16, 24)}))
        assert [averaged(*pair).open_job(write_tiff(40, 57)).grid.size for pair in ((two[0], wide), (wide, two[0]))] == [(16, 16), (16, 24)]


class TestGoingOn:
    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "BLOCK_PX", 1000)

    def test_ends_with_the_same_bytes(self, two: list[Bundle], write_tiff: Any, tmp_path: Path, breaking_off: Any) -> None:
        path, predictor = write_tiff(203, 61), averaged(*two)
        whole, target = tmp_path / "whole" / "a_predseg.tif", tmp_path / "out" / "a_predseg.tif"
        write_maps({whole: predictor.open_job(path)}, predictor, Silent())
        with breaking_off(3):
            write_maps({target: predictor.open_job(path)}, predictor, Silent())
        again = averaged(*two)
        write_maps({target: again.open_job(path)}, again, Silent())
        assert target.read_bytes() == whole.read_bytes()

    def test_is_refused_to_other_models(self, two: list[Bundle], write_tiff: Any, tmp_path: Path, breaking_off: Any) -> None:
        path, predictor, target = write_tiff(203, 61), averaged(*two), tmp_path / "out" / "a_predseg.tif"
        with breaking_off(3):
            write_maps({target: predictor.open_job(path)}, predictor, Silent())
        for others in (averaged(two[0]), averaged(two[0], replace(two[1], identity="ghi")), averaged(*two, two[1])):
            with pytest.raises(ConflictError, match=r"averaged_with \['def'\] \(now ") as caught:
                write_maps({target: others.open_job(path)}, others, Silent())
            assert caught.value.exit_code == 6


def test_the_map_tells_all_models(two: list[Bundle], write_tiff: Any) -> None:
    with open_raster(write_tiff(5, 9)) as raster:
        facts = json.loads(averaged(*two, two[1]).provenance(raster))
    assert (facts["model"], facts["averaged_with"]) == ("abc", ["def", "def"])


class TestAlike:
    def test_models_may_differ_in_network_scaling_and_training(self, two: list[Bundle], save: Save) -> None:
        reading = DataOptions(scaling="range", cache_mb=1)
        paths = [save("a", two[0]), save("b", two[1], reading=reading, window=(24, 32), recipe={"training": {"epochs": 7}})]
        assert [len(set(map(id, bundle.network.parameters()))) for bundle in load_models(paths)] == [
            len(list(bundle.network.parameters())) for bundle in two
        ]

    @pytest.mark.parametrize(
        ("changes", "difference"),
        [
            ({"reading": DataOptions(nodata=0)}, "[data] nodata differ, 0.0 and None"),
            ({"reading": DataOptions(resize=(32, 48))}, "[data] resize differ, (32, 48) and None"),
            ({"cell_size": (2.0, 2.0), "crs": "EPSG:32633"}, "cell sizes differ, 2 x 2 and 0.5 x 0.5"),
        ],
    )
    def test_what_else_they_read_is_refused(self, make_bundle: Any, save: Save, changes: dict[str, Any], difference: str) -> None:
        paths = [save("a", make_bundle(), cell_size=(0.5, 0.5), crs="EPSG:32632"), save("b", make_bundle(), **changes)]
        with pytest.raises(ModelError) as caught:
            load_models(paths)
        assert str(caught.value).startswith(f"{paths[1]} and {paths[0]} cannot be averaged: their {difference}. ")
        assert caught.value.exit_code == 4

    @pytest.mark.parametrize(
        ("classes", "difference"),
        [
            ([(1, "sea"), (4, "dune"), (9, "wood")], "classes differ, 'dune' of value 4 and 'sand' of value 4"),
            ([(1, "sea"), (9, "wood"), (4, "sand")], "classes differ, 'wood' of value 9 and 'sand' of value 4"),
            ([(1, "sea"), (4, "sand"), (8, "wood")], "classes differ, 'wood' of value 8 and 'wood' of value 9"),
        ],
    )
    def test_other_classes_are_refused(self, make_bundle: Any, save: Save, classes: list[tuple[int, str]], difference: str) -> None:
        bundle = make_bundle()
        legend = {**bundle.card.legend, "classes": [{"value": value, "name": name, "color": "#000000"} for value, name in classes]}
        assert Legend.from_json(json.dumps(legend)).values == tuple(value for value, _ in classes)
        with pytest.raises(ModelError, match=f"their {difference}"):
            load_models([save("a", bundle), save("b", bundle, legend=legend)])

    def test_classes_that_overlap_are_not_exclusive_ones(self, make_bundle: Any, save: Save) -> None:
        bundle = make_bundle()
        with pytest.raises(ModelError, match="their classes differ, overlapping and exclusive"):
            load_models([save("a", bundle), save("b", bundle, legend={**bundle.card.legend, "encoding": "multihot"})])

    def test_other_bands_are_refused(self, make_bundle: Any, save: Save) -> None:
        with pytest.raises(ModelError, match="their numbers of bands differ, 3 and 2"):
            load_models([save("a", make_bundle()), save("b", make_bundle(bands=3))])

    @pytest.mark.parametrize(
        ("cell_size", "crs"),
        [
            ((0.52, 0.5), "EPSG:32633"),
            (None, None),
            ((7.0, 7.0), "EPSG:4326"),
            ((7.0, 7.0), "no CRS that is known"),
        ],
    )
    def test_cells_that_are_alike_or_not_known_are_taken(
        self, make_bundle: Any, save: Save, cell_size: tuple[float, float] | None, crs: str | None
    ) -> None:
        bundle = make_bundle()
        paths = [save("a", bundle, cell_size=(0.5, 0.5), crs="EPSG:32632"), save("b", bundle, cell_size=cell_size, crs=crs)]
        assert len(load_models(paths)) == 2


class TestThresholds:
    @pytest.mark.parametrize("asked", ["best", {"sand": "best_f2"}])
    def test_the_best_ones_of_different_models_are_refused(self, two: list[Bundle], asked: Any) -> None:
        first = replace(two[0], card=two[0].card.model_copy(update={"thresholds": BEST}))
        with pytest.raises(RecipeError, match=r"= 'best(_f2)?' is what each model found alone; the mean of several has none"):
            averaged(first, two[1], threshold=asked)
        averaged(first, first, threshold=asked)

    def test_numbers_hold_for_the_mean(self, two: list[Bundle], write_tiff: Any) -> None:
        path = write_tiff(20, 33)
        model = Model(two[0], PredictionOptions(threshold={"sand": 0.0}, precision="float32"), "cpu", two[1:])
        assert (model.predict(path).classes == 4).all()


def test_a_notebook_names_all_networks(two: list[Bundle]) -> None:
    shown = Model(two[0], PredictionOptions(), "cpu", two[1:])._repr_html_()
    assert "Ensemble" in shown
    assert all(bundle.card.network.name in shown for bundle in two)
