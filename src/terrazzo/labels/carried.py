"""Class maps that this program wrote: opened whatever their size, and the legend that they carry."""

import sys
from pathlib import Path

from terrazzo.labels.legend import Legend
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.write import LEGEND_TAG


def open_map(path: Path) -> Raster:
    """Open a map; a PNG of any size, for it was held in memory when it was written. Raises RasterError if it is broken."""
    return open_raster(path, DataOptions(picture_mpx=sys.maxsize))


def carried_legend(raster: Raster) -> Legend | None:
    """The legend among the tags of a map, in any of its formats; None if there is none. Raises LabelError if it is none."""
    text = next((value for key, value in raster.tags.items() if key.upper() == LEGEND_TAG), None)
    return None if text is None else Legend.from_json(text)
