"""One contract for all engines: the same probabilities, on any shape, from any number of threads, and nothing sent anywhere."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from terrazzo.errors import RecipeError
from terrazzo.models.bundle import Bundle
from terrazzo.models.int8 import is_supported, measured_ranges, rounded
from terrazzo.models.network import choose_runtime
from terrazzo.prediction.engines import onnx_engine, openvino_engine
from terrazzo.prediction.engines.engine import Engine, ReadWindow
from terrazzo.prediction.engines.forward import Forward
from terrazzo.prediction.engines.onnx_engine import OnnxForward
from terrazzo.prediction.engines.openvino_engine import OpenVinoForward
from terrazzo.prediction.engines.torch_engine import TorchForward
from terrazzo.prediction.options import EngineName
from terrazzo.prediction.stream import Predictor, predict_rows
from terrazzo.rasters.window import Window

ENGINES = [
    "torch",
    pytest.param("openvino", marks=pytest.mark.skipif(not openvino_engine.is_installed(), reason="OpenVINO is not installed")),
    pytest.param("onnx", marks=pytest.mark.skipif(not onnx_engine.is_installed(), reason="ONNX Runtime is not installed")),
]


def forward(name: EngineName, bundle: Any, streams: int = 2) -> Forward:
    if name == "openvino":
        return OpenVinoForward(bundle, "float32", streams)
    return OnnxForward(bundle) if name == "onnx" else TorchForward(bundle, choose_runtime("cpu", "float32"))


def windows(count: int, size: tuple[int, int] = (33, 48)) -> list[ReadWindow]:
    rng = np.random.default_rng(1)
    return [
        ReadWindow(
            window=Window(col_off=number, row_off=0, width=size[1], height=size[0]),
            chip=rng.standard_normal((2, *size), np.float32),
            valid=np.ones(size, np.bool_),
        )
        for number in range(count)
    ]


def mapped(engine: Engine, given: list[ReadWindow]) -> NDArray[np.uint16]:
    return np.stack([found for _, found in engine.run(given) if found is not None])


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ENGINES)
def test_probabilities_are_those_of_the_network(shared_bundle: Any, name: EngineName) -> None:
    bundle = shared_bundle()
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 33, 48), np.float32))
    with torch.inference_mode():
        expected = bundle.network(images).softmax(1)
    found = forward(name, bundle)(images)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-4
    assert float(expected.std()) > 0.1


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.usefixtures("_threads")
def test_not_a_bit_depends_on_threads_or_on_how_many_are_computed_at_once(shared_bundle: Any, name: EngineName) -> None:
    bundle, given = shared_bundle(), windows(7)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found += [mapped(Engine([forward(name, bundle, threads)], at_once), given) for at_once in (1, threads)]
        assert torch.get_num_threads() == threads
    for other in found[1:]:
        assert np.array_equal(other, found[0])


@pytest.fixture(scope="module")
def whole_numbers(make_bundle: Any) -> Bundle:
    """A model that tells how to round."""
    bundle: Bundle = make_bundle(filters=16)
    with torch.inference_mode(), measured_ranges(bundle.network) as ranges:
        bundle.network(torch.randn(4, 2, 33, 48, generator=torch.Generator().manual_seed(0)))
    return replace(bundle, card=bundle.card.model_copy(update={"int8_ranges": ranges}))


@pytest.mark.skipif(not openvino_engine.is_installed(), reason="OpenVINO is not installed")
@pytest.mark.usefixtures("_threads")
class TestInt8:
    @pytest.mark.skipif(not is_supported(torch.cpu.get_capabilities()), reason="the processor's sums of eight bits may overflow")
    def test_probabilities_are_those_of_the_rounded_network(self, whole_numbers: Bundle) -> None:
        images = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 33, 48), np.float32))
        with torch.inference_mode():
            exact, expected = (
                network(images).softmax(1)
                for network in (whole_numbers.network, rounded(whole_numbers.network, whole_numbers.card.int8_ranges))
            )
        found = OpenVinoForward(whole_numbers, "int8", 2)(images)
        assert 10 * float((found - expected).abs().mean()) < float((expected - exact).abs().mean())

    def test_convolutions_are_in_whole_numbers(self, whole_numbers: Bundle) -> None:
        forward = OpenVinoForward(whole_numbers, "int8", 1)
        forward(torch.zeros(1, 2, 33, 48))
        (compiled,) = forward._compiled.values()
        kinds = [
            operation.get_rt_info()["runtimePrecision"].astype(str)
            for operation in compiled.get_runtime_model().get_ops()
            if operation.get_rt_info()["layerType"].astype(str) in ("Convolution", "Deconvolution")
        ]
        in_whole_numbers = [kind for kind in kinds if kind in ("i8", "u8")]
        assert len(in_whole_numbers) == len(whole_numbers.card.int8_ranges) == len(kinds) - 2

    def test_not_a_bit_depends_on_threads(self, whole_numbers: Bundle) -> None:
        first, *others = (mapped(Engine([OpenVinoForward(whole_numbers, "int8", threads)], threads), windows(7)) for threads in (1, 2, 3))
        assert all(np.array_equal(first, other) for other in others)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.usefixtures("_threads")
def test_nor_does_one_of_a_large_network(shared_bundle: Any, name: EngineName) -> None:
    """Large enough that its library would share out the sums of a layer among the threads that it has."""
    bundle, given = shared_bundle(filters=32, depth=4), windows(3, (192, 160))
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(mapped(Engine([forward(name, bundle, threads)], threads), given))
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize("name", ENGINES)
def test_a_whole_map_looked_at_in_several_ways(shared_bundle: Any, make_predictor: Any, write_tiff: Any, name: EngineName) -> None:
    """Turned windows are of another shape, compiled anew."""
    bundle, path = shared_bundle(window=(24, 16)), write_tiff(45, 33)
    expected, found = (probabilities(make_predictor(bundle, engine=engine, tta="d4"), path) for engine in ("torch", name))
    assert np.abs(expected - found).max() <= 8


def probabilities(predictor: Predictor, path: Any) -> NDArray[np.int64]:
    rows = predict_rows([predictor.open_job(path)], predictor, lambda _: None)
    return np.concatenate([each.probabilities() for each in rows], axis=1).astype(np.int64)


def test_what_an_engine_cannot_do_is_refused(make_predictor: Any) -> None:
    with pytest.raises(RecipeError, match=r"engine = onnx computes in float32, not in bfloat16"):
        make_predictor(engine="onnx", precision="bfloat16")


NOTHING_SENT = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("a socket was opened")
socket.socket.__init__ = socket.create_connection = socket.getaddrinfo = refuse
import torch
from terrazzo.models.onnx import onnx_graph
from terrazzo.prediction.engines import openvino_engine
network = torch.nn.Conv2d(2, 3, 3, padding=1).eval()
core = openvino_engine._openvino().Core()
core.compile_model(core.read_model(onnx_graph(network, (1, 2, 16, 16))), "CPU")
import onnxruntime
onnxruntime.InferenceSession(onnx_graph(network, (1, 2, 16, 16)), providers=["CPUExecutionProvider"])
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


@pytest.mark.skipif(not (openvino_engine.is_installed() and onnx_engine.is_installed()), reason="OpenVINO or ONNX Runtime is not installed")
@pytest.mark.slow
def test_nothing_is_sent_anywhere() -> None:
    """The package by which OpenVINO reports to its makers is not even imported."""
    done = subprocess.run([sys.executable, "-c", NOTHING_SENT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
