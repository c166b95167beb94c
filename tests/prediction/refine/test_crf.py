"""Dense-CRF refinement: the same as the classic package's, the same whatever the windows, the pieces of rows and where one begins."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray

from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.refine import crf
from terrazzo.prediction.refine.crf import CrfStage, to_colors
from terrazzo.prediction.refine.crf_inference import Field, infer
from terrazzo.prediction.refine.crf_lattice import Lattice
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.stream import Job
from terrazzo.progress import Silent
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.samples.scaling import Scaling, measure

SHARED = Path(__file__).parents[4] / "shared" / "data"
FIELD = Field(iterations=10, smoothness=3, smoothness_px=1, appearance=10, appearance_px=10, appearance_color=10)
Shares = NDArray[np.float32]


def noisy(truth: NDArray[np.uint8], classes: int, seed: int = 0) -> Shares:
    """Probabilities (classes, height, width) that know the truth but for its borders, and with patches that are wrong."""
    rng = np.random.default_rng(seed)
    logits = [
        cv2.GaussianBlur((truth == index).astype(np.float32) * 4, (0, 0), 5)
        + cv2.GaussianBlur(rng.normal(0, 4, truth.shape).astype(np.float32), (0, 0), 3)
        for index in range(classes)
    ]
    powers = np.exp(np.stack(logits))
    return np.asarray(powers / powers.sum(axis=0), np.float32)


def scene(height: int, width: int, classes: int = 3, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (3, height, width) of some discs on ground, each class of its colour with texture; and its classes."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    for _ in range(height * width // 2500):
        place = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(truth, place, int(rng.integers(5, 25)), int(rng.integers(1, classes)), -1)
    colors = rng.integers(60, 200, (classes, 3))
    image = colors[truth] + cv2.GaussianBlur(rng.normal(0, 30, (height, width, 3)), (0, 0), 1)
    return np.clip(image, 0, 255).astype(np.uint8).transpose(2, 0, 1), truth


def refined(shares: Shares, image: NDArray[np.uint8], field: Field = FIELD, origin: tuple[int, int] = (0, 0)) -> Shares:
    known = torch.ones(shares.shape[1:], dtype=torch.bool)
    found: Shares = infer(torch.from_numpy(shares), torch.from_numpy(image.astype(np.float64)), known, origin, field).numpy()
    return found


class TestLattice:
    def test_a_filter_is_about_gaussian(self) -> None:
        rng = np.random.default_rng(0)
        points, values = rng.uniform(0, 4, (3, 1500)), rng.random((1500, 2)).astype(np.float32)
        squares = ((points[:, :, None] - points[:, None]) ** 2).sum(axis=0)
        weights = np.exp(-squares / 2)
        expected = weights @ values / weights.sum(axis=1, keepdims=True)
        lattice = Lattice.of(torch.from_numpy(points))
        found = lattice.filter(torch.from_numpy(values)) / lattice.filter(torch.ones(1500, 1))
        assert np.abs(found.numpy() - expected).max() < 0.05
        assert np.corrcoef(found.numpy().ravel(), expected.ravel())[0, 1] > 0.97

    def test_weights_are_shares_of_a_simplex(self) -> None:
        points = torch.from_numpy(np.random.default_rng(1).normal(0, 30, (5, 500)))
        lattice = Lattice.of(points)
        assert lattice.weights.min() > -1e-6
        assert torch.allclose(lattice.weights.sum(1), torch.ones(500), atol=1e-5)
        assert len(lattice.givers) == 500 * 6
        assert (lattice.corners.sort(1).values.diff(dim=1) > 0).all()

    def test_points_that_lie_too_far_apart_are_refused(self) -> None:
        with pytest.raises(ValueError, match="cells of the lattice"):
            Lattice.of(torch.tensor([[0.0, 1e6]] * 5, dtype=torch.float64))


class TestOracle:
    @pytest.mark.parametrize("field", [FIELD, replace(FIELD, smoothness_px=3, appearance_px=40, appearance_color=13, iterations=5)])
    def test_scenes(self, field: Field) -> None:
        image, truth = scene(97, 121)
        self.assert_agrees(image, noisy(truth, 3), field)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "labels"),
        [("roads_ethz_epfl/images/satImage_014.png", "groundtruth/satImage_014.png"), ("isbi2012_em/images/15.png", "labels/15.png")],
    )
    def test_real_images(self, name: str, labels: str) -> None:
        if not (SHARED / name).exists():
            pytest.skip(f"the data set {Path(name).parts[0]} is not beside the project (../shared/data)")
        image = open_raster(SHARED / name).read().values[:3]
        image = np.repeat(image, 4 - len(image), axis=0)[:3]
        truth = (open_raster(SHARED / Path(name).parts[0] / labels).read().values[0] > 127).astype(np.uint8)
        self.assert_agrees(np.ascontiguousarray(image), noisy(truth, 2), FIELD)

    def assert_agrees(self, image: NDArray[np.uint8], shares: Shares, field: Field) -> None:
        densecrf = pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed; it needs a compiler")
        utils = pytest.importorskip("pydensecrf.utils")
        classes, height, width = shares.shape
        theirs = densecrf.DenseCRF2D(width, height, classes)
        theirs.setUnaryEnergy(np.ascontiguousarray(utils.unary_from_softmax(shares)))
        theirs.addPairwiseGaussian(sxy=field.smoothness_px, compat=field.smoothness)
        rgb = np.ascontiguousarray(image.transpose(1, 2, 0))
        theirs.addPairwiseBilateral(sxy=field.appearance_px, srgb=field.appearance_color, rgbim=rgb, compat=field.appearance)
        expected = np.array(theirs.inference(field.iterations)).reshape(shares.shape)
        found = refined(shares, image, field)
        assert np.mean(found.argmax(0) == expected.argmax(0)) > 0.998
        assert np.abs(found - expected).mean() < 0.002
        assert np.mean(shares.argmax(0) == expected.argmax(0)) < 0.99, "there was something to refine"


def test_borders_follow_the_image() -> None:
    image, truth = scene(97, 121)
    shares = noisy(truth, 3)
    before, after = (np.mean(each.argmax(0) == truth) for each in (shares, refined(shares, image)))
    assert after > before + 0.01


def test_what_is_not_known_says_nothing() -> None:
    image, truth = scene(61, 80)
    shares = noisy(truth, 3)
    known = np.ones(truth.shape, np.bool_)
    known[20:40, 30:50] = False
    found = []
    for value in (0, 1):
        shares[:, ~known] = np.eye(3, dtype=np.float32)[value][:, None]
        parts = torch.from_numpy(shares), torch.from_numpy(image.astype(np.float64)), torch.from_numpy(known)
        found.append(infer(*parts, (0, 0), FIELD).numpy()[:, known])
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize("seed", range(20))
def test_probabilities_stay_numbers_where_most_is_unknown(seed: int) -> None:
    """Rounding takes points out of their simplex, by which what nobody speaks to once had a weight below 0, and its root spread."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 255, (3, 40, 60)).astype(np.float64))
    known = torch.zeros(40, 60, dtype=torch.bool)
    known[5:20, 7:30] = True
    found = infer(torch.full((2, 40, 60), 0.5), image, known, (0, 0), FIELD)
    assert torch.allclose(found.sum(0), torch.ones(40, 60))


class TestColors:
    @pytest.mark.parametrize("dtype", [np.float32, np.uint16])
    def test_dark_images_are_stretched(self, dtype: type) -> None:
        values = np.random.default_rng(0).uniform(0, 1, (4, 20, 30)) * (1 if dtype is np.float32 else 900)
        colors = to_colors(*self.read(values.astype(dtype)))
        assert colors.shape == (3, 20, 30)
        assert (colors.min(), colors.max()) == (0, 255)
        assert 100 < colors.mean() < 155

    def test_bytes_are_what_they_are(self) -> None:
        values = np.random.default_rng(0).integers(3, 40, (2, 20, 30)).astype(np.uint8)
        assert np.array_equal(to_colors(*self.read(values)), values)

    def test_holes_and_a_band_without_spread_are_finite(self) -> None:
        values = np.full((1, 20, 30), 7.0, np.float32)
        pixels, scaling = self.read(values)
        holed = values.copy()
        holed[0, 3] = np.nan
        holed[0, 4] = -9999
        holes = holed < 0
        assert np.array_equal(to_colors(Pixels(values=holed, valid=pixels.valid, holes=holes), scaling), np.zeros((1, 20, 30)))

    def read(self, values: NDArray[Any]) -> tuple[Pixels, Scaling]:
        pixels = Pixels(values=values, valid=np.ones(values.shape[1:], np.bool_), holes=None)
        return pixels, measure([(pixels, pixels.valid)], "standard", values[0].size)


class TestStage:
    @pytest.fixture
    def small_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crf, "LEAST_SIZE_PX", 0)

    def job(self, tmp_path: Path, image: NDArray[np.uint8]) -> tuple[Job, Scaling]:
        path = tmp_path / "image.tif"
        bands, height, width = image.shape
        with rasterio.open(path, "w", driver="GTiff", dtype="uint8", count=bands, height=height, width=width) as file:
            file.write(image)
        raster = open_raster(path)
        pixels = raster.read()
        grid = SlidingGrid.of((height, width), (64, 64), 0.5)
        return Job(raster=raster, grid=grid), measure([(pixels, pixels.valid)], "standard", height * width)

    def stage(self, scaling: Scaling, **changes: Any) -> CrfStage:
        return CrfStage(field=replace(FIELD, **changes), scaling=scaling, device=torch.device("cpu"))

    def rows(
        self, shares: Shares, part: range | None = None, step: int = 37, unknown: NDArray[np.bool_] | None = None
    ) -> Iterator[BlendedRows]:
        sums = np.rint(shares * PROBABILITY_ONE).astype(np.uint32)
        given = part or range(sums.shape[1])
        for row in given[::step]:
            piece = slice(row, min(row + step, given.stop))
            valid = np.ones(sums[0, piece].shape, np.bool_)
            totals = np.ones(valid.shape, np.uint32)
            if unknown is not None:
                valid &= ~unknown[piece]
                totals[:, 7] = 0
            yield BlendedRows(row_off=row, sums=sums[:, piece], totals=totals, valid=valid)

    def whole(self, pieces: Iterator[BlendedRows]) -> NDArray[np.uint16]:
        return np.concatenate([each.probabilities() for each in pieces], axis=1)

    def test_windows_are_not_seen(self, tmp_path: Path, small_windows: None) -> None:
        image, truth = scene(300, 420)
        shares = noisy(truth, 3)
        job, scaling = self.job(tmp_path, image)
        stage = self.stage(scaling)
        assert stage._grid((300, 420)).size == (256, 256)
        found = self.whole(stage.run(self.rows(shares), job, job.rows)) / PROBABILITY_ONE
        expected = refined(shares, image)
        difference = np.abs(found - expected).max(axis=0)
        assert difference.mean() < 1e-4
        assert np.mean(found.argmax(0) == expected.argmax(0)) > 0.9999
        assert np.mean(found.argmax(0) == shares.argmax(0)) < 0.99
        # across the lines where one window takes over from another it jumps as it does elsewhere
        jumps = np.abs(np.diff(found[0], axis=1))
        seams = [column - 1 for column in (64 + 128, 64 + 256)]
        assert jumps[:, seams].mean() < 1.5 * jumps.mean()

    def test_the_same_for_any_rows_and_however_they_come(self, tmp_path: Path, small_windows: None) -> None:
        image, truth = scene(300, 150)
        shares = noisy(truth, 3)
        job, scaling = self.job(tmp_path, image)
        stage = self.stage(scaling, iterations=3)
        expected = self.whole(stage.run(self.rows(shares), job, job.rows))
        for first_row, end, step in (
            (0, 300, 300),
            (0, 100, 30),
            (1, 300, 1),
            (128, 129, 50),
            (255, 299, 7),
            (256, 300, 64),
            (299, 300, 10),
        ):
            needed = stage.needed(range(first_row, end), 300)
            # windows of 256 rows at 0 and 128
            assert needed == range(0 if first_row < 256 else 128, 256 if end <= 128 else 300)
            found = list(stage.run(self.rows(shares, needed, step), job, range(first_row, end)))
            assert found[0].row_off == first_row
            assert np.array_equal(self.whole(iter(found)), expected[:, first_row:end])

    def test_what_has_no_prediction_or_no_data_has_none_afterwards(self, tmp_path: Path, small_windows: None) -> None:
        image, truth = scene(90, 70)
        hole = np.zeros(truth.shape, np.bool_)
        hole[30:60, 20:50] = True
        job, scaling = self.job(tmp_path, image)
        pieces = list(self.stage(scaling, iterations=2).run(self.rows(noisy(truth, 3), unknown=hole), job, job.rows))
        assert np.array_equal(np.concatenate([each.valid for each in pieces]), ~hole)
        found = self.whole(iter(pieces))
        assert np.array_equal((found == 0).all(axis=0), hole | (np.arange(70) == 7))

    def test_a_map_is_refined_where_the_options_ask(self, make_predictor: Any, write_tiff: Any, tmp_path: Path) -> None:
        hole = np.zeros((61, 45), np.bool_)
        hole[5:20, 9:30] = True
        path = write_tiff(61, 45, hole=hole)
        maps = {}
        for name, options in {"plain": {}, "crf": {"refine": "crf", "crf_theta_col": 80.0}}.items():
            predictor = make_predictor(probabilities=True, **options)
            out = tmp_path / name / "image_predseg.tif"
            write_maps({out: predictor.open_job(path)}, predictor, Silent())
            with rasterio.open(out) as found, rasterio.open(out.with_name("image_probabilities.tif")) as shares:
                maps[name] = found.read(1)
                assert np.array_equal(found.read(1) == 255, hole)
                indices = np.searchsorted(predictor.bundle.legend.values, found.read(1))
                assert np.array_equal(indices[~hole], shares.read().argmax(0)[~hole])
        assert not np.array_equal(maps["plain"], maps["crf"])
