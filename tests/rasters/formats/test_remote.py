"""GeoTIFFs at addresses, read by window: from a web server with its faults, and from an S3 server."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.files import digest
from terrazzo.rasters.formats import remote
from terrazzo.rasters.formats.remote import gdal_name, remote_options
from terrazzo.rasters.location import RemotePath, to_path
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

CORNER = Window(col_off=700, row_off=600, width=40, height=30)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRIES", 0)
    monkeypatch.setattr(remote, "READ_AGAIN_S", (0.01, 0.01))


@pytest.fixture
def values() -> NDArray[np.uint16]:
    """(2, 701, 803) values that compress badly."""
    return np.random.default_rng(3).integers(0, 60_000, (2, 701, 803)).astype(np.uint16)


@pytest.fixture
def tiff(make_tiff: Callable[..., Path], values: NDArray[np.uint16]) -> bytes:
    settings: dict[str, Any] = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    return make_tiff(values, crs="EPSG:32631", transform=(10, 0, 500_000, 0, -10, 4_000_000, 0, 0, 1), nodata=7, **settings).read_bytes()


def refusal(address: str, window: Window | None = None) -> str:
    """The sentence with which an address is refused."""
    with pytest.raises(RasterError) as caught:
        open_raster(to_path(address)).read(window)
    return str(caught.value)


def test_a_window_is_read_and_no_more_is_fetched(web: Any, tiff: bytes, values: NDArray[np.uint16]) -> None:
    address = web.add("/images/a.tif", tiff)
    with open_raster(to_path(address)) as raster:
        pixels = raster.read(CORNER)
        assert (raster.shape, raster.bands, raster.format, raster.nodata) == ((701, 803), 2, "GTiff", (7, 7))
        assert raster.grid.crs is not None
        assert raster.grid.crs.to_epsg() == 32631
    rows, columns = CORNER.slices
    np.testing.assert_array_equal(pixels.values, values[:, rows, columns])
    assert web.sent < len(tiff) / 4


def test_nothing_beside_the_file_is_asked_for(web: Any, tiff: bytes) -> None:
    address = web.add("/images/a.tif", tiff)
    for name in ("a.tif.msk", "a.tif.aux.xml", "a.tif.ovr", "a.tfw", "a.aux"):
        web.add(f"/images/{name}", b"<VRTDataset/>")
    with open_raster(to_path(address)) as raster:
        raster.read(CORNER)
    assert {path for _, path, _ in web.asked} == {"/images/a.tif"}


def test_whole_images_and_bands_by_choice(web: Any, tiff: bytes, values: NDArray[np.uint16]) -> None:
    with open_raster(to_path(web.add("/b.tif", tiff)), DataOptions(bands=[2])) as raster:
        np.testing.assert_array_equal(raster.read().values, values[1:])


def test_several_threads_read_at_once(web: Any, tiff: bytes, values: NDArray[np.uint16]) -> None:
    windows = [Window(col_off=col, row_off=row, width=90, height=80) for row in range(0, 600, 80) for col in range(0, 700, 90)]
    with open_raster(to_path(web.add("/threads.tif", tiff))) as raster, ThreadPoolExecutor(4) as pool:
        for window, pixels in zip(windows, pool.map(raster.read, windows), strict=True):
            rows, columns = window.slices
            np.testing.assert_array_equal(pixels.values, values[:, rows, columns])


@pytest.mark.parametrize("name", ["/with space.tif", "/\u00fcber.tif", "/q.tif?token=abc&v=1"])
def test_names_with_odd_letters(web: Any, tiff: bytes, name: str) -> None:
    web.add(name.partition("?")[0], tiff)
    with open_raster(to_path(web.address + name)) as raster:
        assert raster.shape == (701, 803)


def test_a_server_that_sends_on(web: Any, tiff: bytes) -> None:
    web.add("/there.tif", tiff)
    with open_raster(to_path(web.add("/here.tif", b"", location="/there.tif"))) as raster:
        assert raster.shape == (701, 803)


def test_cut_connections_are_asked_again(web: Any, tiff: bytes, values: NDArray[np.uint16]) -> None:
    address = web.add("/cut.tif", tiff)
    with open_raster(to_path(address)) as raster:
        web.files["/cut.tif"].cuts = 2
        rows, columns = CORNER.slices
        np.testing.assert_array_equal(raster.read(CORNER).values, values[:, rows, columns])
    assert web.files["/cut.tif"].cuts == 0


def test_connections_that_are_always_cut(web: Any, tiff: bytes) -> None:
    address = web.add("/ever.tif", tiff)
    with open_raster(to_path(address)) as raster:
        web.files["/ever.tif"].cuts = 99
        with pytest.raises(RasterError, match=r"ever.tif cannot be read \(.*the connection was cut"):
            raster.read(CORNER)


def test_a_server_that_hangs(web: Any, tiff: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "STALLED_S", 1)
    monkeypatch.setattr(remote, "READ_AGAIN_S", ())
    assert "hung.tif cannot be read: the server does not answer" in refusal(web.add("/hung.tif", tiff, silent=True))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, "does not exist: the server says so"),
        (403, "may not be read: the server refuses access"),
        (401, "may not be read: the server refuses access"),
        (500, "cannot be read: the server answers with the code 500"),
    ],
)
def test_what_the_server_refuses(web: Any, status: int, sentence: str) -> None:
    address = web.add(f"/no-{status}.tif", b"", status=status)
    assert f"{address} {sentence}" in refusal(address)
    # what is certain is not asked again: GDAL asks by HEAD, then by GET
    assert status == 500 or len(web.asked) <= 2


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n" + bytes(50_000), b"<html>not here</html>", b"<VRTDataset/>", b""])
def test_other_files_are_to_be_downloaded_first(web: Any, body: bytes) -> None:
    address = web.add(f"/{len(body)}-other.tif", body)
    said = refusal(address)
    assert "is no GeoTIFF that can be read by window" in said
    assert f"terrazzo download '{address}' FOLDER" in said


def test_a_server_that_sends_no_parts(web: Any, tiff: bytes) -> None:
    assert "sends no parts of files" in refusal(web.add("/whole.tif", tiff, parts=False))


@pytest.mark.parametrize(
    "address", ["gs://bucket/a.tif", "file:///etc/passwd", "ftp://host/a.tif", "https://", "https://host", "s3://bucket"]
)
def test_other_addresses_are_to_be_downloaded_first(address: str) -> None:
    assert "give the https:// or s3:// address of one GeoTIFF" in refusal(address)


def test_nobody_listens(no_cloud: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = refusal(f"http://127.0.0.1:{port}/a.tif")
    assert "Check the address and the network" in said


def test_no_message_holds_secrets(web: Any) -> None:
    host = web.address.removeprefix("http://")
    said = refusal(f"http://user:geheim@{host}/none.tif?sig=geheim2")
    assert "geheim" not in said
    assert f"http://***@{host}/none.tif?sig=*** does not exist" in said
    web.add("/broken.tif", b"II*\0" + bytes(5000))
    assert "geheim" not in refusal(f"http://user:geheim@{host}/broken.tif?sig=geheim2")


@pytest.mark.parametrize("address", ["https://host/vsicurl/x.tif", "https://host//vsigzip//etc/x.tif", "http://host/a\nb.tif"])
def test_gdal_is_given_no_other_file_system(address: str) -> None:
    name = gdal_name(to_path(address))
    assert name.startswith(("/vsicurl/https://host/", "/vsicurl/http://host/"))
    assert "\n" not in name


def test_files_on_disk_are_read_as_ever(tmp_path: Path) -> None:
    assert gdal_name(tmp_path / "a.tif") == str(tmp_path / "a.tif")
    assert remote_options(tmp_path / "a.tif") == {}


def test_copies_have_one_digest_wherever_they_are(
    web: Any, tiff: bytes, make_tiff: Callable[..., Path], values: NDArray[np.uint16]
) -> None:
    one, copied = web.add("/one.tif", tiff), web.add("/copied/two.tif", tiff)
    values[1, 700, 802] += 1
    changed = web.add("/three.tif", make_tiff(values, "three.tif").read_bytes())
    assert digest(to_path(one)) == digest(to_path(copied)) != digest(to_path(changed))
    assert digest(to_path(one)).startswith("blake2b-pixels:")


def test_a_bucket_with_credentials(s3: Any, tiff: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    with open_raster(to_path(s3.put("dir/\u00fc a+.tif", tiff))) as raster:
        assert raster.shape == (701, 803)
    assert "does not exist" in refusal(f"{s3.address}/none.tif")
    assert "does not exist" in refusal("s3://no-such-bucket-at-all/none.tif")
    assert "is no GeoTIFF" in refusal(s3.put("text.tif", b"no image"))


def test_a_public_bucket_without_credentials(s3: Any, tiff: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{s3.endpoint}/")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    address = to_path(s3.put("public.tif", tiff))
    assert isinstance(address, RemotePath)
    assert remote_options(address)["AWS_NO_SIGN_REQUEST"] == "YES"
    with open_raster(address) as raster:
        assert raster.shape == (701, 803)
