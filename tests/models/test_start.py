"""Going on from a network: all its weights, and the rows of the head of classes that both know."""

import pytest
import torch
from torch import nn

from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.models.start import go_on, head_of

NETWORKS = (
    ModelOptions(filters=4, depth=1),
    ModelOptions(filters=4, depth=1, subpixel=2),
    ModelOptions(kind="resunet", filters=4, depth=1),
    ModelOptions(kind="vgg_unet", filters=2, depth=3),
    ModelOptions(architecture="Unet", encoder="mobilenet_v2"),
    ModelOptions(architecture="FPN", encoder="mobilenet_v2", subpixel=2),
)
IMAGE = torch.randn(1, 2, 9, 14, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=NETWORKS, ids=lambda options: f"{options.name}-{options.subpixel}")
def options(request: pytest.FixtureRequest) -> ModelOptions:
    given: ModelOptions = request.param
    return given


def built(options: ModelOptions, classes: int, seed: int) -> nn.Module:
    return build_network(options, 2, classes, seed).eval()


@torch.inference_mode()
def test_of_the_same_classes_it_maps_the_same(options: ModelOptions) -> None:
    network, donor = built(options, 2, 1), built(options, 2, 2)
    go_on(network, donor, ["land", "water"], ["land", "water"])
    assert torch.equal(network(IMAGE), donor(IMAGE))


@torch.inference_mode()
def test_classes_are_matched_by_name_and_others_begin_anew(options: ModelOptions) -> None:
    network, donor = built(options, 3, 1), built(options, 2, 2)
    first = network.get_parameter(f"{head_of(network)}.weight").clone()
    go_on(network, donor, ["water", "ice", "land"], ["land", "water"])
    ours, theirs = network(IMAGE), donor(IMAGE)
    assert torch.allclose(ours[:, 0], theirs[:, 1], atol=1e-6)
    assert torch.allclose(ours[:, 2], theirs[:, 0], atol=1e-6)
    rows = options.subpixel**2
    assert torch.equal(network.get_parameter(f"{head_of(network)}.weight")[rows : 2 * rows], first[rows : 2 * rows])


def test_a_network_of_other_bands_is_refused() -> None:
    with pytest.raises(ValueError, match="is of shape"):
        go_on(built(NETWORKS[0], 2, 1), build_network(NETWORKS[0], 3, 2), ["a", "b"], ["a", "b"])
