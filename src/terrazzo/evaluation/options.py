"""[evaluation]: which scores of maps are made, and how."""

from typing import Annotated

from pydantic import Field

from terrazzo.options import Options

Threshold = Annotated[float, Field(gt=0, lt=1)]
Pixels = Annotated[int, Field(ge=1)]
IOU_THRESHOLDS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
"""Those of the Airbus ship and the nuclei challenge."""


class EvaluationOptions(Options):
    boundary: float = Field(
        2,
        ge=0,
        le=256,
        description="Distance for the scores of boundaries, in pixels; below 1 as a share of each scene's diagonal; 0: none.",
    )
    bins: int = Field(15, ge=2, le=1000, description="Bins of the reliability curves.")
    area: bool = Field(True, description="Area of each class, corrected for the errors of the map, with its standard error.")
    resamples: int = Field(1000, ge=0, le=100_000, description="Bootstrap resamples for the intervals of the scores; 0: no intervals.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the resamples.")
    score_training: bool = Field(True, description="Of a run: score training samples too, to see where the model does not even fit.")
    training_samples: int = Field(
        500, ge=1, description="Training samples that are scored at most, and no more than an epoch shows; of more, so many are drawn."
    )
    error_maps: bool = Field(True, description="Write a raster of right, missed and false pixels for each scene.")
    objects: str | int | None = Field(
        None,
        description="Class whose objects are scored, by name or value; 'any': all but the background, looked at as one. Default: none is.",
    )
    object_thresholds: list[Threshold] = Field(
        IOU_THRESHOLDS, min_length=1, max_length=99, description="IoU that a true and a predicted object must exceed to match; several."
    )
    object_sizes_px: list[Pixels] | None = Field(
        None, min_length=1, max_length=9, description="Pixels at which sizes of objects part; default: at the thirds of the true objects."
    )
    min_object_px: int = Field(1, ge=1, description="Smaller objects of labels and maps are in no score.")
    numbered_maps: bool = Field(
        False, description="Maps of other tools hold numbers of objects, as the labels do ([legend] encoding = 'instances')."
    )
