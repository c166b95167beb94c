"""chip: what chips hold, which are left out, and that broken-off runs go on."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp

from terrazzo.errors import ConflictError, PairingError, RecipeError, WindowError
from terrazzo.rasters.chips.layout import spans
from terrazzo.rasters.chips.tag import VALID_TAG
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import LEGEND_TAG
from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import Context, open_context

PLACE = Affine(2, 0, 500_000, 0, -2, 5_000_000)
PLACED = {"crs": "EPSG:2056", "transform": PLACE}


def options(*sets: str) -> Context:
    return open_context(None, sets)


def write(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    settings = {"crs": "EPSG:32633", "transform": PLACE, "dtype": values.dtype.name, **profile}
    with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, **settings) as file:
        file.write(values)
    return path


def numbers(shape: tuple[int, int, int], dtype: str = "uint16") -> NDArray[Any]:
    """Values from 1 on, all different."""
    return np.arange(1, np.prod(shape) + 1).astype(dtype).reshape(shape)


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "chips.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_padded_chips_are_named_placed_and_tagged(tmp_path: Path) -> None:
    values = numbers((2, 50, 70))
    image = write(tmp_path / "scene.tif", values, nodata=0)
    chip([image], tmp_path / "out", context=options("chip.size=32"))
    names = sorted(path.name for path in (tmp_path / "out").glob("*.tif"))
    assert names == [f"scene_{col}_{row}.tif" for col in (0, 32, 64) for row in (0, 32)]
    with rasterio.open(tmp_path / "out" / "scene_64_32.tif") as file:
        assert file.shape == (32, 32)
        assert file.transform == PLACE @ Affine.translation(64, 32)
        assert file.tags()[VALID_TAG] == "6,18"
        found = file.read()
    np.testing.assert_array_equal(found[:, :18, :6], values[:, 32:, 64:])
    assert (found.sum(), found[:, :18, :6].sum()) == (found[:, :18, :6].sum(), values[:, 32:, 64:].sum())
    with rasterio.open(tmp_path / "out" / "scene_0_0.tif") as file:
        assert VALID_TAG not in file.tags()


def test_without_nodata_padding_is_masked(tmp_path: Path) -> None:
    image = write(tmp_path / "scene.tif", np.zeros((3, 20, 20), np.uint8))
    chip([image], tmp_path / "out", context=options("chip.size=16"))
    with open_raster(tmp_path / "out" / "scene_16_0.tif") as raster:
        valid = raster.read().valid
    assert valid[:, :4].all()
    assert not valid[:, 4:].any()


def test_chips_keep_what_the_image_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=4, height=20, width=20, dtype="int16", nodata=-5, crs="EPSG:2056", transform=PLACE
    ) as file:
        file.write(numbers((4, 20, 20), "int16"))
        file.descriptions = ("blue", "green", "red", "near")
        file.scales, file.offsets = (0.5, 1.0, 1.0, 2.0), (1.0, 0.0, 0.0, 3.0)
        file.units = ("m", "", "", "K")
        file.update_tags(SENSOR="x1", AREA_OR_POINT="Point")
        file.update_tags(2, WAVELENGTH="560")
    chip([path], tmp_path / "out", context=options("chip.size=16"))
    with rasterio.open(path) as image, rasterio.open(tmp_path / "out" / "scene_16_16.tif") as file:
        for fact in ("crs", "dtypes", "nodatavals", "descriptions", "scales", "offsets", "units"):
            assert getattr(file, fact) == getattr(image, fact), fact
        assert file.tags()["SENSOR"] == "x1"
        assert file.tags()["AREA_OR_POINT"] == "Point"
        assert file.tags(2) == {"WAVELENGTH": "560"}
        assert file.transform == image.transform @ Affine.translation(16, 16)


def test_palettes_and_alpha_stay(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "classes.tif", "w", driver="GTiff", count=1, height=9, width=9, dtype="uint8") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 7: (9, 8, 7, 255)})
        file.write(np.full((1, 9, 9), 7, np.uint8))
    rgb = {"photometric": "rgb", "alpha": "yes"}
    rgba = np.arange(4 * 81, dtype=np.uint8).reshape(4, 9, 9)
    rgba[3] = 255
    rgba[3, :4] = 0
    with rasterio.open(tmp_path / "photo.tif", "w", driver="GTiff", count=4, height=9, width=9, dtype="uint8", **rgb) as file:
        file.write(rgba)
    chip([tmp_path / "classes.tif", tmp_path / "photo.tif"], tmp_path / "out", context=options("chip.size=16"))
    with rasterio.open(tmp_path / "out" / "classes_0_0.tif") as file:
        assert file.colormap(1)[7] == (9, 8, 7, 255)
    with rasterio.open(tmp_path / "out" / "photo_0_0.tif") as file:
        assert file.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        np.testing.assert_array_equal(file.read()[:, :9, :9], rgba)
        assert not file.read(4)[9:].any()


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("pad", [(0, 10, 10), (10, 10, 10), (20, 10, 5)]),
        ("partial", [(0, 10, 10), (10, 10, 10), (20, 5, 5)]),
        ("shift", [(0, 10, 10), (10, 10, 10), (15, 10, 10)]),
    ],
)
def test_edges(edges: str, expected: list[tuple[int, int, int]]) -> None:
    assert [(span.start, span.length, span.inside) for span in spans(25, 0, 10, 10, edges)] == expected


def test_no_chip_lies_wholly_in_the_one_before() -> None:
    assert [span.start for span in spans(25, 3, 10, 4, "pad")] == [3, 7, 11, 15]
    assert [span.start for span in spans(4, 0, 10, 10, "shift")] == [0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (300, 1)])
def test_images_smaller_than_a_chip_are_padded(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = write(tmp_path / "scene.tif", np.ones((1, *shape), np.uint8))
    for edges in ("pad", "shift"):
        chip([image], tmp_path / edges, context=options("chip.size=256", f"chip.edges={edges}"))
        found = list((tmp_path / edges).glob("*.tif"))
        assert len(found) == -(-shape[0] // 256) * -(-shape[1] // 256)
        with rasterio.open(found[0]) as file:
            assert min(file.shape) == 256


def test_chips_without_data_are_left_out_and_counted(tmp_path: Path) -> None:
    values = numbers((1, 32, 32))
    values[:, :16, :16] = 0
    values[:, :16, 16:20] = 0
    image = write(tmp_path / "scene.tif", values, nodata=0)
    result = chip([image], tmp_path / "some", context=options("chip.size=16"))
    assert "1 chip without enough valid pixels left out" in result.text
    assert [row["kept"] for row in rows_of(tmp_path / "some")] == ["no data", "yes", "yes", "yes"]
    assert len(list((tmp_path / "some").glob("*.tif"))) == 3
    chip([image], tmp_path / "all", context=options("chip.size=16", "chip.min_valid=0"))
    assert len(list((tmp_path / "all").glob("*.tif"))) == 4
    result = chip([image], tmp_path / "full", context=options("chip.size=16", "chip.min_valid=0.8"))
    assert result.facts["left_out"] == {"no data": 2}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two images with masks: class 7 in the upper left corners; the first image has a hole."""
    for name in "ab":
        values = numbers((1, 40, 48))
        if name == "a":
            values[:, :4, :4] = 0
        write(tmp_path / "images" / f"{name}.tif", values, nodata=0)
        truth = np.zeros((40, 48), np.uint8)
        truth[:10, :12] = 7
        (tmp_path / "labels").mkdir(exist_ok=True)
        Image.fromarray(truth).save(tmp_path / "labels" / f"{name}.png")
    return tmp_path


def test_labels_are_cut_alongside(labelled: Path) -> None:
    sets = ("chip.size=32", 'legend.classes=["land", "water"]', "legend.values=[0, 7]")
    result = chip([labelled / "images"], labelled / "out", labels=str(labelled / "labels"), context=options(*sets))
    assert len(list((labelled / "out" / "images").glob("*.tif"))) == len(list((labelled / "out" / "labels").glob("*.tif"))) == 8
    with rasterio.open(labelled / "out" / "labels" / "a_0_0.tif") as file:
        found = file.read(1)
        assert file.nodata == 255
        assert "water" in file.tags()[LEGEND_TAG]
        assert file.transform == PLACE
    assert (found[:4, :4] == 255).all()
    assert (found[:10, 4:12] == 7).all()
    assert (found == 7).sum() == 104
    with rasterio.open(labelled / "out" / "labels" / "a_32_32.tif") as file:
        assert (file.read(1)[8:] == 255).all()
    first = rows_of(labelled / "out")[0]
    assert (first["chip"], first["pixels_water"]) == ("a_0_0", "104")
    assert set(result.facts["classes"]) == {"land", "water"}  # type: ignore[call-overload]


def test_empty_chips_are_dropped_by_a_draw_that_names_decide(labelled: Path) -> None:
    def kept(out: str, share: float, seed: int = 0, labels: str = "labels") -> set[str]:
        sets = ("chip.size=8", f"chip.keep_empty={share}", f"chip.seed={seed}", "legend.values=[0, 7]", 'legend.classes=["land", "water"]')
        chip([labelled / "images" / "b.tif"], labelled / out, labels=str(labelled / labels / "b.png"), context=options(*sets))
        return {row["chip"] for row in rows_of(labelled / out) if row["kept"] == "yes"}

    none, half, all_of_them = kept("none", 0), kept("half", 0.5), kept("all", 1)
    assert none == {"b_0_0", "b_8_0", "b_0_8", "b_8_8"}
    assert none < half < all_of_them
    assert len(all_of_them) == 30
    assert kept("again", 0.5) == half
    assert kept("other", 0.5, seed=1) != half
    with pytest.raises(RecipeError, match="give --labels too"):
        chip([labelled / "images"], labelled / "x", context=options("chip.keep_empty=0.5"))


def test_several_images_are_paired_with_their_labels(labelled: Path) -> None:
    images = [labelled / "images" / "a.tif", labelled / "images" / "b.tif"]
    chip(images, labelled / "out", labels=str(labelled / "labels"), context=options("chip.size=64"))
    assert len(rows_of(labelled / "out")) == 2
    with pytest.raises(PairingError):
        chip([images[0], images[0]], labelled / "other", labels=str(labelled / "labels"), context=options("chip.size=64"))


def test_repeated_stems_keep_their_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / "images" / folder / "scene.tif", numbers((1, 8, 8)))
    chip([tmp_path / "images"], tmp_path / "out", context=options("chip.size=8"))
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.tif")) == [
        "one/scene_0_0.tif",
        "two/scene_0_0.tif",
    ]


def test_finished_chips_are_kept_and_missing_or_short_ones_made_again(tmp_path: Path) -> None:
    image = write(tmp_path / "scene.tif", numbers((1, 40, 40)))
    out, context = tmp_path / "out", options("chip.size=16")
    chip([image], out, context=context)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in out.glob("*.tif")}
    (out / "scene_0_0.tif").unlink()
    (out / "scene_16_0.tif").write_bytes(b"II*\0")
    result = chip([image], out, context=context)
    assert "9 chips of 1 image" in result.text
    assert "7 of them done before" in result.text
    after = {path.name: (path.stat().st_ino, path.read_bytes()) for path in out.glob("*.tif")}
    assert {name: data for name, (_, data) in after.items()} == {name: data for name, (_, data) in before.items()}
    assert after["scene_32_32.tif"][0] == before["scene_32_32.tif"][0]


def test_other_options_images_or_files_are_refused(tmp_path: Path) -> None:
    image = write(tmp_path / "scene.tif", numbers((1, 40, 40)))
    chip([image], tmp_path / "out", context=options("chip.size=16"))
    with pytest.raises(ConflictError, match="made with other options"):
        chip([image], tmp_path / "out", context=options("chip.size=20"))
    write(image, numbers((1, 40, 40)) + 1)
    with pytest.raises(ConflictError, match="of other images"):
        chip([image], tmp_path / "out", context=options("chip.size=16"))
    strange = write(tmp_path / "new" / "scene_0_0.tif", numbers((1, 4, 4)))
    held = strange.read_bytes()
    with pytest.raises(ConflictError, match=r"scene_0_0\.tif"):
        chip([image], tmp_path / "new", context=options("chip.size=16"))
    assert strange.read_bytes() == held


def test_offsets_beyond_the_image_are_refused(tmp_path: Path) -> None:
    image = write(tmp_path / "scene.tif", numbers((1, 40, 40)))
    with pytest.raises(WindowError, match="offset is 40 px"):
        chip([image], tmp_path / "out", context=options("chip.offset=[0, 40]"))


def test_a_killed_run_leaves_whole_chips_and_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = write(tmp_path / "scene.tif", rng.integers(0, 255, (3, 1500, 1500), np.uint8))
    command = [sys.executable, "-m", "terrazzo", "chip", str(image), str(tmp_path / "out"), "--size", "50", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list((tmp_path / "out").glob("scene*.tif"))) < 250:
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = list((tmp_path / "out").glob("scene*.tif"))
    assert 200 <= len(left) < 900
    with rasterio.open(image) as file:
        truth = file.read()
    for path in left:
        col, row = (int(part) for part in path.stem.split("_")[1:])
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(file.read(), truth[:, row : row + 50, col : col + 50])
    result = chip([image], tmp_path / "out", context=options("chip.size=50"))
    assert "done before" in result.text
    assert len(list((tmp_path / "out").glob("*.tif"))) == 900
    assert not list((tmp_path / "out").glob(".scene*"))


def test_pictures_give_chips_without_a_place(tmp_path: Path) -> None:
    Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)).save(tmp_path / "photo.png")
    np.save(tmp_path / "frame.npy", np.arange(600, dtype=np.float32).reshape(20, 30))
    chip([tmp_path / "photo.png", tmp_path / "frame.npy"], tmp_path / "out", context=options("chip.size=16"))
    with rasterio.open(tmp_path / "out" / "photo_16_0.tif") as file:
        assert file.crs is None
        assert file.colorinterp[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    with rasterio.open(tmp_path / "out" / "frame_16_0.tif") as file:
        np.testing.assert_array_equal(file.read(1)[:, :14], np.arange(600, dtype=np.float32).reshape(20, 30)[:16, 16:])
