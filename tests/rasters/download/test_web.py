"""Files of web servers: what is known of them before they are fetched, and their bytes."""

import base64
import hashlib
from typing import Any

import pytest

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import Interruption, RemoteFile
from terrazzo.rasters.download.web import find_web_file

BODY = bytes(range(256)) * 5000


@pytest.fixture
def http() -> Http:
    return Http(typed=frozenset({"127.0.0.1"}), timeout_s=5)


def read(file: RemoteFile, start: int, stop: int | None) -> bytes:
    return b"".join(bytes(chunk) for chunk in file.source.read(start, stop))


@pytest.mark.parametrize("head", [True, False])
def test_what_a_server_tells(web: Any, http: Http, head: bool) -> None:  # noqa: FBT001 - a parameter of the test
    file = find_web_file(http, web.add("/dir/a b.bin", BODY, head=head))
    assert (file.name, file.size, file.parts, file.state) == ("a b.bin", len(BODY), True, web.files["/dir/a b.bin"].etag)
    assert file.checksum is None


@pytest.mark.parametrize(("says", "does"), [("", True), ("", False), ("none", False), ("bytes", True)])
def test_whether_a_server_sends_parts(web: Any, http: Http, says: str, does: bool) -> None:  # noqa: FBT001 - likewise
    file = find_web_file(http, web.add("/a", BODY, parts=does, headers={"Accept-Ranges": says}))
    assert (file.parts, file.size) == (does, len(BODY))
    assert len(web.asked) == (1 if says else 2)


@pytest.mark.parametrize("head", [True, False])
def test_an_empty_file(web: Any, http: Http, head: bool) -> None:  # noqa: FBT001 - likewise
    assert find_web_file(http, web.add("/empty", b"", head=head)).size == 0


def test_a_server_that_tells_the_size_with_a_part_alone(web: Any, http: Http) -> None:
    file = find_web_file(http, web.add("/a", BODY, sized=False))
    assert (file.size, file.parts) == (len(BODY), True)
    assert read(file, 0, len(BODY)) == BODY


def test_a_server_that_does_not_tell_the_size(web: Any, http: Http) -> None:
    file = find_web_file(http, web.add("/a", BODY, sized=False, parts=False))
    assert (file.size, file.parts) == (None, False)
    assert read(file, 0, None) == BODY


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="scene 1.tif"', "scene 1.tif"),
        ("attachment; filename*=UTF-8''%C3%BC.tif", "\u00fc.tif"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("inline", "content"),
    ],
)
def test_the_name_that_a_server_gives(web: Any, http: Http, header: str, name: str) -> None:
    address = web.add("/files/content", BODY, headers={"Content-Disposition": header})
    assert find_web_file(http, address).name == name
    assert find_web_file(http, address, "mine.tif").name == "mine.tif"


def test_an_address_without_a_name(web: Any, http: Http) -> None:
    with pytest.raises(DataError, match="no name at its end"):
        find_web_file(http, web.add("/", BODY))


def test_the_checksum_that_a_server_gives(web: Any, http: Http) -> None:
    digest = hashlib.md5(BODY)
    file = find_web_file(http, web.add("/a", BODY, headers={"Content-MD5": base64.b64encode(digest.digest()).decode()}))
    assert file.checksum is not None
    assert (file.checksum.algorithm, file.checksum.digits) == ("md5", digest.hexdigest())
    assert find_web_file(http, web.add("/b", BODY, headers={"Content-MD5": "no base64"})).checksum is None
    # of a part it would be the part's
    answer = {"Content-MD5": base64.b64encode(hashlib.md5(BODY[:1]).digest()).decode()}
    assert find_web_file(http, web.add("/c", BODY, head=False, headers=answer)).checksum is None


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (10, 1000), (1_000_000, 1_280_000), (0, 1_280_000), (7, None)])
@pytest.mark.parametrize("parts", [True, False])
def test_parts(web: Any, http: Http, start: int, stop: int | None, parts: bool) -> None:  # noqa: FBT001 - likewise
    file = find_web_file(http, web.add("/a", BODY, parts=parts))
    assert read(file, start, stop) == BODY[start:stop]


def test_a_connection_that_is_cut(web: Any, http: Http) -> None:
    file = find_web_file(http, web.add("/a", BODY, parts=True))
    web.files["/a"].cuts = 2
    for start in (0, 100):
        got: list[bytes] = []
        with pytest.raises(Interruption, match="cut"):
            got.extend(bytes(chunk) for chunk in file.source.read(start, len(BODY)))
        half = (len(BODY) - start) // 2
        assert b"".join(got) == BODY[start : start + half]


def test_a_file_that_changes_meanwhile(web: Any, http: Http) -> None:
    file = find_web_file(http, web.add("/a", BODY))
    web.add("/a", BODY[:-1] + b"!")
    with pytest.raises(EnvironmentFault, match="was changed on the server"):
        read(file, 0, 100)


def test_a_server_that_sends_other_parts(web: Any, http: Http) -> None:
    file = find_web_file(http, web.add("/a", BODY))
    web.files["/a"].headers["Content-Range"] = "bytes 0-99/100"
    with pytest.raises(DataError, match="other parts"):
        read(file, 5, 100)


def test_a_file_that_is_gone(web: Any, http: Http) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_web_file(http, f"{web.address}/none")
