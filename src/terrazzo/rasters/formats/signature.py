"""A file's format from its first bytes, whatever its name says."""

import stat
import zlib
from pathlib import Path

from terrazzo.errors import RasterError

READABLE = "GeoTIFF, PNG, JPEG, FITS, NPY or NPZ"

GZIP = b"\x1f\x8b"

_SIGNATURES = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"SIMPLE  =": "FITS",
    b"\x93NUMPY": "NPY",
    b"PK\x03\x04": "NPZ",
}

_REFUSED = {
    GZIP: "is gzip-compressed and holds no FITS; unpack it first",
    b"PK\x05\x06": "is an empty zip archive or NPZ",
    b"\x89HDF": "is HDF5 or NetCDF; convert it to GeoTIFF first",
    b"version https://git-lfs": "is a git-LFS pointer, not the image; fetch it with 'git lfs pull'",
    b"GIF8": "is a GIF; convert it to PNG first",
    b"BM": "is a BMP; convert it to PNG first",
    b"RIFF": "is a WebP; convert it to PNG first",
    b"\x00\x00\x00\x0cjP": "is JPEG 2000; convert it to GeoTIFF first",
}

_START = 1024
"""Bytes that are looked at: a gzip file may have its old name before the compressed bytes."""

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe, not a file",
    stat.S_ISSOCK: "a socket, not a file",
    stat.S_ISCHR: "a device, not a file",
    stat.S_ISBLK: "a device, not a file",
}


def sniff(path: Path) -> str:
    """The format of an image file: GTiff, PNG, JPEG, FITS (also gzip-compressed), NPY or NPZ.

    Only the file itself is looked at: nothing that it may point to is opened.
    Raises RasterError if the file is missing, empty, unreadable, no plain file or of no readable format.
    """
    start = first_bytes(path, _START)
    if not start:
        raise RasterError(f"{path} is empty (0 bytes); copy it again or leave it out.")
    inner = _gunzipped(start) if start.startswith(GZIP) else start
    for signature, name in _SIGNATURES.items():
        if inner.startswith(signature) and (inner is start or name == "FITS"):
            return name
    for signature, reason in _REFUSED.items():
        if start.startswith(signature):
            raise RasterError(f"{path} {reason}. Readable are {READABLE}.")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise RasterError(f"{path} holds XML (such as a VRT), which may point to other files: it is not opened. Readable are {READABLE}.")
    raise RasterError(f"{path} is not an image that can be read: its first bytes are {start[:8]!r}. Readable are {READABLE}.")


def first_bytes(path: Path, count: int) -> bytes:
    """Up to so many bytes of a plain file. Raises RasterError if there is none, or it cannot be read.

    Pipes and devices are not opened: they could wait for ever.
    """
    # relative names count from the folder, and the root folder makes them the names that GDAL takes for its own
    if str(path.absolute()).startswith("/vsi") or str(path).startswith("<"):
        raise RasterError(f"{path} is not a plain path; only files on disk are opened. Give a file's path.")
    try:
        mode = path.stat().st_mode
        kind = next((kind for found, kind in _KINDS.items() if found(mode)), None)
        if kind is None:
            with path.open("rb") as file:
                return file.read(count)
    except FileNotFoundError as error:
        raise RasterError(f"{path} does not exist.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RasterError(f"{path} cannot be read: {reason}.") from error
    raise RasterError(f"{path} is {kind}; give one image file.")


def _gunzipped(start: bytes) -> bytes:
    """The first bytes of what is compressed, as far as they can be told; empty where the stream is broken."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(start, len("SIMPLE  ="))
    except zlib.error:
        return b""
