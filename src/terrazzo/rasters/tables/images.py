"""The values of images, as they are measured."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.tables.flatten import UNLABELLED, Picture, read_windows
from terrazzo.rasters.tables.measure import Chunk
from terrazzo.rasters.window import Shape, Window

MEGABYTE = 1e6

Groups = NDArray[np.uint8] | int


@dataclass(frozen=True, kw_only=True)
class ImageSize:
    """How large an image is, before it is opened."""

    shape: Shape
    pixel_bytes: int
    """Of all bands of a pixel."""


class _Opened:
    """An image that is opened for the first of its windows and closed after the last."""

    def __init__(self, opening: AbstractContextManager[Picture], windows: int) -> None:
        self._opening = opening
        self._left = windows
        self._lock = threading.Lock()
        self._picture: Picture | None = None

    def take(self) -> Picture:
        with self._lock:
            if self._picture is None:
                self._picture = self._opening.__enter__()
            return self._picture

    def give_back(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._opening.__exit__(None, None, None)


class ImageSource:
    """The values of images one after the other: group 0 and so on are the classes, then what has none, then what is masked."""

    def __init__(
        self, sizes: Sequence[ImageSize], opening: Callable[[int], AbstractContextManager[Picture]], dtype: np.dtype[Any], classes: int
    ) -> None:
        """opening: opens an image by its number. dtype: that holds the values of all. classes: how many there are."""
        self._sizes = sizes
        self._opening = opening
        self._classes = classes
        self.dtype = dtype
        self.size = sum(size.shape[0] * size.shape[1] * size.pixel_bytes for size in sizes) / MEGABYTE

    def items(self) -> Iterator[tuple[tuple[_Opened, Window], float]]:
        for number, size in enumerate(self._sizes):
            windows = sum(1 for _ in read_windows(size.shape, size.pixel_bytes))
            image = _Opened(self._opening(number), windows)
            for window in read_windows(size.shape, size.pixel_bytes):
                yield (image, window), window.width * window.height * size.pixel_bytes / MEGABYTE

    def chunks(self, item: tuple[_Opened, Window]) -> list[Chunk]:
        image, window = item
        picture = image.take()
        pixels = picture.raster.read(window)
        classes = None if picture.classes is None else picture.classes(window).reshape(-1)
        image.give_back()
        groups: Groups = self._classes
        if classes is not None:
            groups = np.where(classes == UNLABELLED, np.uint8(self._classes), classes)
        found = [chunk for band in range(len(pixels.values)) for chunk in self._of_band(pixels, band, groups)]
        return [chunk for chunk in found if chunk.values.size]

    def _of_band(self, pixels: Pixels, band: int, groups: Groups) -> Iterator[Chunk]:
        values = pixels.values[band].reshape(-1).astype(self.dtype, copy=False)
        if pixels.holes is None:
            yield Chunk(band=band, values=values, groups=groups)
            return
        masked = pixels.holes[band].reshape(-1)
        shown = ~masked
        yield Chunk(band=band, values=values[shown], groups=groups if isinstance(groups, int) else groups[shown])
        hidden = values[masked]
        yield Chunk(band=band, values=hidden[np.isfinite(hidden)], groups=self._classes + 1)
