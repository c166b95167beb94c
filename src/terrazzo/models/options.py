"""[model]: the network."""

from typing import Literal

from pydantic import Field, model_validator

from terrazzo.options import Options


class ModelOptions(Options):
    kind: Literal["unet", "resunet"] = Field(
        "unet", description="unet: the classic U-Net; resunet: pre-activation residual blocks, stride-2 encoder."
    )
    filters: int = Field(32, ge=1, le=1024, description="Filters of the first level.")
    growth: float = Field(2.0, ge=1, le=4, description="Filters grow by this factor from level to level.")
    subpixel: Literal[1, 2, 4] = Field(
        1,
        description="Pixels along a side that the network takes as one, with their values as channels, and resolves again at its end; "
        "2 is two to three times faster, for objects of several pixels.",
    )
    depth: int = Field(4, ge=1, le=8, description="Number of halvings.")
    convolutions: int = Field(2, ge=1, le=6, description="Convolutions of a block.")
    kernel: int = Field(3, ge=1, le=15, description="Side of the convolutions in pixels; odd.")
    activation: Literal["relu", "elu", "leaky_relu", "silu", "gelu"] = Field("relu", description="Activation after each normalisation.")
    norm: Literal["batch", "group", "none"] = Field("batch", description="Normalisation.")
    norm_momentum: float = Field(
        0.1, gt=0, le=1, description="Weight of the newest batch in the running statistics of batch normalisation."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of channels dropped inside the deepest block.")
    upsample: Literal["transpose", "bilinear", "nearest"] = Field("transpose", description="How the decoder doubles.")
    up_kernel: int = Field(2, ge=1, le=8, description="Kernel of the transposed convolution (2 or larger), else of the one after resizing.")
    pooling: Literal["max", "average"] = Field("max", description="How the classic encoder halves.")
    initializer: Literal["he_normal", "he_uniform", "glorot_normal", "glorot_uniform"] = Field("he_normal", description="First weights.")

    @model_validator(mode="after")
    def _check(self) -> "ModelOptions":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; it must be odd")
        return self
