"""Archives: plain files inside their folder, whole or not at all."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.errors import ConflictError, DataError, EnvironmentFault
from terrazzo.rasters.download import unpack as unpack_module
from terrazzo.rasters.download.unpack import folder_of, is_archive, unpack

FILES = {"a.tif": b"a" * 1000, "dir/b.tif": b"b" * 3, "dir/sub/\u00fc.txt": b"", "new\nline": b"n"}
MODES = {"a.tar": "w", "a.tar.gz": "w:gz", "a.TGZ": "w:gz", "a.tar.bz2": "w:bz2", "a.tar.xz": "w:xz"}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("dir")
        for name, body in files.items():
            archive.writestr(name, body)
    return path


def make_tar(path: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    with tarfile.open(path, MODES.get(path.name, "w")) as archive:  # type: ignore[call-overload] # the modes are right
        folder = tarfile.TarInfo("dir")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for info in others:
            archive.addfile(info)
    return path


Maker = Callable[..., Path]
EACH = [("a.zip", make_zip), *((name, make_tar) for name in MODES)]
each_kind = pytest.mark.parametrize(("name", "make"), EACH, ids=[name for name, _ in EACH])
both_kinds = pytest.mark.parametrize(("name", "make"), [("a.zip", make_zip), ("a.tar.gz", make_tar)], ids=["zip", "tar"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@each_kind
def test_files_come_out_as_they_went_in(name: str, make: Maker, tmp_path: Path) -> None:
    path = make(tmp_path / name, FILES)
    assert is_archive(path)
    assert unpack(path) == tmp_path / "a"
    assert contents(tmp_path / "a") == FILES
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["a", name])


@both_kinds
def test_what_is_unpacked_already_is_kept(name: str, make: Maker, tmp_path: Path) -> None:
    path = make(tmp_path / name, FILES)
    unpack(path)
    (tmp_path / "a" / "mine.txt").write_text("mine")
    stamp = (tmp_path / "a" / "a.tif").stat().st_mtime_ns
    unpack(path)
    assert (tmp_path / "a" / "a.tif").stat().st_mtime_ns == stamp
    (tmp_path / "a" / "a.tif").write_bytes(b"mine")
    with pytest.raises(ConflictError, match=r"holds other files than .*a.tif differs"):
        unpack(path)
    assert (tmp_path / "a" / "a.tif").read_bytes() == b"mine"


@both_kinds
@pytest.mark.parametrize("bad", ["../evil", "/tmp/evil-terrazzo", "dir/../../evil", "a//b", "dir"])
def test_names_outside_of_the_folder(name: str, make: Maker, bad: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = make(inner / name, {"a.tif": b"x", "dir/b": b"y", bad: b"evil"})
    with pytest.raises(DataError, match=r"cannot be (the name of a file|unpacked)"):
        unpack(path)
    assert [entry.name for entry in inner.iterdir()] == [name]
    assert [entry.name for entry in tmp_path.iterdir()] == ["inner"]
    assert not Path("/tmp/evil-terrazzo").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("passwd")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="'passwd', which is a link or a device"):
        unpack(make_tar(tmp_path / "a.tar", FILES, info))
    assert not (tmp_path / "a").exists()


def test_links_in_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FILES)
    info = zipfile.ZipInfo("passwd")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="'passwd', which is a link or a device"):
        unpack(path)
    assert not (tmp_path / "a").exists()


@both_kinds
def test_bombs(name: str, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "ALWAYS_BYTES", 1000)
    path = make(tmp_path / name, {"zeros": bytes(10_000_000)})
    with pytest.raises(DataError, match="may be made to fill the disk"):
        unpack(path)
    assert not (tmp_path / "a").exists()


def test_a_zip_that_lies_about_its_sizes(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(100_000)})
    data = path.read_bytes()
    real, lie = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert real in data
    path.write_bytes(data.replace(real, lie))
    with pytest.raises(DataError):
        unpack(path)
    assert not (tmp_path / "a").exists()


def test_a_tar_with_a_header_as_long_as_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(DataError, match="is no archive that can be unpacked"):
        unpack(path)


@each_kind
@pytest.mark.parametrize("damage", ["cut", "flip", "other"])
def test_broken_archives(name: str, make: Maker, damage: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, {"a.tif": bytes(range(256)) * 900})
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 3] ^= 0xFF
    else:
        data = bytearray(b"<html>not here</html>")
    path.write_bytes(data)
    if damage == "flip" and name == "a.tar":
        # it has no checksum of its contents
        unpack(path)
        return
    with pytest.raises(DataError):
        unpack(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_password(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = -1
        while (start := data.find(mark, start + 1)) >= 0:
            data[start + place] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="password"):
        unpack(path)
    assert not (tmp_path / "a").exists()


@both_kinds
def test_a_disk_that_is_too_small(name: str, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / name, FILES)
    monkeypatch.setattr(unpack_module, "SPARE_BYTES", 2**62)
    with pytest.raises(EnvironmentFault, match="the disk has"):
        unpack(path)


@pytest.mark.parametrize(("name", "folder"), [("x.tar.gz", "x"), ("X.ZIP", "X"), ("a.b.tgz", "a.b"), (".zip", "unpacked")])
def test_where_archives_go(name: str, folder: str) -> None:
    assert folder_of(Path("o") / name) == Path("o") / folder


@pytest.mark.parametrize("name", ["a.tif", "a.gz", "zip", "a.zip.part", "a.7z"])
def test_what_is_no_archive(name: str) -> None:
    assert not is_archive(Path(name))
