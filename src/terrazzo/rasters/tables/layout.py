"""The columns of a table of pixels."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from terrazzo.errors import DataError
from terrazzo.rasters.formats.source import Color

PLACES = (("longitude", "latitude"), ("x", "y"))
"""What the columns of places are called: in degrees, else in the units of the CRS or in pixels."""
FIXED = ("image", "longitude", "latitude", "x", "y", "row", "column", "class", "class_name")
"""Names that no band's column of a wide table can have."""
NUMBERED = re.compile(r"b[1-9]\d*")
"""The column of a band that has no name of its own."""
NOTE_KEY = b"terrazzo"
"""Where a Parquet file keeps its note."""


@dataclass(frozen=True, kw_only=True)
class TableClass:
    """A class of the labels."""

    value: int
    name: str
    color: Color | None = None


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """What a table of pixels holds, a row a pixel and band, or a row a pixel."""

    dtype: np.dtype[Any]
    """Of the values."""
    bands: tuple[str | None, ...]
    """Names of the bands, None where one has none, or not the same in all images."""
    named: bool = False
    """Whether a long table has a column for the names of bands."""
    wide: bool = False
    """A row a pixel, with a column a band."""
    degrees: bool = False
    """Places are longitude and latitude."""
    images: tuple[str, ...] | None = None
    """Names of the images; None where it is only one, and there is no column for it."""
    classes: tuple[TableClass, ...] | None = None
    """Of the labels, in the order of their indices; None where there are none."""

    @property
    def band_columns(self) -> tuple[str, ...]:
        """Of a wide table: the bands' names where all have one and no two, or a fixed column, are called alike; else b1, b2, ..."""
        names = [name for name in self.bands if name]
        free = len({*names, *FIXED}) == len(self.bands) + len(FIXED) and not any(map(NUMBERED.fullmatch, names))
        return tuple(names) if free else tuple(f"b{number}" for number in range(1, len(self.bands) + 1))

    def schema(self) -> pa.Schema:
        """The columns in their order."""
        value = pa.from_numpy_dtype(self.dtype)
        columns: list[tuple[str, Any]] = [] if self.images is None else [("image", pa.dictionary(pa.int32(), pa.string()))]
        columns += [(name, pa.float64()) for name in PLACES[0 if self.degrees else 1]]
        columns += [("row", pa.int32()), ("column", pa.int32())]
        if self.wide:
            columns += [(name, value) for name in self.band_columns]
        else:
            columns += [("band", pa.int32())]
            columns += [("band_name", pa.dictionary(pa.int32(), pa.string()))] if self.named else []
            columns += [("value", value)]
        if self.classes is not None:
            columns += [("class", pa.uint8()), ("class_name", pa.dictionary(pa.int32(), pa.string()))]
        return pa.schema(columns)


def values_as_stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a table holds values in: their own, but for 16-bit floats, which CSV and many readers lack."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


@dataclass(frozen=True, kw_only=True)
class TableNote:
    """What a table says of itself: in the metadata of a Parquet file, beside a CSV."""

    dtype: str
    """Of the values, as numpy calls it."""
    bands: tuple[str | None, ...]
    wide: bool
    images: int
    pixels: int
    """Of the images, whether there is data or not."""
    classes: tuple[TableClass, ...] | None = None
    crs: str | None = None
    """What x and y are in; None: pixels, from the outer corner of the first, y down."""
    made_from: str = ""
    """Fingerprint of the images, the labels and the options."""

    def to_json(self) -> str:
        """One line; `from_json` gives it back."""
        classes = None if self.classes is None else [vars(entry) for entry in self.classes]
        return json.dumps({**vars(self), "classes": classes}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "TableNote":
        """Read what `to_json` wrote. Raises DataError if the text is something else."""
        try:
            read = json.loads(text)
            classes = read["classes"]
            return cls(
                dtype=np.dtype(str(read["dtype"])).name,
                bands=tuple(None if name is None else str(name) for name in read["bands"]),
                wide=bool(read["wide"]),
                images=int(read["images"]),
                pixels=int(read["pixels"]),
                classes=None if classes is None else tuple(_class(entry) for entry in classes),
                crs=None if read["crs"] is None else str(read["crs"]),
                made_from=str(read["made_from"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"The note is not that of a table of pixels: {text[:60]!r}.") from error


def _class(entry: Mapping[str, Any]) -> TableClass:
    color = entry["color"]
    return TableClass(
        value=int(entry["value"]),
        name=str(entry["name"]),
        color=None if color is None else (int(color[0]), int(color[1]), int(color[2])),
    )
