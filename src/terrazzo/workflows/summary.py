"""The account that summarize gives: what is in summary.json, and what the files beside it are called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from terrazzo.drawing.canvas import figure_text
from terrazzo.labels.colors import Color, default_colors, hex_color
from terrazzo.labels.sentences import counted
from terrazzo.rasters.tables.figures import Figures
from terrazzo.rasters.tables.layout import TableClass

VALID, LABELLED, STORED = "valid", "labelled", "stored"
"""Values that are there; those of pixels with a class; and all that the files store, nodata and masked pixels too."""
OVERVIEW_NAME = "overview.png"
_STEM_CHARACTERS = 60
_TAKEN = frozenset({"overview", "summary"})


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is summarized."""

    source: Literal["images", "tables"]
    files: int
    images: int
    pixels: int | None
    """Of the images; None if a table does not say."""
    dtype: np.dtype[Any]
    bands: tuple[str | None, ...]
    """Their names."""
    classes: tuple[TableClass, ...] | None

    @property
    def groups(self) -> int:
        """The classes, what has none, and what is masked."""
        return len(self.classes or ()) + 2

    @property
    def targets(self) -> dict[str, tuple[int, ...]]:
        """The groups that belong to each account; a class is called by its index."""
        classes = range(len(self.classes or ()))
        found = {VALID: (*classes, len(classes))}
        if self.source == "images":
            found[STORED] = (*classes, len(classes), len(classes) + 1)
        if self.classes is not None:
            found[LABELLED] = tuple(classes)
            found |= {str(index): (index,) for index in classes}
        return found

    @property
    def colors(self) -> list[Color]:
        """One a class."""
        return [entry.color or chosen for entry, chosen in zip(self.classes or (), default_colors(len(self.classes or ())), strict=True)]

    def band_title(self, band: int) -> str:
        """A band for people, from 0: its number, and its name if it has one."""
        name = self.bands[band]
        return f"band {band + 1}" if name is None else f"band {band + 1}: {name}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All figures."""

    content: Content
    made_from: str
    """Fingerprint of the inputs and options."""
    bands: Sequence[Mapping[str, Figures]]
    """Of each band, by the names of the targets."""

    def plain(self) -> dict[str, object]:
        """What summary.json holds."""
        content = self.content
        return {
            "source": content.source,
            "files": content.files,
            "images": content.images,
            "pixels": content.pixels,
            "dtype": content.dtype.name,
            "classes": self._classes(),
            "bands": [self._band(number) for number in range(len(content.bands))],
            "made_from": self.made_from,
        }

    def brief(self) -> dict[str, object]:
        """For programs that want no histograms."""
        bands = [
            {"band": number + 1, "name": name, **_without_histograms(self.bands[number][VALID])}
            for number, name in enumerate(self.content.bands)
        ]
        return {"pixels": self.content.pixels, "classes": self._classes(), "bands": bands}

    def shares(self) -> list[tuple[int, float]]:
        """Pixels of each class, and its share of those with a class; by the band that has the fewest gaps."""
        if self.content.classes is None or not self.bands:
            return []
        fullest = max(self.bands, key=lambda figures: figures[LABELLED].moments.count)
        total = max(fullest[LABELLED].moments.count, 1)
        counts = [fullest[str(index)].moments.count for index in range(len(self.content.classes))]
        return [(count, count / total) for count in counts]

    def valid_share(self, band: int) -> float | None:
        """Values that are there, of all pixels; None if those are not known."""
        return self.bands[band][VALID].moments.count / self.content.pixels if self.content.pixels else None

    def _classes(self) -> list[dict[str, object]] | None:
        if self.content.classes is None:
            return None
        told = zip(self.content.classes, self.content.colors, self.shares(), strict=True)
        return [
            {"value": entry.value, "name": entry.name, "color": hex_color(color), "pixels": pixels, "share": share}
            for entry, color, (pixels, share) in told
        ]

    def _band(self, number: int) -> dict[str, object]:
        figures, classes = self.bands[number], self.content.classes
        masked = STORED in figures and figures[STORED].moments.count > figures[VALID].moments.count
        return {
            "band": number + 1,
            "name": self.content.bands[number],
            "valid_share": self.valid_share(number),
            VALID: figures[VALID].plain(),
            STORED: figures[STORED].plain() if masked else None,
            LABELLED: figures[LABELLED].plain() if classes is not None else None,
            "classes": [{"value": entry.value, "name": entry.name, **figures[str(index)].plain()} for index, entry in enumerate(classes)]
            if classes is not None
            else None,
        }


@dataclass(frozen=True, kw_only=True)
class FileNames:
    """What the charts are called."""

    bands: tuple[str, ...]
    by_class: tuple[str, ...]
    """Empty without classes."""
    overview: str = OVERVIEW_NAME

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.bands, *self.by_class)


def file_names(content: Content) -> FileNames:
    """Names that any disk takes, made of the bands' names; two that are alike get the bands' numbers."""
    stems = [_stem(name, number) for number, name in enumerate(content.bands, start=1)]
    folded = [stem.casefold() for stem in stems]
    clash = {stem for stem in folded if folded.count(stem) > 1 or stem in _TAKEN or stem.endswith("_by_class")}
    unique = [f"{stem}_{number}" if stem.casefold() in clash else stem for number, stem in enumerate(stems, start=1)]
    return FileNames(
        bands=tuple(f"{stem}.png" for stem in unique),
        by_class=tuple(f"{stem}_by_class.png" for stem in unique) if content.classes is not None else (),
    )


def _stem(name: str | None, number: int) -> str:
    kept = re.sub(r"[^\w.-]+", "_", name or "", flags=re.ASCII).strip("._-")[:_STEM_CHARACTERS]
    return kept or f"band_{number}"


def summary_lines(summary: Summary, out: Path) -> list[str]:
    """What is told on the terminal."""
    content = summary.content
    pixels = "" if content.pixels is None else f", {counted(content.pixels, 'pixel')}"
    lines = [f"{counted(len(content.bands), 'band')} of {counted(content.images, 'image')}{pixels} in {out}"]
    for number in range(len(content.bands)):
        figures, share = summary.bands[number][VALID], summary.valid_share(number)
        there = "" if share is None else f"{share:.2%} valid, "
        lines.append(f"  {content.band_title(number)}: {there}{_figures(figures)}")
    told = zip(content.classes or (), summary.shares(), strict=True)
    shares = ", ".join(f"{entry.name} {share:.2%}" for entry, (_, share) in told)
    return [*lines, shares] if shares else lines


def _figures(figures: Figures) -> str:
    told = figures.moments
    if not told.count:
        return "no values"
    low, high, mean, sd, median = (figure_text(value) for value in (told.low, told.high, told.mean, told.sd, figures.percentiles[50]))
    return f"{low} to {high}, mean {mean}, sd {sd}, median {median}"


def _without_histograms(figures: Figures) -> dict[str, object]:
    return {key: value for key, value in figures.plain().items() if key not in ("histogram", "view")}
