"""OpenVINO on the CPU: one stream of one thread for each window that is computed at a time."""

import importlib
import sys
import threading
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from terrazzo.errors import EnvironmentFault, ModelError
from terrazzo.models.bundle import Bundle
from terrazzo.models.int8 import rounded
from terrazzo.models.onnx import PACKAGES, onnx_graph
from terrazzo.models.shortage import is_shortage
from terrazzo.prediction.engines.forward import EnginePrecision, Means

if TYPE_CHECKING:
    import openvino

ALL_PACKAGES = ("openvino", *PACKAGES)
TELEMETRY = "openvino_telemetry"
Shape4 = tuple[int, int, int, int]


def is_installed() -> bool:
    """Whether all that the engine needs is there; nothing is imported."""
    return all(find_spec(name) is not None for name in ALL_PACKAGES)


class OpenVinoForward:
    """A network that OpenVINO has compiled, anew for each shape of images."""

    device = torch.device("cpu")
    alone = True

    def __init__(self, bundle: Bundle, precision: EnginePrecision, streams: int) -> None:
        """streams: windows that are computed at the same time.

        Raises EnvironmentFault if OpenVINO is not there, ModelError if the model is for int8 and does not tell how.
        """
        if not is_installed():
            raise EnvironmentFault(
                "engine = openvino: OpenVINO is not installed here. Run: pip install terrazzo[openvino], or leave engine at auto."
            )
        self.means = Means(engine="openvino", device="cpu", precision=precision)
        if precision == "int8" and not bundle.card.int8_ranges:
            raise ModelError(
                "this model does not tell how to round to int8: it was trained before that was measured, or its maps would suffer. "
                "Set precision = auto."
            )
        self._network, self._ranges = bundle.network, bundle.card.int8_ranges if precision == "int8" else {}
        self._overlapping = bundle.legend.overlapping
        self._streams = streams
        self._compiled: dict[Shape4, openvino.CompiledModel] = {}
        self._lock = threading.Lock()
        self._of_thread = threading.local()

    def __call__(self, images: Tensor) -> Tensor:
        batch, bands, height, width = images.shape
        result = self._request((batch, bands, height, width)).infer({0: images.contiguous().numpy()}, share_inputs=True)
        return torch.from_numpy(result[0])

    def _request(self, shape: Shape4) -> "openvino.InferRequest":
        """A thread's own, for it holds what is between the layers."""
        requests: dict[Shape4, openvino.InferRequest] = self._of_thread.__dict__.setdefault("requests", {})
        if shape not in requests:
            requests[shape] = self._model(shape).create_infer_request()
        return requests[shape]

    def _model(self, shape: Shape4) -> "openvino.CompiledModel":
        with self._lock:
            if shape not in self._compiled:
                self._compiled[shape] = self._compile(shape)
            return self._compiled[shape]

    def _compile(self, shape: Shape4) -> "openvino.CompiledModel":
        network = rounded(self._network, self._ranges) if self._ranges else self._network
        graph, core = onnx_graph(network, shape, overlapping=self._overlapping), _openvino().Core()
        settings = {
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": self._streams,
            "INFERENCE_PRECISION_HINT": "bf16" if self.means.precision == "bfloat16" else "f32",
            # pinned to cores, two predictions on one machine would share some and leave others idle
            "ENABLE_CPU_PINNING": False,
        }
        try:
            return core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            if is_shortage(error):
                raise
            raise ModelError(f"OpenVINO cannot take this network ({str(error).splitlines()[0]}). Predict with engine = torch.") from error


def _openvino() -> ModuleType:
    """OpenVINO, without the package by which it reports its use to its makers: where that is missing, it has a stub."""
    if "openvino" not in sys.modules:
        before = sys.modules.get(TELEMETRY)
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules[TELEMETRY]
            if before is not None:
                sys.modules[TELEMETRY] = before
    return importlib.import_module("openvino")
