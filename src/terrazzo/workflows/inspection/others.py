"""Findings of everything that is no raster: samples tables, recipes, models, runs, vectors, tables of objects."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from terrazzo.errors import EnvironmentFault, ModelError, RecipeError
from terrazzo.labels.kinds import kind_of
from terrazzo.labels.options import LabelOptions
from terrazzo.recipes.recipe import load_recipe
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspection.class_shares import ClassShare
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.inspection.object_facts import coco_facts, run_table_facts
from terrazzo.workflows.inspection.pair_facts import PairFacts, pair_facts
from terrazzo.workflows.inspection.run_folder import MODEL_FILES, is_packed_folder, is_run
from terrazzo.workflows.inspection.vector_facts import vector_facts
from terrazzo.workflows.inspection.vector_words import vector_heading, vector_problems, vector_rows
from terrazzo.workflows.inspection.wording import Row

if TYPE_CHECKING:
    from terrazzo.samples.pack.store import PackedStore


def look_at(path: Path, context: Context) -> Finding:
    """What a file or folder is. Raises TerrazzoError if it cannot be used."""
    suffix = path.suffix.lower()
    if suffix != ".gdb" and (path.is_dir() or path.name in MODEL_FILES):
        return _run(path) if is_run(path) else _packed(path) if is_packed_folder(path) else _model(path)
    if suffix == ".toml":
        return _recipe(path, context)
    if suffix == ".parquet" and not _is_map(path):
        return _samples(path)
    kind = kind_of(path)
    if kind == "vectors":
        return _vectors(path, context.recipe.labels)
    facts = run_table_facts(path) if kind == "runs" else coco_facts(path)
    return Finding(name=str(path), heading=facts.heading(), rows=facts.rows(), plain=facts.plain())


def _is_map(path: Path) -> bool:
    """Whether a Parquet file holds geometries, and is no samples table; what cannot be read is for the reader of tables to tell."""
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, ValueError, ArrowException):
        return False
    return b"geo" in metadata and b"terrazzo" not in metadata


def _vectors(path: Path, options: LabelOptions) -> Finding:
    facts = vector_facts(path, options)
    problems = vector_problems(facts)
    return Finding(
        name=str(path),
        heading=vector_heading(facts),
        rows=vector_rows(facts),
        plain={**facts.plain(), "problems": [problem.plain() for problem in problems]},
        problems=[problem.sentence() for problem in problems],
        vectors=facts,
    )


def _samples(path: Path) -> Finding:
    # geopandas takes a second to import, which only tables are worth
    from terrazzo.samples.table import load
    from terrazzo.workflows.sample_facts import origin_lines, sample_facts, sample_lines, sample_problems

    samples = load(path)
    facts, problems = sample_facts(samples), sample_problems(samples)
    size = f"{samples.size[0]} x {samples.size[1]} pixels"
    pixels = samples.class_pixels().sum(axis=0).tolist()
    total = max(int(samples.set_pixels().sum()), 1)
    return Finding(
        name=str(path),
        heading=f"samples table, {facts['windows']} windows of {size} of {facts['scenes']} images",
        rows=[_row(line) for line in (*origin_lines(samples), *sample_lines(samples))],
        plain={"kind": "samples", "path": str(path.absolute()), **facts, "problems": problems},
        problems=problems,
        shares=[
            ClassShare(name=entry.name, value=entry.value, color=entry.color, pixels=count, share=count / total)
            for entry, count in zip(samples.legend.classes, pixels, strict=True)
        ],
    )


def _row(line: str) -> Row:
    name, _, text = line.partition(": ")
    return name, text


def _recipe(path: Path, context: Context) -> Finding:
    """A recipe that is valid and, where it names images, what it finds."""
    loaded = load_recipe(path)
    given = {table: list(keys) for table, keys in loaded.recipe.model_dump(exclude_unset=True).items()}
    rows = [(f"[{table}]", ", ".join(keys)) for table, keys in given.items() if keys]
    plain: dict[str, object] = {"kind": "recipe", "path": str(path.absolute()), "given": given}
    opened, store = replace(context, recipe=loaded.recipe, folder=loaded.folder), None
    if loaded.recipe.samples.table is not None:
        # for geopandas, as below
        from terrazzo.workflows.sample_origin import with_table

        opened, table = with_table(opened)
        store = None if table is None else table.store
    if store is not None:
        from terrazzo.workflows.inspection.packed_facts import store_finding

        found, memory, ahead, problems = store_finding(store, str(path)), *_ahead(opened, store)
    elif opened.recipe.data.images is not None:
        pairs = pair_facts(opened)
        found = pairs.finding(str(path))
        memory, ahead, problems = _ahead(opened, pairs) if pairs.checked and pairs.shares else ([], None, [])
    else:
        return Finding(name=str(path), heading="recipe", rows=rows, plain=plain)
    return Finding(
        name=str(path),
        heading=f"recipe, {found.heading}",
        rows=[*rows, *found.rows, *memory],
        plain={**found.plain, **plain, "training": ahead, "problems": [*found.problems, *problems]},
        problems=[*found.problems, *problems],
        shares=found.shares,
    )


def _ahead(context: Context, source: "PairFacts | PackedStore") -> tuple[list[Row], dict[str, object] | None, list[str]]:
    """What is known of a training before it begins, in rows, for programs, and what stands in its way."""
    # torch takes seconds to import, which only recipes that could be trained are worth
    from terrazzo.workflows.inspection.training_need import training_need

    try:
        need = training_need(context, source)
    except (RecipeError, ModelError, EnvironmentFault) as error:
        return [], None, [str(error)]
    return [need.row()], need.plain(), need.problems()


def _model(folder: Path) -> Finding:
    from terrazzo.workflows.inspection.model_facts import model_facts

    facts = model_facts(folder)
    return Finding(name=str(folder), heading=facts.heading(), rows=facts.rows(), plain=facts.plain())


def _packed(folder: Path) -> Finding:
    # for geopandas, as above
    from terrazzo.workflows.inspection.packed_facts import packed_finding

    return packed_finding(folder)


def _run(folder: Path) -> Finding:
    from terrazzo.workflows.inspection.run_facts import run_facts

    facts = run_facts(folder)
    return Finding(name=str(folder), heading=facts.heading(), rows=facts.rows(), plain=facts.plain())
