"""Whether the images of a set show the ground in one CRS and at one scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rasterio.crs import CRS

from terrazzo.errors import DataError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.grid import Grid, crs_name, same_crs

ALIKE_CELLS = 1.1
"""Cell sizes up to this ratio count as one resolution."""
SMALLEST = 1e-300
"""So that groups without a place, whose cells are 0, stay one."""
SHOWN = 3
"""Files of a group that the message lists."""


@dataclass(kw_only=True)
class _Group:
    """Files that can be learned from together."""

    crs: CRS | None
    cell: float = 0.0
    """Of the file with the smallest cells."""
    paths: list[Path] = field(default_factory=list)


def check_grids(grids: Sequence[tuple[Path, Grid]], *, any_cell: bool = False) -> None:
    """Refuse images in several CRS, of several cell sizes, or of which only some have a place on the ground.

    CRS are compared by what they mean, not by how they are written. A set without any place on the ground is one group.
    grids: each file and the grid that it is read on, so after any resampling. any_cell: cell sizes may differ, for the images are
    brought to one size in pixels.
    Raises DataError that lists the groups.
    """
    groups = _by_cell([*_by_crs(grids)], math.inf if any_cell else ALIKE_CELLS)
    if len(groups) < 2:
        return
    parts = "; ".join(
        f"{name}: {counted(len(group.paths), 'image')} ({listed(map(str, group.paths), SHOWN)})"
        for name, group in zip(_names(groups), groups, strict=True)
    )
    advice = "Set [data] crs and cell_size, and all are resampled to one grid, or train on one group."
    if any(group.crs is None for group in groups):
        advice = "What has no place on the ground cannot be resampled: give it a CRS and a transform, or train on one group."
    raise DataError(f"The images show the ground in different ways: {parts}. {advice}")


def _by_crs(grids: Sequence[tuple[Path, Grid]]) -> list[list[tuple[Path, Grid]]]:
    """The files in groups of one CRS; those without a place on the ground are one more."""
    groups: list[list[tuple[Path, Grid]]] = []
    for path, grid in grids:
        mine = next((group for group in groups if _same(group[0][1], grid)), None)
        if mine is None:
            groups.append(mine := [])
        mine.append((path, grid))
    return groups


def _same(one: Grid, other: Grid) -> bool:
    if not (one.georeferenced and other.georeferenced):
        return one.georeferenced == other.georeferenced
    return one.crs is not None and other.crs is not None and same_crs(one.crs, other.crs)


def _by_cell(groups: Sequence[Sequence[tuple[Path, Grid]]], alike: float) -> list[_Group]:
    """Groups of one CRS divided where the cell size leaps."""
    found: list[_Group] = []
    for members in groups:
        sized = sorted(((_cell(grid), path) for path, grid in members), key=lambda entry: entry[0])
        crs = members[0][1].crs if members[0][1].georeferenced else None
        for place, (cell, path) in enumerate(sized):
            if place == 0 or cell > alike * max(found[-1].cell, SMALLEST):
                found.append(_Group(crs=crs, cell=cell))
            found[-1].paths.append(path)
    return found


def _cell(grid: Grid) -> float:
    """Side of a square as large as a pixel, in units of the CRS; 0 without a place on the ground."""
    return abs(grid.transform.determinant) ** 0.5 if grid.georeferenced and grid.transform is not None else 0.0


def _names(groups: Sequence[_Group]) -> list[str]:
    """What the groups are called; two CRS of one name are told apart."""
    known: list[CRS] = []
    names = []
    for group in groups:
        if group.crs is None:
            names.append("no place on the ground")
            continue
        if not any(same_crs(group.crs, crs) for crs in known):
            known.append(group.crs)
        alike = [crs for crs in known if crs_name(crs) == crs_name(group.crs)]
        number = next(place for place, crs in enumerate(alike, start=1) if same_crs(group.crs, crs))
        names.append(f"{crs_name(group.crs)}{f' (another, {number})' if number > 1 else ''}, cells of {group.cell:.6g}")
    return names
