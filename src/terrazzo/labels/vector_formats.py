"""A vector file's format from its own first bytes: what they do not name is never opened."""

import stat
from contextlib import nullcontext
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from terrazzo.errors import LabelError

VectorFormat = Literal["GeoJSON", "GPKG", "ESRI Shapefile", "FlatGeobuf", "XML", "MapInfo File", "OpenFileGDB", "Parquet"]
XmlFormat = Literal["KML", "GML", "GPX"]

VECTOR_SUFFIXES = frozenset(
    {
        *(".geojson", ".json", ".geojsonl", ".ndjson"),
        *(".gpkg", ".gdb", ".shp", ".fgb", ".parquet", ".geoparquet"),
        *(".kml", ".gml", ".gpx", ".tab", ".mif"),
    }
)
"""Which files of a folder count as vectors; lower case. A `.gdb` is a folder itself; a `.json` may be something else."""

READABLE = "GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet, FileGDB, KML, GML, GPX, MapInfo"

_SIGNATURES: dict[bytes, VectorFormat] = {
    b"SQLite format 3\x00": "GPKG",
    b"\x00\x00\x27\x0a": "ESRI Shapefile",
    b"fgb\x03": "FlatGeobuf",
    b"PAR1": "Parquet",
    b"{": "GeoJSON",
    b"\x1e": "GeoJSON",
    b"<": "XML",
}

_NAMED: dict[tuple[str, bytes], VectorFormat] = {(".tab", b"!table"): "MapInfo File", (".mif", b"version"): "MapInfo File"}
"""Text formats without a signature of their own count only under their name."""

_REFUSED = {
    b"PK\x03\x04": "is a zip archive (or KMZ); unpack it first",
    b"\x1f\x8b": "is gzip-compressed; unpack it first",
    b"version https://git-lfs": "is a git-LFS pointer, not the file; fetch it with 'git lfs pull'",
    b"\xff\xfe": "is text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16; save it as UTF-8",
}

_SUFFIX_OF: dict[VectorFormat, str] = {"GPKG": ".gpkg", "ESRI Shapefile": ".shp"}
"""The suffix that goes with a signature which other files have too."""

_FIRST_BYTES = 1024
_DEEPEST = 100
"""Elements of XML inside each other: no map is deeper."""


def sniff_vector(path: Path) -> VectorFormat:
    """The format of a vector file; only the file itself is looked at.

    Raises LabelError if it is missing, empty, no plain file, or of no readable format.
    """
    if str(path).startswith("/vsi") or "<" in str(path)[:1]:
        raise LabelError(f"{path} is not a plain path; only files on disk are opened. Give a file's path.")
    if path.is_dir():
        if path.suffix.lower() == ".gdb" and (path / "a00000001.gdbtable").is_file():
            return "OpenFileGDB"
        raise LabelError(f"{path} is a folder; give one vector file.")
    start = _first_bytes(path)
    if not start:
        raise LabelError(f"{path} is empty (0 bytes); copy it again or leave it out.")
    return _format(path, start)


def read_xml(path: Path) -> tuple[XmlFormat, bytes]:
    """The format of an XML file and its bytes, safe to parse: without document types and entities, not too deep, pointing nowhere.

    Raises LabelError if the file is anything else.
    """
    data = read_bytes(path)
    root = _root(path, data)
    space, _, name = root.rpartition(" ")
    if b"<OGR" in data or name not in ("kml", "gpx", "FeatureCollection"):
        raise LabelError(f"{path} holds XML of another kind (<{name}>), which may point to other files: it is not opened.")
    if name == "FeatureCollection":
        if b"http://www.opengis.net/gml" not in data:
            raise LabelError(f"{path} holds a <FeatureCollection> of {space or 'no namespace'}, which is not GML: it is not opened.")
        # GDAL would fetch the schema, from other files or hosts; under this name, of the same length, nobody looks for it
        return "GML", data.replace(b"schemaLocation", b"schemaUnopened")
    return "KML" if name == "kml" else "GPX", data


def read_bytes(path: Path) -> bytes:
    """All bytes of a file.

    Raises LabelError if it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _first_bytes(path: Path) -> bytes:
    try:
        # a pipe or a device would never end
        regular = stat.S_ISREG(path.stat().st_mode)
        with path.open("rb") if regular else nullcontext() as file:
            start = None if file is None else file.read(_FIRST_BYTES)
    except FileNotFoundError as error:
        raise LabelError(f"{path} does not exist.") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if start is None:
        raise LabelError(f"{path} is not a regular file; only files on disk are opened.")
    return start


def _format(path: Path, start: bytes) -> VectorFormat:
    for signature, reason in _REFUSED.items():
        if start.startswith(signature):
            raise LabelError(f"{path} {reason}. Readable are {READABLE}.")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    suffix = path.suffix.lower()
    for (named, word), name in _NAMED.items():
        if suffix == named and text.lower().startswith(word):
            return name
    found = next((name for signature, name in _SIGNATURES.items() if start.startswith(signature) or text.startswith(signature)), None)
    if found is None or suffix != _SUFFIX_OF.get(found, suffix):
        advice = f"; a {found} file is named {_SUFFIX_OF[found]}" if found else f": its first bytes are {start[:8]!r}"
        raise LabelError(f"{path} is not a vector file that can be read{advice}. Readable are {READABLE}.")
    return found


def _root(path: Path, data: bytes) -> str:
    """Namespace and name of the outermost element; every element is looked at, nothing is built of them."""
    names: list[str] = []
    depth = 0

    def start(name: str, _: object) -> None:
        nonlocal depth
        depth += 1
        if not names:
            names.append(name)
        if depth > _DEEPEST:
            raise LabelError(f"{path} has XML elements more than {_DEEPEST} deep: it is not opened.")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise LabelError(f"{path} declares a document type or entities, as XML bombs do: it is not opened. Remove the <!DOCTYPE>.")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise LabelError(f"{path} is broken XML ({error}). Copy it again or leave it out.") from error
    return names[0]


def _unreadable(path: Path, error: OSError | ValueError) -> LabelError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return LabelError(f"{path} cannot be read: {reason}.")
