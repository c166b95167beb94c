"""Lists of names and numbers as messages show them: a few, then how many more."""

from collections.abc import Iterable


def listed(names: Iterable[str], limit: int = 5) -> str:
    """The first names, separated by commas, and how many more there are; names with control characters are escaped."""
    everything = list(names)
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in everything[:limit])
    return shown if len(everything) <= limit else f"{shown} and {len(everything) - limit} more"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: '1 image', '2 images'."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def number(value: float) -> str:
    """A pixel value as a person writes it: 255, not 255.0."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
