"""Figures as texts."""

from terrazzo.labels.sentences import counted


def percent(share: float) -> str:
    """A share as percents, never rounded to nothing or to all."""
    if 0 < share < 0.0001:
        return "< 0.01%"
    return "> 99.99%" if 0.9999 < share < 1 else f"{share:.2%}"


def size(count: int) -> str:
    """Bytes as a person writes them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return counted(count, "byte")
