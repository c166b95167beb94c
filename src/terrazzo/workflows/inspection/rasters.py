"""Rasters measured several at a time, and what is told of them and of their sets."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from terrazzo.errors import TerrazzoError
from terrazzo.rasters.options import DataOptions
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspection.class_shares import Reading, read_masks
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.inspection.gather import naming
from terrazzo.workflows.inspection.mask_problems import left_out
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.raster_facts import RasterFacts, raster_facts
from terrazzo.workflows.inspection.raster_problems import raster_problems
from terrazzo.workflows.inspection.set_facts import SetFacts, set_facts, sets_of
from terrazzo.workflows.inspection.set_problems import SetProblem, set_problems
from terrazzo.workflows.inspection.wording import raster_heading, raster_rows, set_heading, set_rows

MOST_THREADS = 4
"""Files that are measured at a time; each takes some tens of megabytes."""
MOST_PROBLEMS = 12
"""Kinds of problems that are told of a set."""


@dataclass(frozen=True, kw_only=True)
class RasterSet:
    """A set of rasters that could be read, and how its masks are understood."""

    facts: SetFacts
    reading: Reading
    """Of masks; empty for images."""
    left_out: Sequence[Problem]
    """What the legend leaves out, though nobody said so."""
    problems: Sequence[SetProblem]

    def finding(self) -> Finding:
        """What is told of the set."""
        shares = self.reading.shares()
        sentences = [problem.sentence() for problem in self.problems]
        more = [f"{len(sentences) - MOST_PROBLEMS} more kinds of problems; --json tells all."] if len(sentences) > MOST_PROBLEMS else []
        return Finding(
            name=self.facts.name,
            heading=set_heading(self.facts),
            rows=set_rows(self.facts, shares),
            plain={
                **self.facts.plain(),
                "classes": [share.plain() for share in shares],
                "problems": [problem.plain() for problem in self.problems],
            },
            problems=[*sentences[:MOST_PROBLEMS], *more],
            shares=shares,
        )

    def finding_of(self, facts: RasterFacts) -> Finding:
        """What is told of one file of the set."""
        shares = self.reading.shares(facts.path)
        problems = [*raster_problems(facts), *(self.left_out if len(self.facts.files) == 1 else ())]
        return Finding(
            name=str(facts.path),
            heading=raster_heading(facts),
            rows=raster_rows(facts, shares),
            plain={
                **facts.plain(),
                "classes": [share.plain() for share in shares],
                "problems": [problem.plain() for problem in problems],
            },
            problems=[problem.sentence() for problem in problems],
            shares=shares,
        )


def measure(paths: Sequence[Path], context: Context) -> tuple[dict[Path, RasterFacts], list[str]]:
    """The facts of all rasters that can be read, and a sentence for each other, both in the order of the paths."""
    facts: dict[Path, RasterFacts] = {}
    problems: list[str] = []
    stopped = Event()
    pool = ThreadPoolExecutor(min(MOST_THREADS, context.threads or os.cpu_count() or 1), thread_name_prefix="inspect")
    try:
        pending = [pool.submit(_measured, path, context.recipe.data, stopped) for path in paths]
        with context.progress.task("inspect", len(paths), "files") as advance:
            for path, future in zip(paths, pending, strict=True):
                measured = future.result()
                if isinstance(measured, RasterFacts):
                    facts[path] = measured
                else:
                    problems.append(naming(path, measured))
                advance(1)
    finally:
        # who presses Ctrl-C does not wait for a large file
        stopped.set()
        pool.shutdown(cancel_futures=True)
    return facts, problems


def raster_sets(facts: dict[Path, RasterFacts], context: Context) -> list[RasterSet]:
    """The sets that rasters fall into, in the order in which they are met. Raises RecipeError if [legend] contradicts itself."""
    sets = []
    for name, files in sets_of(list(facts.values())).items():
        members = set_facts(name, files)
        reading = read_masks(files, context.recipe.legend) if members.is_masks else Reading()
        missed = left_out(reading.total, reading.legend, context.recipe.legend)
        found = [] if missed is None else [missed]
        fault = reading.fault if len(files) > 1 else None
        problems = [*set_problems(members, fault), *(SetProblem(problem=problem) for problem in found)]
        sets.append(RasterSet(facts=members, reading=reading, left_out=found, problems=problems))
    return sets


def _measured(path: Path, options: DataOptions, stopped: Event) -> RasterFacts | TerrazzoError:
    try:
        return raster_facts(path, options, stopped)
    except TerrazzoError as error:
        return error
