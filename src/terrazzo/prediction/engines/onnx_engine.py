"""ONNX Runtime on the CPU: each window on the thread that asks for it."""

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from terrazzo.errors import EnvironmentFault
from terrazzo.models.bundle import Bundle
from terrazzo.models.onnx import INPUT, OUTPUT, PACKAGES, onnx_graph
from terrazzo.prediction.engines.forward import Means

if TYPE_CHECKING:
    import onnxruntime

ALL_PACKAGES = ("onnxruntime", *PACKAGES)
Shape4 = tuple[int, int, int, int]


def is_installed() -> bool:
    """Whether all that the engine needs is there; nothing is imported."""
    return all(find_spec(name) is not None for name in ALL_PACKAGES)


class OnnxForward:
    """A session of ONNX Runtime for each shape of images, in float32."""

    device = torch.device("cpu")
    alone = True
    means = Means(engine="onnx", device="cpu", precision="float32")

    def __init__(self, bundle: Bundle) -> None:
        """Raises EnvironmentFault if ONNX Runtime is not there."""
        if not is_installed():
            raise EnvironmentFault(
                "engine = onnx: ONNX Runtime is not installed here. Run: pip install terrazzo[onnx], or leave engine at auto."
            )
        self._network = bundle.network
        self._overlapping = bundle.legend.overlapping
        self._sessions: dict[Shape4, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()

    def __call__(self, images: Tensor) -> Tensor:
        batch, bands, height, width = images.shape
        session = self._session((batch, bands, height, width))
        return torch.from_numpy(session.run([OUTPUT], {INPUT: images.contiguous().numpy()})[0])

    def _session(self, shape: Shape4) -> "onnxruntime.InferenceSession":
        with self._lock:
            if shape not in self._sessions:
                import onnxruntime

                onnxruntime.disable_telemetry_events()
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                graph = onnx_graph(self._network, shape, overlapping=self._overlapping)
                self._sessions[shape] = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            return self._sessions[shape]
