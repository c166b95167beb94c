"""What a map has the grid of, where that is not the raster that the model reads: the image at its own size, or a part of it.

image     +-----------------+
          |  +--------+     |    worked: windows of the one grid that touch the area of interest
          |  |  +--+  |     |
          |  |  |..|  |     |    mapped: the smallest rectangle that holds the area; beyond its polygons there is no data
          |  |  +--+  |     |
          |  +--------+     |
          +-----------------+
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from terrazzo.labels.area import Area
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.enlarge import Read, Sizes, at_full_size
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window, whole

REACH_PX = 1
"""How far a pixel of the map is interpolated from, in pixels of the size that the model reads."""


def rows_needed(raster: Raster, full: Raster, rows: range) -> range:
    """The rows of what the model reads that rows of the map, one at least, are made of."""
    if _resized(raster, full):
        return Sizes.of(raster, full).needed(rows)
    below = full.window.row_off - raster.window.row_off
    return range(rows.start + below, rows.stop + below)


def on_map(
    pieces: Iterator[BlendedRows], raster: Raster, full: Raster, area: Area | None, read: Read, wanted: range
) -> Iterator[BlendedRows]:
    """The finished rows of what the model reads as those of the map.

    raster: what the model reads. full: what the map has the grid of. read: reads a window of it. wanted: rows of the map.
    """
    if _resized(raster, full):
        rows = at_full_size(pieces, Sizes.of(raster, full), read, wanted)
    else:
        place = full.window.inside(raster.window)
        rows = (part for piece in pieces if (part := piece.part(*place)) is not None)
    for piece in rows:
        band = Window(col_off=0, row_off=piece.row_off, width=full.shape[1], height=len(piece.totals))
        yield piece if area is None else piece.within(area.covered(band.moved(full.window)))


def frame(raster: Raster, full: Raster, grid: SlidingGrid, area: Area) -> tuple[Raster, Raster, SlidingGrid]:
    """Of an image, the part that is worked on for an area, the part that is mapped, and the windows of the grid that lie there.

    Of an image without map coordinates all is mapped, for nothing else would tell where a part of it lies.
    raster: the whole image as the model reads it. full: at its own size.
    """
    mapped = area.window if full.grid.georeferenced else whole(full.shape)
    reached = mapped.rescaled(full.shape, raster.shape).grown(REACH_PX) if _resized(raster, full) else mapped
    worked = grid.around(reached)
    return raster.part(worked), full.part(mapped), replace(grid, shape=worked.shape)


def touching(raster: Raster, full: Raster, area: Area) -> Callable[[Window], bool]:
    """Whether a window of what the model reads is needed for an area."""
    resized, image = _resized(raster, full), raster.whole.shape

    def touches(window: Window) -> bool:
        placed = window.moved(raster.window)
        return area.touches(placed.grown(REACH_PX).rescaled(image, area.shape) if resized else placed)

    return touches


def _resized(raster: Raster, full: Raster) -> bool:
    """Whether the model reads the image in another size."""
    return full.whole.shape != raster.whole.shape
