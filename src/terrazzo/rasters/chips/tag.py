"""The note that a chip carries of where it comes from, so that it can be put back without a place on the ground."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from terrazzo.rasters.window import Shape

CHIP_TAG = "TERRAZZO_CHIP"
"""The tag that holds it, as JSON."""

VALID_TAG = "TERRAZZO_VALID"
"""The tag that says 'width,height' of the part of a padded chip that is image, from its first pixel on."""

_OFFSETS = re.compile(r"(.*)_(\d+)_(\d+)")


@dataclass(frozen=True, kw_only=True)
class ChipNote:
    """Where a chip comes from."""

    image: str
    """The name of its image, as chips are called by it."""
    made: str
    """A fingerprint of the image and the options that it was made with."""
    shape: Shape
    """(height, width) of the image."""
    col_off: int
    row_off: int
    inside: Shape | None = None
    """(height, width) of the part that is image; None: all of it."""

    @property
    def tags(self) -> dict[str, str]:
        fact = {
            "image": self.image,
            "made": self.made,
            "image_size": [self.shape[1], self.shape[0]],
            "offset": [self.col_off, self.row_off],
        }
        tags = {CHIP_TAG: json.dumps(fact, ensure_ascii=False)}
        return tags if self.inside is None else {**tags, VALID_TAG: f"{self.inside[1]},{self.inside[0]}"}

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Self | None:
        """The note among a file's tags; None where there is none, or it is none of ours."""
        if CHIP_TAG not in tags:
            return None
        try:
            fact = json.loads(tags[CHIP_TAG])
            width, height = (int(side) for side in fact["image_size"])
            col_off, row_off = (int(side) for side in fact["offset"])
            image, made = str(fact["image"]), str(fact["made"])
        except (ValueError, KeyError, TypeError):
            return None
        return cls(image=image, made=made, shape=(height, width), col_off=col_off, row_off=row_off, inside=inside_of(tags))


def inside_of(tags: Mapping[str, str]) -> Shape | None:
    """(height, width) of the part of a padded file that is image; None where it is not padded."""
    match = re.fullmatch(r"(\d+),(\d+)", tags.get(VALID_TAG, ""))
    return (int(match[2]), int(match[1])) if match and int(match[1]) and int(match[2]) else None


def name_offsets(stem: str) -> tuple[str, int, int] | None:
    """(image, column, row) of a name such as frame_0_512; None where it ends otherwise."""
    match = _OFFSETS.fullmatch(stem)
    return (match[1], int(match[2]), int(match[3])) if match else None
