"""Small pictures of rasters, read in pieces, so that the size of the file does not matter."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.rgb import Picture, hatched, to_rgb
from terrazzo.labels.colors import Color, default_colors
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.rasters.formats.directory import TiffDirectory
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.validity import find_holes, find_valid
from terrazzo.rasters.window import Window
from terrazzo.workflows.inspection.raster_facts import BLOCK_BYTES, WHOLE_BYTES, Kind, RasterFacts

GREY: Color = (128, 128, 128)
OBJECT_COLORS = 61
"""Objects share colours after so many; a prime number, so that neighbours seldom have the same."""


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small picture of a raster."""

    picture: Picture
    part: str = ""
    """Which part of the raster it shows; nothing for the whole."""


@dataclass(frozen=True, kw_only=True)
class _Reduced:
    """Every n-th pixel, or the means of n x n pixels."""

    values: NDArray[Any]
    """(bands, height, width)"""
    valid: NDArray[np.bool_]
    """(height, width)"""
    part: str = ""


def thumbnail(facts: RasterFacts, options: DataOptions, side: int, kind: Kind, colors: Mapping[float, Color]) -> Thumbnail:
    """A picture of a raster with sides of at most `side` pixels; small rasters are enlarged by a whole factor.

    Files of many bytes without overviews are shown in part. kind: what to show it as. colors: of the values of a class mask.
    Raises RasterError if the file is broken.
    """
    chosen = options.model_copy(update={"bands": _shown_bands(facts, options)})
    with open_raster(facts.path, chosen) as raster:
        reduced = _reduce(raster, facts, side)
    picture = _picture(reduced, kind, colors)
    zoom = max(1, side // 2 // max(picture.shape[:2]))
    return Thumbnail(picture=picture.repeat(zoom, axis=0).repeat(zoom, axis=1), part=reduced.part)


def mask_colors(values: Sequence[float], legend: Legend | None) -> dict[float, Color]:
    """The colour of each value of a set of class masks: its class's, or colours that are told apart."""
    if legend is None:
        return dict(zip(values, default_colors(len(values)), strict=True))
    indices = {value: legend.index(value) for value in values}
    return {value: GREY if index is None or index == IGNORE else legend.colors[index] for value, index in indices.items()}


def _shown_bands(facts: RasterFacts, options: DataOptions) -> list[int | str]:
    """The bands that a picture shows: red, green and blue where the file says so, else the first three, or the first."""
    if options.bands is not None:
        return options.bands[: 3 if len(options.bands) >= 3 else 1]
    if facts.kind == "one-hot mask":
        return list(range(1, len(facts.bands) + 1))
    uses = facts.storage.colors if facts.storage is not None else ()
    named = [name.casefold() if name else "" for name in (band.name for band in facts.bands)]
    for known in (uses, named):
        if all(color in known for color in ("red", "green", "blue")):
            return [known.index(color) + 1 for color in ("red", "green", "blue")]
    return [1, 2, 3] if len(facts.bands) >= 3 else [1]


def _reduce(raster: Raster, facts: RasterFacts, side: int) -> _Reduced:
    height, width = raster.shape
    pixel_bytes = raster.bands * raster.dtype.itemsize
    step = max(1, math.ceil(max(height, width) / side))
    if height * width * pixel_bytes <= WHOLE_BYTES:
        parts = [_piece(raster, window, step, means=facts.kind == "image") for window in _rows(raster, step, pixel_bytes)]
        return _Reduced(
            values=np.concatenate([part.values for part in parts], axis=1), valid=np.concatenate([part.valid for part in parts])
        )
    if facts.storage is not None and facts.storage.overviews and raster.shape == facts.shape:
        return _overview(raster, facts, step)
    # every block would have to be decoded
    rows, columns = min(height, side), min(width, side)
    center = Window(col_off=(width - columns) // 2, row_off=(height - rows) // 2, width=columns, height=rows)
    piece = _piece(raster, center, 1, means=False)
    return _Reduced(values=piece.values, valid=piece.valid, part=f"the {rows} x {columns} pixels in the middle")


def _rows(raster: Raster, step: int, pixel_bytes: int) -> Iterator[Window]:
    """Windows of whole rows, each a multiple of `step` high but the last."""
    height, width = raster.shape
    rows = max(1, BLOCK_BYTES // (width * pixel_bytes * step)) * step
    for top in range(0, height, rows):
        yield Window(col_off=0, row_off=top, width=width, height=min(rows, height - top))


def _piece(raster: Raster, window: Window, step: int, *, means: bool) -> _Reduced:
    """A window, reduced: to the means of its valid pixels, or to every n-th pixel."""
    pixels = raster.read(window)
    if step == 1 or not means:
        return _Reduced(values=pixels.values[:, ::step, ::step], valid=pixels.valid[::step, ::step])
    seen = np.broadcast_to(pixels.valid, pixels.values.shape) if pixels.holes is None else ~pixels.holes
    sums = _summed(np.where(seen, pixels.values, 0).astype(np.float64), step)
    counts = _summed(seen.astype(np.float64), step)
    found = sums / np.maximum(counts, 1)
    values = found.round().astype(raster.dtype) if raster.dtype.kind in "iu" else found.astype(raster.dtype)
    return _Reduced(values=values, valid=counts.max(axis=0) > 0)


def _summed(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """(bands, height, width) to sums of step x step pixels; those at the far edges may be of fewer."""
    rows, columns = (np.arange(0, length, step) for length in values.shape[1:])
    summed: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(values, rows, axis=1), columns, axis=2)
    return summed


def _overview(raster: Raster, facts: RasterFacts, step: int) -> _Reduced:
    """A reduced copy that the file holds."""
    bands = _shown_bands(facts, DataOptions())
    shape = (math.ceil(facts.shape[0] / step), math.ceil(facts.shape[1] / step))
    directory = TiffDirectory(facts.path)
    try:
        with directory.borrow("is broken: its overviews cannot be read") as dataset:
            values = dataset.read(bands, out_shape=(len(bands), *shape))
            mask = dataset.dataset_mask(out_shape=shape) != 0
    finally:
        directory.close()
    valid = find_valid(find_holes(values, raster.nodata), mask, "all")
    return _Reduced(values=values, valid=mask if valid is None else valid)


def _picture(reduced: _Reduced, kind: Kind, colors: Mapping[float, Color]) -> Picture:
    if kind == "classes":
        return _colored(reduced.values[0], reduced.valid, colors)
    if kind == "objects":
        numbers = np.where(reduced.values[0] > 0, (reduced.values[0].astype(np.int64) - 1) % OBJECT_COLORS + 1, 0)
        return _colored(numbers, reduced.valid, dict(enumerate(default_colors(OBJECT_COLORS + 1))))
    if kind == "one-hot mask":
        return _colored(reduced.values.argmax(axis=0), reduced.valid, dict(enumerate(default_colors(len(reduced.values)))))
    if kind == "colour mask":
        return hatched(np.moveaxis(reduced.values, 0, -1).copy(), ~reduced.valid)
    return to_rgb(reduced.values, reduced.valid)


def _colored(values: NDArray[Any], valid: NDArray[np.bool_], colors: Mapping[float, Color]) -> Picture:
    picture = np.full((*values.shape, 3), GREY, np.uint8)
    for value, color in colors.items():
        picture[values == value] = color
    return hatched(picture, ~valid)
