"""Which engine, precision and batch a model is predicted with: as asked for, else by the machine and a trial on the work itself."""

import logging
import time
from collections.abc import Mapping, Sequence

import torch

from terrazzo.errors import EnvironmentFault, ModelError, RecipeError
from terrazzo.labels.sentences import counted
from terrazzo.models import int8
from terrazzo.models.bundle import Bundle
from terrazzo.models.network import Runtime, choose_runtime
from terrazzo.prediction.engines import onnx_engine, openvino_engine
from terrazzo.prediction.engines.batch import quickest_batch
from terrazzo.prediction.engines.engine import Engine
from terrazzo.prediction.engines.forward import EnginePrecision, Forward
from terrazzo.prediction.engines.onnx_engine import OnnxForward
from terrazzo.prediction.engines.openvino_engine import OpenVinoForward
from terrazzo.prediction.engines.probe import Tried, Work, fault_of, tried
from terrazzo.prediction.engines.torch_engine import TorchForward
from terrazzo.prediction.options import EngineName, PredictionOptions
from terrazzo.prediction.refine.views import views_of

logger = logging.getLogger(__name__)
WORTH_CONVERTING_PX = 2**24
"""Work of fewer pixels is done sooner than a network is converted and tried."""
WORTH_ROUNDING_PX = 2**26
"""Work of fewer is done sooner than one more network is converted and tried."""
SMALL_WORKS_BATCH = 8
"""Windows a pass of an accelerator, where trying others takes longer than the work."""
ON_CPU_ONLY = ("openvino", "onnx")


class Chooser:
    """Chooses once for a model, and keeps to it; only work that was too small to try something on is no choice for larger work."""

    def __init__(self, bundle: Bundle, device: str, options: PredictionOptions) -> None:
        """Raises EnvironmentFault if the device is not there or cannot compute so, RecipeError if engine, precision and it do not fit."""
        self._bundle = bundle
        self._options = options
        int8_asked = options.precision == "int8"
        on_cpu_only = options.engine in ON_CPU_ONLY or int8_asked
        self._runtime = choose_runtime("cpu" if on_cpu_only and device == "auto" else device, options.precision)
        if on_cpu_only and self._runtime.device.type != "cpu":
            asked = "precision = int8" if int8_asked else f"engine = {options.engine}"
            other = "another precision" if int8_asked else "engine = torch"
            raise RecipeError(f"{asked} computes on the CPU, not on {device}. Use --device cpu or {other}.")
        if options.engine == "onnx" and options.precision in ("bfloat16", "int8"):
            raise RecipeError(
                f"engine = onnx computes in float32, not in {options.precision}. Set precision = float32, or take another engine."
            )
        if options.engine == "torch" and int8_asked:
            raise RecipeError("engine = torch does not compute in int8. Set engine = openvino, or another precision.")
        if int8_asked and not _chip_has_int8():
            raise EnvironmentFault(
                "precision = int8 needs a processor with VNNI or AMX: on this one its sums may overflow, and maps be wrong. "
                "Set precision = auto."
            )
        self._threads = torch.get_num_threads()
        self._engine: Engine | None = None
        self._tried_for = 0
        """The pixels that work needs for all that was tried."""

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
        worth = max((least for least in self._worth_trying() if work.pixels >= least), default=0)
        if self._engine is None or worth > self._tried_for:
            forward = self._kept(kept) or self._chosen(work, large=large)
            self._engine = Engine([forward], self._batch_size(forward, work, kept, large=large), views_of(self._options))
            self._tried_for = worth
            logger.debug("Predicting with %s, %s at once.", forward.means, counted(self._engine.batch_size, "window"))
        return self._engine

    def _worth_trying(self) -> list[int]:
        """Sizes of work, in pixels of windows, from which on more is tried."""
        return [WORTH_CONVERTING_PX, *([WORTH_ROUNDING_PX] if self._may_round() else [])]

    def _may_round(self) -> bool:
        """Whether int8 is a way to compute that may be the quickest."""
        told = self._options.precision == "auto" and bool(self._bundle.card.int8_ranges)
        return told and "openvino" in self._possible() and _chip_has_int8()

    def _kept(self, kept: Mapping[str, object] | None) -> Forward | None:
        """What was chosen before; None if nothing was, if that is not there, or if the options ask for something else."""
        precisions: dict[object, EnginePrecision] = {"float32": "float32", "bfloat16": "bfloat16", "int8": "int8"}
        precision = precisions.get(kept.get("precision")) if kept else None
        if kept is None or precision is None or kept.get("device") != self._runtime.device.type:
            return None
        if self._options.precision not in ("auto", precision) or (precision == "int8" and not _chip_has_int8()):
            return None
        return next(
            (self._made(name, precision) for name in self._possible() if name == kept.get("engine")),
            None,
        )

    def _possible(self) -> list[EngineName]:
        """Engines that the options and the machine leave, best first."""
        if self._options.engine != "auto":
            return [self._options.engine]
        if self._options.precision == "int8":
            return ["openvino"]
        return ["openvino", "torch"] if self._runtime.device.type == "cpu" and openvino_engine.is_installed() else ["torch"]

    def _chosen(self, work: Work, *, large: bool) -> Forward:
        *others, usual = self._possible()
        plain = self._precise(usual, work)
        return self._quickest(plain, self._rivals(plain.means.precision, others, work), work) if large else plain

    def _rivals(self, precision: EnginePrecision, others: Sequence[EngineName], work: Work) -> list[EnginePrecision]:
        """Precisions in which OpenVINO may be faster than what is usual."""
        rivals: list[EnginePrecision] = [precision] if "openvino" in others else []
        if work.pixels >= WORTH_ROUNDING_PX and self._may_round():
            rivals.append("int8")
        return rivals

    def _precise(self, name: EngineName, work: Work) -> Forward:
        """An engine in the precision that the options and the chip are for; in float32 where auto's bfloat16 does not do for the model."""
        if self._options.precision == "int8":
            return self._made(name, "int8")
        forward = self._made(name, self._runtime.precision)
        if self._options.precision != "auto" or forward.means.precision == "float32":
            return forward
        found, exact = self._tried(forward, work), self._tried(self._made("torch", "float32"), work)
        fault = fault_of(found.probabilities, exact.probabilities, rounded=True)
        if fault is None:
            return forward
        logger.warning("Predicting in float32, for bfloat16 does not do for this model: %s.", fault)
        return self._made(name, "float32")

    def _quickest(self, plain: Forward, rivals: Sequence[EnginePrecision], work: Work) -> Forward:
        """What is usual, or OpenVINO in its place where that agrees and is faster."""
        if not rivals:
            return plain
        best, usual = plain, self._tried(plain, work)
        as_it_is = plain.means.engine == "torch" and plain.means.precision == "float32"
        exact = usual if as_it_is else self._tried(self._made("torch", "float32"), work)
        seconds = usual.seconds
        for precision in rivals:
            try:
                other = OpenVinoForward(self._bundle, precision, self._threads)
                found = self._tried(other, work)
            except ModelError as error:
                logger.debug("%s", error)
                continue
            fault = fault_of(found.probabilities, exact.probabilities, rounded=precision != "float32")
            if fault is None and found.seconds >= seconds:
                fault = f"it takes {found.seconds:.3g} s a window, {best.means} {seconds:.3g} s"
            if fault is None:
                best, seconds = other, found.seconds
            else:
                logger.debug("OpenVINO in %s is not used: %s.", precision, fault)
        if best.means.precision == "int8":
            logger.info(
                "Predicting in int8, for on a window of the work its classes are those of float32; any precision but auto keeps it out."
            )
        return best

    def _made(self, name: EngineName, precision: EnginePrecision) -> Forward:
        if name == "openvino":
            return OpenVinoForward(self._bundle, precision, self._threads)
        if name == "onnx":
            return OnnxForward(self._bundle)
        if precision == "int8":
            raise ModelError("torch does not compute in int8; OpenVINO does.")
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


def _chip_has_int8() -> bool:
    return int8.is_supported(torch.cpu.get_capabilities())


def installed_engines() -> list[str]:
    """Engines that are there, whatever the device."""
    others = {"openvino": openvino_engine, "onnx": onnx_engine}
    return ["torch", *(name for name, module in others.items() if module.is_installed())]
