"""The model and its predictions as Python objects."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, DataError
from terrazzo.labels.legend import Legend
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.refine.chain import finished_rows
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.progress import Progress, Silent
from terrazzo.rasters.location import to_path

LARGEST_ARRAY_PX = 2**30
"""Pixels of a map that are held in memory at most; larger ones are saved to a file."""


class Model:
    """A trained model, ready to predict."""

    def __init__(self, bundle: Bundle, options: PredictionOptions, device: str = "auto") -> None:
        self._predictor = Predictor.of(bundle, device, options)

    @property
    def legend(self) -> Legend:
        """The classes of its maps."""
        return self._predictor.bundle.legend

    def predict(self, image: str | Path, out: str | Path | None = None) -> "Prediction":
        """The prediction of an image; nothing is computed before it is asked for.

        out: the file to write it to at once, see Prediction.save.
        Raises RasterError if the image cannot be read, DataError if it has other bands than the model.
        """
        made = Prediction(self._predictor.open_job(to_path(image)), self._predictor)
        if out is not None:
            made.save(out)
        return made


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
        legend, tally = self._predictor.bundle.legend, Tally(self._predictor.bundle.legend)
        for rows in finished_rows([self._job], self._predictor, lambda _: None):
            out[rows.row_off : rows.row_end] = legend.decode(rows.indices)
            tally.add(rows.blended, rows.indices)
        tally.tell()
        return out

    def save(self, path: str | Path, progress: Progress | None = None) -> Path:
        """Write the class map on the image's own grid: a GeoTIFF, or a palette PNG if the path ends in .png.

        Raises ConflictError if the file exists, EnvironmentFault if it cannot be written.
        """
        target = Path(path)
        if target.exists():
            raise ConflictError(f"{target} exists; it is not overwritten. Give another name.")
        write_maps({target: self._job}, self._predictor, progress or Silent())
        return target
