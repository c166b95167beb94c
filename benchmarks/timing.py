"""Time two functions in turn in one process, so that a slow moment of the machine meets both."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Times of two functions in seconds, and how many times as long the second takes."""

    first_s: float
    """Median of the first function."""
    second_s: float
    """Median of the second function."""
    ratio: float
    """Median over the rounds of second / first; above 1: the first is faster."""
    lowest: float
    """Smallest ratio of a round."""
    highest: float
    """Largest ratio of a round."""

    def __str__(self) -> str:
        times = f"{self.first_s * 1e3:9.2f} ms {self.second_s * 1e3:9.2f} ms"
        return f"{times}   {self.ratio:7.2f} times ({self.lowest:.2f} to {self.highest:.2f})"


def in_turn(first: Callable[[], object], second: Callable[[], object], repeats: int) -> Comparison:
    """Run both functions `repeats` times; every other round the second goes first. A round before the clock warms both up."""
    first(), second()
    rounds = []
    for number in range(repeats):
        if number % 2 == 0:
            one, two = seconds(first), seconds(second)
        else:
            two, one = seconds(second), seconds(first)
        rounds.append((one, two))
    ratios = [two / one for one, two in rounds]
    return Comparison(
        first_s=median(one for one, _ in rounds),
        second_s=median(two for _, two in rounds),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
