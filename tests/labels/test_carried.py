"""Maps that were written here."""

import struct
import zlib
from pathlib import Path

import pytest

from terrazzo.errors import RasterError
from terrazzo.labels.carried import carried_legend, open_map
from terrazzo.rasters.raster import open_raster


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_png_map_beyond_the_limit_of_pictures_opens(tmp_path: Path) -> None:
    """Its pixels are not looked at before they are read."""
    size = struct.pack(">IIBBBBB", 30_000, 20_001, 8, 3, 0, 0, 0)
    parts = [chunk(b"IHDR", size), chunk(b"PLTE", bytes(768)), chunk(b"IDAT", bytes(10**6)), chunk(b"IEND", b"")]
    path = tmp_path / "a_predseg.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(RasterError, match="the limit is 400"):
        open_raster(path)
    raster = open_map(path)
    assert raster.shape == (20_001, 30_000)
    assert carried_legend(raster) is None
