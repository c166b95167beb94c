"""Cloud-optimised GeoTIFFs, written part by part in constant memory."""

import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetWriter

from terrazzo.errors import EnvironmentFault, RasterError
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.chips.encode import describe, profile
from terrazzo.rasters.chips.look import Look, Mask
from terrazzo.rasters.directories import reorder
from terrazzo.rasters.formats.directory import FAILURES, bound_cache
from terrazzo.rasters.formats.geotiff import GeoTiff
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.overviews import overview_shapes
from terrazzo.rasters.rows import SWALLOWED, failed
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import writing

BLOCK_PX = 512


class CogFile:
    """Takes the parts of a raster, in any order, each pixel once."""

    def __init__(self, path: Path, work: Path, dataset: DatasetWriter) -> None:
        self._path = path
        self._work = work
        self._dataset = dataset
        self._mask: DatasetWriter | None = None
        self.sums: list[tuple[Window, int]] = []

    @property
    def _mask_path(self) -> Path:
        return self._work.with_suffix(".mask.tif")

    def put(self, window: Window, values: NDArray[Any], mask: Mask | None) -> None:
        """Write a part. mask: (height, width), True where there is image; the first one makes a mask for all, also for what was put before.

        Raises EnvironmentFault if it cannot be written.
        """
        try:
            self._dataset.write(values, window=_place(window))
            if mask is not None and self._mask is None:
                self._begin_mask()
            if self._mask is not None:
                shown = np.ones(window.shape, np.uint8) if mask is None else mask.astype(np.uint8)
                self._mask.write(shown, 1, window=_place(window))
        except FAILURES as error:
            raise failed(self._path, error) from error
        self.sums.append((window, _checksum(values)))

    def close(self) -> None:
        """Close the file, with its mask in it. Raises EnvironmentFault if that fails."""
        try:
            self._dataset.close()
            if self._mask is not None:
                self._mask.close()
                self._add_mask()
        except FAILURES as error:
            raise failed(self._path, error) from error

    def remove(self) -> None:
        """Remove what was written."""
        for path in (self._work, self._mask_path):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _begin_mask(self) -> None:
        size = {"height": self._dataset.height, "width": self._dataset.width, "count": 1, "dtype": "uint8", "nbits": 1}
        layout = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "deflate", "zlevel": 1, "bigtiff": "IF_SAFER"}
        self._mask = rasterio.open(self._mask_path, "w", driver="GTiff", **size, **layout)
        for earlier, _ in self.sums:
            self._mask.write(np.ones(earlier.shape, np.uint8), 1, window=_place(earlier))

    def _add_mask(self) -> None:
        # not while the bands are written: on several threads GDAL then complains of the mask's tags
        with rasterio.open(self._mask_path, driver="GTiff") as mask, rasterio.open(self._work, "r+", driver="GTiff") as dataset:
            for window, _ in self.sums:
                dataset.write_mask(mask.read(1, window=_place(window)).astype(np.bool_), window=_place(window))


@contextmanager
def writing_cog(path: Path, grid: Grid, look: Look, tags: Mapping[str, str], compress: str) -> Iterator[CogFile]:
    """Write a cloud-optimised GeoTIFF: yields what takes its parts; under its final name it is whole and was read back.

    Overviews are means, of palettes the nearest pixels. Beside the file there is a second one of its size until it is done.
    Raises EnvironmentFault if the disk is full or does not give back what was written.
    """
    work = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}.work.tif")
    with writing(path) as temporary, _environment():
        file = CogFile(path, work, _create(work, grid, look, tags, compress))
        try:
            try:
                yield file
            finally:
                file.close()
            _add_overviews(path, work, grid, nearest=look.colormap is not None)
            reorder(work, temporary)
            _verify(path, temporary, file, look.bands)
        finally:
            file.remove()


def _environment() -> rasterio.Env:
    bound_cache()
    return rasterio.Env(
        GDAL_TIFF_INTERNAL_MASK=True,
        GDAL_TIFF_OVR_BLOCKSIZE=str(BLOCK_PX),
        # by itself GDAL takes the ninth for overviews, at several times the time
        ZSTD_LEVEL_OVERVIEW="1",
    )


def _create(work: Path, grid: Grid, look: Look, tags: Mapping[str, str], compress: str) -> DatasetWriter:
    layout = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "bigtiff": "IF_SAFER", "num_threads": "ALL_CPUS"}
    try:
        dataset = rasterio.open(work, "w", **{**profile(look, grid, compress), **layout})
        describe(dataset, look, tags)
    except FAILURES as error:
        raise failed(work, error) from error
    return dataset


def _add_overviews(path: Path, work: Path, grid: Grid, *, nearest: bool) -> None:
    factors = [2**level for level, _ in enumerate(overview_shapes(grid.shape), start=1)]
    if not factors:
        return
    try:
        with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"), rasterio.open(work, "r+", driver="GTiff") as dataset:
            dataset.build_overviews(factors, Resampling.nearest if nearest else Resampling.average)
    except FAILURES as error:
        raise failed(path, error) from error


def _verify(path: Path, written: Path, file: CogFile, bands: int) -> None:
    """A full disk may have swallowed blocks without a word."""
    try:
        source = GeoTiff(written)

        def same(part: tuple[Window, int]) -> bool:
            return _checksum(source.read(part[0], tuple(range(1, bands + 1))).values) == part[1]

        whole = all(ahead(same, file.sums, os.cpu_count() or 1))
        source.close()
    except RasterError as error:
        raise failed(path, error) from error
    if not whole:
        raise EnvironmentFault(SWALLOWED.format(path.parent))


def _place(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.row_off, window.row_end), (window.col_off, window.col_end)


def _checksum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(values).data)
