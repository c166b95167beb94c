"""What a training is judged by: the figure that tells the best epoch, a plateau, and when to stop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from terrazzo.errors import RecipeError
from terrazzo.labels.classes import did_you_mean
from terrazzo.labels.sentences import listed
from terrazzo.training.checkpoint import TrainingState
from terrazzo.training.metrics import ValidationRow
from terrazzo.training.options import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A figure of the validation part."""

    figure: str = "mean_dice"
    """mean_dice, mean_iou, loss, object_f2 or dice."""
    number: int | None = None
    """Of dice, the index of the class."""
    name: str = "mean_dice"
    """In names of files."""

    def score(self, row: ValidationRow) -> float | None:
        """The larger the better; None where it is undefined."""
        if self.number is not None:
            return row["dice"][self.number]
        figures: dict[str, float | None] = {
            "mean_dice": row["mean_dice"],
            "mean_iou": row["mean_iou"],
            "object_f2": row.get("object_f2"),
            "loss": -row["loss"],
        }
        return figures[self.figure]


MEAN_DICE = Aim()


def choose_aim(options: TrainingOptions, names: Sequence[str], *, validated: bool, objects: bool) -> Aim:
    """The figure of training.early_stop_metric.

    names: the classes', in their order. validated: whether there is a validation part. objects: whether objects are scored.
    Raises RecipeError if there will be no such figure, or a plateau is waited for that nothing can tell.
    """
    metric = options.early_stop_metric
    if options.schedule == "plateau" and not validated:
        raise RecipeError(
            "training.schedule is 'plateau', and there is no validation part to tell one. Set [split] validation, or 'cosine'."
        )
    if metric == "object_f2" and not objects:
        raise RecipeError("training.early_stop_metric is 'object_f2', and no objects are scored. Name their class in evaluation.objects.")
    if not metric.startswith("dice:"):
        return Aim(figure=metric, name=metric)
    wanted = metric.removeprefix("dice:")
    if wanted not in names:
        raise RecipeError(
            f"training.early_stop_metric is {metric!r}; classes are {listed(map(repr, names), 12)}.{did_you_mean(wanted, names)}"
        )
    number = names.index(wanted)
    return Aim(figure="dice", number=number, name=f"dice_{number}")


def judged(state: TrainingState, score: float | None, options: TrainingOptions) -> TrainingState:
    """The state after an evaluation: what is best so far, for how long nothing was gained, and how often the rate was lowered for it.

    score: the larger the better; None: it changes nothing.
    """
    if score is None:
        return state
    if state.best_score is None or score > state.best_score:
        state = replace(state, best_score=score, best_epoch=state.epoch)
    if state.gain_score is None or score > state.gain_score + options.min_delta:
        return replace(state, gain_score=score, without_gain=0, since_drop=0)
    state = replace(state, without_gain=state.without_gain + 1, since_drop=state.since_drop + 1)
    if options.schedule == "plateau" and state.since_drop >= options.plateau_patience:
        state = replace(state, drops=state.drops + 1, since_drop=0)
    return state
