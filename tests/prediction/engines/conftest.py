"""Converting a network takes seconds, so that tests share what was converted."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from terrazzo.models.bundle import Bundle
from terrazzo.models.onnx import onnx_graph
from terrazzo.prediction.engines import onnx_engine, openvino_engine


@pytest.fixture(scope="session")
def shared_bundle(make_bundle: Callable[..., Bundle]) -> Callable[..., Bundle]:
    """A model as make_bundle makes it; the same one for the same arguments, so it is not to be changed."""
    made: dict[str, Bundle] = {}

    def find(**arguments: Any) -> Bundle:
        return made.setdefault(str(sorted(arguments.items())), make_bundle(**arguments))

    return find


@pytest.fixture(scope="session")
def graphs() -> dict[tuple[nn.Module, tuple[int, ...]], bytes]:
    return {}


@pytest.fixture(autouse=True)
def _converted_once(graphs: dict[tuple[nn.Module, tuple[int, ...]], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def once(network: nn.Module, shape: tuple[int, int, int, int], *, overlapping: bool) -> bytes:
        if (network, shape) not in graphs:
            graphs[network, shape] = onnx_graph(network, shape, overlapping=overlapping)
        return graphs[network, shape]

    monkeypatch.setattr(openvino_engine, "onnx_graph", once)
    monkeypatch.setattr(onnx_engine, "onnx_graph", once)
