"""The error map as vectors: samples and suspicious regions as layers of one GeoPackage, each with its style for QGIS."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd

from terrazzo.drawing.places import score_steps
from terrazzo.drawing.qgis import graduated_style, outline_style
from terrazzo.evaluation.where.suspects import Suspect
from terrazzo.labels.colors import Color
from terrazzo.labels.legend import Legend
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import writing
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.workflows.where.geopackage import Layer, write_layers

SAMPLES_LAYER, SUSPICIOUS_LAYER = "samples", "suspicious"
PURPLE: Color = (170, 50, 220)


def write_error_map(path: Path, samples: geopandas.GeoDataFrame, suspicious: geopandas.GeoDataFrame | None) -> None:
    """Write a GeoPackage with the samples, coloured by mean Dice, and the suspicious regions where they are known.

    Raises EnvironmentFault if it cannot be written; see `write_layers`.
    """
    layers = {SAMPLES_LAYER: Layer(frame=samples, style=graduated_style("mean_dice", score_steps()))}
    if suspicious is not None and len(suspicious):
        layers[SUSPICIOUS_LAYER] = Layer(frame=suspicious, style=outline_style(PURPLE))
    write_layers(path, layers)


def save_table(path: Path, frame: geopandas.GeoDataFrame) -> None:
    """Write a table as GeoParquet. Raises EnvironmentFault if it cannot be written."""
    with writing(path) as temporary:
        frame.to_parquet(temporary, schema_version="1.1.0", write_covering_bbox=True, compression="zstd")


@dataclass(frozen=True, kw_only=True)
class SceneSuspects:
    """The suspicious regions of one scene."""

    scene: str
    grid: Grid
    suspects: Sequence[Suspect]
    legend: Legend | None = None
    """Of the class indices of the suspects, if it is not that of the map."""


def suspicious_table(found: Sequence[SceneSuspects], legend: Legend) -> geopandas.GeoDataFrame:
    """A row a region, those with the largest cores first: scene, place, label, prediction, pixels, area, confidence, and its box.

    area: square units of the CRS, where the scene has one.
    """
    found = [each for each in found if each.suspects]
    geometry, crs, codes = footprints([SceneWindows(grid=each.grid, windows=[one.window for one in each.suspects]) for each in found])
    rows = [(each, one) for each in found for one in each.suspects]
    table = pd.DataFrame(
        {
            "scene": [each.scene for each, _ in rows],
            **{
                name: np.array([getattr(one.window, name) for _, one in rows], np.int64)
                for name in ("col_off", "row_off", "width", "height")
            },
            "label": [(each.legend or legend).names[one.truth] for each, one in rows],
            "predicted": [(each.legend or legend).names[one.predicted] for each, one in rows],
            "pixels": np.array([one.pixels for _, one in rows], np.int64),
            "core_pixels": np.array([one.core for _, one in rows], np.int64),
            "area": np.array([_area(each.grid, one.pixels) for each, one in rows], np.float64),
            "confidence": np.array([one.confidence for _, one in rows], np.float64),
        }
    )
    if codes is not None:
        table["crs"] = codes
    frame = geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)
    return frame.sort_values(["core_pixels", "pixels"], ascending=False, kind="stable").reset_index(drop=True)


def _area(grid: Grid, pixels: int) -> float:
    cells = grid.cell_size
    return pixels * cells[0] * cells[1] if cells is not None else float("nan")
