"""The index: every window of every scene, and what is in it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.errors import DataError, LabelError, WindowError
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted
from terrazzo.progress import Progress
from terrazzo.rasters.window import Window
from terrazzo.samples.checks import CheckedScene
from terrazzo.samples.count import Counts, count_windows
from terrazzo.samples.cover import windows_of
from terrazzo.samples.fingerprint import Digests, Fingerprint, digest_scenes
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.scenes import Scene
from terrazzo.samples.table import Samples, pixels_column

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One scene, its windows, and what is in them."""

    fact: CheckedScene
    windows: Sequence[Window]
    counts: Counts
    digests: Digests
    shares: NDArray[np.float64]
    """(windows,) valid, labelled pixels in a window as large as asked for, or as large as the image."""
    kept: NDArray[np.int64]
    """Positions of the windows that hold enough."""


def build_index(checked: Sequence[CheckedScene], reader: LabelReader, options: SamplesOptions, progress: Progress) -> Samples:
    """Cover all scenes with windows and count what is in each; no window has a split yet, and the fingerprint has no settings.

    Windows with a smaller share of valid, labelled pixels than options.min_valid, or with none, are left out, and the log says how
    many. What lies beyond the image in windows at its edges counts as not valid. Memory is constant whatever the size of the scenes.

    Raises LabelError, RasterError or DataError naming all scenes that cannot be used, and if no window is left, or none holds any
    class but the background; WindowError if the offset lies outside an image.
    """
    unlabelled = [fact.scene.name for fact in checked if fact.scene.label is None]
    if unlabelled or not checked:
        raise LabelError(f"{counted(len(unlabelled) or len(checked), 'image')} to index without labels. Set [data] labels.")
    windows = [_windows(fact, options) for fact in checked]
    digests = digest_scenes([fact.scene for fact in checked], reader.data, progress)
    counts = count_windows(checked, windows, reader, progress)
    _check_presence(counts, reader.legend)
    found = [
        _found(fact, held, count, digests[fact.scene.name], options) for fact, held, count in zip(checked, windows, counts, strict=True)
    ]
    _tell_left_out(found, options)
    return Samples(
        frame=_frame(found, reader.legend),
        legend=reader.legend,
        size=options.shape,
        stride=options.steps,
        fingerprint=Fingerprint(scenes=digests),
    )


def _windows(fact: CheckedScene, options: SamplesOptions) -> list[Window]:
    try:
        return windows_of(fact.grid.shape, options)
    except WindowError as error:
        raise WindowError(f"{fact.scene.image}: {error}") from error


def _found(fact: CheckedScene, windows: Sequence[Window], counts: Counts, digests: Digests, options: SamplesOptions) -> _Found:
    full = min(fact.grid.shape[0], options.shape[0]) * min(fact.grid.shape[1], options.shape[1])
    shares = counts.pixels.sum(1) / full
    kept = np.flatnonzero((shares >= options.min_valid) & (shares > 0))
    return _Found(fact=fact, windows=windows, counts=counts, digests=digests, shares=shares, kept=kept)


def _tell_left_out(found: Sequence[_Found], options: SamplesOptions) -> None:
    """Say how many windows hold too little. Raises DataError if all do."""
    total, kept = sum(len(scene.windows) for scene in found), sum(len(scene.kept) for scene in found)
    if not kept:
        raise DataError(
            f"None of {counted(total, 'window')} has enough valid, labelled pixels (min_valid = {options.min_valid:g}). "
            "Check nodata and [legend] ignore, or lower [samples] min_valid."
        )
    if kept < total:
        log.info("%s left out: fewer valid, labelled pixels than min_valid (%g).", counted(total - kept, "window"), options.min_valid)


def _check_presence(counts: Sequence[Counts], legend: Legend) -> None:
    """Refuse labels that hold nothing but the first class."""
    total = sum((found.pixels.sum(0) for found in counts), np.zeros(len(legend.sets.classes), np.int64))
    if total[0] and not total[1:].any():
        first = legend.sets.classes[0]
        raise LabelError(
            f"All labels are empty: those of {counted(len(counts), 'image')} hold only class {first.value} ({first.name}). "
            "Check that they belong to these images, and [legend]."
        )


def _frame(found: Sequence[_Found], legend: Legend) -> geopandas.GeoDataFrame:
    """The rows of all scenes with their footprints."""
    table = pd.concat([_rows(scene, legend) for scene in found], ignore_index=True)
    geometry, crs, codes = footprints(
        [SceneWindows(grid=scene.fact.grid, windows=[scene.windows[position] for position in scene.kept]) for scene in found]
    )
    if codes is not None:
        table["crs"] = pd.Series(codes, dtype=object)
    return geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)


def _rows(found: _Found, legend: Legend) -> pd.DataFrame:
    """The rows of one scene, without footprints."""
    scene, kept = found.fact.scene, found.kept
    windows = [found.windows[position] for position in kept]
    columns: dict[str, Any] = {
        "scene": scene.name,
        "image": str(scene.image.absolute()),
        "label": _place(scene),
        "image_digest": found.digests[0],
        **{name: np.array([getattr(window, name) for window in windows], np.int64) for name in ("col_off", "row_off", "width", "height")},
        "valid_share": found.shares[kept],
        "objects": found.counts.objects[kept],
        **{pixels_column(value): found.counts.pixels[kept, index] for index, value in enumerate(legend.sets.values)},
        "split": np.full(len(kept), None, object),
    }
    return pd.DataFrame(columns)


def _place(scene: Scene) -> str | None:
    """The file that a scene's labels are in, or the rules they come from."""
    return str(scene.label.absolute()) if isinstance(scene.label, Path) else None if scene.label is None else str(scene.label)
