"""Class maps and masks on disk: how they carry their legend, and writing them as their rows come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import Legend
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.write import NODATA, MapStyle, MapWriter, writing_bands


def map_style(legend: Legend, provenance: str) -> MapStyle:
    """How a map shows its legend, and carries it: with the rules for raw masks, so that such masks can be compared with it."""
    return MapStyle(
        colors={entry.value: entry.color for entry in legend.shown},
        names={entry.value: entry.name for entry in legend.shown},
        legend_json=legend.to_json(),
        provenance_json=provenance,
    )


@contextmanager
def writing_classes(path: Path, grid: Grid, legend: Legend, style: MapStyle) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write a class map; of classes that overlap a band a class, 1 where it is, 0 where it is not, 255 where nothing is predicted.

    Yields what takes the next class indices or bit sets, (rows, width).
    """
    if not legend.overlapping:
        with MapWriter(path, grid, style) as classes:
            yield lambda indices: classes.write(legend.decode(indices))
        return
    layout = TiffLayout(dtype=np.dtype(np.uint8), band_names=legend.names, nodata=NODATA, tags=style.tags)
    with writing_bands(path, grid, layout) as bands:
        yield lambda indices: bands.add(legend.decode(indices))
