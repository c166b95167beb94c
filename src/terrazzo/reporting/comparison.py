"""The page of a comparison: which maps are better, how surely, and where they differ; one HTML page that needs no other file."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from terrazzo.evaluation.paired import Difference
from terrazzo.reporting.figures import DASH, score_text


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One score of all maps."""

    name: str
    scores: Sequence[float | None]
    """One for each of the maps."""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Two maps and how they differ."""

    first: str
    second: str
    differences: Sequence[tuple[str, Difference]]
    """The name of each score, and the difference."""


@dataclass(frozen=True, kw_only=True)
class ComparisonPage:
    """What the page tells."""

    title: str
    lead: str
    notices: Sequence[str]
    names: Sequence[str]
    """Of the maps."""
    rows: Sequence[ScoreRow]
    rivals: Sequence[Rivals]
    charts: Sequence[str]
    """SVG text."""
    picture: bytes | None
    """The sheet of differences as PNG."""


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A difference as text."""

    name: str
    first: str
    second: str
    difference: str
    interval: str
    p: str
    units: str
    sure: bool


def render(page: ComparisonPage) -> str:
    """The page as text. All text is escaped; it asks for nothing outside itself."""
    environment = Environment(
        loader=PackageLoader("terrazzo.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    picture = "data:image/png;base64," + base64.b64encode(page.picture).decode("ascii") if page.picture is not None else ""
    return environment.get_template("comparison.html.jinja").render(
        page=page,
        table=[(row.name, [score_text(score) for score in row.scores]) for row in page.rows],
        rivals=[(each, [_line(name, difference) for name, difference in each.differences]) for each in page.rivals],
        picture=picture,
    )


def signed(value: float | None) -> str:
    """A difference with its sign, three decimals; +0.000 and -0.000 only for next to nothing."""
    return DASH if value is None else f"{value:+.3f}"


def interval_text(difference: Difference) -> str:
    """The bounds of a difference."""
    return DASH if difference.low is None or difference.high is None else f"{difference.low:+.3f} to {difference.high:+.3f}"


def chance_text(p: float | None) -> str:
    """How often chance does as well."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def is_sure(difference: Difference) -> bool:
    """Whether the interval holds one sign only."""
    return difference.low is not None and difference.high is not None and (difference.low > 0 or difference.high < 0)


def _line(name: str, difference: Difference) -> _Line:
    return _Line(
        name=name,
        first=score_text(difference.first),
        second=score_text(difference.second),
        difference=signed(difference.difference),
        interval=interval_text(difference),
        p=chance_text(difference.p),
        units=f"{difference.better} : {difference.worse}",
        sure=is_sure(difference),
    )
