"""The index: every window of every scene, and what is in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.errors import DataError, LabelError
from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted
from terrazzo.labels.source import Labels
from terrazzo.progress import Progress
from terrazzo.rasters.files import digest
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window, cover, whole
from terrazzo.samples.checks import CheckedScene
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.scenes import Scene
from terrazzo.samples.table import Samples, pixels_column

WHOLE_BYTES = 2**28
"""Scenes up to this size are read in one piece, larger ones window by window."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """What the windows of one scene hold."""

    scene: Scene
    digest: str
    pixels: NDArray[np.int64]
    """(windows, classes)."""
    objects: NDArray[np.int64]
    """(windows,)."""
    windows: list[Window]


def build_index(checked: Sequence[CheckedScene], reader: LabelReader, options: SamplesOptions, progress: Progress) -> Samples:
    """Cover all scenes with windows and count what is in each; no window has a split yet.

    Windows with a smaller share of valid, labelled pixels than options.min_valid, or with none, are left out, and the log says how
    many. Pixels are read once, except those that overlapping windows of large scenes share.

    Raises LabelError, RasterError or DataError naming all scenes that cannot be used, and if no window is left, or none holds any
    class but the background.
    """
    unlabelled = [fact.scene.name for fact in checked if fact.scene.label is None]
    if unlabelled or not checked:
        raise LabelError(f"{counted(len(unlabelled) or len(checked), 'image')} to index without labels. Set [data] labels.")
    legend = reader.legend
    counts = all_on_threads(_Counter(reader, options).count, checked, progress, "index", "scenes")
    _check_presence(counts, legend)
    kept = [_kept(found, options.min_valid) for found in counts]
    windows, total = sum(len(use) for use in kept), sum(len(found.windows) for found in counts)
    if not windows:
        raise DataError(
            f"None of {counted(total, 'window')} has enough valid, labelled pixels (min_valid = {options.min_valid:g}). "
            "Check nodata and [legend] ignore, or lower [samples] min_valid."
        )
    if windows < total:
        log.info("%s left out: fewer valid, labelled pixels than min_valid (%g).", counted(total - windows, "window"), options.min_valid)
    table = pd.concat([_rows(found, use, legend) for found, use in zip(counts, kept, strict=True)], ignore_index=True)
    grounds = [
        SceneWindows(grid=fact.grid, windows=[found.windows[position] for position in use])
        for fact, found, use in zip(checked, counts, kept, strict=True)
    ]
    geometry, crs, codes = footprints(grounds)
    if codes is not None:
        table["crs"] = pd.Series(codes, dtype=object)
    frame = geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)
    return Samples(frame=frame, legend=legend, size=options.shape, overlap_px=options.overlap_px)


class _Counter:
    """Counts the windows of a scene; used from several threads."""

    def __init__(self, reader: LabelReader, options: SamplesOptions) -> None:
        self._reader = reader
        self._classes = len(reader.legend.classes)
        self._options = options

    def count(self, checked: CheckedScene) -> _Counts:
        """Raises RasterError or LabelError if the scene cannot be read."""
        scene = checked.scene
        if scene.label is None:
            raise LabelError(f"{scene.image} has no label.")
        with open_raster(scene.image, self._reader.data) as raster, self._reader.open(scene.label, checked.labelled) as source:
            windows = list(cover(raster.shape, self._options.shape, self._options.overlap_px))
            small = raster.bands * raster.shape[0] * raster.shape[1] * raster.dtype.itemsize <= WHOLE_BYTES
            image = _labels(raster, source, whole(raster.shape)) if small else None
            pixels = np.zeros((len(windows), self._classes), np.int64)
            objects = np.zeros(len(windows), np.int64)
            for position, window in enumerate(windows):
                labels = _labels(raster, source, window) if image is None else image[window.slices]
                pixels[position] = np.bincount(labels.ravel(), minlength=256)[: self._classes]
                objects[position] = (
                    count_instances(source.instances(window), labels) if source.has_instances else count_objects(labels, pixels[position])
                )
        return _Counts(scene=scene, digest=digest(scene.image), pixels=pixels, objects=objects, windows=windows)


def count_objects(labels: NDArray[np.uint8], pixels: NDArray[np.int64]) -> int:
    """The 8-connected components of each class but the first, together.

    labels: (height, width) class indices, 255 ignored. pixels: how many pixels each class has there.
    """
    present = np.flatnonzero(pixels[1:]) + 1
    return sum(int(cv2.connectedComponents((labels == index).view(np.uint8), connectivity=8)[0]) - 1 for index in present)


def count_instances(instances: NDArray[np.uint32], labels: NDArray[np.uint8]) -> int:
    """The objects that have a pixel in a window which is not ignored; touching ones count each.

    instances: (height, width) object numbers, 0 where there is none. labels: same shape, class indices, 255 ignored.
    """
    shown = instances[(instances > 0) & (labels != IGNORE)]
    return len(np.unique(shown))


def _check_presence(counts: Sequence[_Counts], legend: Legend) -> None:
    """Refuse labels that hold nothing but the first class."""
    total = sum((found.pixels.sum(0) for found in counts), np.zeros(len(legend.classes), np.int64))
    if total[0] and not total[1:].any():
        first = legend.classes[0]
        raise LabelError(
            f"All labels are empty: those of {counted(len(counts), 'image')} hold only class {first.value} ({first.name}). "
            "Check that they belong to these images, and [legend]."
        )


def _labels(raster: Raster, source: Labels, window: Window) -> NDArray[np.uint8]:
    """The labels of a window, 255 also where the image has no data."""
    labels = source.read(window)
    valid = raster.read(window).valid
    if not valid.all():
        labels[~valid] = IGNORE
    return labels


def _kept(found: _Counts, min_valid: float) -> list[int]:
    """Positions of the windows that hold enough."""
    shares = _valid_shares(found)
    return [int(position) for position in np.flatnonzero((shares >= min_valid) & (shares > 0))]


def _valid_shares(found: _Counts) -> NDArray[np.float64]:
    areas = np.array([window.width * window.height for window in found.windows], np.float64)
    shares: NDArray[np.float64] = found.pixels.sum(1) / areas
    return shares


def _rows(found: _Counts, use: Sequence[int], legend: Legend) -> pd.DataFrame:
    """The rows of one scene, without footprints."""
    windows = [found.windows[position] for position in use]
    columns: dict[str, Any] = {
        "scene": found.scene.name,
        "image": str(found.scene.image.absolute()),
        "label": _place(found.scene),
        "image_digest": found.digest,
        **{name: np.array([getattr(window, name) for window in windows], np.int64) for name in ("col_off", "row_off", "width", "height")},
        "valid_share": _valid_shares(found)[use],
        "objects": found.objects[use],
        **{pixels_column(value): found.pixels[use, index] for index, value in enumerate(legend.values)},
        "split": np.full(len(use), None, object),
    }
    return pd.DataFrame(columns)


def _place(scene: Scene) -> str | None:
    """The file that a scene's labels are in, or the rules they come from."""
    return str(scene.label.absolute()) if isinstance(scene.label, Path) else None if scene.label is None else str(scene.label)
