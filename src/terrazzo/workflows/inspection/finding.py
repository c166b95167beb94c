"""What is told of one path, or of a set of rasters: in rows for people, and as values for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from terrazzo.workflows.inspection.class_shares import ClassShare
from terrazzo.workflows.inspection.vector_facts import VectorFacts
from terrazzo.workflows.inspection.wording import Row


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was inspected."""

    name: str
    """What the user calls it."""
    heading: str
    """What it is, in a line."""
    rows: Sequence[Row]
    """Its facts, a name and a text each."""
    plain: Mapping[str, object]
    """The facts as values that JSON can hold; the problems among them."""
    problems: Sequence[str] = ()
    """What is wrong and what to do about it, each in a sentence or three."""
    shares: Sequence[ClassShare] = ()
    """Of the classes, where it holds labels."""
    vectors: VectorFacts | None = None
    """What to draw."""

    def lines(self) -> list[str]:
        """As text, the first line with the name."""
        rows = [*self.rows, *(("problem", problem) for problem in self.problems)]
        return [f"{self.name}: {self.heading}", *(f"  {name}: {_indented(text)}" for name, text in rows)]


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
