"""Going on from a model: what a run takes over of it, keeps of it, and refuses."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from terrazzo.errors import ConflictError, DataError, RecipeError
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed
from terrazzo.models.bundle import SCALING, Bundle, load_bundle
from terrazzo.models.options import ModelOptions
from terrazzo.options import Options
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import write_text
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.store import Source
from terrazzo.samples.table import Samples
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context

logger = logging.getLogger(__name__)


class Start(Options):
    """What a run keeps of the model that it went on from, so that it can be resumed where that model is not."""

    identity: str
    """Digest of its weights and card."""
    network: ModelOptions
    classes: tuple[str, ...]
    bands: dict[str, Any]
    """Its scaling, as plain values."""

    @property
    def scaling(self) -> Scaling:
        """The scaling that its weights expect."""
        return SCALING.validate_python(self.bands)

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_text(path, self.model_dump_json(indent=2) + "\n")


def find_start(folder: RunFolder, context: Context) -> Start | None:
    """What the run kept of the model that its recipe goes on from, else what that model says; None if the recipe names none.

    Raises RecipeError if there is no such model, or none is named although nothing is to be trained, ModelError if it is broken,
    ConflictError if what the run kept is damaged.
    """
    path = context.model.start
    if path is None:
        if not context.recipe.training.epochs:
            raise RecipeError(
                "training.epochs is 0, so a model is only evaluated, and there is none. Name it with [model] start, or train."
            )
        return None
    if folder.recipe.exists() and folder.start.exists():
        try:
            return Start.model_validate_json(folder.start.read_bytes())
        except ValidationError as error:
            raise ConflictError(f"{folder.start} is damaged. Start a new run with another --out.") from error
    bundle = load_bundle(path)
    return Start(
        identity=bundle.identity,
        network=bundle.card.network,
        classes=bundle.legend.names,
        bands=bundle.card.scaling,
    )


def going_on(start: Start | None, context: Context) -> Context:
    """The context with network and scaling methods of the model, as far as the recipe says nothing of them.

    Raises RecipeError where the recipe says otherwise.
    """
    if start is None:
        return context
    recipe, path = context.recipe, context.model.start
    network, differing = recipe.model.going_on_from(start.network)
    if differing:
        pairs = [f"{name} = {getattr(recipe.model, name)} ({getattr(start.network, name)} there)" for name in differing]
        raise RecipeError(
            f"[model] {listed(pairs)}: the model to go on from, {path}, has another network. Leave it out, or leave out start."
        )
    methods = [band.method for band in start.scaling.bands]
    given = recipe.data.scaling
    if "scaling" in recipe.data.model_fields_set and ([given] * len(methods) if isinstance(given, str) else list(given)) != methods:
        shown = given if isinstance(given, str) else listed(given)
        raise RecipeError(
            f"[data] scaling = {shown}: the model to go on from, {path}, has {listed(methods)} for its bands. "
            "Leave it out: the scaling of the model is taken over."
        )
    data = recipe.data.model_copy(update={"scaling": methods[0] if len(set(methods)) == 1 else methods})
    return replace(context, recipe=recipe.model_copy(update={"model": network, "data": data}))


def check_bands(start: Start, samples: Samples, store: Source) -> None:
    """Raise DataError if the images have another number of bands than the model sees."""
    scene = str(samples.frame["scene"].iloc[0])
    found, wanted = len(store.image(scene, Window(col_off=0, row_off=0, width=1, height=1)).values), len(start.scaling.bands)
    if found != wanted:
        raise DataError(f"the images have {found} bands, the model to go on from sees {wanted}. Choose bands with [data] bands.")


def start_model(start: Start, legend: Legend, context: Context) -> Bundle:
    """The model that the recipe goes on from; tells which classes it does not know.

    Raises RecipeError or ModelError if the model is not there any more, RecipeError if nothing is to be trained and it does not know all
    classes, ConflictError if it is another by now.
    """
    path = context.model.start
    if path is None:
        raise RecipeError("[model] start names no model to go on from.")
    bundle = load_bundle(path)
    if bundle.identity != start.identity:
        raise ConflictError(f"{path} is another model than when this run began. Bring it back, or start a new run with another --out.")
    fresh = [name for name in legend.names if name not in start.classes]
    if fresh and not context.recipe.training.epochs:
        raise RecipeError(
            f"training.epochs is 0, and {path} does not know the classes {listed(fresh)}; it knows {listed(start.classes)}. "
            "Name the classes as it does, or train."
        )
    news = f"; {listed(fresh)} begin anew, for it does not know them" if fresh else ""
    logger.info("Goes on from %s%s.", path, news)
    return bundle
