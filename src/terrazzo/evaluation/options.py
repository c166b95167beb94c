"""[evaluation]: which scores of maps are made, and how."""

from pydantic import Field

from terrazzo.options import Options


class EvaluationOptions(Options):
    resamples: int = Field(1000, ge=0, le=100_000, description="Bootstrap resamples for the intervals of the scores; 0: no intervals.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the resamples.")
    score_training: bool = Field(True, description="Of a run: score training samples too, to see where the model does not even fit.")
    training_samples: int = Field(500, ge=1, description="Training samples that are scored at most; of more, so many are drawn.")
    error_maps: bool = Field(True, description="Write a raster of right, missed and false pixels for each scene.")
