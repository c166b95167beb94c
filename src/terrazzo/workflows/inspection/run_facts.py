"""What a run is: how far it came and how good it was. Its own module: only runs and models need torch."""

import json
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import DataError
from terrazzo.recipes.recipe import load_recipe
from terrazzo.training.metrics import MetricsLog, MetricsRow
from terrazzo.training.run import RunFolder
from terrazzo.workflows.inspection.model_facts import ModelFacts, model_facts
from terrazzo.workflows.inspection.wording import Row


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run, finished or not."""

    path: Path
    state: str
    """finished or unfinished."""
    epochs: int
    """That were trained."""
    wanted: int
    """That the recipe asks for."""
    best: MetricsRow | None
    """The epoch with the best mean Dice on the validation part."""
    mean_dice: float | None
    """Of the evaluation on held-out images."""
    mean_iou: float | None
    model: ModelFacts | None

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "kind": "run",
            "path": str(self.path.absolute()),
            "state": self.state,
            "epochs": self.epochs,
            "epochs_wanted": self.wanted,
            "best": dict(self.best) if self.best is not None else None,
            "mean_dice": self.mean_dice,
            "mean_iou": self.mean_iou,
            "model": self.model.plain() if self.model is not None else None,
        }

    def heading(self) -> str:
        return f"{self.state} run, {self.epochs} of {self.wanted} epochs"

    def rows(self) -> list[Row]:
        """The facts, a name and a text each."""
        rows: list[Row] = []
        validation = self.best["validation"] if self.best is not None else None
        if self.best is not None and validation is not None:
            rows.append(("best epoch", f"{self.best['epoch']}, mean Dice {_score(validation['mean_dice'])} on the validation part"))
        if self.mean_dice is not None or self.mean_iou is not None:
            rows.append(("evaluation", f"mean Dice {_score(self.mean_dice)}, mean IoU {_score(self.mean_iou)} on held-out images"))
        if self.model is not None:
            rows += [("model", self.model.heading()), *self.model.rows()]
        else:
            rows.append(("model", "none yet; train the recipe again with --resume"))
        return rows


def run_facts(path: Path) -> RunFacts:
    """Read what a run has left. Raises TerrazzoError if its recipe, its model or its figures are broken."""
    folder = RunFolder(path=path)
    try:
        rows = MetricsLog(folder.metrics).rows()
        evaluation = json.loads(folder.evaluation.read_bytes()) if folder.evaluation.exists() else {}
        pixels = evaluation.get("pixels", {})
        scored = [row for row in rows if row["validation"] is not None and row["validation"]["mean_dice"] is not None]
        best = max(scored, key=_mean_dice, default=None)
        mean_dice, mean_iou = pixels.get("mean_dice"), pixels.get("mean_iou")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: the figures of the run cannot be read ({type(error).__name__}: {error}). Is it damaged?") from error
    return RunFacts(
        path=path,
        state=folder.state.value,
        epochs=len(rows),
        wanted=load_recipe(folder.recipe).recipe.training.epochs,
        best=best,
        mean_dice=mean_dice,
        mean_iou=mean_iou,
        model=model_facts(path) if folder.fitted else None,
    )


def _mean_dice(row: MetricsRow) -> float:
    validation = row["validation"]
    return (validation["mean_dice"] or 0.0) if validation is not None else 0.0


def _score(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.3f}"
