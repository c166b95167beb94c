"""[simulation]: worlds with exact labels."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class SimulationOptions(Options):
    preset: Literal["default"] = Field("default", description="Which world.")
    count: int = Field(24, ge=1, le=100_000, description="Frames.")
    size: int = Field(256, ge=16, le=16384, description="Side of a frame in pixels.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all draws.")
