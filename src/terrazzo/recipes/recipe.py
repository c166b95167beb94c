"""The recipe: every option of a run, one TOML file, validated."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w
from pydantic import Field

from terrazzo.errors import RecipeError
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.where.options import RankOptions
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.models.options import ModelOptions
from terrazzo.options import Options
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.vectorize.options import VectorOptions
from terrazzo.rasters.chips.options import ChipOptions
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.settings import Setting, lay_over, parse_set, source_of
from terrazzo.recipes.validation import table_types, validate
from terrazzo.samples.options import AugmentOptions, DrawOptions, SamplesOptions
from terrazzo.samples.split.options import SplitOptions
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.training.options import TrainingOptions


class Recipe(Options):
    """Every option of a run, a table a stage. What is not given has its default; nothing else configures a run."""

    data: DataOptions = Field(DataOptions(), description="Where images and labels are, and how their pixels are read.")
    legend: LegendOptions = Field(LegendOptions(), description="What the values of class masks mean.")
    labels: LabelOptions = Field(LabelOptions(), description="How polygons, lines and other labels become class masks.")
    samples: SamplesOptions = Field(SamplesOptions(), description="The windows to learn from.")
    split: SplitOptions = Field(SplitOptions(), description="Which windows are for training, validation and test.")
    draw: DrawOptions = Field(DrawOptions(), description="Which training windows an epoch shows.")
    augment: AugmentOptions = Field(AugmentOptions(), description="How training windows are varied.")
    model: ModelOptions = Field(ModelOptions(), description="The network.")
    training: TrainingOptions = Field(TrainingOptions(), description="Losses, optimiser, schedule and the fit loop.")
    prediction: PredictionOptions = Field(PredictionOptions(), description="How windows become a map.")
    vectors: VectorOptions = Field(VectorOptions(), description="How class maps become polygons.")
    evaluation: EvaluationOptions = Field(EvaluationOptions(), description="Which scores of maps are made, and how.")
    rank: RankOptions = Field(RankOptions(), description="Which samples of a run deserve a look.")
    simulation: SimulationOptions = Field(SimulationOptions(), description="Worlds with exact labels.")
    scenes: ScenesOptions = Field(ScenesOptions(), description="The simulated world of aerial scenes.")
    chip: ChipOptions = Field(ChipOptions(), description="How images are cut into chips.")


TABLES: Mapping[str, type[Options]] = table_types(Recipe)
"""The class of each table of the recipe, by the table's name."""


@dataclass(frozen=True, kw_only=True)
class LoadedRecipe:
    """A recipe and where it came from."""

    recipe: Recipe
    folder: Path
    """Absolute folder of the recipe file: relative paths of the recipe start here."""

    @property
    def root(self) -> Path:
        """Absolute folder that images and labels are relative to."""
        return self.folder / (self.recipe.data.root or "")


def load_recipe(path: Path, sets: Sequence[str] = ()) -> LoadedRecipe:
    """Read a recipe file and lay single options over it.

    sets: texts such as 'training.epochs=20', each stronger than the file and than those before it. A relative data.root among them is
    relative to the working directory; one in the file is relative to the file.
    Raises RecipeError that names every problem, one a line.
    """
    tables = _read_toml(path)
    settings = [parse_set(text, TABLES) for text in sets]
    recipe = validate(Recipe, lay_over(tables, settings), source_of(settings, str(path)))
    return LoadedRecipe(recipe=recipe, folder=path.resolve().parent)


def make_recipe(settings: Sequence[Setting]) -> Recipe:
    """The defaults with single options laid over them; `model_fields_set` of the recipe and its tables tells which were given.

    Raises RecipeError that names every problem, one a line.
    """
    return validate(Recipe, lay_over({}, settings), source_of(settings, "options"))


def overlay(below: Recipe, above: Recipe) -> Recipe:
    """All of `below`, with the options laid over it that were given for `above`; the defaults of `above` count as not given.

    Raises RecipeError where the two do not go together.
    """
    tables = below.model_dump(exclude_unset=True)
    for name, given in above.model_dump(exclude_unset=True).items():
        tables[name] = {**tables.get(name, {}), **given}
    return validate(Recipe, tables, source_of((), "options"))


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with every option that has a value; loading it gives an equal recipe.

    Options without a value are left out, for TOML has no null; a band without nodata is written as nan.
    """
    return tomli_w.dumps({name: _plain(table) for name, table in recipe.model_dump(exclude_none=True).items()})


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise RecipeError(f"There is no recipe {path.absolute()}. Give the path of a TOML file.") from error
    except IsADirectoryError as error:
        raise RecipeError(f"{path.absolute()} is a folder, not a recipe. Give the path of the TOML file in it.") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: this is not a text in UTF-8, so no recipe; byte {error.start} is the first wrong one.") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: this is not TOML: {error}") from error
    except OSError as error:
        raise RecipeError(f"{path.absolute()} cannot be read: {error.strerror}.") from error


def _plain(value: object) -> object:
    """A value of a recipe as TOML can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [math.nan if inner is None else _plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
