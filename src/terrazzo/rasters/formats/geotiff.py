"""GeoTIFF, read by window through rasterio."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.handles import HANDLES, ticket
from terrazzo.rasters.formats.source import Block, Color, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

log = logging.getLogger(__name__)

# Grid.transform is None then, and whoever needs a place on the ground says so
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

FAILURES = (RasterioError, CPLE_BaseError, OSError, ValueError, IndexError)
"""What rasterio raises on broken files."""


class GeoTiff:
    """An opened GeoTIFF. Every thread that reads gets a dataset handle of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._ticket = ticket()
        try:
            with rasterio.Env(), HANDLES.borrow(self._ticket, self._open) as dataset:
                self.facts = _facts(path, dataset)
                self._masked = _has_mask(dataset)
        except FAILURES as error:
            raise _unreadable(path, "cannot be opened", error) from error

    def _open(self) -> DatasetReader:
        # only this driver: a TIFF's name on another kind of file opens nothing
        return rasterio.open(self._path, driver="GTiff", sharing=False)

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        with self._handle(window) as dataset:
            rows, columns = window.slices
            place = ((rows.start, rows.stop), (columns.start, columns.stop))
            alpha = self.facts.alpha if self.facts.alpha not in bands else None
            values = dataset.read([*bands, alpha] if alpha else list(bands), window=place)
            mask = dataset.read_masks(1, window=place) != 0 if self._masked else None
        return Block(values=values[: len(bands)], mask=_both(mask, values[-1] != 0 if alpha else None))

    @contextmanager
    def _handle(self, window: Window) -> Iterator[DatasetReader]:
        try:
            # without an environment GDAL prints its complaints
            with rasterio.Env(), HANDLES.borrow(self._ticket, self._open) as dataset:
                yield dataset
        except FAILURES as error:
            place = f"rows {window.row_off} to {window.row_end - 1}, columns {window.col_off} to {window.col_end - 1}"
            raise _unreadable(self._path, f"is broken: {place} cannot be read", error) from error

    def close(self) -> None:
        HANDLES.close(self._ticket)


def _facts(path: Path, dataset: DatasetReader) -> Facts:
    if dataset.count < 1:
        raise RasterError(f"{path} holds no bands.")
    if dataset.subdatasets:
        log.info("%s holds %d pages; the first is read.", path, len(dataset.subdatasets))
    alphas = [band for band, use in enumerate(dataset.colorinterp, start=1) if use is ColorInterp.alpha]
    return Facts(
        format="GTiff",
        count=dataset.count,
        dtype=_dtype(path, dataset),
        grid=_grid(path, dataset),
        nodata=tuple(dataset.nodatavals),
        band_names=tuple(dataset.descriptions),
        # the last one is the alpha where writers tag several; a file that is all alpha has values
        alpha=alphas[-1] if alphas and dataset.count > 1 else None,
        tags=dataset.tags(),
        palette=_palette(dataset),
    )


def _dtype(path: Path, dataset: DatasetReader) -> np.dtype[Any]:
    names = set(dataset.dtypes)
    if len(names) > 1 or any("complex" in name for name in names):
        raise RasterError(f"{path} holds values of type {', '.join(sorted(names))}; all bands must be of one real type. Convert the file.")
    dtype: np.dtype[Any] = np.dtype(names.pop())
    return dtype


def _grid(path: Path, dataset: DatasetReader) -> Grid:
    shape = (dataset.height, dataset.width)
    # GDAL's way to say that the file holds no transform
    if dataset.transform.is_identity:
        if dataset.crs is not None or dataset.gcps[0]:
            kind = "control points only" if dataset.gcps[0] else "a CRS but no transform"
            log.info("%s has %s; it is read in pixels, without a place on the ground.", path, kind)
        return Grid(shape=shape)
    return Grid(shape=shape, crs=dataset.crs, transform=dataset.transform)


def _palette(dataset: DatasetReader) -> dict[int, Color] | None:
    if dataset.colorinterp[0] is not ColorInterp.palette:
        return None
    return {value: (red, green, blue) for value, (red, green, blue, _) in dataset.colormap(1).items()}


def _has_mask(dataset: DatasetReader) -> bool:
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _both(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _unreadable(path: Path, what: str, error: Exception) -> RasterError:
    if isinstance(error, RasterError):
        return error
    cause = error.__cause__ or error
    return RasterError(f"{path} {what} ({' '.join(str(cause).split())}). Copy it again or leave it out.")
