"""Networks to fit from Python, without a recipe file: `tz.vgg_unet(classes=4, height=416, width=608).fit("images", "labels")`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import RecipeError
from terrazzo.recipes.recipe import TABLES, Recipe, make_recipe
from terrazzo.recipes.settings import Setting, parse_set
from terrazzo.workflows.context import Context
from terrazzo.workflows.model import TrainedModel
from terrazzo.workflows.train import train_into

ARGUMENTS = {
    ("model", "kind"): "the function's name",
    ("samples", "size"): "height and width",
    ("data", "images"): "fit",
    ("data", "labels"): "fit",
}
"""Options that have an argument of their own, and which."""

FEWEST_CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that has learned nothing yet, and how it is to learn: a recipe without images and labels."""

    recipe: Recipe

    def fit(
        self,
        images: str | Path,
        labels: str | Path,
        out: str | Path | None = None,
        *,
        resume: bool = False,
        device: str = "auto",
    ) -> TrainedModel:
        """Train as `train` does: index, split, fit, evaluate, report; the folder `out` is a run like any other.

        images, labels: a file, a folder or a pattern each, relative to the working directory; labels of any form. A share of their ground
        is held out, to choose the best epoch and to judge the model. out: the run folder; default: `runs/` and the network's kind in
        the working directory. A finished run of the same recipe is not trained again, its model is returned.
        Raises what `train` raises: ConflictError if `out` holds anything else, RecipeError, DataError, EnvironmentFault, DivergedError.
        """
        data = self.recipe.data.model_copy(update={"images": str(images), "labels": str(labels)})
        folder = Path(out or Path("runs") / self.recipe.model.kind)
        train_into(folder, Context(recipe=self.recipe.model_copy(update={"data": data}), device=device), resume=resume)
        return TrainedModel(folder, device)


def unet(classes: int, height: int, width: int, sets: Sequence[str] = ()) -> Network:
    """The classic U-Net.

    classes: how many, the background counted; masks hold 0 to classes - 1, or of classes that overlap a band each.
    height, width: of the windows that it learns from, in pixels; images may have any size.
    sets: any other options of a recipe, such as 'training.epochs=20' or 'legend.classes=["sea", "land"]'.
    Raises RecipeError if they are wrong.
    """
    return _network("unet", classes, (height, width), sets)


def resunet(classes: int, height: int, width: int, sets: Sequence[str] = ()) -> Network:
    """The residual U-Net; arguments as of `unet`."""
    return _network("resunet", classes, (height, width), sets)


def vgg_unet(classes: int, height: int, width: int, sets: Sequence[str] = ()) -> Network:
    """The U-Net whose encoder has VGG16's convolutions; arguments as of `unet`. 'model.filters=64' gives it VGG16's own width."""
    return _network("vgg_unet", classes, (height, width), sets)


def _network(kind: str, classes: int, size: tuple[int, int], sets: Sequence[str]) -> Network:
    def argument(table: str, key: str, value: object) -> Setting:
        return Setting(table=table, key=key, value=value, source=f"{kind}({ARGUMENTS.get((table, key), key)})")

    if classes < FEWEST_CLASSES:
        raise RecipeError(f"{kind}: classes is {classes}; the background is one of them, so there are at least {FEWEST_CLASSES}.")
    given = [parse_set(text, TABLES) for text in sets]
    for setting in given:
        if (setting.table, setting.key) in ARGUMENTS:
            raise RecipeError(f"{setting.source}: {ARGUMENTS[setting.table, setting.key]} already says that. Leave the option out.")
    # of classes that overlap none is the background
    first = int(any((setting.table, setting.key, setting.value) == ("legend", "overlapping", True) for setting in given))
    arguments = [
        argument("model", "kind", kind),
        argument("samples", "size", size),
        argument("legend", "values", list(range(first, first + classes))),
    ]
    recipe = make_recipe([*arguments, *given])
    for key, entries in (("values", recipe.legend.values), ("classes", recipe.legend.classes)):
        if entries is not None and len(entries) != classes:
            raise RecipeError(f"{kind}: classes is {classes}, but legend.{key} has {len(entries)}. Make them agree.")
    return Network(recipe=recipe)
