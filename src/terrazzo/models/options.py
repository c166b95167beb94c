"""[model]: the network."""

import difflib
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from terrazzo.options import Options

ARCHITECTURES = (
    "Unet",
    "UnetPlusPlus",
    "MAnet",
    "Linknet",
    "FPN",
    "PSPNet",
    "DeepLabV3",
    "DeepLabV3Plus",
    "PAN",
    "UPerNet",
    "Segformer",
    "DPT",
)
"""Networks of segmentation_models_pytorch."""
OF_BOTH = ("start", "architecture", "encoder", "pretrained", "subpixel")
"""Options that go with an architecture; all others describe Terrazzo's own networks."""
FREE = ("start", "pretrained", "initializer", "dropout", "dropout_in", "norm_momentum")
"""Options that change no weight's shape or meaning: a network may go on from a model that has others."""


class ModelOptions(Options):
    start: Path | None = Field(
        None,
        description="Go on from a model (a model folder or a run), also with other classes; its network and scaling are taken over.",
    )
    kind: Literal["unet", "resunet", "vgg_unet"] = Field(
        "unet",
        description="unet: the classic U-Net; resunet: pre-activation residual blocks, stride-2 encoder; vgg_unet: the convolutions of "
        "VGG16 as encoder, which has 64 filters.",
    )
    architecture: str | None = Field(
        None,
        description=f"A network of segmentation_models_pytorch instead of `kind`: {', '.join(ARCHITECTURES)}. "
        "Of the other options it takes encoder, pretrained and subpixel.",
    )
    encoder: str = Field(
        "resnet34",
        description="Encoder of the architecture, by its name in segmentation_models_pytorch (resnet34, efficientnet-b0, mit_b0 ...), "
        "or `tu-` and a name of timm.",
    )
    pretrained: bool | Path = Field(
        False, description="Start the encoder from pretrained weights: true fetches them, a path is a safetensors file of them."
    )
    filters: int = Field(32, ge=1, le=1024, description="Filters of the first level.")
    growth: float = Field(2.0, ge=1, le=4, description="Filters grow by this factor from level to level; VGG's to eight times at most.")
    subpixel: Literal[1, 2, 4] = Field(
        1,
        description="Pixels along a side that the network takes as one, with their values as channels, and resolves again at its end; "
        "2 is two to three times faster, for objects of several pixels.",
    )
    depth: int = Field(4, ge=1, le=8, description="Number of halvings.")
    convolutions: int = Field(2, ge=1, le=6, description="Convolutions of a block; VGG's encoder keeps its own, 2-2-3-3-3.")
    kernel: int = Field(3, ge=1, le=15, description="Side of the convolutions in pixels; odd.")
    activation: Literal["relu", "elu", "leaky_relu", "selu", "silu", "gelu"] = Field(
        "relu", description="Activation after each normalisation."
    )
    norm: Literal["batch", "group", "instance", "none"] = Field(
        "batch", description="Normalisation: over the batch, over groups of channels of an image, or over each channel of an image."
    )
    norm_momentum: float = Field(
        0.1, gt=0, le=1, description="Weight of the newest batch in the running statistics of batch normalisation."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of channels dropped while training.")
    dropout_in: Literal["deepest", "blocks"] = Field("deepest", description="Where channels are dropped: in the deepest block, or in all.")
    upsample: Literal["transpose", "bilinear", "nearest"] = Field("transpose", description="How the decoder doubles.")
    up_kernel: int = Field(2, ge=1, le=8, description="Kernel of the transposed convolution (2 or larger), else of the one after resizing.")
    up_filters: int | None = Field(
        None, ge=1, le=1024, description="Filters of the classic decoder's first convolution of each level; default: those of the level."
    )
    pooling: Literal["max", "average", "strided"] = Field(
        "max", description="How the classic encoder halves; strided: by a convolution that learns."
    )
    initializer: Literal["he_normal", "he_uniform", "glorot_normal", "glorot_uniform"] = Field("he_normal", description="First weights.")

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is None:
            return None
        spellings = {known.lower(): known for known in ARCHITECTURES}
        if name.lower() in spellings:
            return spellings[name.lower()]
        near = difflib.get_close_matches(name.lower(), spellings, n=1)
        hint = f"did you mean '{spellings[near[0]]}'?" if near else f"known are {', '.join(ARCHITECTURES)}"
        raise ValueError(f"there is no architecture {name!r}; {hint}")

    @model_validator(mode="after")
    def _together(self) -> "ModelOptions":
        if self.start is not None and self.pretrained:
            raise ValueError("start and pretrained both say where the weights begin. Leave one of them out.")
        if self.architecture is None:
            if stray := [name for name in ("encoder", "pretrained") if name in self._changed]:
                raise ValueError(f'{" and ".join(stray)} needs an architecture. Give also architecture = "Unet", or leave it out.')
        elif self.pretrained and self.subpixel > 1:
            raise ValueError("pretrained weights see single pixels; they do not go with subpixel above 1. Leave one of them out.")
        return self

    @model_validator(mode="after")
    def _check(self) -> "ModelOptions":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; it must be odd")
        return self

    @property
    def _changed(self) -> list[str]:
        return [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]

    @property
    def idle(self) -> list[str]:
        """Options that were given another value than their default, but have no effect on the architecture."""
        return [] if self.architecture is None else [name for name in self._changed if name not in OF_BOTH]

    @property
    def name(self) -> str:
        """What the network is called: its kind, or architecture and encoder."""
        return self.kind if self.architecture is None else f"{self.architecture} on {self.encoder}"

    def within(self, folder: Path) -> "ModelOptions":
        """The same, the files that it names being absolute; a relative path starts from the folder."""
        named = {name: getattr(self, name) for name in ("start", "pretrained")}
        return self.model_copy(update={name: folder / path.expanduser() for name, path in named.items() if isinstance(path, Path)})

    def going_on_from(self, model: "ModelOptions") -> tuple["ModelOptions", list[str]]:
        """The network of a model with the free options of this one, and each option that was given here and is another there."""
        shaping = [name for name in type(self).model_fields if name not in FREE]
        differing = [name for name in shaping if name in self.model_fields_set and getattr(self, name) != getattr(model, name)]
        free = {name: getattr(self, name) for name in FREE}
        return model.model_copy(update=free), differing

    def pathless(self) -> "ModelOptions":
        """The same without a path of this machine: whether weights were pretrained stays."""
        return self.model_copy(update={"start": None, "pretrained": bool(self.pretrained)})
