"""Samples in the order in which they deserve a look."""

from typing import Literal, get_args

import numpy as np
import pandas as pd

By = Literal["loss", "entropy", "margin", "dice", "suspicious", "disagreement"]
COLUMNS: dict[str, str] = {"dice": "mean_dice"}
"""Columns of the samples table that are called otherwise."""
SMALL_FIRST = ("margin", "dice")
ORDERS: tuple[str, ...] = get_args(By)


def column_of(by: By) -> str:
    """The column that an order goes by."""
    return COLUMNS.get(by, by)


def rank(table: pd.DataFrame, by: By, top: int, audit_share: float, seed: int) -> pd.DataFrame:
    """The first samples in an order, worst first, and among them a share that was drawn blindly from the rest.

    The blind ones tell what the order overlooks, for what is ranked is not typical. Samples without the figure are left out; ties go by
    id. New columns: rank (1 is the worst of all), chosen ('ranked' or 'audit').

    table: with the column of the order. top: rows that are wanted. audit_share: 0 to 1. seed: of the draw.
    """
    ordered = table.dropna(subset=[column_of(by)]).sort_index()
    ordered = ordered.sort_values(column_of(by), ascending=by in SMALL_FIRST, kind="stable")
    ordered = ordered.assign(rank=np.arange(1, len(ordered) + 1))
    audits = min(round(top * audit_share), max(0, len(ordered) - top))
    first = top - audits
    drawn = np.random.default_rng(seed).choice(np.arange(first, len(ordered)), audits, replace=False) if audits else np.empty(0, int)
    chosen = ordered.iloc[[*range(min(first, len(ordered))), *sorted(drawn.tolist())]]
    return chosen.assign(chosen=["ranked" if number <= first else "audit" for number in chosen["rank"]])
