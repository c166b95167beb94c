"""[chip]: how images are cut into chips."""

from typing import Annotated, Literal

from pydantic import Field

from terrazzo.options import Options

Side = Annotated[int, Field(ge=1, le=16384)]
Start = Annotated[int, Field(ge=0)]


class ChipOptions(Options):
    size: Side | tuple[Side, Side] = Field(512, description="Chip in pixels: one side, or [height, width].")
    stride: Side | tuple[Side, Side] | None = Field(
        None, description="Pixels from one chip to the next: one number, or [down, across]; default: the size, so that none overlap."
    )
    offset: tuple[Start, Start] = Field((0, 0), description="Where the first chip begins: [column, row] in pixels.")
    edges: Literal["pad", "shift", "partial"] = Field(
        "pad",
        description="Chips that would reach beyond the image: pad fills them up with what is no data, and tags the part that is; shift "
        "moves them inwards; partial cuts them off.",
    )
    min_valid: float | None = Field(
        None, ge=0, le=1, description="Chips with a smaller share of valid pixels are left out; default: those without any. 0 keeps all."
    )
    keep_empty: float = Field(
        1.0, ge=0, le=1, description="With labels: the share that is kept of the chips that hold no class but the first."
    )
    seed: int = Field(0, ge=0, description="Of the draw of empty chips: a chip is kept or not by this and its name alone.")
    compress: Literal["zstd", "deflate", "lzw", "none"] = Field("zstd", description="How chips are compressed, always without loss.")

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of a chip in pixels."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def steps(self) -> tuple[int, int]:
        """(down, across) from one chip to the next in pixels."""
        stride = self.shape if self.stride is None else self.stride
        return stride if isinstance(stride, tuple) else (stride, stride)
