"""Files of buckets, at a local S3 server."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.buckets import Bucket
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import RemoteFile
from terrazzo.rasters.download.stores import Access, open_store
from terrazzo.rasters.location import RemotePath


def open_bucket(s3: Any, **access: Any) -> Bucket:
    wanted = Access(endpoint=s3.endpoint, **access)
    return Bucket(address=s3.address, access=wanted, store=open_store(RemotePath(s3.address), wanted, Http(typed=frozenset())))


def read(file: RemoteFile, start: int, stop: int | None) -> bytes:
    return b"".join(bytes(chunk) for chunk in file.source.read(start, stop))


def names(files: list[RemoteFile]) -> list[str]:
    return sorted(file.name for file in files)


@pytest.fixture
def filled(s3: Any) -> Any:
    for key in ("set/a.tif", "set/sub/b.tif", "set/sub/\u00fc %41+&.tif", "set2/c.tif", "top.tif"):
        s3.put(key, key.encode())
    return s3


def test_a_key(filled: Any) -> None:
    (file,) = open_bucket(filled).find("set/a.tif")
    digits = hashlib.md5(b"set/a.tif").hexdigest()
    assert (file.name, file.size, file.address, file.parts) == ("a.tif", 9, f"{filled.address}/set/a.tif", True)
    assert file.checksum is not None
    assert (file.checksum.algorithm, file.checksum.digits) == ("md5", digits)
    assert read(file, 0, 9) == b"set/a.tif"
    assert read(file, 2, 5) == b"t/a"


@pytest.mark.parametrize("prefix", ["set", "set/"])
def test_all_below_a_prefix(filled: Any, prefix: str) -> None:
    found = open_bucket(filled).find(prefix)
    assert names(found) == ["a.tif", "sub/b.tif", "sub/\u00fc %41+&.tif"]
    for file in found:
        assert read(file, 0, file.size) == f"set/{file.name}".encode()


def test_a_whole_bucket(filled: Any) -> None:
    assert names(open_bucket(filled).find("")) == ["set/a.tif", "set/sub/b.tif", "set/sub/\u00fc %41+&.tif", "set2/c.tif", "top.tif"]


def test_marks_of_folders_are_no_files(filled: Any) -> None:
    filled.put("set/sub/", b"")
    assert names(open_bucket(filled).find("set")) == ["a.tif", "sub/b.tif", "sub/\u00fc %41+&.tif"]


@pytest.mark.parametrize("key", ["se", "none", "set/a.tif/b", "none/"])
def test_what_is_not_there(filled: Any, key: str) -> None:
    with pytest.raises(DataError, match="does not exist: there is neither such a file nor any below it"):
        open_bucket(filled).find(key)


def test_a_bucket_that_is_not_there(s3: Any) -> None:
    other = type(s3)(endpoint=s3.endpoint, bucket="no-such-bucket")
    with pytest.raises(DataError, match="there is no such bucket"):
        open_bucket(other).find("")


@pytest.mark.parametrize("key", ["set/../../b.tif", "set//b.tif", "set/./b.tif", "set/new\nline.tif"])
def test_keys_that_cannot_be_names(s3: Any, key: str) -> None:
    s3.put("set/a.tif", b"a")
    s3.put(key, b"b")
    with pytest.raises(DataError, match="a key cannot be the name of a file"):
        open_bucket(s3).find("set")


@pytest.mark.parametrize("key", ["set/../a.tif", "a//b.tif"])
def test_asked_for_by_such_a_key(s3: Any, key: str) -> None:
    with pytest.raises(DataError, match="cannot be a key"):
        open_bucket(s3).find(key)


def test_files_of_several_pieces_have_no_checksum(s3: Any) -> None:
    s3.put("a.tif", b"body", etag="0123456789abcdef0123456789abcdef-2")
    (file,) = open_bucket(s3).find("a.tif")
    assert file.checksum is None
    assert file.state == '"0123456789abcdef0123456789abcdef-2"'


def test_etags_that_are_not_trusted(filled: Any) -> None:
    assert open_bucket(filled, trust_etags=False).find("top.tif")[0].checksum is None


def test_a_file_that_changes_meanwhile(s3: Any) -> None:
    s3.put("a.tif", b"before")
    (file,) = open_bucket(s3).find("a.tif")
    s3.put("a.tif", b"after!")
    with pytest.raises(EnvironmentFault, match="was changed on the server"):
        read(file, 0, 6)


def test_without_credentials(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (file,) = open_bucket(filled, anonymous=True).find("top.tif")
    assert read(file, 0, 7) == b"top.tif"


def test_credentials_of_the_file(filled: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from terrazzo.rasters.download.stores import _stored_credentials

    file = tmp_path / "credentials"
    file.write_text(
        "[default]\naws_access_key_id = one\naws_secret_access_key = two\n[other]\naws_access_key_id=three\naws_session_token=four\n"
    )
    place = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    assert _stored_credentials(place) == {"access_key_id": "one", "secret_access_key": "two"}
    assert _stored_credentials({**place, "AWS_PROFILE": "other"})["session_token"] == "four"
    assert _stored_credentials({**place, "AWS_PROFILE": "third"}) == {}
    assert _stored_credentials({**place, "AWS_ACCESS_KEY_ID": "mine"}) == {}
    file.write_text("no credentials")
    with pytest.raises(EnvironmentFault, match="cannot be read as credentials"):
        _stored_credentials(place)


def test_where_amazon_keeps_a_bucket(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from terrazzo.rasters.download import stores

    monkeypatch.setattr(stores, "_AMAZON", web.address)
    web.add("/far", b"", headers={"x-amz-bucket-region": "eu-central-1"})
    http = Http(typed=frozenset({"127.0.0.1"}), timeout_s=5)
    assert stores._region("far", None, http) == "eu-central-1"
    assert stores._region("unknown", None, http) == "us-east-1"
    assert stores._region("far", "http://localhost:9000", http) == "us-east-1"


def test_google_buckets(web: Any) -> None:
    listing = (
        b"<?xml version='1.0'?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><Contents><Key>set/a.tif</Key>"
        b'<Size>4</Size><ETag>"e"</ETag><LastModified>2024-05-01T10:00:00.000Z</LastModified></Contents></ListBucketResult>'
    )
    web.answers["/b/"] = web.answers["/b"] = lambda _: listing
    web.add("/b/set/a.tif", b"body", headers={"Last-Modified": "Wed, 01 May 2024 10:00:00 GMT", "ETag": '"e"'})
    access = Access(endpoint=web.address, anonymous=True)
    bucket = Bucket(address="gs://b", access=access, store=open_store(RemotePath("gs://b"), access, Http(typed=frozenset())))
    (file,) = bucket.find("set")
    assert (file.name, file.size, file.checksum) == ("a.tif", 4, None)
    assert read(file, 0, 4) == b"body"


def test_nobody_listens(s3: Any) -> None:
    from terrazzo.rasters.download.sources import Interruption

    silent = type(s3)(endpoint="http://127.0.0.1:9", bucket="a")
    with pytest.raises(Interruption, match="connection failed"):
        open_bucket(silent).find("a")
