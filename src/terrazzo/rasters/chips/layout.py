"""Where the chips of an image lie, and which of them are read together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrazzo.errors import WindowError
from terrazzo.rasters.chips.options import ChipOptions
from terrazzo.rasters.window import Shape, Window

READ_BYTES = 16 * 2**20
"""Chips beside each other are read at once, up to about so much."""

RUN_LIMIT = 64
"""But no more chips than this: a run is noted when all of it is done."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """One side of a chip: what it covers and how much of that is image."""

    start: int
    length: int
    inside: int
    """Pixels from the start on that lie inside the image, at least 1."""


@dataclass(frozen=True, kw_only=True)
class ChipPlace:
    """A chip of an image."""

    window: Window
    """What the file holds; with padding it reaches beyond the image."""
    shown: Window
    """The part of it that lies inside the image; it begins where the window does."""

    @property
    def suffix(self) -> str:
        """What its name has after that of the image."""
        return f"_{self.window.col_off}_{self.window.row_off}"

    @property
    def padded(self) -> bool:
        return self.window != self.shown


def chip_runs(shape: Shape, options: ChipOptions, pixel_bytes: int) -> Iterator[list[ChipPlace]]:
    """All chips of an image, row by row, in runs of neighbours that are worth one read.

    With a stride up to the size, every pixel right of and below the offset lies in at least one chip.

    shape: (height, width) of the image. pixel_bytes: of all bands of a pixel.
    Raises WindowError if the offset lies outside the image.
    """
    rows = spans(shape[0], options.offset[1], options.shape[0], options.steps[0], options.edges)
    columns = spans(shape[1], options.offset[0], options.shape[1], options.steps[1], options.edges)
    across = min(RUN_LIMIT, max(1, READ_BYTES // (options.shape[0] * options.steps[1] * pixel_bytes)))
    for row in rows:
        for first in range(0, len(columns), across):
            yield [_place(row, column) for column in columns[first : first + across]]


def chip_count(shape: Shape, options: ChipOptions) -> int:
    """How many chips an image has. Raises WindowError if the offset lies outside the image."""
    rows = spans(shape[0], options.offset[1], options.shape[0], options.steps[0], options.edges)
    columns = spans(shape[1], options.offset[0], options.shape[1], options.steps[1], options.edges)
    return len(rows) * len(columns)


def spans(length: int, offset: int, size: int, step: int, edges: str) -> list[Span]:
    """The chips along one side of an image.

    None lies wholly in the one before it. With 'shift', an image that is shorter than a chip is padded.
    Raises WindowError if the offset lies outside the image.
    """
    if offset >= length:
        raise WindowError(f"offset is {offset} px, but the image is only {length} px long there. Lower the offset.")
    found: list[Span] = []
    for start in range(offset, length, step):
        if edges == "shift" and start + size > length >= size:
            moved = length - size
            if not found or found[-1].start < moved:
                found.append(Span(start=moved, length=size, inside=size))
            break
        inside = min(size, length - start)
        found.append(Span(start=start, length=inside if edges == "partial" else size, inside=inside))
        if start + size >= length:
            break
    return found


def around(places: Sequence[ChipPlace]) -> Window:
    """The part of the image that a run of chips shows."""
    left, top = min(place.shown.col_off for place in places), min(place.shown.row_off for place in places)
    right, bottom = max(place.shown.col_end for place in places), max(place.shown.row_end for place in places)
    return Window(col_off=left, row_off=top, width=right - left, height=bottom - top)


def _place(row: Span, column: Span) -> ChipPlace:
    return ChipPlace(
        window=Window(col_off=column.start, row_off=row.start, width=column.length, height=row.length),
        shown=Window(col_off=column.start, row_off=row.start, width=column.inside, height=row.inside),
    )
