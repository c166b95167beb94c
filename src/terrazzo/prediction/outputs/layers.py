"""Rasters beside a class map that say more of the same pixels: the probabilities of its classes, and how unsure the model is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.where.certainty import UNIT, entropy
from terrazzo.labels.legend import Legend
from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.outputs.names import ENTROPY_SUFFIX, PROBABILITIES_SUFFIX
from terrazzo.rasters.tiff_rows import TiffLayout

ENTROPY_ONE = 10_000
"""An entropy of 1, as it is stored."""
ENTROPY_NODATA = 65535


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A GeoTIFF of uint16 on the grid of the map."""

    suffix: str
    """Of its name, in place of the map's."""
    layout: TiffLayout
    values: Callable[[BlendedRows], NDArray[np.uint16]]
    """(bands, rows, width) of finished rows."""

    @property
    def bands(self) -> int:
        return len(self.layout.band_names)


def layers_of(options: PredictionOptions, legend: Legend) -> tuple[Layer, ...]:
    """The layers that the options ask for."""
    wanted = ((options.probabilities, _probabilities(legend.names)), (options.entropy, _ALONE_ENTROPY if legend.overlapping else _ENTROPY))
    return tuple(layer for asked, layer in wanted if asked)


def stacked(layers: Sequence[Layer], rows: BlendedRows) -> NDArray[np.uint16] | None:
    """The bands of all layers one after the other, (bands, rows, width); None without layers."""
    return np.concatenate([layer.values(rows) for layer in layers]) if layers else None


def entropy_rows(rows: BlendedRows) -> NDArray[np.uint16]:
    """(1, rows, width): 0 where one class is certain, ENTROPY_ONE where all are alike, ENTROPY_NODATA where none is predicted."""
    values: NDArray[np.uint16] = np.rint(entropy(rows.probabilities())[None] * (ENTROPY_ONE / UNIT)).astype(np.uint16)
    values[:, ~rows.valid | (rows.totals == 0)] = ENTROPY_NODATA
    return values


def alone_entropy_rows(rows: BlendedRows) -> NDArray[np.uint16]:
    """The same of classes that overlap: the mean of their entropies, each being there or not."""
    shares = rows.probabilities()
    each = [entropy(np.stack([PROBABILITY_ONE - share, share]).astype(np.uint16)) for share in shares]
    values: NDArray[np.uint16] = np.rint(np.mean(each, axis=0)[None] * (ENTROPY_ONE / UNIT)).astype(np.uint16)
    values[:, ~rows.valid | (rows.totals == 0)] = ENTROPY_NODATA
    return values


def probabilities_layout(names: Sequence[str]) -> TiffLayout:
    """A band a class, PROBABILITY_ONE where it is certain; all 0 where none is predicted."""
    return TiffLayout(dtype=np.dtype(np.uint16), band_names=tuple(names), scale=1 / PROBABILITY_ONE, overviews="mean")


def _probabilities(names: Sequence[str]) -> Layer:
    return Layer(suffix=PROBABILITIES_SUFFIX, layout=probabilities_layout(names), values=BlendedRows.probabilities)


_ENTROPY = Layer(
    suffix=ENTROPY_SUFFIX,
    layout=TiffLayout(dtype=np.dtype(np.uint16), band_names=("entropy",), nodata=ENTROPY_NODATA, scale=1 / ENTROPY_ONE, overviews="mean"),
    values=entropy_rows,
)
_ALONE_ENTROPY = replace(_ENTROPY, values=alone_entropy_rows)
