"""[rank]: which samples deserve a look, and in which order."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class RankOptions(Options):
    by: Literal["loss", "entropy", "margin", "dice", "suspicious", "disagreement"] = Field(
        "loss",
        description="What comes first: the highest loss, the least sure (entropy, margin), the worst Dice, the largest share of suspicious "
        "labels, or the greatest disagreement of several runs.",
    )
    part: Literal["held_out", "train", "validation", "test", "all"] = Field(
        "held_out", description="Samples to rank; held_out: those of validation and test."
    )
    top: int = Field(24, ge=1, le=100_000, description="Samples to list.")
    audit_share: float = Field(0.1, ge=0, le=1, description="Share of them drawn at random from the rest, to see what the order overlooks.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of that draw.")
