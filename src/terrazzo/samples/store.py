"""Pixels of scenes by window: decoded once and kept in memory where they fit, else read window by window."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.scenes import Scene

MEGABYTE = 2**20


class Source(Protocol):
    """Where the pixels and labels of samples come from; safe to read from several threads, and in processes that get a copy of it."""

    def shape(self, scene: str) -> Shape:
        """(height, width) of a scene in pixels."""
        ...

    def raster(self, scene: str) -> Raster:
        """The image of a scene."""
        ...

    def image(self, scene: str, window: Window) -> Pixels:
        """The pixels of a window inside a scene."""
        ...

    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window inside a scene; 255 where ignored."""
        ...

    def instances(self, scene: str, window: Window) -> NDArray[np.uint32] | None:
        """Object numbers (height, width) of a window inside a scene, 0 where there is none; None where objects are not told apart."""
        ...

    def read(self, scene: str, window: Window) -> tuple[Pixels, NDArray[np.uint8]]:
        """The pixels of a window and its labels, 255 also where the pixels are not valid: what learning and scoring look at."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """An open scene; pixels and labels are whole images where the scene is kept in memory."""

    raster: Raster
    source: Labels | None
    pixels: Pixels | None = None
    labels: NDArray[np.uint8] | None = None


class SceneStore:
    """Images and labels of a set of scenes; safe to read from several threads."""

    def __init__(self, scenes: Sequence[Scene], reader: LabelReader) -> None:
        self._scenes = {scene.name: scene for scene in scenes}
        self._reader = reader
        self._budget = reader.data.cache_mb * MEGABYTE
        self._loaded: dict[str, _Loaded] = {}
        self._lock = threading.Lock()

    def shape(self, scene: str) -> Shape:
        """(height, width) of a scene in pixels."""
        return self._open(scene).raster.shape

    def raster(self, scene: str) -> Raster:
        """The image of a scene."""
        return self._open(scene).raster

    def image(self, scene: str, window: Window) -> Pixels:
        """The pixels of a window inside a scene."""
        loaded = self._open(scene)
        if loaded.pixels is None:
            return loaded.raster.read(window)
        return crop(loaded.pixels, window)

    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window inside a scene; 255 where ignored."""
        loaded = self._open(scene)
        if loaded.source is None:
            return np.full(window.shape, IGNORE, np.uint8)
        if loaded.labels is None:
            return loaded.source.read(window)
        rows, columns = window.slices
        return loaded.labels[rows, columns]

    def instances(self, scene: str, window: Window) -> NDArray[np.uint32] | None:
        """Object numbers (height, width) of a window inside a scene, 0 where there is none; None where objects are not told apart."""
        source = self._open(scene).source
        return source.instances(window) if source is not None and source.has_instances else None

    def read(self, scene: str, window: Window) -> tuple[Pixels, NDArray[np.uint8]]:
        """The pixels of a window and its labels, 255 also where the pixels are not valid: what learning and scoring look at."""
        pixels = self.image(scene, window)
        return pixels, np.where(pixels.valid, self.labels(scene, window), np.uint8(IGNORE))

    def _open(self, name: str) -> _Loaded:
        # one lock for all scenes: the first to come decodes, the others find it done
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded is None:
                loaded = self._loaded[name] = self._load(self._scenes[name])
            return loaded

    def _load(self, scene: Scene) -> _Loaded:
        raster = open_raster(scene.image, self._reader.data)
        image = LabelledImage(name=scene.name, path=scene.image, grid=raster.grid, place=raster.place, own_grid=raster.own_grid)
        source = self._reader.take(scene.label, image) if scene.label is not None else None
        cost = kept_bytes(raster.shape, raster.bands, raster.dtype)
        if cost > self._budget:
            return _Loaded(raster=raster, source=source)
        self._budget -= cost
        labels = source.read(whole(raster.shape)) if source is not None else None
        return _Loaded(raster=raster, source=source, pixels=raster.read(), labels=labels)


def kept_bytes(shape: Shape, bands: int, dtype: np.dtype[Any]) -> int:
    """What a scene takes that is kept in memory: its values, which of them are valid, and its labels."""
    return math.prod(shape) * (bands * dtype.itemsize + 2)


def crop(pixels: Pixels, window: Window) -> Pixels:
    """Cut a window from the pixels of a whole image that holds it."""
    rows, columns = window.slices
    holes = pixels.holes[:, rows, columns] if pixels.holes is not None else None
    return Pixels(values=pixels.values[:, rows, columns], valid=pixels.valid[rows, columns], holes=holes)
