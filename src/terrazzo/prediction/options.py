"""[prediction]: how windows become a map."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class PredictionOptions(Options):
    window: int | None = Field(
        None, ge=8, le=8192, description="Side of the prediction windows in pixels; default: the model's training window."
    )
    overlap: float = Field(0.5, ge=0, le=0.75, description="Share of the window that neighbours share.")
    blend: Literal["hann", "linear", "flat"] = Field("hann", description="Weight of a window's pixels from centre to border.")
    batch_size: int = Field(8, ge=1, le=1024, description="Windows a forward pass.")
    probabilities: bool = Field(False, description="Also write the class probabilities, as uint16, 65535 = 1.")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="As in [training].")
