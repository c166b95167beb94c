"""Smaller windows inside packed samples."""

from collections.abc import Sequence
from dataclasses import replace

import geopandas
import numpy as np
import pandas as pd

from terrazzo.errors import DataError
from terrazzo.progress import Progress
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.count import count_instances, count_shapes
from terrazzo.samples.cover import windows_of
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.table import Samples, pixels_column


def recut(store: PackedStore, options: SamplesOptions, progress: Progress) -> Samples:
    """Cover each sample of a store with windows, as `build_index` covers images; each window is in its sample's part.

    Windows with a smaller share of valid, labelled pixels than options.min_valid, or with none, are left out.
    Raises DataError if no window is left, or a sample is damaged.
    """
    rows: list[dict[str, object]] = []
    grounds: list[SceneWindows] = []
    kept = store.samples.frame.drop(columns=["geometry", "crs"], errors="ignore").to_dict("records")
    with progress.task("index", len(kept), "samples") as advance:
        for row in kept:
            scene = str(row["scene"])
            windows = windows_of(store.shape(scene), options)
            found = _counted(store, scene, windows, options)
            rows += [{**row, **counts} for _, counts in found]
            grounds.append(SceneWindows(grid=store.raster(scene).grid, windows=[window for window, _ in found]))
            advance(1)
    if not rows:
        raise DataError(f"No window of {store.path} has enough valid, labelled pixels. Lower [samples] min_valid.")
    geometry, crs, codes = footprints(grounds)
    table = pd.DataFrame(rows)
    if codes is not None:
        table["crs"] = pd.Series(codes, dtype=object)
    frame = geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)
    return replace(store.samples, frame=frame, size=options.shape, stride=options.steps)


def _counted(store: PackedStore, scene: str, windows: Sequence[Window], options: SamplesOptions) -> list[tuple[Window, dict[str, object]]]:
    """The windows that hold enough, and their columns."""
    around = whole(store.shape(scene))
    _, labels = store.read(scene, around)
    # what windows at the edges lack counts as not valid
    full = min(around.height, options.shape[0]) * min(around.width, options.shape[1])
    instances, legend = store.instances(scene, around), store.samples.legend
    values = legend.sets.values
    found: list[tuple[Window, dict[str, object]]] = []
    for window in windows:
        held = labels[window.slices]
        pixels = np.bincount(held.ravel(), minlength=256)[: len(values)]
        share = float(pixels.sum()) / full
        if share and share >= options.min_valid:
            objects = count_shapes(held, pixels, legend) if instances is None else count_instances(instances[window.slices], held)
            place = {name: getattr(window, name) for name in ("col_off", "row_off", "width", "height")}
            classes = {pixels_column(value): int(count) for value, count in zip(values, pixels, strict=True)}
            found.append((window, {**place, "valid_share": share, "objects": objects, **classes}))
    return found
