"""What is told of objects: a layer and a table with a row an object, and columns of the samples table."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from terrazzo.drawing.qgis import categorized_style
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.layer import SceneObjects, object_table
from terrazzo.evaluation.objects.rows import STATUSES
from terrazzo.evaluation.objects.windows import COLUMNS, object_row
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import write_text
from terrazzo.workflows.where.geopackage import Layer, write_layers

LAYER_NAME, TABLE_NAME = "objects.gpkg", "objects.csv"
LAYER = "objects"
STATUS_COLORS = dict(zip(STATUSES, ((49, 130, 189), (253, 174, 97), (215, 25, 28), (170, 50, 220)), strict=True))
"""Blue, orange, red, purple: for colour-blind eyes too."""


def write_objects(folder: Path, counts: ObjectCounts, grids: Mapping[str, Grid]) -> list[Path]:
    """Write FOLDER/objects.gpkg and FOLDER/objects.csv, a row an object; returns their paths.

    grids: by the scene's name.
    Raises EnvironmentFault if they cannot be written; see `write_layers`.
    """
    scenes = [SceneObjects(scene=image.name, grid=grids[image.name], rows=image.rows) for image in counts.images]
    table = object_table(scenes)
    write_layers(folder / LAYER_NAME, {LAYER: Layer(frame=table, style=categorized_style("status", STATUS_COLORS))})
    text = io.StringIO()
    pd.DataFrame(table.drop(columns="geometry")).to_csv(text, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    write_text(folder / TABLE_NAME, text.getvalue())
    return [folder / LAYER_NAME, folder / TABLE_NAME]


def object_files(folder: Path) -> list[Path]:
    """What `write_objects` has left in a folder."""
    return [path for path in (folder / LAYER_NAME, folder / TABLE_NAME) if path.exists()]


def object_columns(table: pd.DataFrame, scores: Mapping[int, Mapping[str, float]]) -> pd.DataFrame:
    """A table of samples with the scores of objects in each, empty where a sample has none; as it is without any scores.

    scores: values of COLUMNS by the sample's id.
    """
    if not scores:
        return table
    found = pd.DataFrame.from_dict(dict(scores), orient="index", columns=list(COLUMNS)).reindex(table.index)
    return table.join(found.astype(dict.fromkeys(COLUMNS[1:], "Int64")))


def scores_by_scene(counts: ObjectCounts | None) -> dict[str, dict[str, float]]:
    """Values of COLUMNS by the scene's name; empty where no objects are asked for."""
    if counts is None:
        return {}
    return {image.name: object_row(np.ascontiguousarray(image.counts[:, :-1])) for image in counts.images}
