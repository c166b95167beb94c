"""download: from addresses, buckets, STAC and the catalogue to a folder, as one types it."""

import csv
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import terrazzo as tz
from terrazzo.app.cli import main
from terrazzo.errors import ConflictError, DataError, EnvironmentFault, UsageError
from terrazzo.rasters.download.find import Wish
from terrazzo.rasters.download.transfer import Patience
from terrazzo.workflows import download as workflow

BODY = np.random.default_rng(2).bytes(300_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    quick = Patience(tries=3, wait_s=0.01)
    monkeypatch.setattr(workflow, "Transfer", lambda connections: _transfer(connections, quick))
    monkeypatch.setattr(workflow, "Wish", lambda **facts: Wish(patience=quick, **facts))


def _transfer(connections: int, patience: Patience) -> Any:
    from terrazzo.rasters.download.transfer import Transfer

    return Transfer(connections, patience)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_all_below_a_prefix_and_again(s3: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.tif": BODY, "sub/b.tif": b"b", "sub/empty": b""}
    for name, body in files.items():
        s3.put(f"set/{name}", body)
    typed = ["download", f"{s3.address}/set", str(out), "--endpoint", s3.endpoint, "--json"]
    assert main(typed) == 0
    shown = json.loads(capsys.readouterr().out)
    assert contents(out) == files
    assert sorted(shown["outputs"]) == sorted(str(out / name) for name in files)
    assert (shown["files"], shown["kept"], shown["bytes"]) == (3, 0, len(BODY) + 1)
    before = stamps(out)
    assert main(typed[:-1]) == 0
    assert capsys.readouterr().out == f"3 files in {out}: all were there already, nothing was done\n"
    assert stamps(out) == before


def test_several_sources(s3: Any, web: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    done = tz.download([s3.put("dir/one.tif", b"one"), web.add("/two.tif", b"two")], out)
    assert contents(out) == {"one.tif": b"one", "two.tif": b"two"}
    assert done.text == f"2 files in {out}"


def test_a_public_bucket(s3: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    tz.download(s3.put("a.tif", b"a"), out, endpoint=s3.endpoint, anonymous=True)
    assert contents(out) == {"a.tif": b"a"}


def test_other_files_are_never_overwritten(web: Any, out: Path) -> None:
    out.mkdir()
    (out / "a.tif").write_bytes(b"mine")
    asked = web.add("/a.tif", BODY)
    with pytest.raises(ConflictError, match="none is overwritten"):
        tz.download([asked, web.add("/b.tif", b"b")], out)
    assert contents(out) == {"a.tif": b"mine"}


def test_a_connection_that_is_cut(web: Any, out: Path) -> None:
    address = web.add("/a.tif", BODY, cuts=2)
    tz.download(address, out)
    assert contents(out) == {"a.tif": BODY}
    assert web.sent == len(BODY)


def test_a_connection_that_is_always_cut(web: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web.add("/b.tif", BODY, cuts=10**6, parts=False)
    assert main(["download", f"{web.address}/b.tif", str(out)]) == 5
    assert "could not be fetched: the connection was cut. Run this again later" in capsys.readouterr().err
    assert not (out / "b.tif").exists()


def test_killed_in_the_middle_it_goes_on(web: Any, out: Path) -> None:
    body = np.random.default_rng(3).bytes(12 * 2**20)
    address = web.add("/big.tif", body, slow_s=0.01)
    command = [sys.executable, "-m", "terrazzo", "download", address, str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal: dict[str, Any] = {"segments": [[0, 0, 0]]}
    until = time.monotonic() + 30
    while journal["segments"][0][1] == 0 and time.monotonic() < until:
        time.sleep(0.02)
        found = list(out.glob(".*.part.json"))
        journal = json.loads(found[0].read_text()) if found else journal
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (out / "big.tif").exists()
    web.files["/big.tif"].slow_s = 0
    web.asked.clear()
    tz.download(address, out)
    assert contents(out) == {"big.tif": body}
    first = [int(part.removeprefix("bytes=").split("-")[0]) for _, _, part in web.asked if part]
    assert min(first) >= journal["segments"][0][1] > 0


def test_a_wrong_etag(s3: Any, out: Path) -> None:
    address = s3.put("a.tif", BODY, etag="0" * 32)
    with pytest.raises(EnvironmentFault, match=r"wrong md5: not what its ETag says.*--ignore-etags"):
        tz.download(address, out, endpoint=s3.endpoint)
    assert contents(out) == {}
    tz.download(address, out, endpoint=s3.endpoint, ignore_etags=True)
    assert contents(out) == {"a.tif": BODY}


@pytest.mark.parametrize("key", ["set/../../evil", "set//evil"])
def test_keys_that_leave_the_folder(s3: Any, out: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put("set/a.tif", b"a")
    s3.put(key, b"evil")
    assert main(["download", f"{s3.address}/set", str(out), "--endpoint", s3.endpoint]) == 3
    assert "cannot be the name of a file" in capsys.readouterr().err
    assert contents(out.parent) == {}


def test_what_is_not_there(web: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["download", web.add("/a.tif", b"a"), f"{web.address}/none.tif", f"{web.address}/nor.tif", str(out)]
    assert main(typed) == 3
    said = capsys.readouterr().err
    assert "2 of 3 cannot be fetched" in said
    assert "/none.tif does not exist" in said
    assert "/nor.tif does not exist" in said
    assert contents(out) == {}
    assert main([*typed, "--keep-going"]) == 7
    assert "/nor.tif does not exist" in capsys.readouterr().err
    rows = list(csv.DictReader(io.StringIO((out / "failures.csv").read_text(encoding="utf-8"))))
    assert [row["address"] for row in rows] == [f"{web.address}/none.tif", f"{web.address}/nor.tif"]
    assert (out / "a.tif").read_bytes() == b"a"
    # once nothing fails any more, the table goes
    assert main(["download", f"{web.address}/a.tif", str(out)]) == 0
    assert contents(out) == {"a.tif": b"a"}


def test_what_fails_in_the_end_is_listed_and_the_rest_is_there(web: Any, out: Path) -> None:
    bad = web.add("/=bad.tif", BODY, parts=False)
    web.files["/=bad.tif"].cuts = 99
    done = tz.download([bad, web.add("/good.tif", b"good")], out)
    assert done.exit_code == 7
    assert len(done.problems) == 1
    assert "could not be fetched" in done.problems[0]
    row = next(csv.DictReader(io.StringIO((out / "failures.csv").read_text(encoding="utf-8"))))
    assert (row["file"], row["address"]) == ("'=bad.tif", bad)
    assert (out / "good.tif").read_bytes() == b"good"
    web.files["/=bad.tif"].cuts = 0
    assert tz.download([bad, f"{web.address}/good.tif"], out).exit_code == 0
    assert contents(out) == {"=bad.tif": BODY, "good.tif": b"good"}


def test_a_list_of_what_would_be_fetched(s3: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.tif", "sub/b.tif"):
        s3.put(f"set/{name}", BODY)
    assert main(["download", f"{s3.address}/set", str(out), "--endpoint", s3.endpoint, "--list-only"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["300000", "a.tif", f"{s3.address}/set/a.tif"]
    assert lines[-1] == "2 files, 600 kB, 0 of them there already"
    assert not out.exists()


def test_redirects_to_private_places(web: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", web.add("/a.tif", b"", location="http://10.0.0.1/a.tif"), str(out)]) == 3
    assert "sends on to http://10.0.0.1/a.tif" in capsys.readouterr().err


def test_secrets_are_shown_nowhere(web: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = web.address.removeprefix("http://")
    web.add("/a.tif", b"a")
    assert main(["download", f"http://user:geheim@{host}/a.tif?sig=geheim2", str(out), "--json"]) == 0
    assert main(["download", f"http://user:geheim@{host}/none.tif?sig=geheim2", str(out)]) == 3
    shown = capsys.readouterr()
    assert "geheim" not in shown.out + shown.err
    assert not [path for path in out.rglob("*") if b"geheim" in path.read_bytes()]


def test_an_entry_of_the_catalogue(web: Any, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("images/a.tif", BODY)
    catalogue = tmp_path / "mine.toml"
    address = web.add("/ponds.zip", archive.getvalue())
    entry = f"[ponds]\nlicence = 'CC-BY-4.0'\nclasses = ['land', 'pond']\naddress = '{address}'\nsha256 = '"
    catalogue.write_text(f"{entry}{hashlib.sha256(archive.getvalue()).hexdigest()}'\n", encoding="utf-8")
    assert main(["download", "ponds", str(out), "--catalogue", str(catalogue), "--unpack"]) == 0
    shown = capsys.readouterr().out
    assert "ponds: data; licence: CC-BY-4.0; classes: land, pond" in shown
    assert contents(out) == {"ponds.zip": archive.getvalue(), "ponds/images/a.tif": BODY}
    before = stamps(out)
    assert main(["download", "ponds", str(out), "--catalogue", str(catalogue), "--unpack"]) == 0
    assert stamps(out) == before
    catalogue.write_text(f"{entry}{'0' * 64}'\n", encoding="utf-8")
    assert main(["download", "ponds", str(tmp_path / "other"), "--catalogue", str(catalogue)]) == 5
    assert "wrong sha256: not what the catalogue says" in capsys.readouterr().err
    assert contents(tmp_path / "other") == {}


def test_archives_that_are_unsafe(web: Any, out: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("../evil.tif", b"evil")
    with pytest.raises(DataError, match=r"'../evil.tif' cannot be the name"):
        tz.download(web.add("/a.zip", archive.getvalue()), out, unpack=True)
    assert contents(out.parent) == {"out/a.zip": archive.getvalue()}


def test_a_search(web: Any, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asset = {"href": web.add("/x/B04.tif", BODY), "type": "image/tiff", "roles": ["data"]}
    place = {"geometry": {"type": "Point", "coordinates": [8, 54]}, "bbox": [8, 54, 8, 54]}
    found = {"type": "Feature", "stac_version": "1.0.0", "id": "one", "collection": "s2", "links": [], "assets": {"red": asset}, **place}
    found["properties"] = {"datetime": "2024-05-01T00:00:00Z", "eo:cloud_cover": 5}
    root = f"{web.address}/stac"
    landing = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "x",
        "description": "x",
        "links": [{"rel": "search", "href": f"{root}/search"}],
    }
    landing["conformsTo"] = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
    web.answers["/stac"] = lambda _: json.dumps(landing).encode()
    web.answers["/stac/search"] = lambda _: json.dumps({"type": "FeatureCollection", "features": [found], "links": []}).encode()
    typed = ["download", "--stac", root, "--collection", "s2", "--bbox", "-8.5,53,9,55", "--from", "2024-05", "--to", "2024-06-30"]
    assert main([*typed, "--cloud", "10", "--assets", "red, nir", str(out)]) == 0
    assert contents(out) == {"s2/one/red.tif": BODY}
    asset["href"] = "file:///etc/passwd"
    assert main([*typed, str(out)]) == 3
    assert "file:///etc/passwd" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "there is nothing to fetch"),
        ({"bbox": "1,2,3,4"}, "--bbox: a search needs the address of a STAC API"),
        ({"from_": "2024", "cloud": 3}, "--from, --cloud: a search needs"),
        ({"stac": "https://host"}, "by --collection, by --bbox"),
        ({"stac": "host", "bbox": "1,2,3,4"}, "give the https:// address"),
        ({"stac": "https://host", "bbox": "1,2,3"}, "write W,S,E,N"),
        ({"stac": "https://host", "bbox": "a,b,c,d"}, "write W,S,E,N"),
        ({"stac": "https://host", "bbox": "1,4,3,2"}, "S is not above N"),
        ({"stac": "https://host", "bbox": "1,2,nan,4"}, "from -180 to 180"),
        ({"stac": "https://host", "collection": "a", "from_": "May"}, "--from May: write a date"),
        ({"stac": "https://host", "collection": "a", "to": "2024-5-1"}, "--to 2024-5-1: write a date"),
        ({"stac": "https://host", "collection": "a", "cloud": 101.0}, "from 0 to 100 percent"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any], sentence: str, out: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        tz.download([], out, **options)
    assert not out.exists()


@pytest.mark.parametrize("source", ["ftp://host/a", "file:///etc/passwd", "https://", "a/b.tif", "images"])
def test_what_is_no_source(source: str, out: Path, no_cloud: None) -> None:
    with pytest.raises(UsageError):
        tz.download(source, out)


def test_an_address_where_a_folder_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "https://host/a.tif", "https://host/b.tif"]) == 2
    assert "https://host/b.tif is an address on the network" in capsys.readouterr().err
    with pytest.raises(UsageError, match="the last argument is the folder"):
        tz.download("https://host/a.tif", "https://host/b.tif")


def test_without_the_package(out: Path, monkeypatch: pytest.MonkeyPatch, no_cloud: None) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'terrazzo\[cloud\]'"):
        tz.download("s3://bucket/a", out)


def test_a_folder_that_cannot_be_made(out: Path, web: Any) -> None:
    out.write_bytes(b"a file")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        tz.download(web.add("/a.tif", b"a"), out / "inner")
    assert not web.asked
