"""What a verb runs in besides its arguments, and what it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from terrazzo.models.options import ModelOptions
from terrazzo.progress import Progress, Silent
from terrazzo.recipes.recipe import TABLES, Recipe, load_recipe, make_recipe
from terrazzo.recipes.settings import parse_set
from terrazzo.samples.split.options import SplitOptions

Key = Literal["run", "model", "evaluation", "report", "samples", "outputs"]
Written = Mapping[Key, Path | Sequence[Path]]
"""What was written, by kind; `outputs` is a list of all that has no kind of its own."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The options a verb obeys, where their relative paths start, and the means to run with."""

    recipe: Recipe = Recipe()
    """Of a verb that reads a recipe file, that file with what was given beside it; else what was given over the defaults.
    `model_fields_set` of its tables tells what was given."""
    folder: Path = field(default_factory=Path.cwd)
    """Absolute folder that relative paths of the recipe start from."""
    progress: Progress = Silent()
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    threads: int | None = None
    """Threads to compute with; None: one a core."""

    @property
    def split(self) -> SplitOptions:
        """[split], the files that it names being absolute."""
        options = self.recipe.split
        return options.model_copy(update={name: self.folder / path.expanduser() for name, path in options.files.items()})

    @property
    def model(self) -> ModelOptions:
        """[model], the file that it names being absolute."""
        return self.recipe.model.within(self.folder)

    @property
    def root(self) -> Path:
        """Absolute folder that images and labels are relative to."""
        return self.folder / (self.recipe.data.root or "")


def open_context(recipe: str | Path | None = None, sets: Sequence[str] = ()) -> Context:
    """The context of a caller who gave none: a recipe file, if there is one, with single options such as 'training.epochs=20' over it.

    Raises RecipeError if the recipe is missing or wrong.
    """
    if recipe is None:
        return Context(recipe=make_recipe([parse_set(text, TABLES) for text in sets]))
    loaded = load_recipe(Path(recipe), sets)
    return Context(recipe=loaded.recipe, folder=loaded.folder)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a verb did: shown on stdout, and by --json as one object."""

    text: str
    """For people; without a final line break."""
    written: Written = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    """For programs: what the text says, as plain values that JSON can hold."""
    problems: Sequence[str] = ()
    """A line for each input that failed; shown on stderr."""
    exit_code: int = 0
    """Not 0 where some inputs failed but the rest was done: 3 or 7."""

    def __str__(self) -> str:
        return self.text
