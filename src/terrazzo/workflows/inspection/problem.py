"""What is wrong with a file or a set, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    kind: str
    """For programs, such as suspected-nodata."""
    what: str
    """What is wrong, as a sentence without its full stop, the same for all files that have it alike."""
    advice: str
    """What to do, as sentences."""
    figure: str = ""
    """How much of this file it concerns, such as '1.2 % of band 9'."""

    def sentence(self) -> str:
        """All of it as text."""
        figure = f" ({self.figure})" if self.figure else ""
        return f"{self.what}{figure}. {self.advice}"

    def plain(self) -> dict[str, str]:
        """As values that JSON can hold."""
        return {"kind": self.kind, "what": self.what, "figure": self.figure, "advice": self.advice}
