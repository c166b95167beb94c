"""Layers: the pixels of one grid and what is missing in them. A raster is one; it may join others."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.formats.source import Block, Source
from terrazzo.rasters.validity import Mask, find_holes
from terrazzo.rasters.window import Shape, Window


class Layer(Protocol):
    """Bands on one grid; `read` may be called from several threads."""

    @property
    def shape(self) -> Shape: ...

    @property
    def bands(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def read(self, window: Window) -> Block:
        """All bands of a window inside the grid, and all that is missing in them."""
        ...

    def close(self) -> None:
        """Let go of what is kept open or in memory; reading again takes it up anew."""
        ...


class FileLayer:
    """Bands of one file, as they are stored."""

    def __init__(self, source: Source, bands: Sequence[int], nodata: Sequence[float | None]) -> None:
        """bands: numbers from 1, in any order. nodata: one for each of them."""
        self._source = source
        self._numbers = tuple(bands)
        self._nodata = tuple(nodata)
        self.shape = source.facts.grid.shape
        self.bands = len(self._numbers)
        self.dtype: np.dtype[Any] = source.facts.dtype

    def read(self, window: Window) -> Block:
        block = self._source.read(window, self._numbers)
        return Block(values=block.values, mask=block.mask, holes=find_holes(block.values, self._nodata))

    def close(self) -> None:
        self._source.close()


class PartLayer:
    """A rectangle of a layer."""

    def __init__(self, layer: Layer, window: Window) -> None:
        """window: inside the layer."""
        self._layer = layer
        self._window = window
        self.shape = window.shape
        self.bands = layer.bands
        self.dtype = layer.dtype

    def read(self, window: Window) -> Block:
        return self._layer.read(window.moved(self._window))

    def close(self) -> None:
        self._layer.close()


class JoinedLayer:
    """The bands of several layers of one shape.

    The image's own mask is that of the whole; the mask of another layer makes holes in its bands.
    """

    def __init__(self, image: Layer | None, others: Sequence[Layer], places: Sequence[int], dtype: np.dtype[Any]) -> None:
        """image: None where none of its bands is used. places: where the bands, counted through the layers, go; each place once."""
        self._image = image
        self._layers = [*([image] if image is not None else []), *others]
        self._places = list(places)
        self.shape = self._layers[0].shape
        self.bands = len(places)
        self.dtype = dtype

    def read(self, window: Window) -> Block:
        values = np.empty((self.bands, *window.shape), self.dtype)
        holes: Mask = np.zeros(values.shape, np.bool_)
        shown: Mask | None = None
        start = 0
        for layer in self._layers:
            block = layer.read(window)
            places = self._places[start : start + layer.bands]
            start += layer.bands
            values[places] = block.values
            if layer is self._image:
                shown = block.mask
                holes[places] = False if block.holes is None else block.holes
            else:
                holes[places] = ~not_missing(block)
        return Block(values=values, mask=shown, holes=holes if holes.any() else None)

    def close(self) -> None:
        for layer in self._layers:
            layer.close()


def join_types(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any] | None:
    """The smallest type that holds the values of all; None where only rounded ones would fit (int64 and uint64)."""
    joined: np.dtype[Any] = np.result_type(*dtypes)
    exact = joined.kind != "f" or any(dtype.kind == "f" for dtype in dtypes)
    return joined if exact else None


def not_missing(block: Block) -> NDArray[np.bool_]:
    """(bands, height, width), True where a block holds a value that its mask shows."""
    there = np.ones(block.values.shape, np.bool_) if block.holes is None else ~block.holes
    return there if block.mask is None else there & block.mask
