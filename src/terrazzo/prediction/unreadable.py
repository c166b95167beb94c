"""Parts of an image that cannot be read: the map has no data there, and the rest of it is made."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.truncated import check_complete
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Shape, Window, whole

logger = logging.getLogger(__name__)


class Gaps:
    """The parts of one image that could not be read, and reading around them; from several threads if need be."""

    def __init__(self) -> None:
        self._found: dict[Window, str] = {}
        self._lock = threading.Lock()

    @property
    def found(self) -> Mapping[Window, str]:
        """Windows in pixels of the image itself, with the reason of each, from top to bottom."""
        with self._lock:
            return dict(sorted(self._found.items(), key=lambda gap: (gap[0].row_off, gap[0].col_off)))

    def read(self, raster: Raster, window: Window) -> Pixels:
        """Read a window; blocks of the file that are broken have no valid pixel.

        Raises RasterError for what is not a fault of single blocks: a file that is cut off or is decoded whole, or an address.
        """
        if raster.whole is not raster:
            return self.read(raster.whole, window.moved(raster.window))
        try:
            return raster.read(window)
        except RasterError:
            if raster.block is None or isinstance(raster.path, RemotePath):
                raise
            check_complete(raster.path)
        return self._by_blocks(raster, window, raster.block)

    def notes(self) -> list[list[object]]:
        """What was found, for the journal."""
        return [[window.col_off, window.row_off, window.width, window.height, reason] for window, reason in self.found.items()]

    def add_notes(self, notes: Sequence[Sequence[object]]) -> None:
        """Add what was found before or by others; of what is known here too the reason stays."""
        for left, top, width, height, reason in notes:
            window = Window(col_off=int(str(left)), row_off=int(str(top)), width=int(str(width)), height=int(str(height)))
            with self._lock:
                self._found.setdefault(window, str(reason))

    def _by_blocks(self, raster: Raster, window: Window, block: Shape) -> Pixels:
        full = (raster.bands, *window.shape)
        pixels = Pixels(values=np.zeros(full, raster.dtype), valid=np.zeros(window.shape, np.bool_), holes=np.ones(full, np.bool_))
        assert pixels.holes is not None, "they were made just now"
        for cell in _cells(window, block):
            part = cell.intersection(window) or cell
            try:
                found = raster.read(part)
            except RasterError as error:
                self._note(raster, cell, error)
                continue
            at = part.inside(window)
            pixels.values[:, *at] = found.values
            pixels.valid[at] = found.valid
            pixels.holes[:, *at] = False if found.holes is None else found.holes
        return pixels

    def _note(self, raster: Raster, cell: Window, error: RasterError) -> None:
        inside = cell.intersection(whole(raster.shape)) or cell
        own = raster.own_grid.shape
        place = inside if raster.shape == own else inside.rescaled(raster.shape, own)
        with self._lock:
            first = not self._found
            self._found.setdefault(place, str(error))
        if first:
            logger.warning("%s Where blocks cannot be read, the map has no data.", error)


def _cells(window: Window, block: Shape) -> Iterator[Window]:
    """The blocks that a window has pixels of."""
    height, width = block
    for row in range(window.row_off // height, -(-window.row_end // height)):
        for column in range(window.col_off // width, -(-window.col_end // width)):
            yield Window(col_off=column * width, row_off=row * height, width=width, height=height)
