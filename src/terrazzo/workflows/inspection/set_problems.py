"""From the facts of a set to what is wrong with it: what its files have, and what they have not in common."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError
from terrazzo.labels.sentences import counted, listed
from terrazzo.workflows.inspection.band_problems import band_problems, equal_bands
from terrazzo.workflows.inspection.mask_problems import MASK_FORMS, object_numbers
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.raster_facts import RasterFacts
from terrazzo.workflows.inspection.raster_problems import raster_problems
from terrazzo.workflows.inspection.set_facts import SetFacts

ALIKE_CELLS = 1.1
"""Cell sizes up to this ratio count as one."""
OF_ALL = ("constant-band", "class-band", "unlike-bands", "8-bit-range", "equal-bands", "object-numbers")
"""Problems that are looked for over all files together, not in each."""
FINE_IN_MASKS = ("constant",)
"""A mask may well be empty; of a set it is told how many are."""


@dataclass(frozen=True, kw_only=True)
class SetProblem:
    """A problem of one or more files of a set, or of the set as a whole."""

    problem: Problem
    paths: tuple[Path, ...] = ()
    """The files; empty: all of them together."""
    total: int = 0
    """Files of the set."""

    def sentence(self) -> str:
        """All of it as text."""
        if not self.paths or self.problem.kind == "copies":
            return self.problem.sentence()
        if len(self.paths) == self.total:
            return f"All files: {self.problem.sentence()}"
        names = listed((path.name for path in self.paths), 3)
        return f"{len(self.paths)} of {counted(self.total, 'file')} ({names}): {self.problem.sentence()}"

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {**self.problem.plain(), "files": [str(path.absolute()) for path in self.paths]}


def set_problems(facts: SetFacts, fault: DataError | None = None) -> list[SetProblem]:
    """All that is wrong with a set, what concerns all of it first. fault: why masks cannot be labels as they are."""
    checks: tuple[Callable[[SetFacts], Iterator[Problem]], ...] = (
        *(_mixed_bands, _mixed_types, _mixed_places, _mixed_cells, _mixed_kinds, _equal_bands, _objects),
    )
    whole = [SetProblem(problem=problem) for check in checks for problem in check(facts)]
    bands = [] if facts.is_masks else [SetProblem(problem=problem) for problem in band_problems(facts.bands, facts.files[0].dtype)]
    faults = (
        []
        if fault is None
        else [SetProblem(problem=Problem(kind="labels", what="As labels they cannot be used as they are", advice=str(fault)))]
    )
    told_already = (*OF_ALL, *(FINE_IN_MASKS if facts.is_masks else ()), *(MASK_FORMS if fault is not None else ()))
    return [*faults, *whole, *_copied(facts), *_of_files(facts, told_already), *bands]


def _of_files(facts: SetFacts, left_out: Sequence[str]) -> list[SetProblem]:
    """The problems of the files, those alike as one; what most files have first. left_out: kinds that are told otherwise."""
    found: defaultdict[tuple[str, str], list[tuple[Path, Problem]]] = defaultdict(list)
    for file in facts.files:
        for problem in raster_problems(file):
            if problem.kind not in left_out:
                found[problem.kind, problem.what].append((file.path, problem))
    return [
        SetProblem(problem=_first(members), paths=tuple(path for path, _ in members), total=len(facts.files))
        for members in sorted(found.values(), key=len, reverse=True)
    ]


def _first(members: Sequence[tuple[Path, Problem]]) -> Problem:
    """The problem of the first file; its figure says whose it is."""
    path, problem = members[0]
    if len(members) == 1 or not problem.figure:
        return problem
    return Problem(kind=problem.kind, what=problem.what, advice=problem.advice, figure=f"{problem.figure} in {path.name}")


def _copied(facts: SetFacts) -> Iterator[SetProblem]:
    if facts.is_masks or not facts.copies:
        return
    groups = "; ".join(listed((path.name for path in paths), 3) for paths in facts.copies[:3])
    more = f"; and {len(facts.copies) - 3} more" if len(facts.copies) > 3 else ""
    problem = Problem(
        kind="copies",
        what=f"{counted(len(facts.copies), 'image')} more than once, byte by byte: {groups}{more}",
        advice="Leave all but one of each out: a copy on the other side of a split is a leak.",
    )
    yield SetProblem(problem=problem, paths=tuple(path for paths in facts.copies for path in paths), total=len(facts.files))


def _mixed_bands(facts: SetFacts) -> Iterator[Problem]:
    groups = _by(facts.files, lambda file: counted(len(file.bands), "band"))
    if len(groups) > 1:
        yield Problem(kind="mixed-bands", what=_told(groups), advice="Choose bands that all have with [data] bands, or use one group.")


def _mixed_types(facts: SetFacts) -> Iterator[Problem]:
    groups = _by(facts.files, lambda file: "float" if np.dtype(file.dtype).kind == "f" else file.dtype)
    if len(groups) > 1 and not facts.is_masks:
        yield Problem(kind="mixed-types", what=_told(groups), advice="Their ranges differ: convert them to one type, or use one group.")


def _mixed_places(facts: SetFacts) -> Iterator[Problem]:
    groups = _by(facts.files, lambda file: file.place.crs or "no coordinate reference system")
    if len(groups) > 1:
        known = next(name for name in groups if name != "no coordinate reference system")
        yield Problem(
            kind="mixed-crs",
            what=_told(groups),
            advice=f"Bring them to one with [data] crs, such as {known!r}, or use one group.".replace("'", '"'),
        )


def _mixed_cells(facts: SetFacts) -> Iterator[Problem]:
    for crs, members in _by(facts.files, lambda file: file.place.crs or "").items():
        cells = sorted((file.place.cell[0] * file.place.cell[1]) ** 0.5 for file in members if file.place.cell is not None)
        if crs and cells and cells[-1] > ALIKE_CELLS * cells[0]:
            yield Problem(
                kind="mixed-cells",
                what=f"Cells of {cells[0]:.5g} to {cells[-1]:.5g} in units of {crs}",
                advice=f"A model learns one scale best: bring them to one with [data] cell_size, such as {cells[len(cells) // 2]:.5g}.",
            )


def _mixed_kinds(facts: SetFacts) -> Iterator[Problem]:
    masks = [file for file in facts.files if file.kind in ("classes", "colour mask", "one-hot mask", "objects", "grey mask")]
    if facts.kind == "image" and masks and len(facts.files) > 2:
        yield Problem(
            kind="masks-among-images",
            what=f"{counted(len(masks), 'file')} among these images {'looks' if len(masks) == 1 else 'look'} like labels: "
            f"{listed((file.path.name for file in masks), 3)}",
            advice="Keep labels in a folder of their own, or narrow the pattern of images.",
        )


def _equal_bands(facts: SetFacts) -> Iterator[Problem]:
    # some grey images among colour ones are no matter
    if all(file.content.equal_bands for file in facts.files):
        yield equal_bands(len(facts.bands))


def _objects(facts: SetFacts) -> Iterator[Problem]:
    # masks of few objects look like masks of classes
    if facts.kind == "objects":
        yield object_numbers()


def _by(files: Sequence[RasterFacts], key: Callable[[RasterFacts], str]) -> Mapping[str, list[RasterFacts]]:
    groups: defaultdict[str, list[RasterFacts]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _told(groups: Mapping[str, Sequence[RasterFacts]]) -> str:
    parts = [
        f"{counted(len(members), 'file')} of {name} ({listed((file.path.name for file in members), 2)})"
        for name, members in list(groups.items())[:4]
    ]
    more = f" and {counted(len(groups) - 4, 'more group')}" if len(groups) > 4 else ""
    return f"Mixed: {', '.join(parts)}{more}"
