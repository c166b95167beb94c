"""What the rasters of a set have in common: groups, figures over all of them, copies."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.rasters.files import digest
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.window import Shape
from terrazzo.workflows.inspection.band_facts import BandFacts
from terrazzo.workflows.inspection.pooling import pool
from terrazzo.workflows.inspection.raster_facts import Kind, RasterFacts

MOST_GROUPS = 8
"""With more groups than these, sizes do not tell groups apart."""
MOST_SETS = 12
"""With more folders than these, folders of one name are one set; with more names, all is one."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rasters that are alike."""

    count: int
    format: str
    bands: int
    dtype: str
    crs: str | None
    cell: tuple[float, float] | None
    """(x, y) size of a pixel in units of the CRS, to five digits."""
    smallest: Shape
    largest: Shape
    """(height, width) of the least and of the largest by pixels."""
    sizes: int
    """How many sizes there are."""
    paths: tuple[Path, ...]

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold; a few paths stand for all."""
        return {
            "count": self.count,
            "format": self.format,
            "bands": self.bands,
            "dtype": self.dtype,
            "crs": self.crs,
            "cell": list(self.cell) if self.cell else None,
            "smallest": list(self.smallest),
            "largest": list(self.largest),
            "sizes": self.sizes,
            "examples": [str(path.absolute()) for path in self.paths[:3]],
        }


@dataclass(frozen=True, kw_only=True)
class SetFacts:
    """Rasters that were given together."""

    name: str
    """What the user calls them: a folder or a pattern."""
    files: tuple[RasterFacts, ...]
    kind: Kind
    """What most of them look like; objects where any does among masks."""
    groups: tuple[Group, ...]
    """The largest first."""
    bands: tuple[BandFacts, ...]
    """Over all files; empty where they differ in number of bands."""
    values: dict[float, int] | None
    """Value to pixels over all files, where all may be class masks."""
    copies: tuple[tuple[Path, ...], ...]
    """Files of the same bytes."""

    @property
    def is_masks(self) -> bool:
        """Whether these are labels, not images."""
        return self.kind != "image"

    @property
    def valid_share(self) -> float:
        """Of all pixels that were read."""
        pixels = [facts.shape[0] * facts.shape[1] * facts.read_share for facts in self.files]
        return sum(facts.valid_share * count for facts, count in zip(self.files, pixels, strict=True)) / sum(pixels)

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "name": self.name,
            "files": len(self.files),
            "looks_like": self.kind,
            "groups": [group.plain() for group in self.groups],
            "valid_share": self.valid_share,
            "bands": [band.plain() for band in self.bands],
            "values": {f"{value:.17g}": count for value, count in self.values.items()} if self.values is not None else None,
            "copies": [[str(path.absolute()) for path in paths] for paths in self.copies],
        }


def set_facts(name: str, files: Sequence[RasterFacts]) -> SetFacts:
    """What rasters (at least one) have in common."""
    alike = len({len(facts.bands) for facts in files}) == 1
    masks = [facts.values for facts in files]
    counts: Counter[float] = Counter()
    for values in masks:
        counts.update(values or {})
    return SetFacts(
        name=name,
        files=tuple(files),
        kind=_kind(files),
        groups=_groups(files),
        bands=tuple(pool(bands) for bands in zip(*(facts.bands for facts in files), strict=True)) if alike else (),
        values=dict(sorted(counts.items())) if None not in masks else None,
        copies=_copies([facts.path for facts in files]),
    )


def sets_of(files: Sequence[RasterFacts]) -> dict[str, list[RasterFacts]]:
    """Rasters by the name of the set they belong to, in the order in which sets are met.

    A set is a folder; where there are many folders, all folders of one name are ('*/images'); where there are many names, all files.
    Masks in a folder of images are a set of their own, if they are of another form.
    """
    by_folder: defaultdict[str, list[RasterFacts]] = defaultdict(list)
    by_name: defaultdict[str, list[RasterFacts]] = defaultdict(list)
    for facts in files:
        by_folder[str(facts.path.parent)].append(facts)
        by_name[f"*/{facts.path.parent.name}"].append(facts)
    sets = by_folder if len(by_folder) <= MOST_SETS else by_name if len(by_name) <= MOST_SETS else {"all files": list(files)}
    return {name: members for folder, found in sets.items() for name, members in _without_masks(folder, found)}


def _without_masks(folder: str, files: list[RasterFacts]) -> list[tuple[str, list[RasterFacts]]]:
    images = [facts for facts in files if facts.kind == "image"]
    masks = [facts for facts in files if facts.kind != "image"]
    forms = {(len(facts.bands), facts.dtype) for facts in images}
    # a black image looks like a mask, but has the form of the others
    if not images or not masks or any((len(facts.bands), facts.dtype) in forms for facts in masks):
        return [(folder, files)]
    return [(folder, images), (f"{folder} (masks)", masks)]


def _kind(files: Sequence[RasterFacts]) -> Kind:
    counts = Counter(facts.kind for facts in files)
    kind = counts.most_common(1)[0][0]
    # an image with few objects looks like a mask of classes, and one of grey masks that is empty too
    for rarer in ("objects", "grey mask"):
        if kind == "classes" and counts[rarer] and counts[rarer] + counts["classes"] == len(files):
            return rarer
    return kind


def _groups(files: Sequence[RasterFacts]) -> tuple[Group, ...]:
    fine = _grouped(files, by_size=True)
    return fine if len(fine) <= MOST_GROUPS else _grouped(files, by_size=False)


def _grouped(files: Sequence[RasterFacts], *, by_size: bool) -> tuple[Group, ...]:
    found: defaultdict[tuple[object, ...], list[RasterFacts]] = defaultdict(list)
    for facts in files:
        cell = _rounded(facts.place.cell)
        found[facts.format, len(facts.bands), facts.dtype, facts.place.crs, cell, facts.shape if by_size else None].append(facts)
    return tuple(_group(members) for members in sorted(found.values(), key=len, reverse=True))


def _group(members: Sequence[RasterFacts]) -> Group:
    sizes = sorted({facts.shape for facts in members}, key=lambda shape: (shape[0] * shape[1], shape))
    first = members[0]
    return Group(
        count=len(members),
        format=first.format,
        bands=len(first.bands),
        dtype=first.dtype,
        crs=first.place.crs,
        cell=_rounded(first.place.cell),
        smallest=sizes[0],
        largest=sizes[-1],
        sizes=len(sizes),
        paths=tuple(facts.path for facts in members),
    )


def _rounded(cell: tuple[float, float] | None) -> tuple[float, float] | None:
    # neighbours computed by different programs differ in the last digits
    return None if cell is None else (float(f"{cell[0]:.5g}"), float(f"{cell[1]:.5g}"))


def _copies(paths: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """Files that hold the same bytes; only files of one size are read."""
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    for path in paths:
        if not isinstance(path, RemotePath):
            by_size[path.stat().st_size].append(path)
    by_bytes: defaultdict[str, list[Path]] = defaultdict(list)
    for candidates in by_size.values():
        for path in candidates if len(candidates) > 1 else ():
            by_bytes[digest(path)].append(path)
    return tuple(tuple(same) for same in by_bytes.values() if len(same) > 1)
