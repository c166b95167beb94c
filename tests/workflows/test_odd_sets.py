"""mask and index with images of odd sizes and names, objects that touch, and a recipe that lies elsewhere."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import LabelError
from terrazzo.labels.sentences import counted
from terrazzo.samples.table import load
from terrazzo.workflows.context import open_context
from terrazzo.workflows.index import index
from terrazzo.workflows.mask import mask

NAMES = [
    "a b",
    "wave \U0001f30a",
    "line\nbreak",
    "\u202ertl",
    "=cmd()",
    "<script>",
    "x" * 251,
    "a..b",
    "-dash",
    "br[ack]et",
    "q'uo\"te",
    "*star",
]


def write(path: Path, values: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(exist_ok=True)
    place = {"crs": "EPSG:32633", "transform": Affine(1, 0, 500_000, 0, -1, 5_000_000)}
    with rasterio.open(path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1, dtype="uint8", **place) as file:
        file.write(values[None])
    return path


def values(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        found: NDArray[np.uint8] = file.read(1)
        return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1)])
def test_images_of_one_pixel_or_one_line(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Torture 49."""
    truth = (np.arange(shape[0] * shape[1]).reshape(shape) % 3 == 0).astype(np.uint8)
    image = write(tmp_path / "a.tif", np.full(shape, 9, np.uint8))
    label = write(tmp_path / "b.tif", truth)
    context = open_context(None, ["legend.classes=['no', 'yes']", "samples.size=40", "samples.overlap=0", "samples.min_valid=0"])
    mask(image, label, tmp_path / "masks", rle=True, context=context)
    np.testing.assert_array_equal(values(tmp_path / "masks" / "a.tif"), truth)
    index(image, label, tmp_path / "samples.parquet", context)
    frame = load(tmp_path / "samples.parquet").frame
    assert frame["pixels_1"].sum() == truth.sum()
    assert frame["pixels_0"].sum() == (truth == 0).sum()


def test_names_of_any_letters_come_back(tmp_path: Path) -> None:
    """Torture 33."""
    truth = np.eye(9, 12, dtype=np.uint8)
    for name in NAMES:
        write(tmp_path / "images" / f"{name}.tif", np.full((9, 12), 9, np.uint8))
        write(tmp_path / "labels" / f"{name}.tif", truth)
    result = mask(tmp_path / "images", tmp_path / "labels", tmp_path / "masks", rle=True)
    assert result.text.startswith(counted(len(NAMES), "mask"))
    assert {path.stem for path in (tmp_path / "masks").glob("*.tif")} == set(NAMES)
    with (tmp_path / "masks" / "rle.csv").open(newline="", encoding="utf-8") as file:
        assert {row["ImageId"] for row in csv.DictReader(file)} == {f"{name}.tif" for name in NAMES}
    index(tmp_path / "images", tmp_path / "masks" / "rle.csv", tmp_path / "samples.parquet", open_context(None, ["samples.size=16"]))
    assert set(load(tmp_path / "samples.parquet").frame["scene"]) == set(NAMES)


def test_touching_ships_count_as_two(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.fromarray(np.full((10, 12), 9, np.uint8)).save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "ships.csv").write_text("ImageId,EncodedPixels\na.png,1 3\na.png,4 3\nb.png,\n")
    index(tmp_path / "images", tmp_path / "ships.csv", tmp_path / "samples.parquet", open_context(None, ["samples.size=16"]))
    assert load(tmp_path / "samples.parquet").frame["objects"].tolist() == [2, 0]


def test_tables_without_any_object_are_nothing_to_learn_from(tmp_path: Path) -> None:
    """Torture 10: blank images are fine for mask, but not all images of a set."""
    Image.fromarray(np.full((10, 12), 9, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "ships.csv").write_text("ImageId,EncodedPixels\na.png,\n")
    mask(tmp_path / "a.png", tmp_path / "ships.csv", tmp_path / "masks")
    assert not values(tmp_path / "masks" / "a.tif").any()
    with pytest.raises(LabelError, match="All labels are empty"):
        index(tmp_path / "a.png", tmp_path / "ships.csv", tmp_path / "samples.parquet")
    assert not (tmp_path / "samples.parquet").exists()
