"""One directory of a TIFF (its image, or one of its pages), opened by GDAL's own TIFF driver and nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.env import get_gdal_config, set_gdal_config
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.handles import HANDLES, ticket
from terrazzo.rasters.formats.remote import gdal_name, remote_options, unreachable
from terrazzo.rasters.location import RemotePath

FAILURES = (RasterioError, CPLE_BaseError, OSError, ValueError, IndexError)
"""What rasterio raises on broken files."""

CACHE_BYTES = 512 * 2**20
"""Blocks that GDAL keeps, all files together; by itself it would take a twentieth of the machine's memory in every process."""

IN_ORDER_CACHE_BYTES = 128 * 2**20
"""The same while rasters are read and written from top to bottom, where blocks far behind are not asked for again."""


def environment(path: Path) -> rasterio.Env:
    """GDAL as a file is opened with it: blind to the files beside it, and patient with addresses.

    By itself GDAL would open masks, overviews and metadata that lie beside a file by whatever driver they ask for,
    so that a VRT among them could have any other file read.
    """
    return rasterio.Env(**{"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", **remote_options(path)})


def bound_cache(most: int = CACHE_BYTES) -> None:
    """Bound what GDAL keeps, once and for all that use it in this process, unless the user has said how much."""
    if "GDAL_CACHEMAX" not in os.environ and get_gdal_config("GDAL_CACHEMAX") > most:
        set_gdal_config("GDAL_CACHEMAX", most)


@contextmanager
def rows_in_order() -> Iterator[None]:
    """Let GDAL keep few blocks, for rasters are read from top to bottom in here; also a decorator. What the user has said is kept to."""
    before = get_gdal_config("GDAL_CACHEMAX")
    bound_cache(IN_ORDER_CACHE_BYTES)
    try:
        yield
    finally:
        set_gdal_config("GDAL_CACHEMAX", before)


class TiffDirectory:
    """The first directory of a TIFF file, or the one at an offset in bytes. Every thread that borrows it gets a dataset of its own."""

    def __init__(self, path: Path, offset: int | None = None) -> None:
        self.path = path
        name = gdal_name(path.absolute())
        # by its plain name GDAL also finds the mask inside the file
        self._name = name if offset is None else f"GTIFF_DIR:off:{offset}:{name}"
        self._ticket = ticket()

    @contextmanager
    def borrow(self, failed: str, *, only_pixels: bool = False) -> Iterator[DatasetReader]:
        """An open dataset. Raises RasterError where GDAL complains.

        failed: what to say then, such as 'cannot be opened'. only_pixels: nothing else will be asked for, which on disk needs no settings.
        """
        settings = nullcontext() if only_pixels and not isinstance(self.path, RemotePath) else environment(self.path)
        try:
            with settings, HANDLES.borrow(self._ticket, self._open) as dataset:
                yield dataset
        except FAILURES as error:
            if isinstance(error, RasterError):
                raise
            if isinstance(self.path, RemotePath):
                raise unreachable(self.path, error) from error
            cause = " ".join(str(error.__cause__ or error).split())
            raise RasterError(f"{self.path} {failed} ({cause}). Copy it again or leave it out.") from error

    def close(self) -> None:
        HANDLES.close(self._ticket)

    def _open(self) -> DatasetReader:
        with environment(self.path):
            bound_cache()
            # only this driver: a TIFF's name on another kind of file opens nothing
            return rasterio.open(self._name, driver="GTiff", sharing=False)
