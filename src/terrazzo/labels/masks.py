"""Labels from mask files."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.legend import Legend
from terrazzo.labels.resolve import nodata_is_class, resolve_legend
from terrazzo.labels.survey import FileValues, ValueCounts, check_single_band, survey
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Shape, Window

__all__ = ["FileValues", "MaskLabels", "ValueCounts", "resolve_legend", "survey"]


class MaskLabels:
    """The class mask of one image, read window by window, from several threads if need be.

    Raises LabelError if the file has several bands, RasterError if it cannot be opened.
    """

    def __init__(self, path: Path, legend: Legend) -> None:
        self.path = path
        self.legend = legend
        self._raster = open_raster(path, DataOptions())
        check_single_band(self._raster)
        nodata = self._raster.nodata[0]
        self._class_nodata = nodata if nodata_is_class(legend, nodata) else None

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        return self._raster.shape

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, without data, or outside the mask.

        Raises LabelError naming file, values and counts outside the legend.
        """
        pixels = self._raster.read(window)
        values, valid = pixels.values[0], pixels.valid
        if valid.all():
            return self._encode(values, None, window)
        if self._class_nodata is not None:
            inside = _inside(window, self.shape)
            valid = valid | (inside & (values == self._class_nodata))
        return self._encode(values, valid, window)

    def close(self) -> None:
        self._raster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _encode(self, values: NDArray[np.generic], valid: NDArray[np.bool_] | None, window: Window) -> NDArray[np.uint8]:
        try:
            return self.legend.encode(values, valid)
        except LabelError as error:
            raise LabelError(f"{self.path}, rows {window.row_off} to {window.row_end}: {error}") from error


def _inside(window: Window, shape: Shape) -> NDArray[np.bool_]:
    """Which pixels of a window lie in an image."""
    rows = np.arange(window.row_off, window.row_end)[:, np.newaxis]
    columns = np.arange(window.col_off, window.col_end)
    return (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
