"""From options to a network, and how it runs on a device: precision and memory layout."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from terrazzo.errors import EnvironmentFault
from terrazzo.models.backbone import Backbone, check_names
from terrazzo.models.blocks import seeded_network
from terrazzo.models.convolution import with_quick_gradients
from terrazzo.models.options import ModelOptions
from terrazzo.models.resunet import ResidualUNet
from terrazzo.models.unet import UNet
from terrazzo.models.vgg_unet import VGGUNet

logger = logging.getLogger(__name__)
Precision = Literal["float32", "bfloat16"]
LEAST_AGREEMENT = 0.995
"""Share of pixels whose class must be that of float32, where a network is computed more coarsely."""
LAYOUT = torch.channels_last
"""How images and weights lie in memory: channels last, for convolutions read neighbouring channels together."""
NETWORKS: dict[str, type[UNet | ResidualUNet]] = {"unet": UNet, "resunet": ResidualUNet, "vgg_unet": VGGUNet}


def build_network(options: ModelOptions, bands: int, classes: int, seed: int = 0) -> nn.Module:
    """The network that the options describe, with first weights that depend on the seed alone: pretrained ones are not looked for.

    Raises RecipeError if there is no such encoder, or the architecture does not take it.
    """
    return with_quick_gradients(seeded_network(lambda: network_class(options)(options, bands, classes), seed))


def network_class(options: ModelOptions) -> type[UNet | ResidualUNet | Backbone]:
    """What makes the network that the options describe."""
    return Backbone if options.architecture is not None else NETWORKS[options.kind]


def check_network(options: ModelOptions) -> None:
    """Raise RecipeError if the options name an encoder that there is not, and tell which have no effect; nothing is built."""
    if options.architecture is not None:
        check_names(options)
    if options.idle:
        logger.warning("[model] %s: no effect on architecture %s.", ", ".join(options.idle), options.architecture)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and how a network computes."""

    device: torch.device
    precision: Precision

    def place(self, network: nn.Module) -> nn.Module:
        """Move the network to the device, in the layout that its images will have."""
        return network.to(device=self.device, memory_format=LAYOUT)  # type: ignore[call-overload, no-any-return]

    def logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """(batch, bands, height, width) float32 in, float32 logits out; matrix products in the runtime's precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            out: Tensor = network(images)
        return out.float()


def use_threads(threads: int | None) -> None:
    """Compute with so many threads on the CPU; None: one a core, as torch finds them."""
    if threads is not None:
        torch.set_num_threads(threads)


def choose_runtime(device: str, precision: str) -> Runtime:
    """Resolve 'auto' of device and precision.

    Device: the first CUDA device, else Apple's MPS, else the CPU. Precision: bfloat16 where the chip
    multiplies it faster (see precision_for), else float32.
    Raises EnvironmentFault if the device asked for is not there.
    """
    chosen = _device(device)
    if precision == "auto":
        precision = precision_for(chosen)[0]
    return Runtime(device=chosen, precision="bfloat16" if precision == "bfloat16" else "float32")


def precision_for(device: torch.device) -> tuple[Precision, str]:
    """The precision in which a device is fastest, and why: a rule on what the chip says of itself, nothing is timed."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return ("bfloat16" if (major, minor) >= (8, 0) else "float32"), f"CUDA compute capability {major}.{minor}; bfloat16 from 8.0"
    if device.type == "cpu":
        return cpu_precision(torch.cpu.get_capabilities())
    return "float32", f"bfloat16 is not known to be faster on {device.type}"


def cpu_precision(flags: Mapping[str, Any]) -> tuple[Precision, str]:
    """The precision in which a processor is fastest, and why, from what torch.cpu.get_capabilities gives.

    AVX512-BF16 without AMX is faster than float32 on AMD's processors only: on Intel's it takes about twice as long.
    """
    if flags.get("amx_bf16"):
        return "bfloat16", "the processor has AMX"
    if not flags.get("avx512_bf16"):
        return "float32", "the processor has no bfloat16 in hardware"
    if "AMD" in str(flags.get("cpu_name", "")):
        return "bfloat16", "an AMD processor with AVX512-BF16"
    return "float32", "AVX512-BF16 without AMX is slower than float32 but on AMD processors"


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps") if torch.backends.mps.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise EnvironmentFault(
            f"device '{name}' is not available here ({str(error).splitlines()[0]}). Use --device auto or cpu."
        ) from error
    return device
