"""A file's format from its first bytes, whatever its name says."""

from pathlib import Path

from terrazzo.errors import RasterError

READABLE = "GeoTIFF, PNG, JPEG, FITS or NPY"

_SIGNATURES = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"SIMPLE  =": "FITS",
    b"\x93NUMPY": "NPY",
}

_REFUSED = {
    b"\x1f\x8b": "is gzip-compressed; unpack it first",
    b"PK\x03\x04": "is a zip archive or NPZ; unpack it first",
    b"\x89HDF": "is HDF5 or NetCDF; convert it to GeoTIFF first",
    b"version https://git-lfs": "is a git-LFS pointer, not the image; fetch it with 'git lfs pull'",
    b"GIF8": "is a GIF; convert it to PNG first",
    b"BM": "is a BMP; convert it to PNG first",
    b"RIFF": "is a WebP; convert it to PNG first",
    b"\x00\x00\x00\x0cjP": "is JPEG 2000; convert it to GeoTIFF first",
}

_LONGEST = 32


def sniff(path: Path) -> str:
    """The format of an image file: GTiff, PNG, JPEG, FITS or NPY.

    Only the file itself is looked at: nothing that it may point to is opened.
    Raises RasterError if the file is missing, empty, unreadable or of no readable format.
    """
    start = _first_bytes(path)
    if not start:
        raise RasterError(f"{path} is empty (0 bytes); copy it again or leave it out.")
    for signature, name in _SIGNATURES.items():
        if start.startswith(signature):
            return name
    for signature, reason in _REFUSED.items():
        if start.startswith(signature):
            raise RasterError(f"{path} {reason}. Readable are {READABLE}.")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise RasterError(f"{path} holds XML (such as a VRT), which may point to other files: it is not opened. Readable are {READABLE}.")
    raise RasterError(f"{path} is not an image that can be read: its first bytes are {start[:8]!r}. Readable are {READABLE}.")


def _first_bytes(path: Path) -> bytes:
    if str(path).startswith("/vsi") or "<" in str(path)[:1]:
        raise RasterError(f"{path} is not a plain path; only files on disk are opened. Give a file's path.")
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST)
    except FileNotFoundError as error:
        raise RasterError(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise RasterError(f"{path} is a folder; give one image file.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RasterError(f"{path} cannot be read: {reason}.") from error
