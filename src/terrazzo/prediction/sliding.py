"""The grid of prediction windows: it starts at the raster's origin, so that every block of the map is predicted alike.

0      stride                       windows of `size` every `stride` pixels; the last of a row
|---------|                         or column may reach beyond the raster, where pixels are mirrored
[ window 0    ]
          [ window 1    ]
                    [ window 2  :  ]
|<-------- raster ------------->|
"""

from dataclasses import dataclass

from terrazzo.errors import WindowError
from terrazzo.rasters.window import Shape, Window


@dataclass(frozen=True, kw_only=True)
class SlidingGrid:
    """Windows of one size over a raster."""

    shape: Shape
    """(height, width) of the raster in pixels."""
    size: Shape
    """(height, width) of a window in pixels."""
    stride: Shape
    """(rows, columns) from window to window, 1 <= stride <= size."""

    def __post_init__(self) -> None:
        for size, stride in zip(self.size, self.stride, strict=True):
            if not 1 <= stride <= size:
                raise WindowError(f"a stride of {stride} px does not fit windows of {size} px; it must be 1 to {size}.")

    @classmethod
    def of(cls, shape: Shape, size: Shape, overlap: float) -> "SlidingGrid":
        """overlap: share of the window that neighbours share, 0 <= overlap < 1."""
        rows, columns = (max(1, round(side * (1 - overlap))) for side in size)
        return cls(shape=shape, size=size, stride=(rows, columns))

    @property
    def row_starts(self) -> list[int]:
        return _starts(self.shape[0], self.size[0], self.stride[0])

    @property
    def col_starts(self) -> list[int]:
        return _starts(self.shape[1], self.size[1], self.stride[1])

    def row_starts_touching(self, rows: range) -> list[int]:
        """The starts of the rows of windows that touch rows of the raster; none of an empty range."""
        return [start for start in self.row_starts if rows and start < rows.stop and start + self.size[0] > rows.start]

    def untouched_to(self, row_start: int) -> int:
        """Up to where no row of windows below one touches the raster: the start of the next, or the end of the raster."""
        return row_start + self.stride[0] if row_start < self.row_starts[-1] else self.shape[0]

    def around(self, window: Window) -> Window:
        """What the windows that share a pixel with a window of the raster hold together.

        A grid of the same windows over that alone has them at the same places: those of this grid that lie there, and no others.
        """
        top, bottom = _reach(self.row_starts, self.size[0], (window.row_off, window.row_end), self.shape[0])
        left, right = _reach(self.col_starts, self.size[1], (window.col_off, window.col_end), self.shape[1])
        return Window(col_off=left, row_off=top, width=right - left, height=bottom - top)

    @property
    def cover(self) -> tuple[frozenset[int], frozenset[int]]:
        """The starts of rows and columns of as few of the windows as cover the raster."""
        rows = _cover(self.row_starts, self.size[0])
        return rows, _cover(self.col_starts, self.size[1])

    def row(self, row_off: int) -> list[Window]:
        """The windows of one row, cut to the raster."""
        return [self._window(row_off, col_off) for col_off in self.col_starts]

    def _window(self, row_off: int, col_off: int) -> Window:
        height, width = min(self.size[0], self.shape[0] - row_off), min(self.size[1], self.shape[1] - col_off)
        return Window(col_off=col_off, row_off=row_off, width=width, height=height)


def _starts(length: int, size: int, stride: int) -> list[int]:
    """0, stride, 2 stride ... until the last interval of `size` reaches `length`."""
    return list(range(0, max(length - size, 0) + stride, stride)) if length > size else [0]


def _reach(starts: list[int], size: int, wanted: tuple[int, int], length: int) -> tuple[int, int]:
    """First and end of the intervals of `size` that share something with the wanted one."""
    touching = [start for start in starts if start < wanted[1] and start + size > wanted[0]]
    return touching[0], min(touching[-1] + size, length)


def _cover(starts: list[int], size: int) -> frozenset[int]:
    """Of intervals of `size`, the fewest that leave no gap between the first and the last."""
    chosen = [starts[0]]
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        if start > chosen[-1] and (following is None or following > chosen[-1] + size):
            chosen.append(start)
    return frozenset(chosen)
