"""The model and its predictions as Python objects."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.notebook import map_png, panel
from terrazzo.errors import ConflictError, DataError
from terrazzo.labels.legend import Legend
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.outputs.labelled_array import to_dataarray
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.refine.chain import finished_rows
from terrazzo.prediction.refine.whole import cleaned_rows
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.progress import Progress, Silent
from terrazzo.rasters.location import to_path

if TYPE_CHECKING:
    import xarray

LARGEST_ARRAY_PX = 2**30
"""Pixels of a map that are held in memory at most; larger ones are saved to a file."""
LARGEST_SHOWN_PX = 2**24
"""Pixels of a map that a notebook may compute only to show it."""


class Model:
    """A trained model, ready to predict."""

    def __init__(self, bundle: Bundle, options: PredictionOptions, device: str = "auto") -> None:
        self._predictor = Predictor.of(bundle, device, options)

    @property
    def legend(self) -> Legend:
        """The classes of its maps."""
        return self._predictor.legend

    def predict(self, image: str | Path, out: str | Path | None = None) -> "Prediction":
        """The prediction of an image; nothing is computed before it is asked for.

        out: the file to write it to at once, see Prediction.save.
        Raises RasterError if the image cannot be read, DataError if it has other bands than the model.
        """
        made = Prediction(self._predictor.open_job(to_path(image)), self._predictor)
        if out is not None:
            made.save(out)
        return made

    def _repr_html_(self) -> str:
        card = self._predictor.bundle.card
        facts = {
            "network": card.network.name,
            "bands": card.bands,
            "window": "{} x {} pixels".format(*card.window),
            "cell size": "not known" if card.cell_size is None else "{:g} x {:g}".format(*card.cell_size),
            "device": self._predictor.device.type,
        }
        return panel("Model", facts, self.legend)


class Prediction:
    """The map of one image. Computed when it is first asked for, in row bands, so that saving needs little memory."""

    def __init__(self, job: Job, predictor: Predictor) -> None:
        self._job = job
        self._predictor = predictor

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Class values (height, width); 255 where the image has no data. Raises DataError if the map is too large for memory."""
        height, width = self._job.mapped.shape
        if height * width > LARGEST_ARRAY_PX:
            raise DataError(f"a map of {height} x {width} pixels is too large for memory. Write it with save(path).")
        out = np.empty((height, width), np.uint8)
        legend, tally = self._predictor.legend, Tally(self._predictor.legend)
        for rows in cleaned_rows(self._job, self._predictor, finished_rows([self._job], self._predictor, lambda _: None)):
            out[rows.row_off : rows.row_end] = legend.decode(rows.indices)
            tally.add(rows.blended, rows.indices)
        tally.tell()
        return out

    @property
    def legend(self) -> Legend:
        """The classes of the map."""
        return self._predictor.bundle.legend

    def to_xarray(self) -> "xarray.DataArray":
        """The class map as an array with the dimensions y and x, its place on the ground and its legend.

        Raises EnvironmentFault if xarray is not installed, DataError if the map is too large for memory.
        """
        return to_dataarray(self.classes, self._job.mapped.grid, self.legend)

    def _repr_png_(self) -> bytes | None:
        return map_png(self.classes, self.legend) if self._is_shown else None

    def _repr_html_(self) -> str:
        height, width = self._job.mapped.shape
        facts = {"image": self._job.mapped.path, "size": f"{height} x {width} pixels"}
        if not self._is_shown:
            facts["map"] = "too large to be computed for a picture: save(path) writes it"
            return panel("Prediction", facts, self.legend)
        counts = np.bincount(self.classes.ravel(), minlength=256)
        total = max(1, int(counts[list(self.legend.values)].sum()))
        notes = {value: f"{counts[value]:,} pixels, {counts[value] / total:.2%}" for value in self.legend.values}
        return panel("Prediction", facts, self.legend, notes, map_png(self.classes, self.legend))

    @property
    def _is_shown(self) -> bool:
        height, width = self._job.mapped.shape
        return "classes" in self.__dict__ or height * width <= LARGEST_SHOWN_PX

    def save(self, path: str | Path, progress: Progress | None = None) -> Path:
        """Write the class map on the image's own grid: a GeoTIFF; a palette PNG if the path ends in .png, FITS if in .fits.

        Raises ConflictError if the file exists, EnvironmentFault if it cannot be written.
        """
        target = Path(path)
        if target.exists():
            raise ConflictError(f"{target} exists; it is not overwritten. Give another name.")
        write_maps({target: self._job}, self._predictor, progress or Silent())
        return target
