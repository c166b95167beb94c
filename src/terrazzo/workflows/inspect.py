"""inspect: what files are, and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from terrazzo.errors import DataError, TerrazzoError
from terrazzo.rasters.location import to_path
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.inspection.gather import gather, naming
from terrazzo.workflows.inspection.others import look_at
from terrazzo.workflows.inspection.pair_facts import pair_facts
from terrazzo.workflows.inspection.rasters import RasterSet, measure, raster_sets

UNREADABLE = DataError.exit_code
MOST_DETAILED = 20
"""Rasters that are told one by one; of more, only their sets are."""


def inspect(paths: str | Path | Sequence[str | Path], html: str | Path | None = None, *, context: Context | None = None) -> Result:
    """Tell what files are: rasters, masks, vectors, tables, recipes, models, runs. A folder stands for the images and vectors in it.

    Every pixel of a raster is read up to 256 MB of pixels, beyond that a sample that the text names. With a few rasters each is told,
    with many only what they have in common; the facts of the result hold all.
    html: a page to write, with the same and with pictures.
    The result has a problem for each file that cannot be used, and then the exit code 3; nothing is raised for those.
    """
    context = context or open_context()
    given = [to_path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    gathered = gather(given)
    facts, unreadable = measure(gathered.rasters, context)
    sets = raster_sets(facts, context)
    others, unusable = _look_at_all(gathered.others, context)
    others += _paired(given, context)
    problems = [*gathered.problems, *unreadable, *unusable]
    single = [found.finding_of(file) for found in sets for file in found.facts.files]
    whole = [found.finding() for found in sets if len(found.facts.files) > 1]
    detailed = len(facts) <= MOST_DETAILED
    told = [*_told(sets, detailed=detailed), *others]
    if html is not None:
        # templates take a while to import, and most inspections need none
        from terrazzo.reporting.inspection import write_inspection
        from terrazzo.workflows.inspection.page import Told, page

        everything = Told(given=[str(path) for path in given], sets=sets, others=others, unusable=problems, detailed=detailed)
        write_inspection(Path(html), page(everything, context))
    return Result(
        text="\n".join(line for finding in told for line in finding.lines()),
        facts={"files": [dict(finding.plain) for finding in [*single, *others]], "sets": [dict(finding.plain) for finding in whole]},
        written={} if html is None else {"report": Path(html)},
        problems=problems,
        exit_code=UNREADABLE if problems else 0,
    )


def _paired(given: Sequence[Path], context: Context) -> list[Finding]:
    """Images with the labels that the options name; without [data] images, those are the one path that was given."""
    data = context.recipe.data
    if data.labels is None:
        return []
    if data.images is None and len(given) == 1:
        data = data.model_copy(update={"images": str(given[0].absolute())})
    paired = replace(context, recipe=context.recipe.model_copy(update={"data": data}))
    return [pair_facts(paired).finding("images and labels")]


def _told(sets: Sequence[RasterSet], *, detailed: bool) -> list[Finding]:
    """What the text tells of rasters: each file if detailed or alone in its set, then the set."""
    told = []
    for found in sets:
        alone = len(found.facts.files) == 1
        if detailed or alone:
            told += [found.finding_of(file) for file in found.facts.files]
        if not alone:
            told.append(found.finding())
    return told


def _look_at_all(paths: Sequence[Path], context: Context) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    problems: list[str] = []
    for path in paths:
        try:
            findings.append(look_at(path, context))
        except TerrazzoError as error:
            problems.append(naming(path, error))
    return findings, problems
