"""The files of one map while its rows come: its classes, and the layers beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.class_files import writing_classes
from terrazzo.labels.legend import Legend
from terrazzo.prediction.outputs.layers import Layer
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.rows import Rows
from terrazzo.rasters.write import MapStyle, writing_bands


@dataclass(frozen=True)
class MapFiles:
    """Takes rows from top to bottom; classes and layers need not keep pace with each other."""

    put_classes: Callable[[NDArray[np.uint8]], None]
    """Writes the next class indices, or bit sets of classes that overlap, (rows, width)."""
    layers: Sequence[Rows]
    ends: NDArray[np.int64]
    """Where the bands of each layer end, all of them one after the other."""

    @classmethod
    @contextmanager
    def writing(cls, path: Path, grid: Grid, legend: Legend, style: MapStyle, layers: Sequence[tuple[Path, Layer]]) -> Iterator[Self]:
        """Yields what takes the rows; at the end all files are whole. layers: of each where it is written."""
        with ExitStack() as stack:
            classes = stack.enter_context(writing_classes(path, grid, legend, style))
            rows = [stack.enter_context(writing_bands(place, grid, layer.layout)) for place, layer in layers]
            yield cls(classes, rows, np.cumsum([layer.bands for _, layer in layers], dtype=np.int64))

    def put_layers(self, layers: NDArray[np.uint16] | None) -> None:
        """Write the next rows of the layers, their bands one after the other; bands beyond those of the layers are not written."""
        if layers is not None:
            for file, bands in zip(self.layers, np.split(layers, self.ends), strict=False):
                file.add(bands)
