import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import RasterError
from terrazzo.rasters import files
from terrazzo.rasters.files import ImageFile, digest, find_images, natural_key, output_stems


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(found: list[ImageFile]) -> list[str]:
    return [file.name for file in found]


def test_a_folder_stands_for_its_images_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "d/x10.tif", "d/x2.TIF", "d/sub/x1.png", "d/notes.txt", "d/x2.tif.aux.xml", "d/.hidden.tif", "d/.cache/x3.tif")
    found = find_images("d", tmp_path)
    assert names(found) == ["sub/x1", "x2", "x10"]
    assert [file.path for file in found] == [tmp_path / "d/sub/x1.png", tmp_path / "d/x2.TIF", tmp_path / "d/x10.tif"]


def test_one_file_may_have_any_extension(tmp_path: Path) -> None:
    touch(tmp_path, "d/frame.dat")
    assert find_images("d/frame.dat", tmp_path) == [ImageFile(name="frame", path=tmp_path / "d/frame.dat")]
    assert names(find_images(str(tmp_path / "d/frame.dat"), Path("elsewhere"))) == ["frame"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/images/*.fits", ["test/ccd_2", "train/ccd_1", "train/ccd_10"]),
        ("train/images/*.fits", ["ccd_1", "ccd_10"]),
        ("train/images/ccd_?.fits", ["ccd_1"]),
        ("*/images/ccd_1.fits", ["train/ccd_1"]),
        ("**/*.fits", ["test/images/ccd_2", "train/images/ccd_1", "train/images/ccd_10"]),
        ("**/images/*.fits", ["test/ccd_2", "train/ccd_1", "train/ccd_10"]),
        ("t*/**/*.fits", ["test/images/ccd_2", "train/images/ccd_1", "train/images/ccd_10"]),
        ("train/**", ["images/ccd_1", "images/ccd_10", "masks/ccd_1"]),
        ("*/*/ccd_1*", ["train/images/ccd_1", "train/images/ccd_10", "train/masks/ccd_1"]),
        ("train/masks/*.txt", ["ccd_1"]),
        ("../set/*/masks/*.png", ["train/ccd_1"]),
    ],
)
def test_a_pattern_names_files_by_what_its_wildcards_stand_for(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    root = tmp_path / "set"
    touch(
        root,
        "train/images/ccd_10.fits",
        "train/images/ccd_1.fits",
        "test/images/ccd_2.fits",
        "train/masks/ccd_1.png",
        "train/masks/ccd_1.txt",
    )
    assert names(find_images(pattern, root)) == expected
    assert names(find_images(str(root / pattern), tmp_path)) == expected


def test_wildcards_in_the_root_are_plain_characters(tmp_path: Path) -> None:
    root = tmp_path / "a[1]*"
    touch(root, "images/x.tif")
    touch(tmp_path, "a1/images/y.tif")
    assert names(find_images("*/x*", root)) == ["images/x"]
    assert names(find_images("images", root)) == ["x"]


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    touch(tmp_path, "d/sub/x.tif")
    (tmp_path / "d/sub/again").symlink_to(tmp_path / "d", target_is_directory=True)
    assert names(find_images("d", tmp_path)) == ["sub/x"]


@pytest.mark.parametrize("spec", ["missing", "missing/*.tif", "empty", "missing.tif"])
def test_nothing_found_names_the_place(tmp_path: Path, spec: str) -> None:
    touch(tmp_path, "empty/notes.txt")
    with pytest.raises(RasterError) as caught:
        find_images(spec, tmp_path)
    assert str(tmp_path / spec) in str(caught.value)


@pytest.mark.parametrize("name", ["line\nbreak", "sm\N{GRINNING FACE}le", "a..b", "\u202eright", " space ", "n" * 251, "semi;colon&<x>"])
def test_odd_names_come_back_as_they_are(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"d/{name}.tif")
    assert names(find_images("d", tmp_path)) == [name]


def test_natural_order() -> None:
    ordered = ["1", "a", "a/b2", "a/b10", "a01", "a1", "a1/x", "a2", "a10", "b"]
    shuffled = ordered[::2] + ordered[1::2]
    assert sorted(shuffled, key=natural_key) == ordered


@given(st.text(), st.text())
def test_natural_order_tells_all_names_apart(one: str, other: str) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text("ab/_", max_size=3))
def test_natural_order_is_that_of_numbers(one: int, other: int, prefix: str) -> None:
    assert (natural_key(f"{prefix}{one}") < natural_key(f"{prefix}{other}")) == (one < other)


def test_output_stems_keep_the_folder_only_where_it_is_needed() -> None:
    found = [ImageFile(name=name, path=Path(f"/data/{name}.tif")) for name in ("a/x", "b/x", "b/y", "c/Y", "z")]
    assert list(output_stems(found).values()) == ["a/x", "b/x", "b/y", "c/Y", "z"]
    assert list(output_stems(found[:3]).values()) == ["a/x", "b/x", "y"]


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_digest_sees_every_byte(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(data)
    other.write_bytes(data)
    assert digest(one) == digest(other)
    other.write_bytes(data + b"\0")
    assert digest(one) != digest(other)
    if size:
        other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert digest(one) != digest(other)


def test_digest_of_a_large_file_is_sampled_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SAMPLED_BEYOND_BYTES", 1000)
    monkeypatch.setattr(files, "_BLOCK_BYTES", 10)
    monkeypatch.setattr(files, "_BLOCKS", 5)
    path = tmp_path / "large"
    path.write_bytes(bytes(1000))
    assert digest(path).startswith("blake2b:")
    path.write_bytes(bytes(2000))
    plain = digest(path)
    assert plain.startswith("blake2b-sampled:")
    for place, seen in ((0, True), (1999, True), (500, True), (300, False)):
        path.write_bytes(bytes(place) + b"\1" + bytes(1999 - place))
        assert (digest(path) != plain) == seen


def test_digest_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    assert digest(tmp_path / "pipe.tif").startswith("blake2b:")


def test_compressed_fits_and_archives_of_arrays_are_images(tmp_path: Path) -> None:
    for name in ("a.v1.fits.gz", "b.npz", "c.FIT.GZ", "d.tif.gz", "e.gz", "f.csv.gz"):
        (tmp_path / name).touch()
    assert [file.name for file in find_images(str(tmp_path), tmp_path)] == ["a.v1", "b", "c"]
    assert [file.name for file in find_images("*.fits.gz", tmp_path)] == ["a.v1"]
    assert find_images("a.v1.fits.gz", tmp_path)[0].name == "a.v1"


def test_digest_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match="missing"):
        digest(tmp_path / "missing.tif")
