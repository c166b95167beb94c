"""The bare graph of a network as ONNX."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from terrazzo.errors import EnvironmentFault, ModelError
from terrazzo.models import onnx
from terrazzo.models.network import build_network
from terrazzo.models.onnx import INPUT, OUTPUT, onnx_graph
from terrazzo.models.options import ModelOptions

VARIANTS: list[dict[str, Any]] = [
    {},
    {"norm": "instance", "activation": "gelu", "upsample": "bilinear", "subpixel": 2},
    {"kind": "resunet", "norm": "group"},
]


@pytest.mark.parametrize(("variant", "size"), zip(VARIANTS, [(37, 51), (32, 40), (19, 64)], strict=True), ids=str)
def test_the_graph_gives_the_networks_probabilities(variant: dict[str, Any], size: tuple[int, int]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    network = build_network(ModelOptions(filters=4, depth=2, **variant), 2, 3).eval()
    images = np.random.default_rng(0).standard_normal((2, 2, *size), np.float32)
    session = runtime.InferenceSession(onnx_graph(network, images.shape), providers=["CPUExecutionProvider"])
    found = session.run([OUTPUT], {INPUT: images})[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(1).numpy()
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-5
    assert np.abs(expected - 1 / 3).max() > 1e-3


def test_the_network_is_left_as_it_was() -> None:
    network = build_network(ModelOptions(filters=4, depth=2), 2, 3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    onnx_graph(network.eval(), (1, 2, 16, 16))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_network_that_onnx_cannot_express() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.sort(images.numpy())) * self.weight

    with pytest.raises(ModelError, match=r"cannot be written as ONNX.*engine = torch"):
        onnx_graph(Odd(), (1, 2, 8, 8))


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "PACKAGES", ("onnx", "not_there"))
    with pytest.raises(EnvironmentFault, match=r"not_there, not installed here\. Run: pip install not_there"):
        onnx_graph(nn.Conv2d(2, 3, 1), (1, 2, 8, 8))
