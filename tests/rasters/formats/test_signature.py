import gzip
from pathlib import Path

import pytest

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.signature import sniff


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"II*\x00", "GTiff"),
        (b"MM\x00*", "GTiff"),
        (b"II+\x00", "GTiff"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"\x93NUMPY\x01\x00", "NPY"),
        (b"PK\x03\x04", "NPZ"),
        (gzip.compress(b"SIMPLE  =                    T", mtime=0), "FITS"),
    ],
)
def test_the_bytes_tell_whatever_the_name_says(tmp_path: Path, start: bytes, expected: str) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(start + bytes(100))
    assert sniff(path) == expected


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"", "empty"),
        (b"<VRTDataset rasterXSize='1'>", "XML"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x05\x06", "empty zip"),
        (b"\x1f\x8b\x08", "gzip"),
        (gzip.compress(b"\x93NUMPY\x01\x00", mtime=0), "gzip"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"GIF89a", "GIF"),
        (b"hello", "first bytes are b'hello'"),
        (b"\x80\x04\x95", "first bytes"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, start: bytes, reason: str) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(start)
    with pytest.raises(RasterError) as caught:
        sniff(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("path", ["/vsizip/a.zip/a.tif", "/vsicurl/http://localhost/a.tif", "/vsimem/a.tif", "<VRTDataset></VRTDataset>"])
def test_paths_that_are_no_files_are_not_handed_on(path: str) -> None:
    with pytest.raises(RasterError, match="only files on disk"):
        sniff(Path(path))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match=r"missing\.tif does not exist"):
        sniff(tmp_path / "missing.tif")
    with pytest.raises(RasterError, match="is a folder"):
        sniff(tmp_path)
    with pytest.raises(RasterError, match="cannot be read"):
        sniff(tmp_path / ("n" * 300))
