"""[samples], [draw] and [augment]: what a model learns from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from terrazzo.options import Options

Side = Annotated[int, Field(ge=8, le=8192)]
Step = Annotated[int, Field(ge=1, le=16384)]
Start = Annotated[int, Field(ge=0)]
FileOrAddress = Annotated[str, Field(json_schema_extra={"format": "path"})]
"""A path, relative to the working directory where it is typed; or an address."""


class SamplesOptions(Options):
    size: Side | tuple[Side, Side] = Field(256, description="Window in pixels: one side, or [height, width].")
    overlap: float = Field(0.0, ge=0, le=0.95, description="Share of the window that neighbours share; or give stride.")
    stride: Step | tuple[Step, Step] | None = Field(
        None, description="Pixels from one window to the next: one number, or [down, across]; default: what overlap says."
    )
    offset: tuple[Start, Start] = Field((0, 0), description="Where the first window of an image begins: [column, row] in pixels.")
    edges: Literal["shift", "pad", "drop"] = Field(
        "shift",
        description="Windows that would reach beyond the image: shift moves them inwards; pad keeps the grid regular, and what lies beyond "
        "the image is ignored; drop leaves them out.",
    )
    min_valid: float = Field(0.1, ge=0, le=1, description="Windows with a smaller share of valid, labelled pixels are left out.")
    table: FileOrAddress | None = Field(
        None,
        description="train: learn only from the windows of this samples table, by its split if it has one (see index); or from this packed "
        "store, a folder or an address such as s3://bucket/packed, without any images (see pack).",
    )

    @model_validator(mode="after")
    def _check(self) -> "SamplesOptions":
        if self.overlap and self.stride is not None:
            raise ValueError(f"overlap ({self.overlap:g}) and stride ({self.stride}) say the same thing twice; give one of them")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of a window in pixels."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def steps(self) -> tuple[int, int]:
        """(down, across) from one window to the next in pixels."""
        if self.stride is None:
            shared = int(self.overlap * min(self.shape))
            return self.shape[0] - shared, self.shape[1] - shared
        return self.stride if isinstance(self.stride, tuple) else (self.stride, self.stride)


WindowRule = Literal["listed", "jitter", "random"]
USUAL_FOREGROUND = 1 / 3
"""Share of the windows that are centred on other classes than the first, where nothing else is said."""


class DrawOptions(Options):
    windows: WindowRule = Field(
        "jitter",
        description="listed: exactly the windows of the table; jitter: each moved at random by up to half its size; random: anywhere in "
        "the scenes of the training windows. Moved windows stay inside the image and never touch held-out ground.",
    )
    per_epoch: int | None = Field(
        None, ge=1, description="Windows an epoch; default: every training window once, as far as the rest allows."
    )
    balance: Literal["none", "class", "objects"] = Field(
        "none",
        description="none: each window once before any twice; class: a class is drawn, all alike, then a window by its pixels of that "
        "class; objects: a number of objects is drawn, all alike, then a window that has it.",
    )
    cap: int | None = Field(
        None, ge=1, description="balance = 'objects': instead, each window once, but at most so many of each number of objects."
    )
    cap_fixed: bool = Field(False, description="The same windows are under the cap in all epochs; default: each epoch draws others.")
    empty_share: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of the drawn windows that hold nothing but the first class; 0: none of them; default: as they come.",
    )
    foreground: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the drawn windows that are centred on a pixel of a class but the first; these classes in turn. Default: a "
        "third with windows = 'jitter', so that what is small or rare is learned early; none where balance or empty_share chooses windows.",
    )
    log: bool = Field(False, description="Write windows.csv in the run: every window that a step consumed, with its place.")

    @model_validator(mode="after")
    def _check(self) -> "DrawOptions":
        if self.cap is not None and self.balance != "objects":
            raise ValueError(f"cap is {self.cap} and balance is {self.balance!r}; a cap needs balance = 'objects'")
        if self.windows == "random" and self.balance != "none":
            raise ValueError(
                f"balance is {self.balance!r}, which weighs the listed windows, and windows is 'random', which leaves them; "
                "use foreground or empty_share with random windows"
            )
        if self.windows == "listed" and self.foreground:
            raise ValueError(f"foreground is {self.foreground:g}, which moves windows; set windows = 'jitter' or 'random'")
        if self.foreground and self.empty_share and self.foreground + self.empty_share > 1:
            raise ValueError(f"foreground ({self.foreground:g}) and empty_share ({self.empty_share:g}) are more than all windows together")
        return self

    @property
    def centred_share(self) -> float:
        """Share of the drawn windows that are centred on a pixel of a class but the first, where there is such a pixel."""
        if self.foreground is not None:
            return self.foreground
        chosen_otherwise = self.balance != "none" or self.empty_share is not None
        return 0.0 if self.windows != "jitter" or chosen_otherwise else USUAL_FOREGROUND


class AugmentOptions(Options):
    probability: float = Field(0.25, ge=0, le=1, description="Share of the samples that are augmented; the others are shown as they are.")
    hflip: bool = Field(True, description="Mirror left and right, every second time.")
    vflip: bool = Field(True, description="Mirror top and bottom, every second time.")
    quarter_turns: bool = Field(True, description="Turn by 0, 90, 180 or 270 degrees (square windows only).")
    rotate_deg: float = Field(0.0, ge=0, le=180, description="Turn by up to this many degrees either way.")
    zoom: float = Field(0.0, ge=0, lt=1, description="Enlarge or shrink by up to this share.")
    shift: float = Field(0.0, ge=0, lt=1, description="Shift by up to this share of the window.")
    shear_deg: float = Field(0.0, ge=0, le=60, description="Shear by up to this many degrees.")
    crop_pad: float = Field(
        0.0, ge=0, lt=0.5, description="Cut off or add up to this share of the window at each side, and stretch the rest to its size."
    )
    brightness: float = Field(0.0, ge=0, le=5, description="Add up to this many standard deviations to all bands.")
    band_shift: float = Field(0.0, ge=0, le=5, description="Add up to this many standard deviations to each band on its own.")
    contrast: float = Field(0.0, ge=0, lt=1, description="Stretch or squeeze values around the mean by up to this share.")
    gamma: float = Field(0.0, ge=0, lt=1, description="Raise values between the 1 % and 99 % percentiles to a power of up to 1 + this.")
    noise: float = Field(0.0, ge=0, le=5, description="Add Gaussian noise of up to this many standard deviations.")
    blur_px: float = Field(0.0, ge=0, le=20, description="Blur by a Gaussian whose standard deviation is up to this many pixels.")
    band_drop: float = Field(0.0, ge=0, le=1, description="Share of the samples in which one band, if there are several, is all mean.")
    fill: Literal["reflect", "ignore"] = Field("reflect", description="Pixels from outside the window: mirrored, or left out of the loss.")
