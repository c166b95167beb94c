"""From options to a network, and how it runs on a device: precision and memory layout."""

import logging
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from terrazzo.errors import EnvironmentFault
from terrazzo.models.backbone import Backbone, check_names
from terrazzo.models.blocks import seeded_network
from terrazzo.models.options import ModelOptions
from terrazzo.models.resunet import ResidualUNet
from terrazzo.models.unet import UNet

logger = logging.getLogger(__name__)
Precision = Literal["float32", "bfloat16"]
NETWORKS: dict[str, type[UNet | ResidualUNet]] = {"unet": UNet, "resunet": ResidualUNet}


def build_network(options: ModelOptions, bands: int, classes: int, seed: int = 0) -> nn.Module:
    """The network that the options describe, with first weights that depend on the seed alone: pretrained ones are not looked for.

    Raises RecipeError if there is no such encoder, or the architecture does not take it.
    """
    return seeded_network(lambda: network_class(options)(options, bands, classes), seed)


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
        return network.to(device=self.device, memory_format=self.layout)  # type: ignore[call-overload, no-any-return]

    @property
    def layout(self) -> torch.memory_format:
        """How images lie in memory: channels last, for convolutions read neighbouring channels together.

        Not so on CPUs without AVX-512: there torch 2.15 writes beyond its buffers in strided convolutions of few channels.
        """
        narrow = self.device.type == "cpu" and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        return torch.contiguous_format if narrow else torch.channels_last

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

    Device: the first CUDA device, else Apple's MPS, else the CPU. Precision: bfloat16 where the chip multiplies it in
    hardware (CPU with AVX512-BF16 or AMX, CUDA of compute capability 8.0 and later), else float32: emulated bfloat16 is
    slower than float32.
    Raises EnvironmentFault if the device asked for is not there.
    """
    chosen = _device(device)
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(chosen) else "float32"
    return Runtime(device=chosen, precision="bfloat16" if precision == "bfloat16" else "float32")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the chip multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


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
