"""The order in which samples deserve a look."""

import numpy as np
import pandas as pd
import pytest

from terrazzo.evaluation.where.ranking import rank

TABLE = pd.DataFrame(
    {"loss": [0.1, 0.9, np.nan, 0.9, 0.2, 0.0], "mean_dice": [0.9, 0.1, 0.5, 0.2, 0.8, 1.0], "margin": [1, 0.2, 0.3, 0.1, 0.9, 1.0]},
    index=[3, 8, 5, 7, 11, 2],
)


@pytest.mark.parametrize(("by", "first"), [("loss", [7, 8, 11]), ("dice", [8, 7, 5]), ("margin", [7, 8, 5])])
def test_the_worst_come_first_and_ties_go_by_id(by: str, first: list[int]) -> None:
    found = rank(TABLE, by, 3, 0.0, 0)  # type: ignore[arg-type] # the parameters are literals
    assert found.index.to_list() == first
    assert found["rank"].to_list() == [1, 2, 3]
    assert set(found["chosen"]) == {"ranked"}


def test_a_share_is_drawn_from_the_rest() -> None:
    table = pd.DataFrame({"loss": np.linspace(1, 0, 200)})
    found = rank(table, "loss", 20, 0.25, 1)
    audits = found[found["chosen"] == "audit"]
    assert len(found) == 20
    assert len(audits) == 5
    assert (audits["rank"] > 15).all()
    assert audits["rank"].is_unique
    assert rank(table, "loss", 20, 0.25, 1).equals(found)
    assert not rank(table, "loss", 20, 0.25, 2).equals(found)


def test_with_few_samples_all_are_ranked() -> None:
    assert set(rank(TABLE, "loss", 50, 0.5, 0)["chosen"]) == {"ranked"}
    assert len(rank(TABLE, "loss", 50, 0.5, 0)) == 5


def test_draws_reach_every_sample_of_the_rest() -> None:
    table = pd.DataFrame({"loss": np.linspace(1, 0, 12)})
    drawn = {int(number) for seed in range(80) for number in rank(table, "loss", 4, 0.5, seed)["rank"]}
    assert drawn == set(range(1, 13))
