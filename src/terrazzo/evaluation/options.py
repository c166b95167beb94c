"""[evaluation]: which scores of maps are made, and how."""

from pydantic import Field

from terrazzo.options import Options


class EvaluationOptions(Options):
    resamples: int = Field(1000, ge=0, le=100_000, description="Bootstrap resamples for the intervals of the scores; 0: no intervals.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the resamples.")
