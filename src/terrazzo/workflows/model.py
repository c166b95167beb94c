"""A trained model on disk as a Python object: `tz.load(MODEL).predict("big.tif").save("map.tif")`."""

from pathlib import Path

from pydantic import ValidationError

from terrazzo.errors import ModelError
from terrazzo.models.bundle import CARD, load_bundle, model_folder
from terrazzo.prediction.prediction import Model
from terrazzo.prediction.stream import options_of
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.recipe import Recipe, load_recipe
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context, Result
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.predict import predict
from terrazzo.workflows.run_result import run_result


class TrainedModel(Model):
    """A model folder, or the model of a run, ready to predict and to be judged."""

    def __init__(self, path: str | Path, device: str = "auto") -> None:
        """Raises RecipeError if there is none, ModelError if it is broken, unsafe or of another version, EnvironmentFault."""
        self.folder = model_folder(Path(path)).resolve()
        bundle = load_bundle(self.folder)
        super().__init__(bundle, options_of(bundle, {}), device)
        self._device, self._card = device, bundle.card

    @property
    def run(self) -> Path | None:
        """The folder of the finished run that it is the model of; None if it lies by itself."""
        run = RunFolder(path=self.folder.parent)
        return run.path if run.model == self.folder and run.report.exists() else None

    @property
    def result(self) -> Result | None:
        """What its training told: the scores on held-out ground, and what the run holds. None if it lies by itself."""
        return None if self.run is None else run_result(RunFolder(path=self.run))

    @property
    def report(self) -> Path | None:
        """The report of its training. None if it lies by itself."""
        return None if self.run is None else RunFolder(path=self.run).report

    def evaluate(self, images: str | Path, labels: str | Path, out: str | Path | None = None) -> Result:
        """Map images and compare the maps with labels: OUT/maps, and in OUT all that the verb `evaluate` writes.

        images, labels: a file, a folder or a pattern each. Labels are read as in training. out: default: `evaluations/` and the name of
        the run or model in the working directory. What is there already, of the same model, images and labels, is kept.
        Raises what `predict` and `evaluate` raise; ConflictError if `out` holds maps or an evaluation of something else.
        """
        recipe, named = self._recipe(), self.folder if self.run is None else self.run
        out = Path(out or Path("evaluations") / named.name)
        maps = out / "maps"
        predict(self.folder, [images], maps, Context(device=self._device))
        data = DataOptions(pair_suffix=recipe.data.pair_suffix, pair_prefix=recipe.data.pair_prefix)
        judging = Recipe(data=data, legend=recipe.legend, labels=recipe.labels, evaluation=recipe.evaluation)
        return evaluate(maps, labels, out, Context(recipe=judging, device=self._device))

    def _recipe(self) -> Recipe:
        """Of a run its own, which also tells how images and labels were paired; else that of the card."""
        if self.run is not None:
            return load_recipe(RunFolder(path=self.run).recipe).recipe
        try:
            return Recipe.model_validate(self._card.recipe)
        except ValidationError as error:
            raise ModelError(f"{self.folder / CARD} holds a recipe that is not valid ({str(error).splitlines()[0]}).") from error


def load(path: str | Path, device: str = "auto") -> TrainedModel:
    """Load a model folder, or the model of a run.

    Raises RecipeError if there is none, ModelError if it is broken, unsafe or of another version, EnvironmentFault.
    """
    return TrainedModel(path, device)
