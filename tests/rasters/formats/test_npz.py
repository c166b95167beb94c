"""NPZ: arrays of a zip, of which one is the image. Torture rows 27 (bombs) and 29 (pickles, here as data)."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats import npz
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

CUBE = np.random.default_rng(0).integers(0, 999, (3, 13, 17)).astype(np.int32)


def npy(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("values", "axes", "expected"),
    [
        (CUBE, "auto", CUBE),
        (np.moveaxis(CUBE, 0, 2), "bands_last", CUBE),
        (np.asfortranarray(CUBE), "bands_first", CUBE),
        (CUBE[0], "auto", CUBE[:1]),
        (CUBE > 500, "auto", (CUBE > 500).astype(np.uint8)),
        (CUBE.astype(">f8"), "auto", CUBE.astype(np.float64)),
    ],
)
def test_the_only_image_is_read(tmp_path: Path, save: Callable[..., None], values: NDArray[Any], axes: Any, expected: NDArray[Any]) -> None:
    path = tmp_path / "arrays.npz"
    # what cannot be an image does not count
    save(path, classes=np.arange(4), image=values, name=np.array("coast"), nothing=np.zeros((0, 5)))
    with open_raster(path, DataOptions(axes=axes)) as raster:
        assert raster.format == "NPZ"
        assert raster.dtype == expected.dtype
        np.testing.assert_array_equal(raster.read().values, expected)
        window = Window(col_off=12, row_off=-2, width=9, height=9)
        np.testing.assert_array_equal(raster.read(window).values[:, 2:, :5], expected[:, :7, 12:])
    with open_raster(path, DataOptions(axes=axes, bands=[len(expected), 1])) as raster:
        np.testing.assert_array_equal(raster.read().values, expected[[len(expected) - 1, 0]])


def test_several_images_ask_which(tmp_path: Path) -> None:
    path = tmp_path / "gym.npz"
    np.savez(path, arr_0=CUBE, arr_1=CUBE[0] > 1, files=np.array(["a.tif"]))
    with pytest.raises(
        RasterError, match=r"gym\.npz holds several arrays.*arr_0 \(3 x 13 x 17, int32\), arr_1 \(13 x 17, bool\).*data\.array=NAME"
    ):
        open_raster(path)
    np.testing.assert_array_equal(open_raster(path, DataOptions(array="arr_1")).read().values[0], CUBE[0] > 1)
    np.testing.assert_array_equal(open_raster(path, DataOptions(array="arr_0.npy")).read().values, CUBE)
    with pytest.raises(RasterError, match=r"data\.array is 'label'; .*gym\.npz holds arr_0"):
        open_raster(path, DataOptions(array="label"))
    with pytest.raises(RasterError, match=r"the array files holds values of type <U5"):
        open_raster(path, DataOptions(array="files"))


def test_no_image(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match=r"numbers\.npz holds no array that can be an image, of a \(5, int64\)"):
        open_raster(archive(tmp_path / "numbers.npz", {"a.npy": npy(np.arange(5))}))
    with pytest.raises(RasterError, match=r"text\.zip is a zip archive without arrays"):
        open_raster(archive(tmp_path / "text.zip", {"a.txt": b"hello", "pixels.tif": b"II*\0"}))


def test_bands_that_seem_to_be_last_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "photo.npz"
    np.savez(path, image=np.zeros((12, 15, 3), np.uint8))
    with caplog.at_level("INFO", "terrazzo"):
        assert open_raster(path).bands == 12
    assert "photo.npz is read as 12 bands of 15 x 3 pixels" in caplog.text
    assert open_raster(path, DataOptions(axes="bands_last")).bands == 3


def test_an_archive_is_decoded_once(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, image=CUBE)
    window = Window(col_off=0, row_off=0, width=5, height=5)
    with open_raster(path) as raster:
        raster.read(window)
        path.write_bytes(b"gone")
        np.testing.assert_array_equal(raster.read().values, CUBE)
    with pytest.raises(RasterError, match="not a readable NPZ"):
        raster.read(window)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (tmp_path / "run",)

    objects = npy(np.array([[Trap()]], object))
    path = archive(tmp_path / "trap.npz", {"image.npy": objects})
    with pytest.raises(RasterError, match=r"image \(1 x 1, objects\)"):
        open_raster(path)
    with pytest.raises(RasterError, match="Python objects, which could run code and are never unpickled"):
        open_raster(path, DataOptions(array="image"))
    assert open_raster(archive(path, {"trap.npy": objects, "image.npy": npy(CUBE)})).bands == 3
    assert not (tmp_path / "run").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "DECODED_LIMIT_BYTES", 2**20)
    declared = archive(tmp_path / "declared.npz", {"a.npy": header("(2048, 2048)") + bytes(100)})
    with pytest.raises(RasterError, match=r"declared\.npz: the array a \(2048 x 2048, uint8\) would take 4 MiB.*Store it as \.npy"):
        open_raster(declared)
    packed = archive(tmp_path / "packed.npz", {"a.npy": header("(4, 4)") + bytes(2**21)})
    with pytest.raises(RasterError, match=r"packed\.npz: the array a .* would take 2 MiB decompressed"):
        open_raster(packed)


def test_more_bytes_than_pixels_are_not_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "more.npz", {"a.npy": header("(4, 4)") + bytes(2**22)})
    assert path.stat().st_size < 5000
    with pytest.raises(RasterError, match=r"more\.npz is not a readable NPZ archive \(bytes follow its array\)"):
        open_raster(path).read()


def test_a_size_that_lies_is_found(tmp_path: Path) -> None:
    path = archive(tmp_path / "lies.npz", {"a.npy": npy(CUBE)})
    data = path.read_bytes()
    place = data.index(b"PK\x01\x02") + 24
    for size in (100, 2**31 - 1):
        path.write_bytes(data[:place] + size.to_bytes(4, "little") + data[place + 4 :])
        with pytest.raises(RasterError, match=r"lies\.npz"):
            open_raster(path).read()


def test_a_list_of_contents_beyond_all_measure(tmp_path: Path) -> None:
    path = archive(tmp_path / "long.npz", {f"{number:050d}.npy": b"" for number in range(12_000)})
    with pytest.raises(RasterError, match=r"long\.npz.*its list of contents takes \d+ bytes, at most 1048576"):
        open_raster(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_does_not_write_is_not_unpacked(tmp_path: Path, method: int) -> None:
    with pytest.raises(RasterError, match=r"other\.npz is a zip archive without arrays that NumPy has packed"):
        open_raster(archive(tmp_path / "other.npz", {"a.npy": npy(CUBE)}, method))


def test_names_that_lead_out_of_the_archive_are_names_only(tmp_path: Path) -> None:
    path = archive(tmp_path / "paths.npz", {"../../escaped.npy": npy(CUBE), "/tmp/x.txt": b"x"})
    np.testing.assert_array_equal(open_raster(path, DataOptions(array="../../escaped")).read().values, CUBE)
    assert [found.name for found in tmp_path.iterdir()] == ["paths.npz"]
    assert not (tmp_path.parent / "escaped.npy").exists()


def test_damaged_pixels_are_found(tmp_path: Path) -> None:
    path = tmp_path / "flip.npz"
    np.savez(path, image=CUBE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RasterError, match=r"flip\.npz is not a readable NPZ archive \(Bad CRC-32"):
        open_raster(path).read()


def test_real_sessions_of_doodler(shared: Callable[[str], Path]) -> None:
    for path in sorted(shared("doodler_coast").glob("*.npz")):
        with pytest.raises(RasterError, match=r"holds several arrays.*image \(.*label \("):
            open_raster(path)
        with np.load(path) as arrays:
            for name in ("image", "label"):
                raster = open_raster(path, DataOptions(array=name, axes="bands_last"))
                np.testing.assert_array_equal(raster.read().values, np.moveaxis(arrays[name], 2, 0))
