"""An opened image of any format, read by window."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.assembly import Assembly, assemble
from terrazzo.rasters.files import digest
from terrazzo.rasters.formats.source import BAND_LIMIT, READ_LIMIT_BYTES, Color
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.layers import PartLayer
from terrazzo.rasters.location import to_path
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import Place
from terrazzo.rasters.validity import Invalid, find_valid
from terrazzo.rasters.window import Shape, Window, whole

__all__ = ["BAND_LIMIT", "Pixels", "Raster", "open_raster"]


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """What a window holds. The arrays may be shared with the raster: do not write to them."""

    values: NDArray[Any]
    """(bands, height, width) in the file's type and native byte order; holes keep what is stored, outside the raster it is 0."""
    valid: NDArray[np.bool_]
    """(height, width), False where there is no data, and outside the raster."""
    holes: NDArray[np.bool_] | None
    """(bands, height, width), True where a band's value is missing, and in all bands where not valid; None if nothing is missing."""


class Raster:
    """An opened image. `read` may be called from several threads."""

    def __init__(self, path: Path, assembly: Assembly, invalid: Invalid) -> None:
        facts = assembly.facts
        self.path = path
        self.paths: tuple[Path, ...] = assembly.paths
        """The image and the files whose bands join it."""
        self.format = facts.format
        self.grid: Grid = assembly.grid
        self.own_grid: Grid = assembly.own_grid
        """Of the file's own pixels; `grid` is another if options ask for one."""
        self.shape: Shape = assembly.grid.shape
        self.place: Place | None = assembly.place
        """Where the file's own pixels lie on the ground; the grid may be another if options ask for one."""
        self.dtype: np.dtype[Any] = assembly.layer.dtype
        self.tags: dict[str, str] = facts.tags
        self.palette: dict[int, Color] | None = facts.palette
        self.alpha: int | None = facts.alpha
        self.block: Shape | None = facts.block
        """(height, width) in pixels of the parts that the file stores on their own; None where it is decoded whole."""
        self.bands = assembly.layer.bands
        self.band_names: tuple[str | None, ...] = assembly.band_names
        self.all_band_names: tuple[str | None, ...] = assembly.all_band_names
        """Of all bands that there are to choose from, by number from 1."""
        self.nodata: tuple[float | None, ...] = assembly.nodata
        self.whole: Raster = self
        """The raster that this one is a part of; itself if it is none."""
        self.window: Window = whole(self.shape)
        """Where its pixels lie in `whole`."""
        self._assembly = assembly
        self._layer = assembly.layer
        self._digests = assembly.digests
        self._invalid = invalid

    def read(self, window: Window | None = None) -> Pixels:
        """Read a window, or the whole raster.

        window: may reach beyond the raster; those pixels are 0 and not valid.
        Raises RasterError if the file is broken there, or the read would take more than READ_LIMIT_BYTES.
        """
        wanted = whole(self.shape) if window is None else window
        self._check_size(wanted)
        inner = wanted.intersection(whole(self.shape))
        if inner is None:
            return self._missing(wanted.shape)
        pixels = self._read_inside(inner)
        return pixels if inner == wanted else self._padded(pixels, inner, wanted)

    def part(self, window: Window) -> "Raster":
        """A rectangle of it as a raster of its own, which reads the same file and is closed with it.

        window: inside the raster.
        """
        assembly = replace(self._assembly, grid=self.grid.part(window), layer=PartLayer(self._layer, window))
        part = Raster(self.path, assembly, self._invalid)
        part.whole, part.window = self.whole, window.moved(self.window)
        return part

    def digests(self) -> tuple[str, ...]:
        """Fingerprints of the image and of the files that join it; see `terrazzo.rasters.files.digest`. Raises RasterError."""
        return tuple(map(digest, self.paths)) if self._digests is None else self._digests

    def close(self) -> None:
        """Let go of the file; reading again opens it anew."""
        self._layer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _read_inside(self, window: Window) -> Pixels:
        block = self._layer.read(window)
        holes = block.holes
        valid = find_valid(holes, block.mask, self._invalid)
        if valid is None:
            return Pixels(values=block.values, valid=np.ones(window.shape, np.bool_), holes=holes)
        missing = np.broadcast_to(~valid, block.values.shape)
        return Pixels(values=block.values, valid=valid, holes=missing.copy() if holes is None else holes | missing)

    def _missing(self, shape: Shape) -> Pixels:
        full = (self.bands, *shape)
        return Pixels(values=np.zeros(full, self.dtype), valid=np.zeros(shape, np.bool_), holes=np.ones(full, np.bool_))

    def _padded(self, pixels: Pixels, inner: Window, wanted: Window) -> Pixels:
        padded = self._missing(wanted.shape)
        rows, columns = inner.inside(wanted)
        padded.values[:, rows, columns] = pixels.values
        padded.valid[rows, columns] = pixels.valid
        if padded.holes is not None:
            padded.holes[:, rows, columns] = False if pixels.holes is None else pixels.holes
        return padded

    def _check_size(self, window: Window) -> None:
        needed = self.bands * window.height * window.width * self.dtype.itemsize
        if needed > READ_LIMIT_BYTES:
            raise RasterError(
                f"{self.path}: {window.height} x {window.width} pixels of {self.bands} bands would take {needed / 2**30:.0f} GiB at once; "
                f"the limit is {READ_LIMIT_BYTES / 2**30:.0f} GiB. Read it by windows."
            )


def open_raster(path: Path, options: DataOptions = DataOptions(), onto: Grid | None = None, place: Place | None = None) -> Raster:
    """Open an image: GeoTIFF, PNG, JPEG, FITS or NPY, told by its first bytes, whatever its name.

    Its alpha band counts as validity and not as a band, unless `options.bands` names it. Files of `options.extra_bands` join it.

    onto: read it on this grid, resampled as the options say; pixels beyond the image are not valid. None: on the grid that
    `options.crs` and `cell_size`, or `resize`, ask for, or else its own.
    place: where its pixels lie if the file does not say, such as those of the image that a mask belongs to; it counts for that shape only.
    Raises RasterError if a file is missing, broken or of another format, or does not go with the options or the grid.
    """
    path = to_path(path)
    return Raster(path, assemble(path, options, onto, place), options.invalid)
