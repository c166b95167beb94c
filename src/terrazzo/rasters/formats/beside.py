"""What may lie beside a TIFF: a world file, GDAL's notes on its place and nodata, and a mask. Nothing else is looked at."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from pathlib import Path

from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.signature import first_bytes, sniff
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.place import ControlPoints, control_point

NOTES_BYTES = 2**20
"""Larger notes are refused: a place and a nodata value take less than a thousandth of it."""

_WORLD_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is told beside a file. Notes are what GIS programs write to `<file>.aux.xml` where they may not change the file itself."""

    crs: CRS | None = None
    """Of the notes."""
    transform: Affine | None = None
    """Of the notes."""
    control: ControlPoints | None = None
    """Of the notes."""
    nodata: dict[int, float] = field(default_factory=dict)
    """Of the notes, by band from 1."""
    world: Affine | None = None
    """(column, row) of pixel corners to (x, y), of the world file."""
    mask: Path | None = None


def find_beside(path: Path) -> Beside:
    """What lies beside a TIFF; nothing is looked for at an address. Raises RasterError if it is broken."""
    if isinstance(path, RemotePath):
        return Beside()
    return replace(_read_notes(path), world=_read_world_file(path), mask=_find_mask(path))


def _read_notes(path: Path) -> Beside:
    """The notes beside a TIFF, empty where there are none.

    Raises RasterError if they are broken, too large, or use XML entities.
    """
    place = _beside(path, ".aux.xml")
    if place is None:
        return Beside()
    text = first_bytes(place, NOTES_BYTES + 1)
    # entities are the dangerous part of XML; other encodings than UTF-8 could hide them
    if len(text) > NOTES_BYTES or b"\0" in text or b"<!" in text.replace(b"<!--", b""):
        raise RasterError(f"{place} is too large or declares XML entities, so it is not read. Remove it, or write it anew.")
    try:
        return _parse(ET.fromstring(text))  # noqa: S314 - no entities, as was just made sure of
    except (ET.ParseError, ValueError, KeyError, CRSError) as error:
        raise RasterError(f"{place} cannot be read ({' '.join(str(error).split())}). Remove it, or write it anew.") from error


def _read_world_file(path: Path) -> Affine | None:
    """(column, row) of pixel corners to (x, y) as the world file beside a TIFF says, or None where there is none.

    A world file of image.tif is called image.tfw, image.tifw or image.wld.
    Raises RasterError if it does not hold six numbers.
    """
    place = next((found for suffix in _world_suffixes(path) if _is_file(found := path.with_suffix(suffix))), None)
    if place is None:
        return None
    try:
        a, d, b, e, c, f = map(float, first_bytes(place, _WORLD_BYTES).split())
    except ValueError as error:
        raise RasterError(
            f"{place} is no world file of {path.name}: it must hold six numbers, a line each ({error}). Remove it, or write it anew."
        ) from error
    # it gives the centre of the first pixel
    return Affine(a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)


def _find_mask(path: Path) -> Path | None:
    """The mask file beside a TIFF, or None. Raises RasterError if it is no TIFF: another format could point to other files."""
    place = _beside(path, ".msk")
    if place is not None and sniff(place) != "GTiff":
        raise RasterError(f"{place} is not a GeoTIFF, so it cannot be the mask of {path.name}. Remove it, or write it anew.")
    return place


def _beside(path: Path, suffix: str) -> Path | None:
    place = path.with_name(path.name + suffix)
    return place if _is_file(place) else None


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:
        # beside the longest name that a disk takes, a longer one cannot be
        return False


def _world_suffixes(path: Path) -> list[str]:
    letters = path.suffix.removeprefix(".")
    if not letters:
        return []
    suffixes = [f".{letters[0]}{letters[-1]}w", f".{letters}w", ".wld"]
    return suffixes + [suffix.upper() for suffix in suffixes]


def _parse(root: ET.Element) -> Beside:
    wkt, numbers = root.findtext("SRS"), root.findtext("GeoTransform")
    return Beside(
        crs=CRS.from_wkt(wkt) if wkt else None,
        transform=_transform(numbers) if numbers else None,
        nodata={
            int(band.get("band", 1)): float(value)
            for band in root.iter("PAMRasterBand")
            if (value := band.findtext("NoDataValue")) is not None
        },
        control=_control(root.find("GCPList")),
    )


def _control(points: ET.Element | None) -> ControlPoints | None:
    if points is None or not points.get("Projection"):
        return None
    found = [[float(point.attrib[key]) for key in ("Pixel", "Line", "X", "Y")] for point in points.iter("GCP")]
    return ControlPoints(crs=CRS.from_wkt(points.attrib["Projection"]), points=tuple(control_point(a, b, (x, y)) for a, b, x, y in found))


def _transform(text: str) -> Affine:
    c, a, b, f, d, e = (float(number) for number in re.split(r"[\s,]+", text.strip()))
    return Affine(a, b, c, d, e, f)
