"""[simulation]: worlds with exact labels."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class SimulationOptions(Options):
    preset: Literal["default"] = Field("default", description="Which world.")
    count: int = Field(60, ge=1, le=100_000, description="Frames.")
    size: int = Field(256, ge=16, le=16384, description="Side of a frame in pixels.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all draws.")
    pedestal_adu: float = Field(8800.0, ge=0, le=60_000, description="Value of a pixel without charge, in ADU.")
    read_noise_e: float = Field(20.0, gt=0, le=10_000, description="Standard deviation of one reading of a pixel, in electrons.")
    samples: int = Field(4, ge=1, le=100_000, description="Readings of a pixel that are averaged; the noise falls with their square root.")
    dark_e: float = Field(4.0, ge=0, le=1e6, description="Mean dark current of a sensor pixel over the exposure, in electrons.")
    electrons_per_adu: float = Field(0.5, gt=0, le=1000, description="Electrons a digital unit.")
    transfer_loss: float = Field(2e-5, ge=0, lt=0.1, description="Share of the charge that each transfer along a column leaves behind.")
    bin_rows: int = Field(1, ge=1, le=100, description="Sensor rows that are added to one row of the frame.")
    bin_columns: int = Field(1, ge=1, le=100, description="Sensor columns that are added to one column of the frame.")
