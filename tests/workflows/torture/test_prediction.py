"""What goes wrong in a prediction, as it is met on the command line: a row of the torture table each."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from terrazzo.errors import DataError
from terrazzo.models.bundle import load_bundle, save_bundle
from terrazzo.prediction import keeping
from terrazzo.prediction.engines.engine import Engine
from terrazzo.workflows.model import load

NORTH_UP = Affine(2, 0, 500_000, 0, -2, 5_000_000)
SHAPE = (40, 48)


def write(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    """A GeoTIFF of (bands, height, width) on the cells of the training."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    place = {"crs": "EPSG:32633", "transform": NORTH_UP}
    settings = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": values.dtype, **place, **profile}
    with rasterio.open(path, "w", **settings) as file:
        file.write(values)
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        classes: NDArray[np.uint8] = file.read(1)
    return classes


def stamps(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def values(tiny_run: Any) -> NDArray[np.uint16]:
    """(2, 40, 48) of an image of the training."""
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        found: NDArray[np.uint16] = file.read()
    return found


@pytest.fixture
def expected(typed: Any, tiny_run: Any, tmp_path: Path) -> bytes:
    """The map of that image."""
    assert typed("predict", tiny_run.run, tiny_run.folder / "images" / "a.tif", tmp_path / "expected").code == 0
    return (tmp_path / "expected" / "a_predseg.tif").read_bytes()


@pytest.fixture
def _with_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of eight rows, so that small maps have a journal."""
    monkeypatch.setattr(keeping, "BLOCK_PX", 8 * SHAPE[1] - 1)


def test_a_flipped_block_is_no_data_and_the_rest_is_mapped(typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16]) -> None:
    """Torture 2."""
    image = write(tmp_path / "a.tif", values, nodata=0, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    with rasterio.open(image) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    whole = image.read_bytes()
    image.write_bytes(whole[:offset] + bytes(255 - value for value in whole[offset : offset + 30]) + whole[offset + 30 :])
    for _ in range(2):
        ended = typed("predict", tiny_run.run, image, tmp_path / "maps")
        assert ended.code == 7
        assert f"error: {image}: 1 block cannot be read; the map has no data there." in ended.err
    missing = pixels(tmp_path / "maps" / "a_predseg.tif") == 255
    wanted = values[0] == 0
    wanted[16:32, 16:32] = True
    assert np.array_equal(missing, wanted)
    row = pd.read_csv(tmp_path / "maps" / "failures.csv").iloc[0]
    assert row[["map", "col_off", "row_off", "width", "height"]].tolist() == ["a_predseg.tif", 16, 16, 16, 16]


class TestHalfAMap:
    """Torture 4: it is never taken for a whole one."""

    def test_under_the_name_that_maps_have_meanwhile(self, typed: Any, tiny_run: Any, tmp_path: Path, expected: bytes) -> None:
        """As a kill leaves it: whole as a file, and all zeros."""
        write(tmp_path / "maps" / ".a_predseg-0123abcd.tif", np.zeros((1, *SHAPE), np.uint8))
        assert typed("predict", tiny_run.run, tiny_run.folder / "images" / "a.tif", tmp_path / "maps").code == 0
        assert (tmp_path / "maps" / "a_predseg.tif").read_bytes() == expected

    @pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.99])
    def test_under_its_own_name(self, typed: Any, tiny_run: Any, tmp_path: Path, expected: bytes, share: float) -> None:
        """As a copy that was cut off: made anew, or refused where nothing tells any more whose it is."""
        path = tmp_path / "maps" / "a_predseg.tif"
        path.parent.mkdir()
        path.write_bytes(expected[: int(share * len(expected))])
        ended = typed("predict", tiny_run.run, tiny_run.folder / "images" / "a.tif", tmp_path / "maps")
        known = share == 0.99
        assert ended.code == (0 if known else 6)
        assert "kept from before" not in ended.out
        assert (path.read_bytes() == expected) == known

    def test_with_blocks_that_were_never_written(self, typed: Any, tiny_run: Any, tmp_path: Path, expected: bytes) -> None:
        """They would read as zeros."""
        path = tmp_path / "maps" / "a_predseg.tif"
        with rasterio.open(tmp_path / "expected" / "a_predseg.tif") as whole:
            profile, tags = whole.profile, whole.tags()
        path.parent.mkdir()
        with rasterio.open(path, "w", **profile, sparse_ok=True) as file:
            file.update_tags(**tags)
        assert typed("predict", tiny_run.run, tiny_run.folder / "images" / "a.tif", tmp_path / "maps").code == 0
        assert path.read_bytes() == expected


def test_cells_of_another_size_are_warned_of_or_matched(typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16]) -> None:
    """Torture 13."""
    fine = np.kron(values, np.ones((1, 4, 4), np.uint16))
    image = write(tmp_path / "fine.tif", fine, nodata=0, transform=NORTH_UP @ Affine.scale(0.25))
    warned = typed("predict", tiny_run.run, image, tmp_path / "own")
    assert warned.code == 0
    assert "warning: The model was trained on cells of 2 x 2; those of fine.tif (0.5 x 0.5) are of another size" in warned.err
    matched = typed("predict", tiny_run.run, image, tmp_path / "matched", "--match-resolution")
    assert matched.code == 0
    assert "warning" not in matched.err
    assert pixels(tmp_path / "matched" / "fine_predseg.tif").shape == fine.shape[1:]


def test_values_far_from_those_of_the_training_are_warned_of(typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16]) -> None:
    """Torture 16: with the figures of both."""
    image = write(tmp_path / "x.tif", (values * np.float32(257)).astype(np.float32), nodata=0)
    ended = typed("predict", tiny_run.run, image, tmp_path / "maps")
    assert ended.code == 0
    assert "warning: Pixel values are unlike those that the model was trained on" in ended.err
    assert "x.tif: band 1 " in ended.err
    assert "(in training " in ended.err


@pytest.mark.parametrize("kind", ["nan", "inf", "nodata", "alpha", "mask"])
def test_pixels_without_a_value_have_no_class(typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16], kind: str) -> None:
    """Torture 17."""
    hole = np.random.default_rng(3).random(SHAPE) < 0.2
    hole[20:, 30:] = True
    numbers = np.maximum(values, 1).astype(np.float32)
    numbers[:, hole] = {"nan": np.nan, "inf": -np.inf, "nodata": -9999}.get(kind, 400)
    path = tmp_path / "a.tif"
    if kind == "alpha":
        write(path, np.concatenate([numbers, np.where(hole, 0, 255)[np.newaxis].astype(np.float32)]), alpha="yes")
        with rasterio.open(path, "r+") as file:
            file.colorinterp = (ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha)
    else:
        write(path, numbers, nodata=-9999 if kind == "nodata" else None)
    if kind == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            file.write_mask(~hole)
    assert typed("predict", tiny_run.run, path, tmp_path / "maps", "--probabilities").code == 0
    assert np.array_equal(pixels(tmp_path / "maps" / "a_predseg.tif") == 255, hole)
    with rasterio.open(tmp_path / "maps" / "a_probabilities.tif") as file:
        assert np.array_equal(file.read().sum(axis=0) == 0, hole)


def test_windows_without_data_are_skipped(
    typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torture 18: neither computed nor mapped."""
    values[:, :, 16:] = 0
    passes, run_pass = [], Engine._pass

    def counting(engine: Engine, chips: Any, size: int) -> Any:
        passes.append(len(chips))
        return run_pass(engine, chips, size)

    monkeypatch.setattr(Engine, "_pass", counting)
    image = write(tmp_path / "a.tif", values, nodata=0)
    ended = typed("predict", tiny_run.run, image, tmp_path / "maps", "--overlap", "0")
    assert ended.code == 0
    assert sum(passes) == 3
    assert (pixels(tmp_path / "maps" / "a_predseg.tif")[:, 16:] == 255).all()


class TestPlaces:
    """Torture 19: a map lies where its image does, or nowhere; never elsewhere."""

    @pytest.mark.parametrize(
        "transform",
        [
            Affine(2, 0, 500_000, 0, 2, 4_999_920),
            Affine(2, 0, 500_000, 0, -2, 5_000_000) @ Affine.rotation(30),
            Affine(-2, 0, 500_096, 0, -2, 5_000_000),
        ],
        ids=["south-up", "rotated", "mirrored"],
    )
    def test_odd_ones_are_kept(
        self, typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16], expected: bytes, transform: Affine
    ) -> None:
        image = write(tmp_path / "a.tif", values, nodata=0, transform=transform)
        assert typed("predict", tiny_run.run, image, tmp_path / "maps").code == 0
        with rasterio.open(tmp_path / "maps" / "a_predseg.tif") as file:
            assert file.transform.almost_equals(transform)
            assert file.crs == "EPSG:32633"
            classes = file.read(1)
        assert np.array_equal(classes, pixels(tmp_path / "expected" / "a_predseg.tif"))

    def test_control_points_alone_are_no_place(
        self, typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16], expected: bytes
    ) -> None:
        points = [
            GroundControlPoint(row=row, col=col, x=500_000 + 2 * col, y=5_000_000 - 2 * row) for row, col in ((0, 0), (0, 48), (40, 0))
        ]
        image = write(tmp_path / "a.tif", values, nodata=0, crs=None, transform=None)
        with rasterio.open(image, "r+") as file:
            file.gcps = (points, "EPSG:32633")
        ended = typed("predict", tiny_run.run, image, tmp_path / "maps")
        assert ended.code == 0
        assert "control points" in ended.err
        with rasterio.open(tmp_path / "maps" / "a_predseg.tif") as file:
            assert file.crs is None
            assert file.transform.is_identity
            assert np.array_equal(file.read(1), pixels(tmp_path / "expected" / "a_predseg.tif"))

    def test_without_any(self, typed: Any, tiny_run: Any, tmp_path: Path, values: NDArray[np.uint16], expected: bytes) -> None:
        image = write(tmp_path / "a.tif", values, nodata=0, crs=None, transform=None)
        assert typed("predict", tiny_run.run, image, tmp_path / "maps").code == 0
        with rasterio.open(tmp_path / "maps" / "a_predseg.tif") as file:
            assert (file.crs, file.transform.is_identity) == (None, True)
            assert np.array_equal(file.read(1), pixels(tmp_path / "expected" / "a_predseg.tif"))


def test_a_small_file_that_declares_a_terabyte(typed: Any, tiny_run: Any, tmp_path: Path) -> None:
    """Torture 25: a part of it is mapped; all of it at once is refused with its size."""
    side = 500_000
    place = {"crs": "EPSG:32633", "transform": Affine(2, 0, 0, 0, -2, 10_000_000)}
    path = tmp_path / "huge.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=2, height=side, width=side, dtype="uint16", nodata=0, tiled=True, blockxsize=4096, blockysize=4096,
        sparse_ok=True, bigtiff="yes", compress="deflate", **place,
    ) as file:  # fmt: skip
        file.write(np.full((2, 40, 48), 300, np.uint16), window=((4096, 4136), (8192, 8240)))
    assert path.stat().st_size < 2**22
    area = f"{8192 * 2},{10_000_000 - 4136 * 2},{8240 * 2},{10_000_000 - 4096 * 2}"
    ended = typed("predict", tiny_run.run, path, tmp_path / "maps", "--aoi", area)
    assert ended.code == 0
    classes = pixels(tmp_path / "maps" / "huge_predseg.tif")
    assert classes.shape == SHAPE
    assert (classes != 255).all()
    with pytest.raises(DataError, match="a map of 500000 x 500000 pixels is too large for memory"):
        load(tiny_run.run, "cpu").predict(path).classes  # noqa: B018 - it is computed when it is asked for


def test_out_of_memory_halves_the_batch_and_changes_nothing(
    typed: Any, tiny_run: Any, tmp_path: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torture 40."""
    run_pass, calls = Engine._pass, []

    def short_once(engine: Engine, chips: Any, size: int) -> Any:
        calls.append(size)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return run_pass(engine, chips, size)

    monkeypatch.setattr(Engine, "_pass", short_once)
    ended = typed("predict", tiny_run.run, tiny_run.folder / "images" / "a.tif", tmp_path / "maps", "--batch-size", "4", "--threads", "4")
    assert ended.code == 0
    assert "warning: Memory does not suffice for 4 windows at once; going on with 2." in ended.err
    assert (tmp_path / "maps" / "a_predseg.tif").read_bytes() == expected


@pytest.mark.usefixtures("_with_journal")
class TestBrokenOff:
    """Torture 45."""

    def test_it_goes_on_with_what_began_it_alone(
        self, typed: Any, tiny_run: Any, tmp_path: Path, expected: bytes, breaking_off: Any, other_model: Path
    ) -> None:
        image, out = tiny_run.folder / "images" / "a.tif", tmp_path / "maps"
        with breaking_off(2):
            # the fixture waits for what ends the command too
            if typed("predict", tiny_run.run, image, out).code == 130:
                raise KeyboardInterrupt
        for model, more, words in ((tiny_run.run, ("--overlap", "0.25"), "overlap 0.5 (now 0.25)"), (other_model, (), "model ")):
            ended = typed("predict", model, image, out, *more)
            assert ended.code == 6
            assert "holds an unfinished map, made with " in ended.err
            assert words in ended.err
            assert not (out / "a_predseg.tif").exists()
        assert typed("predict", tiny_run.run, image, out).code == 0
        assert (out / "a_predseg.tif").read_bytes() == expected


class TestDoneBefore:
    """Torture 47."""

    def test_maps_are_kept(self, typed: Any, tiny_run: Any, tmp_path: Path) -> None:
        words = ("predict", tiny_run.run, tiny_run.folder / "images", tmp_path / "maps", "--overlay", "--polygons", "--rle", "water")
        assert typed(*words, "--probabilities").code == 0
        before = stamps(tmp_path / "maps")
        again = typed(*words, "--probabilities")
        assert again.code == 0
        assert "4 of them kept from before" in again.out
        assert stamps(tmp_path / "maps") == before

    def test_an_evaluation_is_kept(self, typed: Any, tiny_run: Any, tmp_path: Path) -> None:
        words = ("evaluate", tiny_run.run / "maps", tiny_run.folder / "labels", tmp_path / "scores")
        assert typed(*words).code == 0
        before = stamps(tmp_path / "scores")
        again = typed(*words)
        assert again.code == 0
        assert "it holds this evaluation already" in again.out
        assert stamps(tmp_path / "scores") == before
        assert typed(*words, "--bins", "9").code == 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (5, 3)])
def test_images_smaller_than_a_window(typed: Any, tiny_run: Any, tmp_path: Path, shape: tuple[int, int]) -> None:
    """Torture 49."""
    image = write(tmp_path / "a.tif", np.full((2, *shape), 300, np.uint16))
    assert typed("predict", tiny_run.run, image, tmp_path / "maps", "--tta", "d4", "--median", "2").code == 0
    classes = pixels(tmp_path / "maps" / "a_predseg.tif")
    assert classes.shape == shape
    assert set(np.unique(classes)) <= {0, 7}


def test_a_map_of_one_class_is_told_with_its_probabilities(typed: Any, tiny_run: Any, tmp_path: Path) -> None:
    """Torture 50."""
    bundle = load_bundle(tiny_run.run)
    with torch.no_grad():
        bundle.network.head.weight.zero_()  # type: ignore[operator, union-attr]
        bundle.network.head.bias.copy_(torch.tensor([0.0, 1.0]))  # type: ignore[operator, union-attr]
    save_bundle(tmp_path / "model", bundle.network, bundle.card)
    ended = typed("predict", tmp_path / "model", tiny_run.folder / "images", tmp_path / "maps")
    assert ended.code == 0
    assert "warning: Every predicted pixel is 'water'. Its probability, by tenths from: 0.7: 100%." in ended.err
