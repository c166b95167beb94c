from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

CUBE = np.arange(3 * 7 * 5, dtype=np.int32).reshape(3, 7, 5)


def save(path: Path, values: NDArray[Any]) -> Path:
    np.save(path, values, allow_pickle=True)
    return path


@pytest.mark.parametrize(
    ("values", "axes", "expected"),
    [
        (CUBE, "auto", CUBE),
        (CUBE, "bands_first", CUBE),
        (np.moveaxis(CUBE, 0, 2), "bands_last", CUBE),
        (np.asfortranarray(CUBE), "auto", CUBE),
        (CUBE[0], "auto", CUBE[:1]),
        (CUBE[0], "bands_last", CUBE[:1]),
        (CUBE > 20, "auto", (CUBE > 20).astype(np.uint8)),
        (CUBE.astype(">f8"), "auto", CUBE.astype(np.float64)),
        (CUBE.astype(np.float16), "auto", CUBE.astype(np.float16)),
    ],
)
def test_axes_and_types(tmp_path: Path, values: NDArray[Any], axes: Any, expected: NDArray[Any]) -> None:
    raster = open_raster(save(tmp_path / "array.npy", values), DataOptions(axes=axes))
    pixels = raster.read()
    assert raster.dtype == pixels.values.dtype == expected.dtype
    np.testing.assert_array_equal(pixels.values, expected)
    pixels = raster.read(Window(col_off=1, row_off=2, width=3, height=4))
    np.testing.assert_array_equal(pixels.values, expected[:, 2:6, 1:4])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([{"a": 1}], object), "Python objects"),
        (np.ones((2, 2), complex), "complex128"),
        (np.array([["a", "b"]]), "<U1"),
        (np.zeros((2, 2), [("a", "i4")]), "real numbers"),
        (np.zeros((2, 2), np.longdouble), "at most 64 bits"),
        (np.zeros(5), r"\(5,\)"),
        (np.zeros((1, 2, 3, 4)), r"\(1, 2, 3, 4\)"),
        (np.zeros((0, 4)), r"\(0, 4\)"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, values: NDArray[Any], reason: str) -> None:
    with pytest.raises(RasterError, match=rf"array\.npy.*{reason}"):
        open_raster(save(tmp_path / "array.npy", values))


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (tmp_path / "run",)

    path = save(tmp_path / "trap.npy", np.array([Trap()], object))
    with pytest.raises(RasterError):
        open_raster(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "header", [b"{'descr': '<i4', 'fortran_order': False, 'shape': (1000000, 1000000), }", b"{'descr': ", b"\xff" * 40]
)
def test_headers_that_lie_or_are_broken(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "array.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(64))
    with pytest.raises(RasterError, match=r"array\.npy is not a readable NPY"):
        open_raster(path)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_long_header_is_not_read(tmp_path: Path, version: int) -> None:
    path = tmp_path / "array.npy"
    length = b"\xff\xff" if version == 1 else b"\xff\xff\xff\xff"
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + b" " * 70_000)
    with pytest.raises(RasterError, match=r"array\.npy is not a readable NPY"):
        open_raster(path)


@pytest.mark.parametrize("nested", [b"(" * 9000, b"-" * 9000 + b"1", b"[" * 4000 + b"]" * 4000])
def test_a_header_nested_too_deeply(tmp_path: Path, nested: bytes) -> None:
    path = tmp_path / "array.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(nested).to_bytes(2, "little") + nested)
    with pytest.raises(RasterError, match=r"array\.npy is not a readable NPY"):
        open_raster(path)
