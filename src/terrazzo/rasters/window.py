"""Windows: rectangles of pixels, and covering an image with them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from terrazzo.errors import WindowError

Shape = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True, kw_only=True, order=True)
class Window:
    """A rectangle of pixels; it may reach beyond its image, the offsets may be negative."""

    col_off: int
    """Column of the left edge, in pixels from the raster's left edge."""
    row_off: int
    """Row of the top edge, in pixels from the raster's top edge."""
    width: int
    """Columns, at least 1."""
    height: int
    """Rows, at least 1."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise WindowError(f"A window of {self.height} x {self.width} pixels is empty; height and width must be at least 1.")

    @property
    def shape(self) -> Shape:
        return self.height, self.width

    @property
    def col_end(self) -> int:
        """The first column right of the window."""
        return self.col_off + self.width

    @property
    def row_end(self) -> int:
        """The first row below the window."""
        return self.row_off + self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) to index an array whose first pixel is the raster's; only for windows inside the raster."""
        return slice(self.row_off, self.row_end), slice(self.col_off, self.col_end)

    def intersection(self, other: "Window") -> "Window | None":
        """The pixels that both windows hold, or None."""
        col_off, row_off = max(self.col_off, other.col_off), max(self.row_off, other.row_off)
        col_end, row_end = min(self.col_end, other.col_end), min(self.row_end, other.row_end)
        if col_end <= col_off or row_end <= row_off:
            return None
        return Window(col_off=col_off, row_off=row_off, width=col_end - col_off, height=row_end - row_off)

    def rescaled(self, shape: Shape, other: Shape) -> "Window":
        """The same part of an image in other pixels; windows that meet still meet, and none is empty.

        shape: (height, width) of the image in this window's pixels. other: in those of the result.
        """
        left, right = (_moved(edge, shape[1], other[1]) for edge in (self.col_off, self.col_end))
        top, bottom = (_moved(edge, shape[0], other[0]) for edge in (self.row_off, self.row_end))
        left, top = min(left, other[1] - 1), min(top, other[0] - 1)
        return Window(col_off=left, row_off=top, width=max(1, right - left), height=max(1, bottom - top))

    def moved(self, origin: "Window") -> "Window":
        """The same window counted from where `origin` is counted from, if it is counted from the corner of `origin` now."""
        return replace(self, col_off=self.col_off + origin.col_off, row_off=self.row_off + origin.row_off)

    def grown(self, pixels: int) -> "Window":
        """With so many pixels more on every side."""
        return Window(
            col_off=self.col_off - pixels, row_off=self.row_off - pixels, width=self.width + 2 * pixels, height=self.height + 2 * pixels
        )

    def inside(self, other: "Window") -> tuple[slice, slice]:
        """(rows, columns) of this window in an array that holds the pixels of `other`; this must lie within other."""
        top, left = self.row_off - other.row_off, self.col_off - other.col_off
        return slice(top, top + self.height), slice(left, left + self.width)


def _moved(edge: int, length: int, other: int) -> int:
    """Where an edge lies when a side of `length` pixels is one of `other`, rounded; halves up."""
    return (2 * edge * other + length) // (2 * length)


def whole(shape: Shape) -> Window:
    """The window of a whole image of (height, width) pixels."""
    return Window(col_off=0, row_off=0, width=shape[1], height=shape[0])


def cover(shape: Shape, size: Shape, overlap_px: int) -> Iterator[Window]:
    """Cover an image with windows of one size, row by row.

    Every pixel lies in at least one window; the last window of a row or column moves inwards, so all are full size
    and lie inside the image. Along a side shorter than the window there is one window, as long as that side.

    shape: (height, width) of the image in pixels. size: (height, width) of a window in pixels.
    overlap_px: pixels that neighbours share at least, 0 <= overlap_px < min(size).
    Raises WindowError if overlap_px is negative or not smaller than the window.
    """
    if not 0 <= overlap_px < min(size):
        raise WindowError(f"overlap is {overlap_px} px; it must be at least 0 and smaller than the window ({min(size)} px). Lower overlap.")
    for row_off in starts(shape[0], size[0], overlap_px):
        for col_off in starts(shape[1], size[1], overlap_px):
            yield Window(col_off=col_off, row_off=row_off, width=min(size[1], shape[1]), height=min(size[0], shape[0]))


def starts(length: int, size: int, overlap_px: int) -> list[int]:
    """First pixels of the intervals of `size` that cover 0 to `length`; the last one moves inwards."""
    if length <= size:
        return [0]
    regular = list(range(0, length - size, size - overlap_px))
    return [*regular, length - size]
