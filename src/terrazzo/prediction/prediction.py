"""The model and its predictions as Python objects."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.notebook import map_png, panel
from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.labels.legend import IGNORE, Legend
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
    """A trained model, ready to predict; or several whose probabilities are averaged."""

    def __init__(self, bundle: Bundle, options: PredictionOptions, device: str = "auto", others: Sequence[Bundle] = ()) -> None:
        """others: models that are averaged with it; see `terrazzo.prediction.ensemble.load_models`."""
        self._predictor = Predictor.of(bundle, device, options, others)

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
            "network": ", ".join(bundle.card.network.name for bundle in self._predictor.bundles),
            "bands": card.bands,
            "window": "{} x {} pixels".format(*card.window),
            "cell size": "not known" if card.cell_size is None else "{:g} x {:g}".format(*card.cell_size),
            "device": self._predictor.device.type,
        }
        return panel("Ensemble" if self._predictor.others else "Model", facts, self.legend)


class Prediction:
    """The map of one image. Computed when it is first asked for, in row bands, so that saving needs little memory."""

    def __init__(self, job: Job, predictor: Predictor) -> None:
        self._job = job
        self._predictor = predictor

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Class values (height, width), of classes that overlap (classes, height, width); 255 where the image has no data.

        Raises DataError if the map is too large for memory.
        """
        height, width = self._job.mapped.shape
        if height * width > LARGEST_ARRAY_PX:
            raise DataError(f"a map of {height} x {width} pixels is too large for memory. Write it with save(path).")
        legend, tally = self._predictor.legend, Tally(self._predictor.legend)
        out = np.empty((len(legend.classes), height, width) if legend.overlapping else (height, width), np.uint8)
        for rows in cleaned_rows(self._job, self._predictor, finished_rows([self._job], self._predictor, lambda _: None)):
            out[..., rows.row_off : rows.row_end, :] = legend.decode(rows.indices)
            tally.add(rows.blended, rows.indices)
        tally.tell()
        return out

    @property
    def legend(self) -> Legend:
        """The classes of the map."""
        return self._predictor.bundle.legend

    def to_xarray(self) -> "xarray.DataArray":
        """The class map as an array with the dimensions y and x, of classes that overlap class too, its place on the ground and its legend.

        Raises EnvironmentFault if xarray is not installed, DataError if the map is too large for memory.
        """
        return to_dataarray(self.classes, self._job.mapped.grid, self.legend)

    def _repr_png_(self) -> bytes | None:
        return self._picture() if self._is_shown else None

    def _picture(self) -> bytes:
        """The map in the colours of the classes, or of the sets of classes that overlap."""
        if not self.legend.overlapping:
            return map_png(self.classes, self.legend)
        sets = self.legend.plain().encode(self.classes)
        # no class shows nothing
        return map_png(np.where(sets == 0, np.uint8(IGNORE), sets), self.legend.sets)

    def _pixels(self) -> tuple[dict[int, int], int]:
        """How many pixels each class has, by its value, and how many are mapped."""
        if self.legend.overlapping:
            of_bands = np.count_nonzero(self.classes == 1, axis=(1, 2)).tolist()
            return dict(zip(self.legend.values, of_bands, strict=True)), int(np.count_nonzero(self.classes[0] != IGNORE))
        counts = np.bincount(self.classes.ravel(), minlength=256)
        found = {value: int(counts[value]) for value in self.legend.values}
        return found, sum(found.values())

    def _repr_html_(self) -> str:
        height, width = self._job.mapped.shape
        facts = {"image": self._job.mapped.path, "size": f"{height} x {width} pixels"}
        if not self._is_shown:
            facts["map"] = "too large to be computed for a picture: save(path) writes it"
            return panel("Prediction", facts, self.legend)
        counts, total = self._pixels()
        notes = {value: f"{pixels:,} pixels, {pixels / max(1, total):.2%}" for value, pixels in counts.items()}
        return panel("Prediction", facts, self.legend, notes, self._picture())

    @property
    def _is_shown(self) -> bool:
        height, width = self._job.mapped.shape
        return "classes" in self.__dict__ or height * width <= LARGEST_SHOWN_PX

    def save(self, path: str | Path, progress: Progress | None = None) -> Path:
        """Write the class map on the image's own grid: a GeoTIFF; a palette PNG if the path ends in .png, FITS if in .fits.

        Raises UsageError if it is to be PNG or FITS of classes that overlap, ConflictError if the file exists, EnvironmentFault if it
        cannot be written.
        """
        target = Path(path)
        if self.legend.overlapping and target.suffix.lower() in (".png", ".fits"):
            raise UsageError(f"{target}: a map of classes that overlap is a GeoTIFF with a band each. Give a name that ends in .tif.")
        if target.exists():
            raise ConflictError(f"{target} exists; it is not overwritten. Give another name.")
        write_maps({target: self._job}, self._predictor, progress or Silent())
        return target
