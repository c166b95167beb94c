"""TIFF files of several pages: one page as the image, or every page as a band."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.geotiff import GeoTiff
from terrazzo.rasters.formats.ifd import Directory, read_directories
from terrazzo.rasters.formats.source import Block, Facts, Source
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.window import Window

log = logging.getLogger(__name__)

Page = int | Literal["bands"] | None

PAGE_LIMIT = 512
"""Pages that can be bands: to open a page, all before it are counted, so time grows with the square."""

STRIP_LIMIT_BYTES = 2**30
"""A row of a compressed strip is found by decoding all rows before it."""

_LISTED = 8
"""Pages that a message lists."""


def open_tiff(path: Path, page: Page) -> Source:
    """Open a TIFF, or a page of it.

    Overviews and masks are no pages. Without `page` the first one is the image, with a notice where there are more.
    page: from 1, or 'bands' for all pages.
    Raises RasterError if there is no such page, or 'bands' are asked for and the pages differ in size or type.
    """
    directories = [] if isinstance(path, RemotePath) else read_directories(path)
    first = GeoTiff(path)
    for directory in directories[:1]:
        _check_strips(path, directory, first.facts)
        if directory.orientation != 1:
            log.info("%s has the orientation tag %d; like GDAL, Terrazzo reads its rows as stored.", path, directory.orientation)
    count = len(first.pages)
    if page == "bands":
        return PageBands(path, first, directories) if count > 1 else first
    if page is None and count > 1:
        log.info("%s holds %d pages; the first is read. data.page chooses another.", path, count)
    if page is None or page == 1:
        return first
    if not 1 <= page <= count:
        raise RasterError(f"data.page is {page}; {path} has {f'pages 1 to {count}' if count > 1 else 'one page'}.")
    return _open_pages(path, [first.pages[page - 1]], directories)[0]


class PageBands:
    """All pages of a TIFF as the bands of one image, at the place of the first page."""

    def __init__(self, path: Path, first: GeoTiff, directories: Sequence[Directory]) -> None:
        if len(first.pages) > PAGE_LIMIT:
            raise RasterError(
                f"{path} has {len(first.pages)} pages; at most {PAGE_LIMIT} can be bands. Choose one with data.page, or convert it."
            )
        self._pages = [first, *_open_pages(path, first.pages[1:], directories)]
        self._places = [(page, band) for page in self._pages for band in page.facts.color_bands]
        kinds = [(*page.facts.grid.shape, page.facts.dtype) for page in self._pages]
        if len(set(kinds)) > 1:
            listed = ", ".join(
                f"{number}: {height} x {width} {dtype}" for number, (height, width, dtype) in enumerate(kinds[:_LISTED], start=1)
            )
            more = f" and {len(kinds) - _LISTED} more" if len(kinds) > _LISTED else ""
            raise RasterError(f"{path} has pages of several sizes or types, so they cannot be bands of one image: {listed}{more}.")
        self.facts = Facts(
            format="GTiff",
            count=len(self._places),
            dtype=first.facts.dtype,
            grid=first.facts.grid,
            nodata=tuple(page.facts.nodata[band - 1] for page, band in self._places),
            band_names=tuple(page.facts.band_names[band - 1] for page, band in self._places),
            tags=first.facts.tags,
        )

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        values = np.empty((len(bands), *window.shape), self.facts.dtype)
        mask: NDArray[Any] | None = None
        for place, band in enumerate(bands):
            page, inner = self._places[band - 1]
            block = page.read(window, (inner,))
            values[place] = block.values[0]
            if block.mask is not None:
                mask = block.mask if mask is None else mask & block.mask
        return Block(values=values, mask=mask)

    def close(self) -> None:
        for page in self._pages:
            page.close()


def _open_pages(path: Path, numbers: Sequence[int], directories: Sequence[Directory]) -> list[GeoTiff]:
    """Directories by their numbers, from 1."""
    if isinstance(path, RemotePath):
        raise RasterError(f"{path} is an address, of which only the first page is read. Fetch it first: terrazzo download '{path}' FOLDER")
    if max(numbers) > len(directories):
        raise RasterError(f"{path} is broken: its chain of pages ends after {len(directories)}. Copy it again or leave it out.")
    pages = [(directories[number - 1], GeoTiff(path, directories[number - 1].offset)) for number in numbers]
    for directory, page in pages:
        _check_strips(path, directory, page.facts)
    return [page for _, page in pages]


def _check_strips(path: Path, directory: Directory, facts: Facts) -> None:
    """Raises RasterError if compressed strips are so large that finding a row in them takes long."""
    height, width = facts.grid.shape
    rows = min(directory.strip_rows, height)
    needed = rows * width * facts.dtype.itemsize * (facts.count if directory.interleaved else 1)
    if needed > STRIP_LIMIT_BYTES:
        raise RasterError(
            f"{path} is compressed in strips of {rows} rows, {needed / 2**20:.0f} MiB each, at most {STRIP_LIMIT_BYTES / 2**20:.0f} MiB "
            "can be searched for a row. Store it in tiles: gdal_translate -co TILED=YES."
        )
