"""The page of an inspection: what files are, with pictures; one HTML page that needs no other file and no network."""

import base64
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from terrazzo.rasters.write import write_text


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A small picture and what is under it."""

    kind: Literal["png", "jpeg"]
    data: bytes
    size: tuple[int, int]
    """(height, width) in pixels."""
    caption: str

    @property
    def source(self) -> str:
        """As the page holds it."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True, kw_only=True)
class BandLine:
    """The figures of a band as text."""

    name: str
    figures: tuple[str, ...]
    """One for each of FIGURES."""
    histogram: str
    """SVG text, or nothing."""


@dataclass(frozen=True, kw_only=True)
class ClassLine:
    """A class and its share."""

    name: str
    color: str
    """#rrggbb"""
    share: str
    percent: float
    """0 to 100."""


@dataclass(frozen=True, kw_only=True)
class FileLine:
    """One file of a set as text, in the columns of FILE_COLUMNS."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One thing that was inspected; empty parts are left out of the page."""

    title: str
    heading: str
    rows: Sequence[tuple[str, str]] = ()
    """Names and texts."""
    problems: Sequence[str] = ()
    classes: Sequence[ClassLine] = ()
    bands: Sequence[BandLine] = ()
    pictures: Sequence[Picture] = ()
    files: Sequence[FileLine] = ()
    note: str = ""
    """About the pictures."""

    @property
    def columns(self) -> list[int]:
        """Which of FIGURES any band has."""
        return [place for place in range(len(FIGURES)) if any(line.figures[place] for line in self.bands)]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a page tells."""

    title: str
    lead: str
    unusable: Sequence[str] = ()
    """A sentence for each file that cannot be used; shown first."""
    sheets: Sequence[Sheet] = field(default_factory=tuple)


FIGURES = ("Least", "1%", "Median", "99%", "Largest", "Mean", "SD", "Missing", "Nodata")
FILE_COLUMNS = ("File", "Pixels", "Values", "Place", "Valid", "Problems")
_ESCAPED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Kinds of characters that do not show, or turn the text around them."""


def write_inspection(path: Path, inspection: Inspection) -> None:
    """Write the page, whole or not at all. Raises EnvironmentFault if it cannot be written."""
    write_text(path, render_inspection(inspection))


def render_inspection(inspection: Inspection) -> str:
    """The page as text. All text is escaped; it asks for nothing outside itself."""
    environment = Environment(
        loader=PackageLoader("terrazzo.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = visible
    return environment.get_template("inspection.html.jinja").render(page=inspection, figures=FIGURES, file_columns=FILE_COLUMNS)


def visible(text: str) -> str:
    """The text with characters that do not show, or that turn the text around them, as escapes; line breaks stay."""
    return "".join(ascii(sign)[1:-1] if unicodedata.category(sign) in _ESCAPED and sign != "\n" else sign for sign in text)
