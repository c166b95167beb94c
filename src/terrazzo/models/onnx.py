"""The bare graph of a network as ONNX: scaled pixels in, probabilities out. What a map needs besides is the model card's."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from terrazzo.errors import EnvironmentFault, ModelError

logger = logging.getLogger(__name__)
INPUT, OUTPUT = "images", "probabilities"
PACKAGES = ("onnx", "onnxscript")
"""What torch writes ONNX with."""


class Probabilities(nn.Module):
    """(batch, bands, height, width) float32 to probabilities (batch, classes, height, width) float32."""

    def __init__(self, network: nn.Module, *, overlapping: bool) -> None:
        """overlapping: whether each class is answered by itself."""
        super().__init__()
        self.network = network
        self.overlapping = overlapping

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images).float()
        return logits.sigmoid() if self.overlapping else logits.softmax(1)


def onnx_graph(network: nn.Module, shape: tuple[int, int, int, int], *, overlapping: bool = False) -> bytes:
    """The network in float32 as an ONNX model for images (batch, bands, height, width) of one shape, softmax included.

    overlapping: of classes that overlap it ends in a sigmoid each.

    Nothing is written to disk and nothing is fetched. Takes some seconds.
    Raises EnvironmentFault if the packages for it are missing, ModelError if ONNX cannot express the network.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise EnvironmentFault(f"ONNX needs {' and '.join(missing)}, not installed here. Run: pip install {' '.join(missing)}")
    logger.info("Converting the network to ONNX, for images of %d x %d pixels.", *shape[2:])
    graph = Probabilities(network, overlapping=overlapping).eval()
    images = torch.zeros(shape, device=next(network.parameters()).device)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(graph, (images,), input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False)
    except torch.onnx.errors.OnnxExporterError as error:
        raise ModelError(f"this network cannot be written as ONNX ({str(error).splitlines()[0]}). Predict with engine = torch.") from error
    if program is None:
        raise ModelError("this network cannot be written as ONNX. Predict with engine = torch.")
    data: bytes = program.model_proto.SerializeToString()
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own parts, which say nothing of the network."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(before)
