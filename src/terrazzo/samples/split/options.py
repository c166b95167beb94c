"""[split]: which samples are for training, for validation, for the test."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from terrazzo.options import Options


class SplitOptions(Options):
    by: Literal["block", "strip", "scene", "sequence", "group", "folder", "kfold", "random", "given", "none"] = Field(
        "block",
        description="block: by squares of ground; strip: by bands of ground; scene: whole images at random; sequence: the last images in "
        "natural name order; group: images of one group together; folder: as the folders train, val and test say; kfold: every n-th "
        "image; random: groups of overlapping windows; given: only the lists and areas below; none: all is for training.",
    )
    validation: float = Field(0.2, ge=0, lt=1, description="Share of the kept windows (scene, sequence: of the images) for validation.")
    test: float = Field(0.0, ge=0, lt=1, description="Share kept for the last, honest figure.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the draw.")
    block_px: int | None = Field(
        None, ge=8, description="Side of a block, or width of a strip, in pixels; default: the largest that leaves ten."
    )
    block_m: float | None = Field(None, gt=0, description="The same in metres, where the images have a place on the ground.")
    along: Literal["x", "y"] = Field("x", description="strip: bands side by side along x (columns) or y (rows).")
    buffer_px: int = Field(0, ge=0, description="Windows nearer than this to held-out ground, in pixels, are in no other part.")
    buffer_m: float | None = Field(None, gt=0, description="The same in metres, where the images have a place on the ground.")
    border: Literal["drop", "ignore"] = Field(
        "drop",
        description="Windows across a border of blocks or strips: drop leaves them out; ignore keeps what lies on each side as a window "
        "of its own, the rest of which is ignored, if it is at least a quarter.",
    )
    stratify: Literal["none", "class", "objects"] = Field(
        "none", description="Deal so that the parts are alike in their classes' shares, or in objects a window."
    )
    folds: int = Field(5, ge=2, description="Number of folds; kfold: scene i in natural name order is in fold i mod folds.")
    fold: int | None = Field(
        None, ge=0, description="The fold that is the test part, from 0, of blocks, strips, scenes, groups or windows; kfold: default 0."
    )
    group: str | None = Field(
        None, description="group: a regular expression whose one bracket is the group in an image's name, such as '(.*)_[0-9]+'."
    )
    group_table: Path | None = Field(None, description="group: a CSV with the columns image and group.")
    train_scenes: list[str] = Field(default_factory=list, description="Scenes for training, by name or pattern, such as 'train/*'.")
    validation_scenes: list[str] = Field(default_factory=list, description="Scenes for validation, by name or pattern.")
    test_scenes: list[str] = Field(default_factory=list, description="Scenes for the test, by name or pattern.")
    train_area: Path | None = Field(None, description="A vector file: windows wholly inside its polygons are for training.")
    validation_area: Path | None = Field(None, description="The same for validation; windows across its border are in no part.")
    test_area: Path | None = Field(None, description="The same for the test.")
    list_file: Path | None = Field(None, description="A split.csv, as runs hold it: its windows go where it says, all others nowhere.")
    alike: Literal["warn", "group", "refuse", "off"] = Field(
        "warn",
        description="Near-identical pictures and overlapping crops among images without a place on the ground: warn tells those on two "
        "sides; group keeps them on one side, whatever is dealt; refuse is an error; off does not look for them.",
    )
    allow_leak: bool = Field(False, description="Train although training and held-out parts share ground or files; the run records it.")

    @model_validator(mode="after")
    def _check(self) -> "SplitOptions":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation ({self.validation}) and test ({self.test}) leave nothing to train on; their sum must stay below 1"
            )
        if self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"fold is {self.fold}; it must be smaller than folds ({self.folds})")
        if self.block_px is not None and self.block_m is not None:
            raise ValueError(f"block_px ({self.block_px}) and block_m ({self.block_m:g}) say the same thing twice; give one of them")
        if self.buffer_px and self.buffer_m is not None:
            raise ValueError(f"buffer_px ({self.buffer_px}) and buffer_m ({self.buffer_m:g}) say the same thing twice; give one of them")
        return self._check_groups()

    def _check_groups(self) -> "SplitOptions":
        if self.by == "group" and (self.group is None) == (self.group_table is None):
            raise ValueError("by = 'group' needs either group, a pattern of names, or group_table, a CSV of image and group")
        if self.group is not None:
            try:
                brackets = re.compile(self.group).groups
            except re.error as error:
                raise ValueError(f"group is {self.group!r}, which is no regular expression: {error}") from error
            if brackets != 1:
                raise ValueError(f"group is {self.group!r}; it must have one bracket, which is the group, such as '(.*)_[0-9]+'")
        return self

    @property
    def tested_fold(self) -> int | None:
        """The fold that is the test part, if the split is into folds."""
        return 0 if self.by == "kfold" and self.fold is None else self.fold

    @property
    def files(self) -> dict[str, Path]:
        """The files that the options name, by option."""
        named = {name: getattr(self, name) for name in ("group_table", "train_area", "validation_area", "test_area", "list_file")}
        return {name: path for name, path in named.items() if path is not None}
