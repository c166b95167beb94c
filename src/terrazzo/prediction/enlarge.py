"""Back to an image's own size: probabilities of another working size are interpolated, its own pixels say what is valid.

working rows    ---0---------1---------2---      centres of rows; a row of the image between two of them
image's rows    -0---1----2---3----4---5-       is made of both, by its distance (likewise along the row)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.blend import BlendedRows
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Shape, Window

Numbers = NDArray[np.float32]
Read = Callable[[Window], Pixels]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """An image in two sizes, of which parts are worked on."""

    working: Shape
    """(height, width) of the image as the model reads it."""
    full: Shape
    """(height, width) of the image itself."""
    worked: Window
    """The part of it that is predicted, in working pixels."""
    mapped: Window
    """The part of it that is mapped, in pixels of the image itself."""

    @classmethod
    def of(cls, raster: Raster, full: Raster) -> "Sizes":
        """raster, full: the image, or a part of it, in both sizes."""
        return cls(working=raster.whole.shape, full=full.whole.shape, worked=raster.window, mapped=full.window)

    @property
    def rows(self) -> "_Between":
        return _Between.of(self.working[0], self.full[0]).part(slice(self.mapped.row_off, self.mapped.row_end), self.worked.row_off)

    @property
    def columns(self) -> "_Between":
        return _Between.of(self.working[1], self.full[1]).part(slice(self.mapped.col_off, self.mapped.col_end), self.worked.col_off)

    def needed(self, rows: range) -> range:
        """The working rows that rows of the map are made of; both counted within their parts. rows: one at least."""
        return range(int(self.rows.first[rows.start]), int(self.rows.second[rows.stop - 1]) + 1)


def at_full_size(pieces: Iterable[BlendedRows], sizes: Sizes, read: Read, wanted: range | None = None) -> Iterator[BlendedRows]:
    """Finished rows of the image, in order.

    Probabilities are interpolated linearly between the working pixels that have one. A pixel is valid where the image's own is.

    pieces: from top to bottom, every working row once that is needed. read: reads a window of the map's own pixels.
    wanted: rows of the map; None: all.
    """
    columns, rows = sizes.columns, sizes.rows
    wanted = range(sizes.mapped.height) if wanted is None else wanted
    kept = _Shares.none()
    done = wanted.start
    for piece in pieces:
        kept = kept.followed_by(_Shares.of(piece))
        ready = min(int(np.searchsorted(rows.second, kept.row_off + kept.height)), wanted.stop)
        if ready > done:
            yield _enlarged(kept, rows.part(slice(done, ready), kept.row_off), columns, read, done)
        done = ready
        # the next rows of the image may lie below the last working row that is there
        if done < wanted.stop:
            kept = kept.from_row(int(rows.first[done]))


@dataclass(frozen=True, kw_only=True)
class _Between:
    """Between which two pixels of the working size the centre of each pixel of the full size lies, and how near to the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    nearness: Numbers

    @classmethod
    def of(cls, working: int, full: int) -> "_Between":
        centre = np.clip((np.arange(full) + 0.5) * working / full - 0.5, 0, working - 1)
        first = np.floor(centre).astype(np.int64)
        return cls(first=first, second=np.minimum(first + 1, working - 1), nearness=(centre - first).astype(np.float32))

    def part(self, taken: slice, origin: int) -> "_Between":
        """Some of them, counted from a pixel of the working size."""
        return _Between(first=self.first[taken] - origin, second=self.second[taken] - origin, nearness=self.nearness[taken])


@dataclass(frozen=True, kw_only=True)
class _Shares:
    """Working rows: probabilities, and a last layer that is 1 where there are any, else 0 throughout."""

    row_off: int
    layers: Numbers
    """(classes + 1, rows, width)."""

    @classmethod
    def none(cls) -> "_Shares":
        return cls(row_off=0, layers=np.zeros((0, 0, 0), np.float32))

    @classmethod
    def of(cls, piece: BlendedRows) -> "_Shares":
        shares = piece.probabilities()
        known = (piece.totals > 0) & piece.valid
        return cls(row_off=piece.row_off, layers=np.concatenate([shares, known[np.newaxis]]).astype(np.float32))

    @property
    def height(self) -> int:
        return int(self.layers.shape[1])

    def followed_by(self, other: "_Shares") -> "_Shares":
        if not self.height:
            return other
        return _Shares(row_off=self.row_off, layers=np.concatenate([self.layers, other.layers], axis=1))

    def from_row(self, row: int) -> "_Shares":
        return _Shares(row_off=row, layers=self.layers[:, row - self.row_off :])


def _enlarged(kept: _Shares, rows: _Between, columns: _Between, read: Read, row_off: int) -> BlendedRows:
    width = len(columns.first)
    nearness = rows.nearness[:, np.newaxis]
    down = kept.layers[:, rows.first] * (1 - nearness) + kept.layers[:, rows.second] * nearness
    layers = down[..., columns.first] * (1 - columns.nearness) + down[..., columns.second] * columns.nearness
    known = layers[-1]
    shares = layers[:-1] / np.where(known > 0, known, 1)
    return BlendedRows(
        row_off=row_off,
        sums=np.rint(shares).astype(np.uint32),
        totals=(known > 0).astype(np.uint32),
        valid=read(Window(col_off=0, row_off=row_off, width=width, height=len(rows.first))).valid,
    )
