"""Whether the rows of a samples table can be: tables are edited by hand and by other programs."""

from collections.abc import Sequence

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.window import Shape

PLACE = ("col_off", "row_off", "width", "height")
LIMIT = 2**31
"""No image has so many rows or columns."""
SHOWN = 3


def sound_rows(where: str, frame: geopandas.GeoDataFrame, size: Shape, classes: Sequence[str], parts: Sequence[str]) -> None:
    """Bring the columns of a table to their types in place, and see that each row says what a window can be.

    where: the file, for messages. size: (height, width) of the windows. classes: the columns that count pixels.
    parts: what the column `split` may hold; nothing in any form is None.
    Raises DataError naming the column, and the first rows that are wrong.
    """
    for name in ("scene", "image", "image_digest"):
        _refuse(where, frame[name], _texts(frame[name]), f"{name} is to be a text in each row")
    for name in (*PLACE, "objects", *classes):
        frame[name] = _whole_numbers(where, frame[name])
    for name, longest in (("width", size[1]), ("height", size[0])):
        column = frame[name]
        _refuse(where, column, column.between(1, longest), f"{name} is to be 1 to {longest}, the window that the table was made for")
    counts = frame[list(classes)].to_numpy(np.int64).sum(axis=1)
    area = frame["width"].to_numpy() * frame["height"].to_numpy()
    _refuse(where, pd.Series(counts), pd.Series(counts <= area), f"{', '.join(classes)} count more pixels than a window has")
    shares = pd.to_numeric(frame["valid_share"], errors="coerce")
    _refuse(where, frame["valid_share"], shares.between(0, 1), "valid_share is to be 0 to 1")
    frame["valid_share"] = shares.astype(np.float64)
    frame["split"] = _parts(where, frame["split"], parts)


def _texts(column: pd.Series) -> NDArray[np.bool_]:
    return np.array([isinstance(value, str) and value != "" for value in column.tolist()], np.bool_)


def _whole_numbers(where: str, column: pd.Series) -> NDArray[np.int64]:
    """Other programs may have made floats of them."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    good = np.isfinite(numbers) & (np.floor(numbers) == numbers) & (numbers >= 0) & (numbers < LIMIT)
    _refuse(where, column, good, f"{column.name} is to be a whole number, at least 0")
    return numbers.astype(np.int64)


def _parts(where: str, column: pd.Series, parts: Sequence[str]) -> pd.Series:
    """The empty part may be written as an empty text or as NaN."""
    found = column.astype(object).where(column.notna(), None)
    empty = found.isna() | (found == "")
    _refuse(where, column, found.isin(parts) | empty, f"split is to be {', '.join(parts)} or empty")
    return found.where(~empty, None)


def _refuse(where: str, column: pd.Series, good: pd.Series | NDArray[np.bool_], wanted: str) -> None:
    """Raise DataError if a row is not good."""
    if wrong := np.flatnonzero(~np.asarray(good, np.bool_)).tolist():
        values = listed([f"{column.iloc[row]!s:.40} in row {row}" for row in wrong[:SHOWN]])
        raise DataError(f"{where}: {wanted}; {counted(len(wrong), 'row')} otherwise: {values}. Mend the rows, or make the table anew.")
