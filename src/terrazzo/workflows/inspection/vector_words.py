"""What is told of vector files: rows, problems, and a picture of the geometries within their bounds."""

import math
from collections.abc import Mapping

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.drawing.rgb import Picture
from terrazzo.labels.colors import Color, default_colors
from terrazzo.labels.features import POINT, POLYGON
from terrazzo.labels.sentences import counted, listed
from terrazzo.workflows.inspection.place_facts import Place
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.vector_facts import Attribute, LayerFacts, VectorFacts, value_text
from terrazzo.workflows.inspection.wording import Row, degrees

MOST_ATTRIBUTES = 16
MOST_DRAWN = 20_000
"""Geometries of a picture."""
MOST_EDGED = 400
"""With more geometries than these, polygons have no outlines: there would be nothing else to see."""
PAPER: Color = (244, 241, 236)
INK: Color = (63, 127, 191)
EDGE: Color = (30, 33, 38)
SUBPIXEL = 4
"""Bits of a position within a pixel, as OpenCV takes them."""
MARGIN_PX = 4

Way = tuple[float, float, float]
"""From coordinates to a picture: x of its left edge, y of its upper one, pixels a unit."""


def vector_heading(facts: VectorFacts) -> str:
    """What a vector file is, in a line."""
    features = sum(layer.features for layer in facts.layers)
    return f"vectors, {facts.format}, {counted(len(facts.layers), 'layer')}, {counted(features, 'feature')}"


def vector_rows(facts: VectorFacts) -> list[Row]:
    """The facts, a name and a text each."""
    return [row for layer in facts.layers for row in _layer_rows(layer, several=len(facts.layers) > 1)]


def vector_problems(facts: VectorFacts) -> list[Problem]:
    """What is wrong with a vector file as labels, and what to do about it."""
    several = []
    if len(facts.layers) > 1:
        names = listed((repr(layer.name) for layer in facts.layers), 8)
        several = [Problem(kind="several-layers", what=f"It has several layers: {names}", advice="Choose one with [labels] layer.")]
    return [*several, *(problem for layer in facts.layers for problem in _layer_problems(layer))]


def draw_layer(layer: LayerFacts, side: int, colors: Mapping[str, Color]) -> Picture | None:
    """The geometries within their bounds, the longer side of which is `side` pixels; None if there are none.

    colors: of the values of the attribute; geometries without one are blue.
    """
    if layer.bounds is None:
        return None
    west, south, east, north = layer.bounds
    span = max(east - west, north - south) or 1.0
    scale = (side - 2 * MARGIN_PX) / span
    height, width = (max(2 * MARGIN_PX + 1, math.ceil(extent * scale) + 2 * MARGIN_PX) for extent in (north - south, east - west))
    picture = np.full((height, width, 3), PAPER, np.uint8)
    for part, row in zip(layer.geometries[:MOST_DRAWN], layer.rows[:MOST_DRAWN].tolist(), strict=True):
        value = layer.values[row] if layer.values is not None else None
        _draw(picture, part, (west, north, scale), colors.get(value_text(value), INK))
        if len(layer.geometries) <= MOST_EDGED:
            _draw_edge(picture, part, (west, north, scale))
    return picture


def attribute_colors(attribute: Attribute | None) -> dict[str, Color]:
    """A colour for each value of an attribute; the first that a palette has for classes is the background's, so it is left out."""
    if attribute is None:
        return {}
    return dict(zip(sorted(attribute.counts), default_colors(len(attribute.counts) + 1)[1:], strict=True))


def _layer_rows(layer: LayerFacts, *, several: bool) -> list[Row]:
    parts = ", ".join(f"{count} {name if count > 1 else name[:-1]}" for name, count in layer.parts.items()) or "nothing that can be drawn"
    head = f"{counted(layer.features, 'feature')}, {parts}"
    rows: list[Row] = [(f"layer {layer.name}" if several else "holds", head), ("place", _place(layer))]
    # those that classes may come from first; of those without a value the names will do
    there = sorted((attribute for attribute in layer.attributes if attribute.distinct), key=lambda attribute: not attribute.may_be_class)
    rows += [("attribute", _attribute_words(attribute)) for attribute in there[:MOST_ATTRIBUTES]]
    if len(there) > MOST_ATTRIBUTES:
        rows.append(("attributes", f"and {len(there) - MOST_ATTRIBUTES} more; --json tells all"))
    empty = [attribute.name for attribute in layer.attributes if not attribute.distinct]
    if empty:
        rows.append(("without values", listed(empty)))
    classes = [attribute.name for attribute in there if attribute.may_be_class]
    if classes and layer.values is None:
        rows.append(("as labels", f"all of one class, unless [labels] attribute names one that tells classes apart: {listed(classes)}"))
    return rows


def _place(layer: LayerFacts) -> str:
    bounds = layer.bounds
    place = Place(crs=layer.crs, bounds=bounds, lonlat=layer.lonlat)
    extent = f", x {bounds[0]:.10g} to {bounds[2]:.10g}, y {bounds[1]:.10g} to {bounds[3]:.10g}" if bounds else ""
    return f"{layer.crs or 'no coordinate reference system'}{extent}{degrees(place)}"


def _attribute_words(attribute: Attribute) -> str:
    missing = f", {counted(attribute.missing, 'feature')} without" if attribute.missing else ""
    if not attribute.counts:
        return f"{attribute.name}: {counted(attribute.distinct, 'value')}{missing}"
    return f"{attribute.name}: {listed((f'{value} ({count})' for value, count in attribute.counts.items()), 12)}{missing}"


def _layer_problems(layer: LayerFacts) -> list[Problem]:
    found = []
    if not layer.geometries.size:
        found.append(Problem(kind="empty-layer", what=f"Layer {layer.name!r} holds nothing that can be drawn", advice="Leave it out."))
    if layer.misplaced:
        found.append(Problem(kind="impossible-place", what="Its coordinates cannot be where it says", advice=layer.misplaced))
    elif layer.crs is None:
        found.append(
            Problem(
                kind="no-crs",
                what="No coordinate reference system: coordinates are taken for those of the images",
                advice="Name it with [labels] crs, such as 'EPSG:4326', or 'pixels' for columns and rows.",
            )
        )
    if layer.dropped:
        what = f"{counted(layer.dropped, 'feature')} without a geometry, or with coordinates that are not finite"
        found.append(Problem(kind="dropped-features", what=what, advice="They are left out."))
    if layer.crossing:
        what = (
            f"{counted(layer.crossing, 'polygon')} crossing itself or its holes"
            if layer.crossing == 1
            else (f"{layer.crossing} polygons crossing themselves or their holes")
        )
        found.append(Problem(kind="crossing-polygons", what=what, advice="They are filled by the even-odd rule."))
    if any(name in layer.parts for name in ("lines", "points")):
        found.append(
            Problem(kind="no-width", what="Lines or points cover no pixels", advice="Set [labels] width, in units of the images' CRS.")
        )
    return found


def _draw(picture: Picture, part: shapely.Geometry, way: Way, color: Color) -> None:
    kind = shapely.get_type_id(part)
    if kind == POLYGON:
        cv2.fillPoly(picture, _rings(part, way), color, cv2.LINE_AA, SUBPIXEL)
    elif kind == POINT:
        column, row = _pixels(shapely.get_coordinates(part), way)[0].tolist()
        cv2.circle(picture, (column, row), 3 << SUBPIXEL, color, cv2.FILLED, cv2.LINE_AA, SUBPIXEL)
    else:
        line = _pixels(shapely.get_coordinates(part), way)
        cv2.polylines(picture, [line], isClosed=False, color=color, thickness=1, lineType=cv2.LINE_AA, shift=SUBPIXEL)


def _draw_edge(picture: Picture, part: shapely.Geometry, way: Way) -> None:
    if shapely.get_type_id(part) == POLYGON:
        cv2.polylines(picture, _rings(part, way), isClosed=True, color=EDGE, thickness=1, lineType=cv2.LINE_AA, shift=SUBPIXEL)


def _rings(part: shapely.Geometry, way: Way) -> list[NDArray[np.int32]]:
    return [_pixels(shapely.get_coordinates(ring), way) for ring in shapely.get_rings(part)]


def _pixels(coordinates: NDArray[np.float64], way: Way) -> NDArray[np.int32]:
    """(n, 2) x and y to columns and rows, in parts of a pixel."""
    west, north, scale = way
    columns, rows = (coordinates[:, 0] - west) * scale + MARGIN_PX, (north - coordinates[:, 1]) * scale + MARGIN_PX
    return (np.stack([columns, rows], axis=1) * (1 << SUBPIXEL)).round().astype(np.int32)
