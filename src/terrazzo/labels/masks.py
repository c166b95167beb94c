"""Labels from mask files."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.coding import band_sets_valid, open_bands, open_mask, raw_nodata, raw_values
from terrazzo.labels.legend import Legend
from terrazzo.labels.resolve import nodata_is_class, resolve_legend
from terrazzo.labels.survey import FileValues, ValueCounts, survey
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import Place
from terrazzo.rasters.window import Shape, Window

__all__ = ["FileValues", "MaskLabels", "ValueCounts", "resolve_legend", "survey"]


class MaskLabels:
    """The class mask of one image, read window by window, from several threads if need be.

    reading: how the file is opened. onto: the grid that the mask is brought to by the nearest pixel; None: its own.
    place: where its pixels lie if the file does not say, such as those of its image.
    Raises RasterError if the file cannot be opened, LabelError if it has not a band for each of classes that overlap.
    """

    def __init__(
        self, path: Path, legend: Legend, reading: DataOptions = DataOptions(), onto: Grid | None = None, place: Place | None = None
    ) -> None:
        self.path = path
        self.legend = legend
        if legend.overlapping:
            self._raster = open_bands(path, reading, onto, place, classes=len(legend.classes))
        else:
            self._raster = open_mask(path, reading, onto, place, alpha=legend.encoding == "onehot")
        nodata = raw_nodata(self._raster, legend.encoding)
        self._class_nodata = nodata if nodata_is_class(legend, nodata) else None

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        return self._raster.shape

    @property
    def grid(self) -> Grid:
        return self._raster.grid

    @property
    def has_instances(self) -> bool:
        """Whether the mask holds object numbers."""
        return self.legend.encoding == "instances"

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, without data, or outside the mask.

        Raises LabelError naming file, values and counts outside the legend, RasterError if the file is broken there.
        """
        raw, valid = self._raw(window)
        try:
            return self.legend.encode(raw, None if valid.all() else valid)
        except LabelError as error:
            raise self._named(error, window) from error

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width) of a window, those of the file; 0 where there is no object, nor data.

        Raises LabelError if the mask holds no object numbers, or too large ones.
        """
        if not self.has_instances:
            raise LabelError(f"{self.path} holds classes, no object numbers. If it does, set [legend] encoding = 'instances'.")
        raw, valid = self._raw(window)
        objects = valid & (raw > 0)
        if self.legend.ignore is not None:
            objects &= raw != self.legend.ignore
        largest = raw.max(initial=0, where=objects)
        if largest > np.iinfo(np.uint32).max:
            raise LabelError(f"{self.path} has the object number {largest}; the largest that can be is {np.iinfo(np.uint32).max}.")
        return np.where(objects, raw, 0).astype(np.uint32)

    def close(self) -> None:
        self._raster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _raw(self, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Raw values (height, width) of a window, of classes that overlap (classes, height, width), and which pixels are used."""
        pixels = self._raster.read(window)
        try:
            raw = raw_values(pixels, self.legend.encoding, self._raster.palette)
        except LabelError as error:
            raise self._named(error, window) from error
        if self.legend.overlapping:
            return raw, _inside(window, self.shape) & band_sets_valid(pixels, self._raster)
        if self._class_nodata is None or pixels.valid.all():
            return raw, pixels.valid
        return raw, pixels.valid | (_inside(window, self.shape) & (raw == self._class_nodata))

    def _named(self, error: LabelError, window: Window) -> LabelError:
        return LabelError(f"{self.path}, rows {window.row_off} to {window.row_end}: {error}")


def _inside(window: Window, shape: Shape) -> NDArray[np.bool_]:
    """Which pixels of a window lie in an image."""
    rows = np.arange(window.row_off, window.row_end)[:, np.newaxis]
    columns = np.arange(window.col_off, window.col_end)
    return (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
