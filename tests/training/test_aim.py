"""What tells the best epoch, a plateau, and when to stop."""

from dataclasses import replace

import pytest

from terrazzo.errors import RecipeError
from terrazzo.training.aim import Aim, choose_aim, judged
from terrazzo.training.checkpoint import TrainingState
from terrazzo.training.metrics import ValidationRow
from terrazzo.training.options import TrainingOptions

ROW = ValidationRow(loss=0.4, mean_dice=0.6, mean_iou=0.5, dice=[0.9, None, 0.3], f2=[0.9, None, 0.2], object_f2=0.2)
NAMES = ["water", "land", "ice"]


def aim(metric: str) -> Aim:
    return choose_aim(TrainingOptions(early_stop_metric=metric), NAMES, validated=True, objects=True)


@pytest.mark.parametrize(
    ("metric", "score"),
    [("mean_dice", 0.6), ("mean_iou", 0.5), ("loss", -0.4), ("object_f2", 0.2), ("dice:ice", 0.3), ("dice:land", None)],
)
def test_a_larger_score_is_a_better_one(metric: str, score: float | None) -> None:
    assert aim(metric).score(ROW) == score


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(RecipeError, match=r"is 'dice:watr'; classes are 'water', 'land', 'ice'\. Did you mean 'water'\?"):
        aim("dice:watr")


@pytest.mark.parametrize("metric", ["accuracy", "dice", "loss "])
def test_an_unknown_figure_is_refused(metric: str) -> None:
    with pytest.raises(ValueError, match=r"it must be mean_dice, mean_iou, loss, object_f2 or dice:CLASS"):
        TrainingOptions(early_stop_metric=metric)


def test_objects_must_be_scored_to_be_aimed_at() -> None:
    with pytest.raises(RecipeError, match="no objects are scored"):
        choose_aim(TrainingOptions(early_stop_metric="object_f2"), NAMES, validated=True, objects=False)


def test_a_plateau_needs_a_validation_part() -> None:
    with pytest.raises(RecipeError, match="no validation part"):
        choose_aim(TrainingOptions(schedule="plateau"), NAMES, validated=False, objects=False)


def after(scores: list[float | None], **options: object) -> list[TrainingState]:
    states, state = [], TrainingState.start()
    for score in scores:
        state = judged(state.next_epoch(), score, TrainingOptions(**options))
        states.append(state)
    return states


def test_the_best_epoch_is_the_first_of_the_best_score() -> None:
    states = after([0.3, 0.5, 0.5, None, 0.4, 0.6])
    assert [state.best_epoch for state in states] == [1, 2, 2, 2, 2, 6]
    assert [state.without_gain for state in states] == [0, 0, 1, 1, 2, 0]


def test_small_steps_are_the_best_and_no_gain() -> None:
    """As in Keras: what counts as a gain is measured from the last one, and the best weights are the best ones all the same."""
    states = after([0.5, 0.55, 0.59, 0.61], min_delta=0.1)
    assert [state.best_epoch for state in states] == [1, 2, 3, 4]
    assert [state.without_gain for state in states] == [0, 1, 2, 0]


def test_a_plateau_is_counted_as_keras_does() -> None:
    """ReduceLROnPlateau(patience=2): the count begins anew with a gain and with a drop; the score to beat stays."""
    scores = [0.5, 0.4, 0.4, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5, 0.5]
    states = after(scores, schedule="plateau", plateau_patience=2)  # type: ignore[arg-type]
    assert [state.drops for state in states] == [0, 0, 1, 1, 2, 2, 2, 3, 3, 4]
    assert [state.without_gain for state in states] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


def test_other_schedules_know_no_plateau() -> None:
    assert after([0.5, *[0.4] * 20], plateau_patience=2)[-1].drops == 0


def test_what_is_not_scored_changes_nothing() -> None:
    state = replace(TrainingState.start(), epoch=3, best_score=0.1, gain_score=0.1, best_epoch=2)
    assert judged(state, None, TrainingOptions()) == state
