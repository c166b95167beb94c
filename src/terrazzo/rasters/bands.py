"""Bands by number or by name, and what is nodata in them."""

from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import RasterError

SHOWN = 30
"""Bands that a message lists."""

Nodata = tuple[float | None, ...]


def select(path: Path, wanted: Sequence[int | str] | None, names: Sequence[str | None], default: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers, from 1, of the wanted bands.

    wanted: numbers, or names in whatever case; None means the default. names: one a band, None where it has none.
    Raises RasterError that lists the bands there are, if one is not there or its name is that of several.
    """
    return default if wanted is None else tuple(_number(path, band, wanted, names) for band in wanted)


def band_words(names: Sequence[str | None]) -> str:
    """A list of bands for people: '1 (red), 2 (green), 3'."""
    shown = [f"{number} ({name})" if name else str(number) for number, name in enumerate(names, start=1)][:SHOWN]
    return ", ".join(shown) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def nodata_of(path: Path, declared: float | list[float | None] | None, stored: Nodata, selected: tuple[int, ...]) -> Nodata:
    """Nodata of the selected bands: what the file says, else what is declared for all bands, for the selected or for the file's.

    Raises RasterError if a list is declared that has neither length.
    """
    own = tuple(stored[band - 1] for band in selected)
    if not isinstance(declared, list):
        given: Nodata = (declared,) * len(selected)
    elif len(declared) == len(selected):
        given = tuple(declared)
    elif len(declared) == len(stored):
        given = tuple(declared[band - 1] for band in selected)
    else:
        raise RasterError(f"data.nodata has {len(declared)} values; {path} has {len(selected)} bands. Give one value, or one a band.")
    return tuple(value if value is not None else other for value, other in zip(own, given, strict=True))


def _number(path: Path, band: int | str, wanted: Sequence[int | str], names: Sequence[str | None]) -> int:
    asked = f"data.bands is {list(wanted)}; {path} has"
    if isinstance(band, int):
        if not 1 <= band <= len(names):
            raise RasterError(f"{asked} bands 1 to {len(names)}.")
        return band
    numbers = [number for number, name in enumerate(names, start=1) if name is not None and name.casefold() == band.casefold()]
    if not numbers:
        raise RasterError(f"{asked} no band {band!r} but {band_words(names)}. Give names of these, or numbers.")
    if len(numbers) > 1:
        raise RasterError(f"{asked} {len(numbers)} bands {band!r}: {', '.join(map(str, numbers))}. Give a number.")
    return numbers[0]
