"""Colours of classes: written as text, and chosen where none are given."""

import re

Color = tuple[int, int, int]

# Okabe and Ito's palette ("Color universal design", 2008), black first: the first class is mostly the background
SAFE_COLORS: tuple[Color, ...] = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def default_colors(count: int) -> list[Color]:
    """Colours for a number of classes: eight that colour-blind readers tell apart, then hues that are far from each other."""
    return [SAFE_COLORS[position] if position < len(SAFE_COLORS) else _hue_color(position) for position in range(count)]


def hex_color(color: Color) -> str:
    """'#rrggbb'."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def parse_color(text: str) -> Color:
    """Read '#rrggbb'.

    Raises ValueError if the text is anything else.
    """
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour; write it as '#rrggbb', such as '#e69f00'")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _hue_color(position: int) -> Color:
    """Golden-angle steps around the hue circle at three lightnesses, so that neighbours in the list differ much."""
    hue = (position * 0.61803398875) % 1.0 * 6.0
    light = (255, 190, 130)[position % 3]
    ramp = int(light * (1 - abs(hue % 2 - 1)))
    sector: tuple[Color, ...] = ((light, ramp, 0), (ramp, light, 0), (0, light, ramp), (0, ramp, light), (ramp, 0, light), (light, 0, ramp))
    return sector[int(hue) % 6]
