"""Where the windows of an image lie."""

from terrazzo.rasters.chips.layout import spans
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.options import SamplesOptions


def windows_of(shape: Shape, options: SamplesOptions) -> list[Window]:
    """The windows of an image, row by row; all lie inside it.

    They are of the size that the options ask for, but for images that are shorter, and for windows at the far edges if those are to be
    padded: both are cut at the edge. With a stride up to the size, every pixel right of and below the offset lies in at least one
    window, unless windows at the edges are dropped.

    shape: (height, width) of the image in pixels.
    Raises WindowError if the offset lies outside the image.
    """
    (height, width), (down, across), (left, top) = options.shape, options.steps, options.offset
    way = "shift" if options.edges == "shift" else "partial"
    rows, columns = spans(shape[0], top, height, down, way), spans(shape[1], left, width, across, way)
    if options.edges == "drop":
        rows, columns = ([span for span in side if span.inside == full] for side, full in ((rows, height), (columns, width)))
    return [Window(col_off=column.start, row_off=row.start, width=column.inside, height=row.inside) for row in rows for column in columns]
