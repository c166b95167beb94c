"""[simulation] and [scenes]: worlds with exact labels."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from terrazzo.options import Options

Side = Annotated[int, Field(ge=16, le=262_144)]
Preset = Literal["easy", "normal", "hard", "default"]


class SimulationOptions(Options):
    preset: Preset = Field(
        "normal",
        description="How hard the world is to learn; it sets what is not given: noise and losses of a detector, blur, haze and likeness of "
        "colours of scenes. 'default' is another word for normal.",
    )
    count: int | None = Field(None, ge=1, le=100_000, description="Images; default: 60 frames of ccd, 20 scenes.")
    size: Side | tuple[Side, Side] | None = Field(
        None, description="Image in pixels: one side, or [height, width]; default: 256 for ccd, 512 for scenes."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all draws.")
    pedestal_adu: float = Field(8800.0, ge=0, le=60_000, description="ccd: value of a pixel without charge, in ADU.")
    read_noise_e: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="ccd: standard deviation of one reading of a pixel, in electrons; default: 20, easy 10, hard 30.",
    )
    samples: int = Field(
        4, ge=1, le=100_000, description="ccd: readings of a pixel that are averaged; the noise falls with their square root."
    )
    dark_e: float | None = Field(
        None,
        ge=0,
        le=1e6,
        description="ccd: mean dark current of a sensor pixel over the exposure, in electrons; default: 4, easy 1, hard 20.",
    )
    electrons_per_adu: float = Field(0.5, gt=0, le=1000, description="ccd: electrons a digital unit.")
    transfer_loss: float | None = Field(
        None,
        ge=0,
        lt=0.1,
        description="ccd: share of the charge that each transfer along a column leaves behind; default: 2e-5, easy 0, hard 2e-4.",
    )
    bin_rows: int = Field(1, ge=1, le=100, description="ccd: sensor rows that are added to one row of the frame.")
    bin_columns: int = Field(1, ge=1, le=100, description="ccd: sensor columns that are added to one column of the frame.")
    tracks: Path | None = Field(
        None,
        description="ccd: library of particle tracks, an NPZ file with 'shapes' (tracks, 2), rows and columns of each, and 'values', "
        "their charges one after another; default: tracks are simulated.",
    )
    track_unit_e: float | None = Field(
        None,
        gt=0,
        le=1e9,
        description="ccd: electrons a unit of the library's values; default: each track is scaled to a charge like that of simulated ones.",
    )

    def shape_or(self, side: int) -> tuple[int, int]:
        """(height, width) of an image in pixels; a square of `side` where no size was given."""
        size = side if self.size is None else self.size
        return size if isinstance(size, tuple) else (size, size)


class ScenesOptions(Options):
    cell_size_m: float = Field(0.5, ge=0.05, le=2, description="Side of a pixel in metres.")
    crs: str = Field("EPSG:32633", description="A projected coordinate reference system; the scenes lie around the middle of its area.")
    bands: int = Field(
        3,
        ge=1,
        le=12,
        description="Bands: 1 is panchromatic, 2 adds near infrared, 3 are red, green, blue, 4 adds near infrared, then red edge, two of "
        "shortwave infrared, coastal blue, two of red edge, a second near infrared, yellow.",
    )
    dtype: Literal["uint8", "uint16", "int16", "float32"] = Field(
        "uint8", description="uint8 is bright as a picture; uint16 and int16 hold reflectance times 10000, float32 reflectance."
    )
    nodata_share: float = Field(
        0.0,
        ge=0,
        le=0.6,
        description="Share of pixels without data: an irregular border, as a turned acquisition has. They hold 0, in int16 -9999, in "
        "float32 NaN.",
    )
    compress: Literal["zstd", "deflate", "lzw", "none"] = Field("zstd", description="Compression of the images.")
