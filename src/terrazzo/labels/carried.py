"""The legend that a class map carries."""

from terrazzo.labels.legend import Legend
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.write import LEGEND_TAG


def carried_legend(raster: Raster) -> Legend | None:
    """The legend among the tags of a map, in any of its formats; None if there is none. Raises LabelError if it is none."""
    text = next((value for key, value in raster.tags.items() if key.upper() == LEGEND_TAG), None)
    return None if text is None else Legend.from_json(text)
