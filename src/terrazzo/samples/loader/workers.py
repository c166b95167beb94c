"""How many threads read and augment."""

from terrazzo.rasters.ahead import cores

FEWEST, MOST = 2, 16
"""With fewer than two, nothing is read while another sample is computed; beyond sixteen the interpreter is what they wait for."""


def workers_for(asked: int | None) -> int:
    """As many as asked for, else one a core within bounds: a rule, never a timing."""
    return asked or min(max(cores(), FEWEST), MOST)
