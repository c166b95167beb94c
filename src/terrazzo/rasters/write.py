"""Files that are whole under their final name, or not there: any file, class maps, rasters of any bands."""

import csv
import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.fits_rows import FitsFile, FitsLayout
from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.rows import PngFile, RowFile, Rows
from terrazzo.rasters.tiff_rows import TiffFile, TiffLayout
from terrazzo.rasters.window import Shape

NODATA = 255
"""What a class map holds where nothing is predicted."""

LEGEND_TAG = "TERRAZZO_LEGEND"
"""The tag that holds a class map's legend as JSON: look for it in Raster.tags."""

PROVENANCE_TAG = "TERRAZZO_PROVENANCE"
"""The tag that says what a class map was made with, as JSON."""

_MAP = np.dtype(np.uint8)

_HALF_WRITTEN = re.compile(r"\..*-[0-9a-f]{8}(\.[^.]*)?|\.tmp\w{6}")
"""Names of what is not whole yet: of `writing`, of `check_writable`, and of the library that writes tensors."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file safely: yields a temporary path in the same folder, which becomes `path` if the block succeeds.

    Missing folders are made. If the block or the disk fails, nothing is left and what was at `path` stays.
    Raises EnvironmentFault if the folder cannot be made or written, or the disk is full.
    """
    # hidden, so that no folder of images counts it in, should the machine stop before it is removed
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        # errors of this project that are OSErrors too carry their own sentence, and no errno
        if error.errno is None:
            raise
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror or error}. Free the disk or choose another folder.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; see `writing`."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in UTF-8 with the line ends of the text; see `writing`."""
    # names of files may hold bytes that are no text; they are shown by their numbers
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table whole or not at all: texts stand in quotes, numbers are exact, None is empty; see `writing`."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(
        ["" if value is None else value for value in row] for row in rows
    )
    write_text(path, text.getvalue())


def check_writable(folder: Path) -> None:
    """Make a folder if it is missing and prove that files can be written to it.

    Raises EnvironmentFault if not.
    """
    probe = folder / f".writable-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
    except OSError as error:
        raise EnvironmentFault(f"{folder} cannot be written: {error.strerror or error}. Choose another folder.") from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left half written in a folder, which nobody else may be writing to now."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _HALF_WRITTEN.fullmatch(path.name) and path.is_file():
                path.unlink()


@dataclass(frozen=True, kw_only=True)
class MapStyle:
    """How a class map shows itself in other programs."""

    colors: Mapping[int, Color]
    """Class value to colour."""
    legend_json: str
    """What the map carries under LEGEND_TAG."""
    provenance_json: str = "{}"
    """What the map carries under PROVENANCE_TAG."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Class value to name, for formats that show it."""
    cards: fits.Header = field(default_factory=fits.Header)
    """Of the image, where both are FITS; see `formats.fits.FitsImage.cards`."""

    @property
    def tags(self) -> dict[str, str]:
        return {LEGEND_TAG: self.legend_json, PROVENANCE_TAG: self.provenance_json}


class MapWriter:
    """Writes a class map from top to bottom, uint8, nodata 255; under its final name it is whole and was read back.

    A path that ends in .png gives a palette PNG whose index is the class value, .fits a FITS image, any other a cloud-optimised
    GeoTIFF.
    """

    def __init__(self, path: Path, grid: Grid, style: MapStyle) -> None:
        def opener(temporary: Path) -> RowFile:
            if path.suffix.lower() == ".png":
                return PngFile(temporary, style.colors, {tag.lower(): text for tag, text in style.tags.items()})
            if path.suffix.lower() == ".fits":
                names, tags = style.names, style.tags
                return FitsFile(temporary, grid.shape, FitsLayout(dtype=_MAP, cards=style.cards, nodata=NODATA, names=names, tags=tags))
            colors = {**style.colors, NODATA: (0, 0, 0)}
            return TiffFile(temporary, grid, TiffLayout(dtype=_MAP, nodata=NODATA, colors=colors, tags=style.tags))

        self._context = _writing_rows(path, (1, *grid.shape), _MAP, opener)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows, (height, width), of any height."""
        self._rows.add(rows[None])

    def __enter__(self) -> Self:
        self._rows = self._context.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._context.__exit__(kind, error, trace)


@contextmanager
def writing_bands(path: Path, grid: Grid, layout: TiffLayout) -> Iterator[Rows]:
    """Write a cloud-optimised GeoTIFF of any bands and type: yields what takes rows (bands, height, width); see MapWriter."""

    def opener(temporary: Path) -> RowFile:
        return TiffFile(temporary, grid, layout)

    with _writing_rows(path, (len(layout.band_names), *grid.shape), layout.dtype, opener) as rows:
        yield rows


@contextmanager
def writing_fits(path: Path, shape: Shape, layout: FitsLayout) -> Iterator[Rows]:
    """Write a FITS image of any bands and type from top to bottom; see `writing_bands`."""

    def opener(temporary: Path) -> RowFile:
        return FitsFile(temporary, shape, layout)

    with _writing_rows(path, (layout.bands, *shape), layout.dtype, opener) as rows:
        yield rows


@contextmanager
def _writing_rows(path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], opener: Callable[[Path], RowFile]) -> Iterator[Rows]:
    with writing(path) as temporary:
        file = opener(temporary)
        try:
            rows = Rows(path, shape, dtype, file)
            yield rows
            rows.check_complete()
            file.finish()
        finally:
            file.close()


def _flush(path: Path) -> None:
    # a rename may reach the disk before the bytes do: after a power cut the file would be empty
    with path.open("rb+") as file:
        os.fsync(file.fileno())
