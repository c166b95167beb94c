"""Whether a samples table is still that of its images, labels and options."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from terrazzo.errors import ConflictError, DataError
from terrazzo.labels.options import LegendOptions
from terrazzo.options import Options
from terrazzo.rasters.location import to_path
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.fingerprint import Fingerprint, Settings, digest_scenes
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.pack.store import PackedStore, is_packed
from terrazzo.samples.scenes import Scene
from terrazzo.samples.table import Samples, load
from terrazzo.workflows.context import Context
from terrazzo.workflows.origin import reading_origin
from terrazzo.workflows.packed_lesson import GivenTable, as_packed

Table = TypeVar("Table", bound=Options)


def settings_of(recipe: Recipe) -> Settings:
    """The options that a samples table depends on, by table and name."""
    samples = recipe.samples
    grid = {
        "size": list(samples.shape),
        "stride": list(samples.steps),
        "offset": list(samples.offset),
        "edges": samples.edges,
        "min_valid": samples.min_valid,
    }
    tables = {
        "samples": grid,
        "data": reading_origin(recipe.data),
        "legend": recipe.legend.model_dump(mode="json", exclude_defaults=True),
        "labels": recipe.labels.model_dump(mode="json", exclude_defaults=True),
    }
    settings = {f"{table}.{name}": value for table, options in tables.items() for name, value in options.items()}
    # as a table gives them back
    plain: Settings = json.loads(json.dumps(settings))
    return plain


def taken_from(recipe: Recipe, path: Path, samples: Samples) -> Recipe:
    """The recipe with what it leaves open of [samples] and [legend] as in a samples table.

    Raises DataError if the table's options are none.
    """
    known = TableOptions(path=path, settings=samples.fingerprint.settings)
    given = {**recipe.samples.model_dump(exclude_unset=True), "table": str(path)}
    filled = known.take(SamplesOptions, "samples", given, "stride" if given.get("overlap") else None)
    legend = recipe.legend if recipe.legend.model_fields_set else known.take(LegendOptions, "legend")
    return recipe.model_copy(update={"samples": filled, "legend": legend})


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The options that a samples table was made with."""

    path: Path
    settings: Settings

    def take(self, kind: type[Table], name: str, over: Mapping[str, object] | None = None, without: str | None = None) -> Table:
        """One table of options, with others over it; `without` is left open.

        Raises DataError if they are no such options.
        """
        mine = {key.removeprefix(f"{name}."): value for key, value in self.settings.items() if key.startswith(f"{name}.")}
        mine.pop(without or "", None)
        try:
            return kind.model_validate({**mine, **(over or {})})
        except ValidationError as error:
            raise DataError(
                f"{self.path}: the table's note on its options cannot be read. Make the table anew with `terrazzo index`."
            ) from error


def check_fresh(path: Path, samples: Samples, scenes: Sequence[Scene], context: Context) -> None:
    """See that a table is what index would make of these scenes and the context's options.

    Raises ConflictError that says what has changed; RasterError or LabelError for files that cannot be read.
    """
    recipe = context.recipe
    now = Fingerprint(settings=settings_of(recipe), scenes=digest_scenes(scenes, recipe.data, context.progress))
    if not samples.fingerprint.scenes:
        raise ConflictError(f"{path} does not say what it was made from. Make it anew: terrazzo index IMAGES LABELS {path} --reset")
    if changes := samples.fingerprint.changes(now):
        raise ConflictError(
            f"{path} is stale: {'; '.join(changes)}.\n"
            f"Make it anew with the same options: terrazzo index IMAGES LABELS {path} --reset; or set back what has changed."
        )


def with_table(context: Context) -> tuple[Context, GivenTable | None]:
    """The context with the samples table, or packed store, that its [samples] names, if it does; what the recipe leaves open is as there.

    Raises DataError if there is none, RecipeError if the recipe does not go with a packed store.
    """
    named = context.recipe.samples.table
    if named is None:
        return context, None
    path = (context.folder / to_path(named)).resolve()
    if is_packed(path):
        store = PackedStore.open(path)
        return replace(context, recipe=as_packed(context.recipe, store)), GivenTable(path=path, samples=store.samples, store=store)
    samples = load(path)
    return replace(context, recipe=taken_from(context.recipe, path, samples)), GivenTable(path=path, samples=samples)


def packed_table(context: Context) -> tuple[GivenTable | None, Context]:
    """The packed store that a run learned from, None where it learned from images; and the context with what the store says.

    Raises DataError if the store is gone, RecipeError as `with_table` does.
    """
    named = context.recipe.samples.table
    if named is None or (context.recipe.data.images is not None and not is_packed(to_path(named))):
        return None, context
    opened, table = with_table(context)
    return table, opened
