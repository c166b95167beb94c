"""What results depend on, told without paths, so that a second run can tell its own from others'."""

import json
from typing import Any

from terrazzo.labels.legend import Legend
from terrazzo.rasters.options import DataOptions

READING = {"nodata", "invalid", "bands", "extra_bands", "crs", "cell_size", "resize", "resampling", "hdu", "page", "array", "axes"}
"""Options of [data] that change what pixels hold."""


def reading_origin(data: DataOptions) -> dict[str, Any]:
    """The options of [data] that were changed and change what pixels hold, as values that JSON can hold."""
    return data.model_dump(mode="json", include=READING, exclude_defaults=True)


def legend_origin(legend: Legend) -> Any:
    """A legend as a value that JSON can hold."""
    return json.loads(legend.to_json())
