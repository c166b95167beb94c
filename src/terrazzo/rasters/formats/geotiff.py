"""GeoTIFF, read by window through rasterio."""

import logging
import math
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.beside import Beside, find_beside
from terrazzo.rasters.formats.directory import FAILURES, TiffDirectory
from terrazzo.rasters.formats.remote import patiently
from terrazzo.rasters.formats.source import Block, Color, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.place import ControlPoints
from terrazzo.rasters.window import Shape, Window

__all__ = ["FAILURES", "GeoTiff"]

log = logging.getLogger(__name__)

# Grid.transform is None then, and whoever needs a place on the ground says so
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

BLOCK_LIMIT_BYTES = 384 * 2**20
"""A strip or tile is decoded whole, however small the window: larger ones are refused."""

_MASK_FLAGS = "INTERNAL_MASK_FLAGS_1"
"""How GDAL notes in a mask file what it masks."""

_INKS = {ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black}


class GeoTiff:
    """An opened directory of a TIFF: its first, which is the image of a GeoTIFF, or a page."""

    def __init__(self, path: Path, offset: int | None = None) -> None:
        """offset: where a page's directory is in the file, in bytes. What lies beside the file is about its first page."""
        self._directory = TiffDirectory(path, offset)
        beside = find_beside(path) if offset is None else Beside()
        self.pages, self.facts, self._masked = patiently(path, partial(self._open, beside))
        self._mask_beside = None if beside.mask is None or self._masked else _open_mask(path, beside.mask, self.facts.grid.shape)

    def _open(self, beside: Beside) -> tuple[tuple[int, ...], Facts, bool]:
        with self._directory.borrow("cannot be opened") as dataset:
            return _pages(dataset), _facts(self._directory.path, dataset, beside), _has_mask(dataset)

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        return patiently(self._directory.path, partial(self._read, window, bands))

    def _read(self, window: Window, bands: tuple[int, ...]) -> Block:
        rows, columns = window.slices
        place = ((rows.start, rows.stop), (columns.start, columns.stop))
        alpha = self.facts.alpha if self.facts.alpha not in bands else None
        with self._directory.borrow(_broken(window), only_pixels=True) as dataset:
            values = dataset.read([*bands, alpha] if alpha else list(bands), window=place)
            mask = dataset.read_masks(1, window=place) != 0 if self._masked else None
        if self._mask_beside is not None:
            with self._mask_beside.borrow(_broken(window), only_pixels=True) as dataset:
                mask = dataset.read(1, window=place) != 0
        return Block(values=values[: len(bands)], mask=_both(mask, values[-1] != 0 if alpha else None))

    def close(self) -> None:
        self._directory.close()
        if self._mask_beside is not None:
            self._mask_beside.close()


def _broken(window: Window) -> str:
    return f"is broken: rows {window.row_off} to {window.row_end - 1}, columns {window.col_off} to {window.col_end - 1} cannot be read"


def _pages(dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers, from 1, of the directories that are images of their own, not overviews or masks."""
    # GTIFF_DIR:number:path, in the order of text
    return tuple(sorted(int(name.split(":", 2)[1]) for name in dataset.subdatasets)) or (1,)


def _facts(path: Path, dataset: DatasetReader, beside: Beside) -> Facts:
    if dataset.count < 1:
        raise RasterError(f"{path} holds no bands.")
    if any("OVERVIEW_FILE" in dataset.tags(ns=domain) for domain in ("OVERVIEWS", "ProxyOverviewRequest")):
        # GDAL would take it for reduced views of the image, whatever it is
        raise RasterError(f"{path} names another file for its overviews, which is not opened. Write it anew: gdal_translate.")
    dtype = _dtype(path, dataset)
    _check_blocks(path, dataset, dtype)
    alphas = [band for band, use in enumerate(dataset.colorinterp, start=1) if use is ColorInterp.alpha]
    _tell_colors(path, dataset)
    return Facts(
        format="GTiff",
        count=dataset.count,
        dtype=dtype,
        grid=_grid(path, dataset, beside),
        nodata=tuple(own if own is not None else beside.nodata.get(band) for band, own in enumerate(dataset.nodatavals, start=1)),
        band_names=tuple(dataset.descriptions),
        # the last one is the alpha where writers tag several; a file that is all alpha has values
        alpha=alphas[-1] if alphas and dataset.count > 1 else None,
        tags=dataset.tags(),
        palette=_palette(dataset),
        block=_block(dataset),
        control=beside.control or _control(dataset),
    )


def _tell_colors(path: Path, dataset: DatasetReader) -> None:
    """Say where stored values are not what is seen; as with GDAL, they are read as they are stored."""
    if _INKS.issubset(dataset.colorinterp):
        log.info("%s is a picture for print: its bands are the inks cyan, magenta, yellow and black, not colours.", path)
    if dataset.colorinterp[0] is not ColorInterp.palette and dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
        log.info("%s is stored inverted: 0 is white, and high values are dark.", path)


def _dtype(path: Path, dataset: DatasetReader) -> np.dtype[Any]:
    names = set(dataset.dtypes)
    if len(names) > 1 or any("complex" in name for name in names):
        raise RasterError(f"{path} holds values of type {', '.join(sorted(names))}; all bands must be of one real type. Convert the file.")
    dtype: np.dtype[Any] = np.dtype(names.pop())
    return dtype


def _check_blocks(path: Path, dataset: DatasetReader, dtype: np.dtype[Any]) -> None:
    height, width = dataset.block_shapes[0]
    needed = height * width * dtype.itemsize * (dataset.count if dataset.interleaving is Interleaving.pixel else 1)
    if needed > BLOCK_LIMIT_BYTES:
        raise RasterError(
            f"{path} is stored in blocks of {height} x {width} pixels, each decoded whole: {needed / 2**20:.0f} MiB, and the limit "
            f"is {BLOCK_LIMIT_BYTES / 2**20:.0f} MiB. Store it in tiles: gdal_translate -co TILED=YES."
        )


def _grid(path: Path, dataset: DatasetReader, beside: Beside) -> Grid:
    """The place on the ground, in GDAL's order: of the notes beside the file if they have one, else of the file, else of its world file."""
    shape = (dataset.height, dataset.width)
    # GDAL's way to say that the file holds no transform
    own = None if dataset.transform.is_identity else dataset.transform
    crs = beside.crs or dataset.crs
    transform = beside.transform or own or beside.world
    if transform is None:
        # of control points is told where they are not used
        if crs is not None and not dataset.gcps[0] and beside.control is None:
            log.info("%s has a CRS but no transform; it is read in pixels, without a place on the ground.", path)
        return Grid(shape=shape)
    if not (all(map(math.isfinite, transform[:6])) and 0 < abs(transform.determinant) < math.inf):
        raise RasterError(f"{path} has a transform that gives its pixels no area, {tuple(transform[:6])}. Give it a right one.")
    return Grid(shape=shape, crs=crs, transform=transform)


def _control(dataset: DatasetReader) -> ControlPoints | None:
    points, crs = dataset.gcps
    return ControlPoints(crs=crs, points=tuple(points)) if points and crs is not None else None


def _palette(dataset: DatasetReader) -> dict[int, Color] | None:
    if dataset.colorinterp[0] is not ColorInterp.palette:
        return None
    return {value: (red, green, blue) for value, (red, green, blue, _) in dataset.colormap(1).items()}


def _block(dataset: DatasetReader) -> Shape | None:
    height, width = dataset.block_shapes[0]
    return None if height >= dataset.height and width >= dataset.width else (height, width)


def _has_mask(dataset: DatasetReader) -> bool:
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _open_mask(path: Path, place: Path, shape: Shape) -> TiffDirectory | None:
    """The mask file beside a TIFF, None where GDAL would not take it for one. Raises RasterError if it is of another size."""
    mask = TiffDirectory(place)
    with mask.borrow("cannot be opened") as dataset:
        if not int(dataset.tags().get(_MASK_FLAGS, "0")) & MaskFlags.per_dataset:
            log.info("%s does not say that it is a mask (tag %s); it is not used.", place, _MASK_FLAGS)
            return None
        _check_blocks(place, dataset, _dtype(place, dataset))
        if dataset.shape != shape:
            raise RasterError(
                f"{place} is {dataset.shape[0]} x {dataset.shape[1]} pixels, but {path.name} is {shape[0]} x {shape[1]}. Remove it."
            )
    return mask


def _both(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
