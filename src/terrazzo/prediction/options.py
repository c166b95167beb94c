"""[prediction]: how windows become a map."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from terrazzo.errors import RecipeError
from terrazzo.options import Options

EngineName = Literal["torch", "openvino", "onnx"]
BatchSize = Annotated[int, Field(ge=1, le=1024)]
Scale = Annotated[float, Field(ge=0.25, le=4)]
Probability = Annotated[float, Field(ge=0, le=1)]
FoundThreshold = Literal["best", "best_f2", "otsu"]


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError(f"a square around a pixel has an odd width; {width} is even")
    return width


def _least_size(size: int | str) -> int | str:
    if size < 2 if isinstance(size, int) else not re.fullmatch(r"[0-9]+(\.[0-9]+)? *m2", size):
        raise ValueError(f"a least size is in pixels, from 2 on, or a text such as '25 m2'; {size!r} is neither")
    return size


LeastSize = Annotated[int | str, AfterValidator(_least_size)]
OddWidth = Annotated[int, AfterValidator(_odd)]


class PredictionOptions(Options):
    window: int | None = Field(
        None, ge=8, le=8192, description="Side of the prediction windows in pixels; default: the model's training window."
    )
    overlap: float = Field(0.5, ge=0, le=0.75, description="Share of the window that neighbours share.")
    blend: Literal["hann", "linear", "flat", "crop"] = Field(
        "hann",
        description="Weight of a window's pixels from centre to border; flat: the plain mean of all windows; crop: each pixel from the "
        "window in whose middle it lies, the rest is cut off.",
    )
    engine: EngineName | Literal["auto"] = Field(
        "auto",
        description="What computes: torch, openvino (on CPUs), onnx (ONNX Runtime, on CPUs). auto: for large work on a CPU OpenVINO, where "
        "it is installed, agrees with torch and is faster; else torch.",
    )
    batch_size: BatchSize | Literal["auto"] = Field(
        "auto",
        description="Windows that are computed at once. auto: on a CPU one a thread, else as many as are mapped fastest. Halved where "
        "memory is short.",
    )
    probabilities: bool = Field(False, description="Also write the class probabilities, as uint16, 65535 = 1.")
    entropy: bool = Field(
        False,
        description="Also write the entropy of the probabilities, as uint16: 0 where one class is certain, 10000 where all are equally "
        "likely.",
    )
    format: Literal["auto", "fits"] = Field(
        "auto",
        description="Of the maps. auto: GeoTIFF, or PNG where the image is none and has no map coordinates. fits: FITS, with the cards "
        "of an image that is FITS itself.",
    )
    hdu: int | None = Field(None, ge=0, description="Of FITS images: which HDU is predicted, from 0; default: as in training.")
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="As in [training]; int8, with OpenVINO: convolutions in whole numbers of eight bits, by ranges that train measured. "
        "auto takes it too for large work, where the model and a trial say that maps stay the same and it is faster.",
    )
    tta: Literal["none", "flips", "d4"] = Field(
        "none",
        description="Test-time augmentation: the mean of the probabilities of each window and its mirror images (flips: 4 passes), with "
        "quarter turns too (d4: 8 passes).",
    )
    tta_scales: list[Scale] = Field(
        [1.0], min_length=1, max_length=8, description="Sizes at which each window is looked at, 1 its own; the mean of all counts."
    )
    refine: Literal["none", "crf"] = Field(
        "none", description="crf: a dense conditional random field moves borders to where the image has them, before classes are decided."
    )
    crf_iterations: int = Field(10, ge=1, le=100, description="Rounds of mean-field inference of the CRF.")
    crf_compat: float = Field(10, ge=0, le=1000, description="Weight of the CRF's pixels that are near and of one colour.")
    crf_theta_col: float = Field(10, ge=1, le=255, description="How far colours are alike: standard deviation, of 255 grey values.")
    crf_theta_px: float = Field(10, ge=1, le=60, description="How far pixels of a colour are near: standard deviation in pixels.")
    crf_smooth: float = Field(3, ge=0, le=1000, description="Weight of the CRF's pixels that are near, whatever their colour.")
    crf_sxy: float = Field(1, ge=0.3, le=20, description="How far these are near: standard deviation in pixels.")
    threshold: Probability | FoundThreshold | dict[str, Probability | FoundThreshold] | None = Field(
        None,
        description="From which probability on a class is taken, by class, such as {ship = 0.3}; a single one is that of the second of two "
        "classes. best, best_f2: the one with the highest F1 or F2 over the validation part, as train found it. otsu: the one that parts "
        "the probabilities of each image best. Default: each pixel takes its most probable class.",
    )
    unsure: Probability | None = Field(
        None,
        description="Pixels whose largest probability is below this are 'unsure' in the map: a value of its own, the highest that no class "
        "has. Default: every pixel has a class.",
    )
    median: int = Field(
        0,
        ge=0,
        le=64,
        description="Radius in pixels of a median filter of the map: each pixel takes the most frequent class of the disk around it; 0 and "
        "1: none.",
    )
    majority: OddWidth = Field(
        1, ge=1, le=129, description="Width in pixels, an odd number, of the square whose most frequent class each pixel takes; 1: none."
    )
    sieve: int | None = Field(
        None, ge=2, description="Connected pixels of a class (by their sides) that are fewer take the class of their largest neighbour."
    )
    holes: LeastSize | None = Field(
        None, description="Smaller holes in objects are filled; in pixels, or a text such as '25 m2'. They may not reach the map's border."
    )
    min_size: LeastSize | None = Field(
        None, description="Smaller objects take the class around them; in pixels, or a text such as '25 m2'."
    )
    rules: dict[str, str] = Field(
        {},
        description="Of a class, what its objects must fulfil, such as 'area_m2 > 30 and elongation > 2'; others take the class "
        "around them.",
    )

    def check_overlapping(self) -> None:
        """Raise RecipeError if an option is for classes that exclude each other."""
        exclusive = {
            "unsure": self.unsure,
            "sieve": self.sieve,
            "holes": self.holes,
            "min_size": self.min_size,
            "rules": self.rules or None,
        }
        for name, given in exclusive.items():
            if given is not None:
                raise RecipeError(f"prediction.{name} is for classes that exclude each other, and these overlap. Remove it.")
        if self.refine == "crf":
            raise RecipeError("prediction.refine = 'crf' is for classes that exclude each other, and these overlap. Remove it.")
        if self.format == "fits":
            raise RecipeError("prediction.format = 'fits' holds one class a pixel, and the classes overlap. Remove it: maps are GeoTIFFs.")
