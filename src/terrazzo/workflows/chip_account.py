"""What is told of chips: the table beside them, and a few lines."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import counted
from terrazzo.rasters.chips.journal import Entry, Kept
from terrazzo.rasters.write import write_text

INDEX_NAME = "chips.csv"
_PLACE = ("chip", "image", "col", "row", "width", "height", "valid", "kept")


def write_index(out: Path, entries: Sequence[Entry], legend: Legend | None) -> None:
    """Write OUT/chips.csv: a row a chip, also of those left out, with the pixels of each class."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_PLACE, *(f"pixels_{name}" for name in (legend.names if legend else ()))])
    for entry in entries:
        table.writerow([*(getattr(entry, name) for name in _PLACE), *entry.pixels])
    write_text(out / INDEX_NAME, text.getvalue())


def chip_lines(entries: Sequence[Entry], legend: Legend | None, out: Path, before: int) -> list[str]:
    """What is told of a run. before: chips that were done before it."""
    fates = Counter(entry.kept for entry in entries)
    kept = f", {before} of them done before" if before else ""
    lines = [f"{counted(fates['yes'], 'chip')} of {counted(len({entry.image for entry in entries}), 'image')} in {out}{kept}"]
    reasons: dict[Kept, str] = {"no data": "without enough valid pixels", "no class": "without any class but the first"}
    lines += [f"{counted(fates[fate], 'chip')} {reason} left out" for fate, reason in reasons.items() if fates[fate]]
    shares = {} if legend is None else chip_shares([entry for entry in entries if entry.kept == "yes"], legend)
    return [*lines, ", ".join(f"{name} {share:.2%}" for name, share in shares.items())] if shares else lines


def chip_shares(kept: Sequence[Entry], legend: Legend) -> Mapping[str, float]:
    """The share of each class of the chips, among the pixels that are not left out."""
    pixels = [sum(entry.pixels[place] for entry in kept) for place in range(len(legend.classes))]
    total = sum(pixels)
    return {name: count / total for name, count in zip(legend.names, pixels, strict=True)} if total else {}
