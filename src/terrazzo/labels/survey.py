"""A survey of mask files: what they hold, and how often."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from terrazzo.errors import LabelError
from terrazzo.labels.coding import open_mask, raw_nodata
from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.forms import FileForms, FileValues, Form, ValueCounts, agree, possible
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import Encoding
from terrazzo.labels.sentences import counted
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape, Window

__all__ = ["FileValues", "ValueCounts", "row_blocks", "survey"]

BLOCK_BYTES = 2**22
"""Masks are read in blocks of whole rows of about this size."""
NO_OPTIONS = LegendOptions()


def survey(
    files: Sequence[Path], progress: Progress, options: LegendOptions = NO_OPTIONS, reading: DataOptions = DataOptions()
) -> ValueCounts:
    """Count the values of mask files, once through each on several threads, in constant memory whatever their size.

    options: say what the masks hold, if they do not show it themselves. reading: how the files are opened.
    Raises LabelError or RasterError naming all files that cannot be read as masks.
    """
    found = all_on_threads(lambda path: _survey_file(path, options, reading), files, progress, "read masks", "masks")
    return agree(found, options)


def row_blocks(shape: Shape, pixel_bytes: int = 1) -> Iterator[Window]:
    """Windows of whole rows that hold each pixel of an image once, each of about BLOCK_BYTES.

    shape: (height, width). pixel_bytes: of all bands of a pixel.
    """
    height, width = shape
    rows = max(1, BLOCK_BYTES // (width * pixel_bytes))
    for row_off in range(0, height, rows):
        yield Window(col_off=0, row_off=row_off, width=width, height=min(rows, height - row_off))


def _survey_file(path: Path, options: LegendOptions, reading: DataOptions) -> FileForms:
    """Count what one mask file holds, in every form that it can have.

    Raises LabelError if it has none, RasterError if it cannot be read.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(open_mask(path, reading))
        all_bands = raster
        forms = [Form(encoding, options, raster.palette, raw_nodata(raster, encoding)) for encoding in possible(raster, options)]
        if raster.alpha is not None and any(form.encoding == "onehot" for form in forms):
            all_bands = stack.enter_context(open_mask(path, reading, alpha=True))
        for window in row_blocks(raster.shape, raster.bands * raster.dtype.itemsize):
            _add(window, [form for form in forms if form.encoding != "onehot" and not form.done], raster)
            _add(window, [form for form in forms if form.encoding == "onehot" and not form.done], all_bands)
            if all(form.done for form in forms):
                break
        _check(path, raster, forms)
        left: dict[Encoding, Form] = {form.encoding: form for form in forms if form.fault is None}
        return FileForms(path=path, lossy=raster.format == "JPEG", bands=raster.bands, alpha=raster.alpha is not None, forms=left)


def _add(window: Window, forms: Sequence[Form], raster: Raster) -> None:
    if forms:
        pixels = raster.read(window)
        for form in forms:
            form.add(pixels)


def _check(path: Path, raster: Raster, forms: Sequence[Form]) -> None:
    """Raise LabelError if a file can have none of the forms."""
    faults = [form.fault for form in forms if form.fault is not None]
    if len(faults) < len(forms):
        return
    if len(forms) == 1:
        raise LabelError(f"{path} is no mask of the [legend] encoding {forms[0].encoding!r}: {faults[0]}.")
    raise LabelError(
        f"{path} has {counted(raster.bands, 'band')} of type {raster.dtype}, which are no mask: {'; '.join(faults)}. "
        "Give one band of class values, a band a class (one-hot), or colours in three bands of 8 bits."
    )
