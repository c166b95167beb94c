"""Addresses among paths: what they are called, what they hide, what they refuse."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.errors import RasterError
from terrazzo.rasters.files import find_images
from terrazzo.rasters.location import RemotePath, shown, to_path

SIGNED = "https://user:pass@host:8443/dir/a.b.tif?x=1&X-Amz-Signature=abc&t=2"


@pytest.mark.parametrize("text", ["https://host/a.tif", "S3://bucket/key", "gs://b/k", "file:///etc/passwd", "ftp://host/a"])
def test_what_begins_with_a_scheme_is_an_address(text: str) -> None:
    path = to_path(text)
    assert isinstance(path, RemotePath)
    assert isinstance(path, Path)
    assert str(path) == f"{path}" == text


@pytest.mark.parametrize("text", ["a.tif", "/a/b.tif", "c:/d.tif", "http:/host/a.tif", "x//y", "~/a", "/vsicurl/https://host/a.tif"])
def test_all_else_is_a_path_on_disk(text: str) -> None:
    path = to_path(text)
    assert not isinstance(path, RemotePath)
    assert path == Path(text)


def test_a_path_stays_what_it_is() -> None:
    for path in (Path("a"), to_path("https://host/a.tif")):
        assert to_path(path) is path


@pytest.mark.parametrize(
    ("text", "name", "stem", "suffix", "parent"),
    [
        ("https://host/dir/a.tif", "a.tif", "a", ".tif", "https://host/dir"),
        ("https://host/dir/a.tif?token=1/2.png", "a.tif", "a", ".tif", "https://host/dir"),
        ("https://host/a.tif#part", "a.tif", "a", ".tif", "https://host/"),
        ("https://host", "", "", "", "https://host"),
        ("s3://bucket/a/b?c#d.tif", "b?c#d.tif", "b?c#d", ".tif", "s3://bucket/a"),
        ("s3://bucket", "", "", "", "s3://bucket"),
    ],
)
def test_names(text: str, name: str, stem: str, suffix: str, parent: str) -> None:
    path = to_path(text)
    assert (path.name, path.stem, path.suffix, str(path.parent)) == (name, stem, suffix, parent)


def test_neighbours() -> None:
    path = to_path("https://host/images/a.tif?x=1")
    assert str(path.with_name("b.png")) == "https://host/images/b.png"
    assert str(path.with_suffix(".png")) == "https://host/images/a.png"
    assert str(path.parent / "../nir" / "a.tif") == "https://host/nir/a.tif"
    assert str(path.parent.joinpath("x", "y.tif")) == "https://host/images/x/y.tif"


def test_joined_to_a_folder_an_address_stays_what_it_is() -> None:
    path = to_path("https://host/a.tif")
    assert Path("/data") / path is path
    assert path / to_path("s3://b/k") == to_path("s3://b/k")
    assert path.absolute() is path.expanduser() is path.resolve() is path
    assert path.is_absolute()
    assert not path.is_relative_to("/")


def test_secrets_are_hidden_wherever_the_text_gets() -> None:
    path = to_path(SIGNED)
    hidden = "https://***@host:8443/dir/a.b.tif?x=1&X-Amz-Signature=***&t=2"
    assert str(path) == f"{path}" == path.as_posix() == shown(SIGNED) == hidden
    assert repr(path) == f"RemotePath('{hidden}')"
    assert isinstance(path, RemotePath)
    assert path.address == SIGNED


def test_equal_by_the_exact_address() -> None:
    path, other = to_path(SIGNED), to_path(SIGNED.replace("abc", "abd"))
    assert str(path) == str(other)
    assert path != other
    assert path == to_path(SIGNED)
    assert len({path, other, to_path(SIGNED)}) == 2
    assert path != Path(SIGNED)
    assert Path(SIGNED) != path
    for copied in (pickle.loads(pickle.dumps(path)), copy.deepcopy(path)):
        assert isinstance(copied, RemotePath)
        assert copied.address == SIGNED


OPENERS: list[Callable[[Path], object]] = [
    os.fspath,
    open,
    os.stat,
    lambda path: path.open("rb"),
    lambda path: path.stat(),
    lambda path: path.read_bytes(),
    lambda path: path.write_text("x"),
    lambda path: path.mkdir(parents=True),
    lambda path: path.unlink(missing_ok=True),
]


@pytest.mark.parametrize("opener", OPENERS)
def test_nothing_on_disk_is_touched_by_the_name(opener: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RasterError, match=r"https://host/a.tif is an address on the network; .*terrazzo download"):
        opener(to_path("https://host/a.tif"))
    assert not list(tmp_path.iterdir())


def test_it_is_taken_to_be_a_file_without_asking() -> None:
    path = to_path("https://host.invalid/a.tif")
    assert path.exists()
    assert path.is_file()
    assert not path.is_dir()


@pytest.mark.parametrize("text", ["no scheme", "", "://x"])
def test_an_address_needs_a_scheme(text: str) -> None:
    with pytest.raises(RasterError, match="is not an address"):
        RemotePath(text)


@pytest.mark.parametrize("address", ["https://host/dir/a.tif?x=[1]", "s3://bucket/dir/a.tif"])
def test_an_address_stands_for_itself(address: str, tmp_path: Path) -> None:
    for spec in (address, to_path(address)):
        (found,) = find_images(spec, tmp_path)
        assert (found.name, found.path) == ("a", to_path(address))


@pytest.mark.parametrize("address", ["https://host/dir/*.tif", "s3://bucket/dir/", "https://host", "s3://bucket/[ab].tif"])
def test_folders_and_patterns_at_addresses_are_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(RasterError, match=r"is not the address of one file.*terrazzo download"):
        find_images(address, tmp_path)
