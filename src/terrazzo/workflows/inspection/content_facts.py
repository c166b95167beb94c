"""What the pixels of a raster look like when its bands are seen together: colours, classes, objects, empty borders."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.workflows.inspection.band_facts import MOST_VALUES

Values = NDArray[Any]
NEAR = 3
"""Values this close to an empty border's are no border, but dark or bright pixels."""
PEEK = 4096
"""Pixels of a block that are looked at before the whole of it is."""


@dataclass(frozen=True, kw_only=True)
class Collar:
    """Pixels that have one and the same value in all bands, though the file does not call it nodata."""

    value: float
    share: float
    """Of the pixels that were read, 0 to 1."""
    edge_share: float
    """Of the pixels along the outer edge, 0 to 1."""
    near_share: float
    """Pixels of nearly this value in all bands, as a share of those that have it."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What was seen in all bands together."""

    flat_share: float | None = None
    """Of one band of whole numbers: how many neighbours in a row are equal, those of two zeros left out; 0 to 1."""
    colors: Mapping[Color, int] | None = None
    """Colour to pixels, where three bands of bytes hold few colours."""
    equal_bands: bool = False
    """Whether all bands (two at least) hold the same."""
    onehot: bool = False
    """Whether every pixel is on in exactly one of the bands (two at least) and off in the others."""
    collars: tuple[Collar, ...] = ()


class ContentTally:
    """Grows block by block."""

    def __init__(self, raster: Raster) -> None:
        whole = raster.dtype.kind in "iub"
        self._shape = raster.shape
        self._flatness = _Flatness() if raster.bands == 1 and whole else None
        self._colors = _Colors() if raster.bands == 3 and raster.dtype == np.uint8 else None
        self._equal = raster.bands > 1
        self._onehot = _OneHot() if raster.bands > 1 and whole else None
        self._collars = [_CollarTally(value) for value in _collar_values(raster)]

    def add(self, window: Window, pixels: Pixels) -> None:
        values = pixels.values
        if self._flatness is not None:
            self._flatness.add(values[0])
        if self._colors is not None:
            self._colors.add(values if pixels.valid.all() else values[:, pixels.valid])
        if self._equal:
            self._equal = all(np.array_equal(values[0], other) for other in values[1:])
        if self._onehot is not None:
            self._onehot.add(values)
        for collar in self._collars:
            collar.add(values, pixels.valid, _edge(window, self._shape))

    def facts(self) -> Content:
        return Content(
            flat_share=self._flatness.share if self._flatness is not None else None,
            colors=self._colors.found if self._colors is not None else None,
            equal_bands=self._equal,
            onehot=self._onehot is not None and self._onehot.holds,
            collars=tuple(collar.facts() for collar in self._collars if collar.pixels),
        )


class _Flatness:
    def __init__(self) -> None:
        self._pairs = 0
        self._equal = 0

    def add(self, band: Values) -> None:
        left, right = band[:, :-1], band[:, 1:]
        told = (left != 0) | (right != 0)
        self._pairs += int(np.count_nonzero(told))
        self._equal += int(np.count_nonzero(told & (left == right)))

    @property
    def share(self) -> float | None:
        return self._equal / self._pairs if self._pairs else None


class _Colors:
    """Counts colours until there are too many for classes."""

    def __init__(self) -> None:
        self._counts: Counter[int] | None = Counter()

    def add(self, values: Values) -> None:
        if self._counts is None:
            return
        red, green, blue = (band.ravel() for band in values)
        if not red.size:
            return
        step = max(1, red.size // PEEK)
        if len(np.unique(_packed(red[::step], green[::step], blue[::step]))) > MOST_VALUES:
            self._counts = None
            return
        found, counts = np.unique(_packed(red, green, blue), return_counts=True)
        self._counts.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        self._counts = self._counts if len(self._counts) <= MOST_VALUES else None

    @property
    def found(self) -> dict[Color, int] | None:
        """The colours, most frequent first."""
        if self._counts is None:
            return None
        ordered = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return {(code >> 16, code >> 8 & 255, code & 255): count for code, count in ordered}


class _OneHot:
    def __init__(self) -> None:
        self.holds = True
        self._top: int | None = None

    def add(self, values: Values) -> None:
        if not self.holds:
            return
        step = max(1, values.shape[1] * values.shape[2] // PEEK)
        self.holds = self._fits(values.reshape(len(values), -1)[:, ::step]) and self._fits(values)

    def _fits(self, values: Values) -> bool:
        top = int(values.max())
        self._top = self._top or top
        return top == self._top in (1, 255) and bool(((values == top).sum(axis=0) == 1).all() and ((values == 0) | (values == top)).all())


class _CollarTally:
    def __init__(self, value: float) -> None:
        self._value = value
        self._read = 0
        self.pixels = 0
        self._near = 0
        self._edge = 0
        self._edge_read = 0

    def add(self, values: Values, valid: NDArray[np.bool_], edge: NDArray[np.bool_] | None) -> None:
        self._read += valid.size
        self._edge_read += int(np.count_nonzero(edge)) if edge is not None else 0
        # a look at one band spares most images the rest
        if not (values[0] == self._value).any():
            return
        same = (values == self._value).all(axis=0) & valid
        self.pixels += int(np.count_nonzero(same))
        self._edge += int(np.count_nonzero(same & edge)) if edge is not None else 0
        if values.dtype.kind in "iu":
            near = values <= NEAR if self._value == 0 else values >= self._value - NEAR
            self._near += int(np.count_nonzero(near.all(axis=0) & ~same & valid))

    def facts(self) -> Collar:
        return Collar(
            value=self._value,
            share=self.pixels / self._read,
            edge_share=self._edge / max(self._edge_read, 1),
            near_share=self._near / self.pixels,
        )


def _collar_values(raster: Raster) -> list[float]:
    """What empty borders are made of, as far as the file does not call it nodata."""
    highest = [float(np.iinfo(raster.dtype).max)] if raster.dtype.kind == "u" and raster.dtype.itemsize <= 2 else []
    return [value for value in (0.0, *highest) if value not in raster.nodata]


def _edge(window: Window, shape: Shape) -> NDArray[np.bool_] | None:
    """Which pixels (height, width) of a window lie along the outer edge of the image; None if there are none."""
    edge = np.zeros(window.shape, np.bool_)
    edge[0] |= window.row_off == 0
    edge[-1] |= window.row_end == shape[0]
    edge[:, 0] |= window.col_off == 0
    edge[:, -1] |= window.col_end == shape[1]
    return edge if edge.any() else None


def _packed(red: Values, green: Values, blue: Values) -> NDArray[np.uint32]:
    packed: NDArray[np.uint32] = np.left_shift(red, 16, dtype=np.uint32) + np.left_shift(green, 8, dtype=np.uint32) + blue
    return packed
