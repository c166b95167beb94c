"""Pieces: what lies on each side of a border, of the windows that it cuts.

a window on two sides:      its pieces:              each is a window of its own; what a chip of full size
+-----+----+                +-----+ +----+           has beyond it is padded and ignored
|  A  | B  |                |  A  | | B  |
+-----+----+                +-----+ +----+
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.samples.count import Counts
from terrazzo.samples.split.blocks import SLACK, Blocks
from terrazzo.samples.split.deal import Sides
from terrazzo.samples.table import PARTS, Samples, pixels_column

SMALLEST = 0.25
"""Pieces smaller than this share of a window are left out."""

PIECE_OF = "piece_of"
"""The column that says which sample a piece was cut from; empty for whole windows."""

Recount = Callable[[Mapping[str, Sequence[Window]]], Mapping[str, Counts]]
"""Counts what windows of scenes hold."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a window."""

    row: int
    """Position of the window in the table."""
    window: Window
    side: int


def without_pieces(samples: Samples) -> Samples:
    """The table before any window was cut."""
    if PIECE_OF not in samples.frame:
        return samples
    return replace(samples, frame=samples.frame[samples.frame[PIECE_OF].isna()].drop(columns=PIECE_OF))


def cut_pieces(samples: Samples, blocks: Blocks, dropped: NDArray[np.int64], sides: Sides) -> Iterator[Piece]:
    """Cut windows across borders: of each, the largest rectangle on each side, if it is large enough.

    Windows whose rows do not run along the blocks' are left out: a straight cut would leave ground on two sides.

    dropped: positions of the windows. sides: of each block.
    """
    windows = samples.windows()
    smallest = SMALLEST * samples.size[0] * samples.size[1]
    for row in dropped[blocks.canvas.straight[dropped]].tolist():
        cells = _cells(blocks, row, sides)
        rows, columns = _cuts(blocks, row, windows[row])
        for side in np.unique(cells).tolist():
            piece = _largest(cells == side, rows, columns)
            if piece is not None and piece.width * piece.height >= smallest:
                yield Piece(row=row, window=piece, side=side)


def with_pieces(samples: Samples, pieces: Sequence[Piece], recount: Recount) -> Samples:
    """The table with a row for each piece, after the others; those without a valid, labelled pixel are left out."""
    if not pieces:
        return samples
    parents = samples.frame.iloc[[piece.row for piece in pieces]]
    counts = _counted(parents["scene"].tolist(), pieces, recount)
    pixels = counts.pixels
    columns: dict[str, object] = {
        **{name: [getattr(piece.window, name) for piece in pieces] for name in ("col_off", "row_off", "width", "height")},
        "valid_share": pixels.sum(1) * _valid_pixels_share(parents),
        "objects": counts.objects,
        **{pixels_column(value): pixels[:, index] for index, value in enumerate(samples.legend.sets.values)},
        "split": pd.array([PARTS[piece.side] for piece in pieces], dtype=object),
        PIECE_OF: pd.array(parents.index.to_numpy(), dtype="Int64"),
        "geometry": _outlines(parents, pieces),
    }
    first = int(samples.frame.index.max()) + 1
    rows = parents.assign(**columns)[pixels.any(1)]
    rows.index = pd.RangeIndex(first, first + len(rows))
    whole = samples.frame.assign(**{PIECE_OF: pd.array([pd.NA] * len(samples), dtype="Int64")})
    return replace(samples, frame=geopandas.GeoDataFrame(pd.concat([whole, rows]), crs=samples.frame.crs))


def _cells(blocks: Blocks, row: int, sides: Sides) -> Sides:
    """(rows, columns) the sides of the blocks that a window touches."""
    first, last = blocks.ranges
    return np.array(
        [
            [sides[blocks.unit(row, down, right)] for right in range(first[row, 1], last[row, 1] + 1)]
            for down in range(first[row, 0], last[row, 0] + 1)
        ],
        np.int8,
    )


def _cuts(blocks: Blocks, row: int, window: Window) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(first, end) rows of the image in each row of blocks that a window touches, and columns in each column."""
    first, last = blocks.ranges
    left, top, right, bottom = blocks.canvas.edges[row]
    downs = _spans(first[row, 0], last[row, 0], blocks.block[0], (top, bottom), (window.row_off, window.height))
    rights = _spans(first[row, 1], last[row, 1], blocks.block[1], (left, right), (window.col_off, window.width))
    return downs, rights


def _spans(first: int, last: int, side: int, edges: tuple[float, float], pixels: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels of a window in each block along one side; a pixel that a border cuts is in none."""
    scale = pixels[1] / (edges[1] - edges[0])
    cuts = [(number * side - edges[0]) * scale for number in range(first + 1, last + 1)]
    starts = [0, *(int(np.ceil(cut - SLACK)) for cut in cuts)]
    ends = [*(int(np.floor(cut + SLACK)) for cut in cuts), pixels[1]]
    return [(pixels[0] + start, pixels[0] + end) for start, end in zip(starts, ends, strict=True)]


def _largest(mine: NDArray[np.bool_], rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]]) -> Window | None:
    """The largest rectangle of cells that are all mine."""
    best: tuple[int, Window] | None = None
    for top in range(mine.shape[0]):
        for bottom in range(top, mine.shape[0]):
            for left in range(mine.shape[1]):
                for right in range(left, mine.shape[1]):
                    width, height = columns[right][1] - columns[left][0], rows[bottom][1] - rows[top][0]
                    fits = width > 0 and height > 0 and mine[top : bottom + 1, left : right + 1].all()
                    if fits and (best is None or width * height > best[0]):
                        best = width * height, Window(col_off=columns[left][0], row_off=rows[top][0], width=width, height=height)
    return best[1] if best is not None else None


def _counted(scenes: Sequence[str], pieces: Sequence[Piece], recount: Recount) -> Counts:
    """What the pieces hold, in their order."""
    places = pd.Series(np.arange(len(pieces))).groupby(np.array(scenes, object), sort=False).indices
    found = recount({str(scene): [pieces[place].window for place in members] for scene, members in places.items()})
    order = np.argsort(np.concatenate(list(places.values())), kind="stable")
    return Counts(
        pixels=np.concatenate([found[str(scene)].pixels for scene in places])[order],
        objects=np.concatenate([found[str(scene)].objects for scene in places])[order],
    )


def _valid_pixels_share(parents: geopandas.GeoDataFrame) -> NDArray[np.float64]:
    """What one valid pixel is of each window's full size."""
    pixels = parents.filter(regex=r"^pixels_\d+$").sum(axis=1).to_numpy(np.float64)
    share: NDArray[np.float64] = parents["valid_share"].to_numpy(np.float64) / np.maximum(pixels, 1)
    return share


def _outlines(parents: geopandas.GeoDataFrame, pieces: Sequence[Piece]) -> NDArray[np.object_]:
    """The footprints of the pieces, from those of the windows that they were cut from."""
    outlines = np.full(len(pieces), None, object)
    placed = np.flatnonzero(parents.geometry.notna())
    corners = shapely.get_coordinates(parents.geometry.to_numpy()[placed]).reshape(-1, 5, 2)[:, :4]
    whole = parents[["col_off", "row_off", "width", "height"]].to_numpy(np.float64)[placed]
    edges = np.array(
        [(piece.window.col_off, piece.window.row_off, piece.window.col_end, piece.window.row_end) for piece in pieces], np.float64
    )
    low = (edges[placed, :2] - whole[:, :2]) / whole[:, 2:]
    high = (edges[placed, 2:] - whole[:, :2]) / whole[:, 2:]
    across = np.stack([low[:, 0], high[:, 0], high[:, 0], low[:, 0]], axis=1)[..., np.newaxis]
    down = np.stack([low[:, 1], low[:, 1], high[:, 1], high[:, 1]], axis=1)[..., np.newaxis]
    upper_left, upper_right, lower_right, lower_left = (corners[:, [place]] for place in range(4))
    upper = upper_left * (1 - across) + upper_right * across
    lower = lower_left * (1 - across) + lower_right * across
    outlines[placed] = shapely.polygons(upper * (1 - down) + lower * down)
    return outlines
