"""Test-time augmentation: each view is undone exactly, and the mean is that of a naive loop."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.views import View, mean_over, views_of
from terrazzo.prediction.stream import Predictor, predict_rows
from terrazzo.rasters.raster import open_raster

D4 = views_of(PredictionOptions(tta="d4"))


def found(predictor: Predictor, path: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    rows = list(predict_rows([predictor.job(open_raster(path))], predictor, lambda _: None))
    return np.concatenate([each.indices() for each in rows]), np.concatenate([each.probabilities() for each in rows], axis=1)


@pytest.mark.parametrize(
    ("options", "count"), [({}, 1), ({"tta": "flips"}, 4), ({"tta": "d4"}, 8), ({"tta": "d4", "tta_scales": [1, 0.5]}, 16)]
)
def test_views_are_all_different(options: dict[str, Any], count: int) -> None:
    views = views_of(PredictionOptions(**options))
    images = torch.arange(2 * 6 * 8, dtype=torch.float32).reshape(1, 2, 6, 8)
    looks = {(view.of(images).shape, view.of(images).numpy().tobytes()) for view in views}
    assert len(views) == len(looks) == count


@pytest.mark.parametrize("view", D4)
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (8, 8)])
def test_a_view_is_undone_bit_for_bit(view: View, shape: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(view.back(view.of(images), *shape), images)


def test_sizes_are_rounded_and_come_back_whole() -> None:
    images = torch.rand(1, 2, 9, 15, generator=torch.Generator().manual_seed(0))
    view = View(scale=0.75, turns=1)
    assert view.of(images).shape == (1, 2, 11, 7)
    assert view.back(view.of(images), 9, 15).shape == images.shape


class PerPixel(nn.Module):
    """Sees one pixel at a time: what it says does not depend on how the image lies."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(2, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.head(images)
        return out


@pytest.mark.parametrize("tta", ["flips", "d4"])
def test_a_network_that_does_not_care_gives_the_same_map(make_bundle: Any, make_predictor: Any, write_tiff: Any, tta: str) -> None:
    torch.manual_seed(1)
    bundle, path = replace(make_bundle(window=(16, 24)), network=PerPixel().eval()), write_tiff(33, 40)
    plain, mirrored = (found(make_predictor(bundle, tta=kind), path) for kind in ("none", tta))
    assert len(np.unique(plain[0])) == 3
    assert np.array_equal(plain[0], mirrored[0])
    # the sum of equal numbers is rounded on its way
    assert np.abs(plain[1].astype(int) - mirrored[1].astype(int)).max() <= 1


@pytest.mark.parametrize("options", [{"tta": "d4"}, {"tta": "flips", "tta_scales": [1.0, 1.25]}])
def test_the_mean_is_that_of_a_naive_loop(make_bundle: Any, make_predictor: Any, write_tiff: Any, options: dict[str, Any]) -> None:
    """One window of another height than width, looked at in all ways with numpy."""
    bundle, path = make_bundle(window=(16, 24)), write_tiff(16, 24)
    predictor = make_predictor(bundle, overlap=0.0, blend="flat", **options)
    with open_raster(path) as raster:
        values = raster.read().values.astype(np.float64)
    scaled = np.stack([band.apply(plane) for band, plane in zip(bundle.scaling.bands, values, strict=True)]).astype(np.float32)
    shares = []
    for scale in options.get("tta_scales", [1.0]):
        for turns in range(4) if options["tta"] == "d4" else (0, 2):
            for mirrored in (False, True):
                image = torch.from_numpy(scaled)[None]
                if scale != 1:
                    size = (round(16 * scale), round(24 * scale))
                    image = nn.functional.interpolate(image, size, mode="bilinear", antialias=True)
                look = np.ascontiguousarray(np.rot90(image.numpy()[0, :, :, ::-1] if mirrored else image.numpy()[0], turns, (1, 2)))
                with torch.inference_mode():
                    seen = bundle.network(torch.from_numpy(look)[None]).softmax(1)[0].numpy()
                seen = np.rot90(seen, -turns, (1, 2))
                seen = np.ascontiguousarray(seen[:, :, ::-1] if mirrored else seen)
                if scale != 1:
                    seen = nn.functional.interpolate(torch.from_numpy(seen)[None], (16, 24), mode="bilinear", antialias=True)[0].numpy()
                shares.append(seen)
    expected = np.mean(shares, axis=0)
    assert np.ptp(shares, axis=0).max() > 0.05
    assert np.abs(found(predictor, path)[1] / PROBABILITY_ONE - expected).max() < 1 / PROBABILITY_ONE


def test_no_view_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no view"):
        mean_over((), lambda images: images, torch.zeros(1, 1, 2, 2))


def test_a_map_tells_how_its_windows_were_looked_at(make_predictor: Any, write_tiff: Any) -> None:
    with open_raster(write_tiff(5, 9)) as raster:
        assert len({make_predictor(tta=tta).provenance(raster) for tta in ("none", "flips", "d4")}) == 3
