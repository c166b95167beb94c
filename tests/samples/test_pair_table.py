"""Pairs of images and labels from a table."""

from pathlib import Path

import pytest

from terrazzo.errors import PairingError
from terrazzo.rasters.files import ImageFile
from terrazzo.samples.pair_table import table_pairs


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[ImageFile], list[ImageFile]]:
    images = [ImageFile(name=name, path=tmp_path / "images" / f"{name}.tif") for name in ("a", "b", "north/c")]
    labels = [ImageFile(name=name, path=tmp_path / "labels" / f"{name}.png") for name in ("1", "2", "3")]
    return images, labels


def write(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def test_names_stems_and_paths_mean_files(tmp_path: Path, files: tuple[list[ImageFile], list[ImageFile]]) -> None:
    table = write(tmp_path, "Label,note,image", "2.png,x,a.tif", "labels/3.png,y,b", "", "1,z,images/north/c.tif")
    found = table_pairs(table, tmp_path, *files)
    assert {image.stem: label.stem for image, label in found.items()} == {"a": "2", "b": "3", "c": "1"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["image,label", "a,1", "b,2"], "no row for 1 of 3 images: north/c"),
        (["image,label", "a,1", "b,9", "x,3", "c,2"], r"row 3: '9', row 4: 'x'"),
        (["image,label", "a,1", "a,2"], "row 3: the image 'a' has a row already"),
        (["image,label", "a,1", "b,1", "c,2"], "one label to several images: 1.png"),
        (["image,mask", "a,1"], "columns image, mask; it needs"),
        (["image,label", "a"], "row 2: 1 cell"),
        (["image,label", "../../etc/passwd,1", "b,2", "c,3"], "etc/passwd"),
    ],
)
def test_what_does_not_pair_is_listed(tmp_path: Path, files: tuple[list[ImageFile], list[ImageFile]], rows: list[str], said: str) -> None:
    with pytest.raises(PairingError, match=said):
        table_pairs(write(tmp_path, *rows), tmp_path, *files)


def test_a_name_that_several_files_have_means_none(tmp_path: Path, files: tuple[list[ImageFile], list[ImageFile]]) -> None:
    images = [*files[0], ImageFile(name="south/c", path=tmp_path / "images" / "south" / "c.tif")]
    table = write(tmp_path, "image,label", "a,1", "b,2", "c,3")
    with pytest.raises(PairingError, match="row 4: 'c'"):
        table_pairs(table, tmp_path, images, files[1])


def test_a_missing_or_binary_table_is_named(tmp_path: Path, files: tuple[list[ImageFile], list[ImageFile]]) -> None:
    with pytest.raises(PairingError, match=r"none\.csv cannot be read"):
        table_pairs(tmp_path / "none.csv", tmp_path, *files)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PairingError, match=r"bytes\.csv"):
        table_pairs(tmp_path / "bytes.csv", tmp_path, *files)
