"""The windows of a table on the images that they are to be read from."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from terrazzo.errors import DataError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.samples.table import Samples

SHOWN = 3


def on_images(samples: Samples, grids: Mapping[str, Grid], where: str) -> Samples:
    """The same samples with their footprints measured anew: those of a table that was edited may say anything.

    grids: of each image by its scene's name. where: the table, for messages.
    Raises DataError if a scene is not among the images, or a window reaches beyond its image.
    """
    frame, windows = samples.frame, samples.windows()
    names = frame["scene"].tolist()
    if strange := sorted(set(names) - set(grids)):
        raise DataError(f"{where} names scenes that are not among the images: {listed(strange, SHOWN)}. Mend [data] images, or the table.")
    beyond = [
        row
        for row, (name, window) in enumerate(zip(names, windows, strict=True))
        if window.intersection(whole(grids[name].shape)) != window
    ]
    if beyond:
        rows = listed([f"row {row} ({names[row]}, {_told(windows[row])})" for row in beyond], SHOWN)
        raise DataError(f"{where}: {counted(len(beyond), 'window')} beyond the image: {rows}. Mend the rows, or make the table anew.")
    members = frame.groupby("scene", sort=False).indices
    found, crs, codes = footprints(
        [SceneWindows(grid=grids[str(name)], windows=[windows[row] for row in rows]) for name, rows in members.items()]
    )
    order = np.argsort(np.concatenate([*members.values()])) if members else np.empty(0, np.int64)
    measured = frame.drop(columns="crs", errors="ignore").set_geometry(found[order], crs=crs)
    if codes is not None:
        measured["crs"] = np.array(codes, object)[order]
    return replace(samples, frame=measured)


def _told(window: Window) -> str:
    return f"{window.width} x {window.height} pixels at {window.col_off}, {window.row_off}"
