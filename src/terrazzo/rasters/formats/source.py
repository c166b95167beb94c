"""What every format tells about a file, and how its pixels are asked for."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.place import ControlPoints
from terrazzo.rasters.window import Shape, Window

READ_LIMIT_BYTES = 8 * 2**30
"""One read never allocates more than this, whatever size a file declares."""

BAND_LIMIT = 4096
"""Far beyond any instrument: a file that declares more is damaged, or its axes are in another order."""

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255 each."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A file's own account of itself, before any option is obeyed."""

    format: str
    count: int
    """Bands in the file, an alpha band included."""
    dtype: np.dtype[Any]
    """Of the values that `read` gives, in native byte order."""
    grid: Grid
    nodata: tuple[float | None, ...]
    """One a band of the file."""
    band_names: tuple[str | None, ...]
    """One a band of the file."""
    alpha: int | None = None
    """The band, from 1, that holds transparency."""
    tags: dict[str, str] = field(default_factory=dict)
    """Notes in the file, by names in capitals."""
    palette: dict[int, Color] | None = None
    block: Shape | None = None
    """(height, width) in pixels of the parts that the file stores on their own; None where it is decoded whole."""
    control: ControlPoints | None = None
    """Where single pixels lie, in a file whose grid has no place on the ground."""

    @property
    def color_bands(self) -> tuple[int, ...]:
        """Bands from 1 that hold values, not transparency."""
        return tuple(band for band in range(1, self.count + 1) if band != self.alpha)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Pixels as a file stores them."""

    values: NDArray[Any]
    """(bands, height, width), native byte order; may be a view of what is kept, so it is not written to."""
    mask: NDArray[np.bool_] | None = None
    """(height, width), True where the file's mask or alpha shows the pixel; None where all are shown."""
    holes: NDArray[np.bool_] | None = None
    """(bands, height, width), True where a value is missing; None where none is. A source leaves it to the layers above."""


class Source(Protocol):
    """An opened file of one format; `read` may be called from several threads."""

    @property
    def facts(self) -> Facts: ...

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        """Read bands (from 1, any order) of a window inside the raster; the alpha band masks unless it is asked for itself."""
        ...

    def close(self) -> None:
        """Let go of what is kept open or in memory; reading again takes it up anew."""
        ...
