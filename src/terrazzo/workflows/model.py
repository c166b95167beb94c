"""A trained model on disk as a Python object: `tz.load(MODEL).predict("big.tif").save("map.tif")`."""

import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from terrazzo.errors import ModelError, UsageError
from terrazzo.labels.sentences import counted, listed
from terrazzo.models.bundle import CARD, model_folder
from terrazzo.prediction.ensemble import load_models
from terrazzo.prediction.prediction import Model
from terrazzo.prediction.stream import options_of
from terrazzo.rasters.files import find_images
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.recipe import Recipe, load_recipe
from terrazzo.samples.fingerprint import image_digest
from terrazzo.samples.table import load as load_samples
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context, Result
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.predict import predict
from terrazzo.workflows.run_result import run_result

logger = logging.getLogger(__name__)


class TrainedModel(Model):
    """A model folder, or the model of a run, ready to predict and to be judged; or several, the mean of whose probabilities counts."""

    def __init__(self, path: str | Path, device: str = "auto", with_: Sequence[str | Path] = ()) -> None:
        """with_: the models that are averaged with it.

        Raises RecipeError if there is none, ModelError if it is broken, unsafe, of another version or not alike, EnvironmentFault.
        """
        self.folder, *others = (model_folder(Path(each)).resolve() for each in (path, *with_))
        self.others = tuple(others)
        bundle, *bundles = load_models([self.folder, *others])
        super().__init__(bundle, options_of(bundle, {}), device, bundles)
        self._device, self._card = device, bundle.card

    @property
    def run(self) -> Path | None:
        """The folder of the finished run that it is the model of; None if it lies by itself, or several are averaged."""
        return None if self.others else _run_of(self.folder)

    @property
    def result(self) -> Result | None:
        """What its training told: the scores on held-out ground, and what the run holds. None if there is no such run."""
        return None if self.run is None else run_result(RunFolder(path=self.run))

    @property
    def report(self) -> Path | None:
        """The report of its training. None if there is no such run."""
        return None if self.run is None else RunFolder(path=self.run).report

    def evaluate(self, images: str | Path, labels: str | Path, out: str | Path | None = None) -> Result:
        """Map images and compare the maps with labels: OUT/maps, and in OUT all that the verb `evaluate` writes.

        images, labels: a file, a folder or a pattern each. Labels are read as in training, of several models as in that of the
        first. out: default: `evaluations/` in the working directory and the name of the run or model, of several joined by '+'. What is
        there already, of the same model, images and labels, is kept. Images that a model's run learned from are warned of.
        Raises what `predict` and `evaluate` raise; ConflictError if `out` holds maps or an evaluation of something else.
        """
        recipe = self._recipe()
        out = Path(out or Path("evaluations") / "+".join((_run_of(each) or each).name for each in (self.folder, *self.others)))
        maps = out / "maps"
        self._warn_of_learned(images, recipe.data)
        predict(self.folder, [images], maps, Context(device=self._device), with_=self.others)
        data = DataOptions(pair_suffix=recipe.data.pair_suffix, pair_prefix=recipe.data.pair_prefix)
        judging = Recipe(data=data, legend=recipe.legend, labels=recipe.labels, evaluation=recipe.evaluation)
        return evaluate(maps, labels, out, Context(recipe=judging, device=self._device))

    def _warn_of_learned(self, images: str | Path, data: DataOptions) -> None:
        """Say which of the images have windows in the training part of a run; a model by itself does not know."""
        runs = [RunFolder(path=run) for each in (self.folder, *self.others) if (run := _run_of(each)) is not None]
        frames = [load_samples(run.samples).frame for run in runs]
        learned = {digest for frame in frames for digest in frame.loc[frame["split"] == "train", "image_digest"]}
        files = [file.path for file in find_images(images, Path.cwd())] if learned else []
        known = [path.name for path in files if image_digest(data, path) in learned]
        if known:
            logger.warning(
                "The model learned from %d of %s: %s. Scores of these flatter it.", len(known), counted(len(files), "image"), listed(known)
            )

    def _recipe(self) -> Recipe:
        """Of a run its own, which also tells how images and labels were paired; else that of the card."""
        run = _run_of(self.folder)
        if run is not None:
            return load_recipe(RunFolder(path=run).recipe).recipe
        try:
            return Recipe.model_validate(self._card.recipe)
        except ValidationError as error:
            raise ModelError(f"{self.folder / CARD} holds a recipe that is not valid ({str(error).splitlines()[0]}).") from error


def _run_of(model: Path) -> Path | None:
    """The folder of the finished run that a model folder is in."""
    run = RunFolder(path=model.parent)
    return run.path if run.model == model and run.report.exists() else None


def load(path: str | Path | Sequence[str | Path], device: str = "auto") -> TrainedModel:
    """Load a model folder, or the model of a run; of several, predictions are of the mean of their probabilities.

    Raises UsageError if no path is given, RecipeError if there is no model, ModelError if one is broken, unsafe, of another version or
    not of the same classes, bands and cells as the first, EnvironmentFault.
    """
    paths = [path] if isinstance(path, str | Path) else path
    if not paths:
        raise UsageError("tz.load([]): no model is given. Give the folder of a model or run, or several.")
    return TrainedModel(paths[0], device, paths[1:])
