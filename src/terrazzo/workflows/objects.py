"""What is told of objects: a layer and a table with a row an object, and columns of the samples table."""

import csv
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.layer import SceneObjects, object_table
from terrazzo.evaluation.objects.windows import COLUMNS, object_row
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import write_text, writing

LAYER_NAME, TABLE_NAME = "objects.gpkg", "objects.csv"
LAYER = "objects"


def write_objects(folder: Path, counts: ObjectCounts, grids: Mapping[str, Grid]) -> list[Path]:
    """Write FOLDER/objects.gpkg and FOLDER/objects.csv, a row an object; returns their paths.

    grids: by the scene's name. Where no scene has a CRS, the layer's y is minus the row, so that a GIS shows it upright.
    Raises EnvironmentFault if they cannot be written.
    """
    scenes = [SceneObjects(scene=image.name, grid=grids[image.name], rows=image.rows) for image in counts.images]
    table = object_table(scenes)
    with writing(folder / LAYER_NAME) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        upright = table if table.crs is not None else table.set_geometry(table.geometry.scale(yfact=-1, origin=(0, 0)))
        upright.to_file(temporary, layer=LAYER, driver="GPKG", engine="pyogrio", geometry_type="Polygon")
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
