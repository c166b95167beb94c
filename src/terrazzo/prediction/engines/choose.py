"""Which engine, precision and batch a model is predicted with: as asked for, else by the machine and a trial on the work itself."""

import logging
import time
from collections.abc import Mapping

import torch

from terrazzo.errors import ModelError, RecipeError
from terrazzo.labels.sentences import counted
from terrazzo.models.bundle import Bundle
from terrazzo.models.network import Precision, Runtime, choose_runtime
from terrazzo.prediction.engines import onnx_engine, openvino_engine
from terrazzo.prediction.engines.batch import quickest_batch
from terrazzo.prediction.engines.engine import Engine
from terrazzo.prediction.engines.forward import Forward
from terrazzo.prediction.engines.onnx_engine import OnnxForward
from terrazzo.prediction.engines.openvino_engine import OpenVinoForward
from terrazzo.prediction.engines.probe import Tried, Work, fault_of, tried
from terrazzo.prediction.engines.torch_engine import TorchForward
from terrazzo.prediction.options import EngineName, PredictionOptions
from terrazzo.prediction.refine.views import views_of

logger = logging.getLogger(__name__)
WORTH_CONVERTING_PX = 2**24
"""Work of fewer pixels is done sooner than a network is converted and tried."""
SMALL_WORKS_BATCH = 8
"""Windows a pass of an accelerator, where trying others takes longer than the work."""
ON_CPU_ONLY = ("openvino", "onnx")


class Chooser:
    """Chooses once for a model, and keeps to it; only work that was too small to try anything on is no choice for larger work."""

    def __init__(self, bundle: Bundle, device: str, options: PredictionOptions) -> None:
        """Raises EnvironmentFault if the device is not there, RecipeError if the engine does not go with it or with the precision."""
        self._bundle = bundle
        self._options = options
        on_cpu_only = options.engine in ON_CPU_ONLY
        self._runtime = choose_runtime("cpu" if on_cpu_only and device == "auto" else device, options.precision)
        if on_cpu_only and self._runtime.device.type != "cpu":
            raise RecipeError(f"engine = {options.engine} computes on the CPU, not on {device}. Use --device cpu or engine = torch.")
        if options.engine == "onnx" and options.precision == "bfloat16":
            raise RecipeError("engine = onnx computes in float32, not in bfloat16. Set precision = float32, or take another engine.")
        self._threads = torch.get_num_threads()
        self._engine: Engine | None = None
        self._provisional = False

    @property
    def device(self) -> torch.device:
        """The device of the engine, whichever that will be."""
        return self._runtime.device

    def engine_for(self, work: Work, kept: Mapping[str, object] | None = None) -> Engine:
        """The engine for work that is to be done.

        kept: what runtime_facts said when that work was begun; it is obeyed where the options leave the choice.
        Raises EnvironmentFault or ModelError if the engine asked for is not there, or cannot take the network.
        """
        large = work.pixels >= WORTH_CONVERTING_PX
        if self._engine is None or (self._provisional and large):
            forward = self._kept(kept) or self._chosen(work, large=large)
            self._engine = Engine([forward], self._batch_size(forward, work, kept, large=large), views_of(self._options))
            self._provisional = not large
            logger.debug("Predicting with %s, %s at once.", forward.means, counted(self._engine.batch_size, "window"))
        return self._engine

    def _kept(self, kept: Mapping[str, object] | None) -> Forward | None:
        """What was chosen before; None if nothing was, if that is not there, or if the options ask for something else."""
        precisions: dict[object, Precision] = {"float32": "float32", "bfloat16": "bfloat16"}
        precision = precisions.get(kept.get("precision")) if kept else None
        if kept is None or precision is None or kept.get("device") != self._runtime.device.type:
            return None
        if self._options.precision not in ("auto", precision):
            return None
        return next(
            (self._made(name, precision) for name in self._possible() if name == kept.get("engine")),
            None,
        )

    def _possible(self) -> list[EngineName]:
        """Engines that the options and the machine leave, best first."""
        if self._options.engine != "auto":
            return [self._options.engine]
        return ["openvino", "torch"] if self._runtime.device.type == "cpu" and openvino_engine.is_installed() else ["torch"]

    def _chosen(self, work: Work, *, large: bool) -> Forward:
        best, *others = self._possible()
        if not others or not large:
            return self._precise((others or [best])[-1], work)
        plain = self._precise("torch", work)
        return self._quicker(plain, work) or plain

    def _precise(self, name: EngineName, work: Work) -> Forward:
        """An engine in the precision that the options and the chip are for; in float32 where auto's bfloat16 does not do for the model."""
        forward = self._made(name, self._runtime.precision)
        if self._options.precision != "auto" or forward.means.precision == "float32":
            return forward
        found, exact = self._tried(forward, work), self._tried(self._made("torch", "float32"), work)
        fault = fault_of(found.probabilities, exact.probabilities, rounded=True)
        if fault is None:
            return forward
        logger.warning("Predicting in float32, for bfloat16 does not do for this model: %s.", fault)
        return self._made(name, "float32")

    def _quicker(self, plain: Forward, work: Work) -> Forward | None:
        """OpenVINO in torch's place, if it agrees and is faster."""
        try:
            other = OpenVinoForward(self._bundle, plain.means.precision, self._threads)
            found = self._tried(other, work)
        except ModelError as error:
            logger.debug("%s", error)
            return None
        usual = self._tried(plain, work)
        exact = usual if plain.means.precision == "float32" else self._tried(self._made("torch", "float32"), work)
        fault = fault_of(found.probabilities, exact.probabilities, rounded=plain.means.precision != "float32")
        if fault is None and found.seconds >= usual.seconds:
            fault = f"it takes {found.seconds:.3g} s a window, torch {usual.seconds:.3g} s"
        if fault is not None:
            logger.debug("OpenVINO is not used: %s.", fault)
            return None
        return other

    def _made(self, name: EngineName, precision: Precision) -> Forward:
        if name == "openvino":
            return OpenVinoForward(self._bundle, precision, self._threads)
        if name == "onnx":
            return OnnxForward(self._bundle)
        return TorchForward(self._bundle, Runtime(device=self._runtime.device, precision=precision))

    def _tried(self, forward: Forward, work: Work) -> Tried:
        return tried(forward, work.window())

    def _batch_size(self, forward: Forward, work: Work, kept: Mapping[str, object] | None, *, large: bool) -> int:
        before = kept.get("batch_size") if kept else None
        if isinstance(before, int) and self._options.batch_size == "auto":
            return before
        if forward.alone or self._options.batch_size != "auto" or not large:
            return batch_before_trial(self._options, forward.device, self._threads)
        chip = torch.from_numpy(work.window())

        def seconds(size: int) -> float:
            images = chip.expand(size, *chip.shape).to(forward.device)
            forward(images).cpu()
            started = time.perf_counter()
            forward(images).cpu()
            return time.perf_counter() - started

        return quickest_batch(seconds)


def batch_before_trial(options: PredictionOptions, device: torch.device, threads: int | None) -> int:
    """Windows at once, as far as that is known before any is computed. threads: of a CPU; None: one a core."""
    if device.type == "cpu":
        threads = threads or torch.get_num_threads()
        return threads if options.batch_size == "auto" else min(options.batch_size, threads)
    return SMALL_WORKS_BATCH if options.batch_size == "auto" else options.batch_size


def installed_engines() -> list[str]:
    """Engines that are there, whatever the device."""
    others = {"openvino": openvino_engine, "onnx": onnx_engine}
    return ["torch", *(name for name, module in others.items() if module.is_installed())]
