"""COCO files: what is read, what is refused, and the labels they give."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from rasterio.features import rasterize

from terrazzo.errors import DataError, LabelError, PairingError, RasterError
from terrazzo.labels.coco import CocoFile, CocoLabels
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, whole

RNG = np.random.default_rng(12)
SHAPE = (23, 31)
SQUARE = [2.0, 3.0, 10.0, 3.0, 10.0, 8.0, 2.0, 8.0]
CATEGORIES = [{"id": 1, "name": "roof"}, {"id": 7, "name": "tree"}]
BOTH = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(["ground", "roof", "tree"]))
)

Coco = Callable[..., Path]


def image(name: str = "a.png", shape: tuple[int, int] = SHAPE, folder: str = "images") -> LabelledImage:
    path = Path("/data") / folder / name
    return LabelledImage(name=path.stem, path=path, grid=Grid(shape=shape))


def picture(number: int = 1, name: str = "a.png", shape: tuple[int, int] = SHAPE) -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": shape[0], "width": shape[1]}


def polygon(*rings: list[float], category: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": 1, "category_id": category, "segmentation": list(rings), "iscrowd": 0, **more}


def packed(mask: NDArray[np.bool_], category: int = 1, **more: Any) -> dict[str, Any]:
    """As pycocotools writes it."""
    theirs = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
    runs = {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    return {"image_id": 1, "category_id": category, "segmentation": runs, **more}


def counted(mask: NDArray[np.bool_], category: int = 1, **more: Any) -> dict[str, Any]:
    """With plain counts, by a loop."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"image_id": 1, "category_id": category, "segmentation": {"size": list(mask.shape), "counts": counts}, **more}


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    """Write a COCO file with annotations, of one image unless told otherwise."""

    def write(*annotations: Any, **more: Any) -> Path:
        path = tmp_path / "coco.json"
        content = {"info": {"year": 2024}, "images": [picture()], "annotations": annotations, "categories": CATEGORIES, **more}
        path.write_text(json.dumps(content))
        return path

    return write


def some_mask(shape: tuple[int, int] = SHAPE) -> NDArray[np.bool_]:
    """Blobs and noise."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    row, column = RNG.integers(0, shape[0]), RNG.integers(0, shape[1])
    blob: NDArray[np.bool_] = ((rows - row) ** 2 + (columns - column) ** 2 < RNG.integers(2, 60)) | (RNG.random(shape) < 0.03)
    return blob


def mask_of(labels: Labels) -> NDArray[np.uint8]:
    return labels.read(whole(labels.shape))


def open_labels(path: Path, **place: Any) -> CocoLabels:
    return CocoLabels(image(**place), CocoFile.load(path), BOTH)


class TestRuns:
    @pytest.mark.parametrize("write", [packed, counted])
    @pytest.mark.parametrize("shape", [SHAPE, (1, 1), (1, 9), (8, 1)], ids=str)
    def test_exact_in_both_forms(self, coco: Coco, write: Callable[..., dict[str, Any]], shape: tuple[int, int]) -> None:
        for mask in (some_mask(shape), np.zeros(shape, np.bool_), np.ones(shape, np.bool_), RNG.random(shape) < 0.5):
            labels = open_labels(coco(write(mask), images=[picture(shape=shape)]), shape=shape)
            assert np.array_equal(mask_of(labels), mask)
            assert np.array_equal(labels.instances(whole(shape)), mask)

    def test_windows_equal_the_whole(self, coco: Coco) -> None:
        masks = [some_mask() for _ in range(6)]
        rings = [(RNG.random(10) * 30).tolist() for _ in range(6)]
        parts = [part for mask, ring in zip(masks, rings, strict=True) for part in (packed(mask, 7), polygon(ring))]
        labels = open_labels(coco(*parts))
        classes = np.pad(mask_of(labels), 40, constant_values=255)
        numbers = np.pad(labels.instances(whole(SHAPE)), 40)
        assert set(np.unique(classes)) == {0, 1, 2, 255}
        for _ in range(60):
            row, column, height, width = RNG.integers([-9, -9, 1, 1], [30, 38, 35, 35]).tolist()
            window = Window(row_off=row, col_off=column, height=height, width=width)
            place = np.s_[row + 40 : row + 40 + height, column + 40 : column + 40 + width]
            assert np.array_equal(labels.read(window), classes[place])
            assert np.array_equal(labels.instances(window), numbers[place])


class TestPolygons:
    def test_pixels_whose_centres_are_covered(self, coco: Coco) -> None:
        expected = np.zeros(SHAPE, np.uint8)
        expected[3:8, 2:10] = 1
        assert np.array_equal(mask_of(open_labels(coco(polygon(SQUARE)))), expected)
        assert np.array_equal(mask_of(open_labels(coco(polygon([number + 0.4 for number in SQUARE])))), expected)

    def test_agrees_with_rasterio(self, coco: Coco) -> None:
        for _ in range(10):
            rings = [(RNG.random(8) * 36 - 3).tolist() for _ in range(RNG.integers(1, 5))]
            geometries = [{"type": "Polygon", "coordinates": [[*np.reshape(ring, (-1, 2)).tolist(), ring[:2]]]} for ring in rings]
            expected = rasterize(geometries, out_shape=SHAPE, dtype="uint8")
            assert np.array_equal(mask_of(open_labels(coco(polygon(*rings)))), expected)

    def test_differs_from_pycocotools_along_edges_only(self, coco: Coco) -> None:
        shape = (300, 400)
        angles = np.arange(0, 2 * np.pi, 0.1)
        ring = np.stack([200 + 150 * np.cos(angles), 140 + 90 * np.sin(2 + angles)], axis=1).ravel().tolist()
        theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([ring], *shape)))
        ours = mask_of(open_labels(coco(polygon(ring), images=[picture(shape=shape)]), shape=shape))
        differ = (ours ^ theirs).astype(np.uint8)
        assert differ.sum() / (ours | theirs).sum() < 0.02
        edge = cv2.morphologyEx(ours, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        assert not differ[edge == 0].any()

    def test_several_rings_are_one_object(self, coco: Coco) -> None:
        labels = open_labels(coco(polygon(SQUARE, [number + 12 for number in SQUARE]), polygon([0, 0, 1, 0, 1, 1, 0, 1])))
        numbers = labels.instances(whole(SHAPE))
        assert (numbers[3, 2], numbers[15, 14], numbers[0, 0]) == (1, 1, 2)

    def test_later_objects_cover_earlier_ones(self, coco: Coco) -> None:
        mask = np.zeros(SHAPE, np.bool_)
        mask[5, 5:20] = True
        labels = open_labels(coco(polygon(SQUARE), packed(mask, 7), polygon([18, 0, 21, 0, 21, 22, 18, 22])))
        assert mask_of(labels)[5, [4, 6, 17, 18]].tolist() == [1, 2, 2, 1]
        assert labels.instances(whole(SHAPE))[5, [4, 6, 17, 18]].tolist() == [1, 2, 2, 3]

    def test_touching_objects_stay_two(self, coco: Coco) -> None:
        """Parity S2."""
        labels = open_labels(coco(polygon(SQUARE), polygon([10, 3, 12, 3, 12, 8, 10, 8])))
        assert labels.instances(whole(SHAPE))[4, 8:13].tolist() == [1, 1, 2, 2, 0]

    def test_crowds_are_left_out_below_all_objects(self, coco: Coco) -> None:
        crowd = np.zeros(SHAPE, np.bool_)
        crowd[:6] = True
        labels = open_labels(coco(polygon(SQUARE), packed(crowd, 7, iscrowd=1)))
        assert mask_of(labels)[[0, 4, 7, 20], 5].tolist() == [255, 1, 1, 0]
        assert labels.instances(whole(SHAPE))[[0, 4, 7, 20], 5].tolist() == [0, 1, 1, 0]

    def test_empty_ones_are_left_out_and_counted(self, coco: Coco, caplog: pytest.LogCaptureFixture) -> None:
        """Torture row 21."""
        caplog.set_level("WARNING")
        found = CocoFile.load(coco(polygon(), polygon([1, 1, 5, 5]), polygon(SQUARE, [1, 2]), {"image_id": 1, "category_id": 1}))
        assert found.empty == 3
        assert found.class_keys() == {"roof": 1}
        assert "3 annotations without a polygon" in caplog.text

    def test_self_crossing_polygons_hold_what_is_inside_once(self, coco: Coco) -> None:
        bow = [0.0, 0.0, 20.0, 20.0, 20.0, 0.0, 0.0, 20.0]
        mask = mask_of(open_labels(coco(polygon(bow))))
        assert (mask[10, 2], mask[10, 18], mask[2, 10], mask[18, 10]) == (1, 1, 0, 0)


class TestFile:
    def test_categories_are_keys_with_their_objects(self, coco: Coco) -> None:
        found = CocoFile.load(coco(polygon(SQUARE), polygon(SQUARE, category=7), polygon(SQUARE), packed(some_mask(), iscrowd=1)))
        assert found.class_keys() == {"roof": 2, "tree": 1}
        assert found.object_count == 3
        assert found.names == ("a.png",)

    def test_parts_in_any_order_and_ids_as_text(self, tmp_path: Path) -> None:
        entry = {"image_id": "x", "category_id": "r", "segmentation": [SQUARE]}
        content = {"annotations": [entry], "categories": [{"id": "r", "name": "roof"}], "images": [{"id": "x", "file_name": "a.png"}]}
        (tmp_path / "c.json").write_text(json.dumps(content))
        assert mask_of(open_labels(tmp_path / "c.json"))[3, 2] == 1

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            (["b.png", "a.png"], "a.png"),
            (["train/a.png", "images/a.png"], "images/a.png"),
            (["sub/images/a.jpg"], None),
            (["a.jpg"], "a.jpg"),
            (["aa.png", "a.png.jpg"], None),
            (["images\\a.png"], "images\\a.png"),
        ],
    )
    def test_images_are_found_by_name(self, coco: Coco, names: list[str], found: str | None) -> None:
        pictures = [picture(number, name) for number, name in enumerate(names)]
        assert CocoFile.load(coco(images=pictures)).find(image()) == found

    def test_an_image_that_could_be_several(self, coco: Coco) -> None:
        found = CocoFile.load(coco(images=[picture(1, "a.jpg"), picture(2, "a.bmp")]))
        with pytest.raises(PairingError, match=r"a\.jpg, a\.bmp"):
            found.find(image())

    def test_images_that_are_not_known(self, coco: Coco) -> None:
        with pytest.raises(LabelError, match=r"coco\.json has no image b\.png"):
            open_labels(coco(polygon(SQUARE)), name="b.png")

    def test_another_size_is_refused_with_both(self, coco: Coco) -> None:
        """Torture row 6."""
        with pytest.raises(LabelError, match=r"\(23, 31\) pixels.*a\.png has \(31, 23\)"):
            open_labels(coco(polygon(SQUARE)), shape=(31, 23))
        small = packed(some_mask((5, 6)))
        with pytest.raises(LabelError, match=r"annotations\[0\].*\(5, 6\) pixels.*has \(23, 31\)"):
            CocoFile.load(coco(small))
        with pytest.raises(LabelError, match=r"\(5, 6\) pixels.*a\.png has \(23, 31\)"):
            open_labels(coco(small, images=[{"id": 1, "file_name": "a.png"}]))

    def test_categories_that_the_legend_lacks(self, coco: Coco) -> None:
        path = coco(polygon(SQUARE), categories=[{"id": 1, "name": "car"}])
        with pytest.raises(LabelError, match=r"class 'car', which the legend lacks; it has ground, roof, tree"):
            open_labels(path)

    def test_threads_share_one_file(self, coco: Coco) -> None:
        masks = [some_mask() for _ in range(8)]
        parts = [{**part, "image_id": number} for number, mask in enumerate(masks) for part in (polygon(SQUARE, category=7), packed(mask))]
        found = CocoFile.load(coco(*parts, images=[picture(number, f"{number}.png") for number in range(8)]))
        barrier = threading.Barrier(4)

        def read(_: int) -> list[NDArray[np.uint8]]:
            barrier.wait()
            return [mask_of(CocoLabels(image(f"{number}.png"), found, BOTH)) for number in range(8)]

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(read, range(4)))
        assert all(np.array_equal(one, other) for result in results for one, other in zip(result, results[0], strict=True))
        assert all((result == 1)[mask].all() for result, mask in zip(results[0], masks, strict=True))


class TestBadEntries:
    def refuse(self, path: Path) -> str:
        with pytest.raises(LabelError) as caught:
            CocoFile.load(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 4000
        return str(caught.value)

    @pytest.mark.parametrize(
        ("segmentation", "reason"),
        [
            ("abc", "neither polygons nor run lengths"),
            (5, "neither polygons nor run lengths"),
            ([1, 2, 3, 4, 5, 6], "a polygon that is no list"),
            ([[1, 2, 3, 4, 5]], "a polygon of 5 numbers"),
            ([[1, 2, 3, 4, 5, None]], "something else than numbers"),
            ([[[1, 2], [3, 4], [5, 6]]], "something else than numbers"),
            ([[1, 2, 3, 4, 5, float("nan")]], "no pixels"),
            ([[1, 2, 3, 4, 5, float("inf")]], "no pixels"),
            ([[1, 2, 3, 4, 5, 1e30]], "no pixels"),
            ([[1, 2, 3, 4, 5, 10**400]], "something else than numbers"),
            ({"counts": [713]}, "height and width None"),
            ({"size": [23], "counts": [713]}, "height and width [23]"),
            ({"size": [23, -31], "counts": [713]}, "height and width [23, -31]"),
            ({"size": [23, 31.0], "counts": [713]}, "height and width [23, 31.0]"),
            ({"size": [2**40, 2**40], "counts": [2**80]}, "height and width"),
            ({"size": [23, 31]}, "has no counts"),
            ({"size": [23, 31], "counts": {"a": 1}}, "has no counts"),
            ({"size": [23, 31], "counts": []}, "do not add up"),
            ({"size": [23, 31], "counts": [712]}, "do not add up to its size of 23 x 31"),
            ({"size": [23, 31], "counts": [714]}, "do not add up"),
            ({"size": [23, 31], "counts": [-1, 714]}, "do not add up"),
            ({"size": [23, 31], "counts": [713.0]}, "cannot be read"),
            ({"size": [23, 31], "counts": ["713"]}, "cannot be read"),
            ({"size": [23, 31], "counts": [10**30]}, "cannot be read"),
            ({"size": [23, 31], "counts": [2**62, 2**62, 2**62, 2**62, 713]}, "do not add up"),
            ({"size": [23, 31], "counts": "\u20ac"}, "characters that packed counts do not have"),
            ({"size": [23, 31], "counts": "P"}, "breaks off"),
            ({"size": [23, 31], "counts": "o" * 50}, "breaks off"),
            ({"size": [23, 31], "counts": "n" * 50 + "0"}, "too large"),
            ({"size": [23, 31], "counts": "0"}, "do not add up"),
        ],
    )
    def test_wrong_segmentations(self, coco: Coco, segmentation: Any, reason: str) -> None:
        message = self.refuse(coco(polygon(SQUARE), {"image_id": 1, "category_id": 1, "segmentation": segmentation}))
        assert "annotations[1] " in message
        assert reason in message

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"images": [picture(), picture(2)]}, "several images have the file_name 'a.png'"),
            ({"images": [picture(), picture(1, "b.png")]}, "images[1] has the id 1 of an image before it"),
            ({"images": [{"id": 1}]}, "images[0] has no file_name"),
            ({"images": [{"id": 1, "file_name": " "}]}, "images[0] has no file_name"),
            ({"images": [{"id": None, "file_name": "a"}]}, "images[0] has no id"),
            ({"images": [{"id": 1.5, "file_name": "a"}]}, "images[0] has no id"),
            ({"images": [{"id": 1, "file_name": "a", "height": 5}]}, "images[0] has the height and width [5, None]"),
            ({"images": [7]}, "images[0] is no object"),
            ({"images": []}, "annotations[0] has the image_id 1, which no image has"),
            ({"categories": [{"id": 1}]}, "categories[0] has no name"),
            ({"categories": [{"id": 2, "name": "a"}]}, "annotations[0] has the category_id 1, which no category has"),
            ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "categories[1] has the id 1 of another"),
            ({"categories": {}}, "'categories' is no list"),
            ({"images": "x" * 9999}, "'images' is no list"),
        ],
    )
    def test_wrong_images_and_categories(self, coco: Coco, more: dict[str, Any], reason: str) -> None:
        assert reason in self.refuse(coco(polygon(SQUARE), **more))

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"image_id": True}, "no image_id"),
            ({"category_id": [1]}, "no category_id"),
            ({"iscrowd": "0"}, "iscrowd that is neither 0 nor 1"),
            ({"iscrowd": 2}, "iscrowd that is neither 0 nor 1"),
        ],
    )
    def test_wrong_fields(self, coco: Coco, more: dict[str, Any], reason: str) -> None:
        assert reason in self.refuse(coco({**polygon(SQUARE), **more}))

    def test_all_are_listed_up_to_twenty(self, coco: Coco) -> None:
        message = self.refuse(coco(*[polygon([1.0])] * 30, polygon(SQUARE, category=9)))
        assert "31 entries cannot be used" in message
        assert message.count("a polygon of 1 numbers") == 20
        assert "and 11 more" in message

    def test_a_part_is_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "c.json"
        path.write_text('{"images": []}')
        assert "lacks 'annotations' and 'categories'" in self.refuse(path)

    def test_boxes_only(self, coco: Coco) -> None:
        box = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
        assert "holds no polygons or run lengths, only 2 annotations without segmentation" in self.refuse(coco(box, box))

    @pytest.mark.parametrize("sign", ["[", '{"a":'])
    def test_deep_nesting(self, tmp_path: Path, sign: str) -> None:
        path = tmp_path / "deep.json"
        path.write_text('{"images": [], "categories": [], "annotations": [' + sign * 300_000)
        assert "nested too deeply" in self.refuse(path)

    @pytest.mark.parametrize("name", ["a\nb.png", "\N{SAILBOAT}.png", "../../a.png", "\u202ea.png", "x" * 255, "\ud800.png"])
    def test_strange_names_are_names(self, coco: Coco, name: str) -> None:
        """Torture row 33: they open nothing, and messages stay one line."""
        found = CocoFile.load(coco(images=[picture(1, name)]))
        assert found.names == (name,)
        message = self.refuse(coco(packed(some_mask((5, 6))), images=[picture(1, name)]))
        assert len(message.splitlines()) == 2
        assert "1 entry cannot be used" in message
        message.encode()


class TestPanoptic:
    NUMBERS = (7, 300, 70_000)
    """One in each of the three bytes."""

    def write(self, folder: Path, numbers: NDArray[np.int64], **more: Any) -> Path:
        """A panoptic file and its PNG; the first two numbers are roofs, the third a crowd of trees."""
        (folder / "coco").mkdir(exist_ok=True)
        rgb = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "coco" / "a.png")
        segments = [{"id": number, "category_id": category} for number, category in zip(self.NUMBERS, (1, 1, 7), strict=True)]
        segments[2]["iscrowd"] = 1
        annotation = {"image_id": 1, "file_name": "a.png", "segments_info": segments, **more}
        content = {"images": [picture()], "annotations": [annotation], "categories": CATEGORIES}
        (folder / "coco.json").write_text(json.dumps(content))
        return folder / "coco.json"

    @pytest.fixture
    def numbers(self) -> NDArray[np.int64]:
        found: NDArray[np.int64] = RNG.choice(np.array([0, *self.NUMBERS]), SHAPE)
        return found

    def test_numbers_become_classes_and_objects(self, tmp_path: Path, numbers: NDArray[np.int64]) -> None:
        path = self.write(tmp_path, numbers)
        assert CocoFile.load(path).class_keys() == {"roof": 2}
        labels = open_labels(path)
        assert np.array_equal(mask_of(labels), np.select([numbers == 7, numbers == 300], [1, 1], 255))
        assert np.array_equal(labels.instances(whole(SHAPE)), np.select([numbers == 7, numbers == 300], [1, 2], 0))
        window = Window(col_off=-2, row_off=20, width=9, height=9)
        assert np.array_equal(labels.read(window)[:3, 2:], mask_of(labels)[20:, :7])
        assert (labels.read(window)[3:] == 255).all()
        labels.close()

    def test_the_png_may_lie_beside(self, tmp_path: Path, numbers: NDArray[np.int64]) -> None:
        path = self.write(tmp_path, numbers)
        (tmp_path / "coco" / "a.png").rename(tmp_path / "a.png")
        assert mask_of(open_labels(path)).min() == 1

    def test_numbers_that_are_no_segment_are_told(self, tmp_path: Path, numbers: NDArray[np.int64]) -> None:
        path = self.write(tmp_path, np.where(numbers == 7, 8, numbers))
        with pytest.raises(LabelError, match=r"a\.png holds numbers that are no segment of its annotation: 8\."):
            mask_of(open_labels(path))

    def test_a_png_of_another_size_or_kind(self, tmp_path: Path, numbers: NDArray[np.int64]) -> None:
        path = self.write(tmp_path, numbers[:-1])
        with pytest.raises(LabelError, match=r"a\.png has \(22, 31\) pixels.*has \(23, 31\)"):
            open_labels(path)
        Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "coco" / "a.png")
        with pytest.raises(LabelError, match=r"a\.png has 1 band of uint8; a panoptic PNG has three"):
            open_labels(path)
        (tmp_path / "coco" / "a.png").write_bytes(b"no image")
        with pytest.raises(RasterError, match=r"a\.png"):
            open_labels(path)

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"file_name": "b.png"}, "the panoptic file 'b.png' is neither in"),
            ({"file_name": "../coco/a.png"}, "no file below the folder"),
            ({"file_name": "/etc/passwd"}, "no file below the folder"),
            ({"file_name": "a\0.png"}, "no file below the folder"),
            ({"file_name": "x" * 5000}, "is neither in"),
            ({"file_name": 5}, "no file below the folder"),
            ({"segments_info": 5}, "no list of segments"),
            ({"segments_info": [5]}, "no list of segments"),
            ({"segments_info": [{"id": 0, "category_id": 1}]}, "id 0; it must be a whole number from 1 to 16777215"),
            ({"segments_info": [{"id": 2**24, "category_id": 1}]}, "id 16777216"),
            ({"segments_info": [{"id": 1, "category_id": 1}] * 2}, "several segments of the same id"),
            ({"segments_info": [{"id": 1}]}, "no category_id"),
            ({"segments_info": [{"id": 1, "category_id": 3}]}, "category_id 3, which no category has"),
        ],
    )
    def test_wrong_annotations(self, tmp_path: Path, numbers: NDArray[np.int64], more: dict[str, Any], reason: str) -> None:
        with pytest.raises(LabelError) as caught:
            CocoFile.load(self.write(tmp_path, numbers, **more))
        assert reason in str(caught.value)
        assert "coco.json" in str(caught.value)


class TestFuzz:
    SOUND = json.dumps(
        {
            "images": [picture(), picture(2, "b.png")],
            "categories": CATEGORIES,
            "annotations": [
                polygon(SQUARE),
                packed(np.eye(*SHAPE, dtype=np.bool_), 7),
                counted(np.eye(*SHAPE, 3, dtype=np.bool_)),
                {**polygon(SQUARE, [1.5, 2.5, 9e3, -1.0, 0.0, 3.0]), "image_id": 2},
            ],
        }
    ).encode()

    @given(st.data())
    @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_damaged_files_give_labels_or_a_sentence(self, tmp_path: Path, data: st.DataObject) -> None:
        text = bytearray(self.SOUND)
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(text) - 1))
            change = data.draw(st.sampled_from(["set", "cut", "insert"]))
            if change == "set":
                text[place] = data.draw(st.sampled_from(b'0123456789-.eE"[]{},: \\\xffNa'))
            elif change == "cut":
                del text[place : place + data.draw(st.integers(1, 30))]
            else:
                text[place:place] = data.draw(
                    st.sampled_from([b"NaN", b"-Infinity", b"1e400", b"9" * 40, b"null", b"[[", b"-", b"\\ud800"])
                )
            text = text or bytearray(b" ")
        path = tmp_path / "fuzz.json"
        path.write_bytes(bytes(text))
        with refusal_of("fuzz.json"):
            found = CocoFile.load(path)
            for name in found.names:
                assert mask_of(CocoLabels(image(Path(name).name or "a.png"), found, BOTH)).shape == SHAPE

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just([23, 31]) | st.just(713),
            lambda inner: st.lists(inner, max_size=3) | st.fixed_dictionaries({"size": inner, "counts": inner}),
            max_leaves=8,
        )
    )
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_segmentation(self, tmp_path: Path, segmentation: Any) -> None:
        annotation = {"image_id": 1, "category_id": 1, "segmentation": segmentation}
        path = tmp_path / "fuzz.json"
        path.write_text(json.dumps({"images": [picture()], "categories": CATEGORIES, "annotations": [annotation]}))
        with refusal_of("fuzz.json"):
            assert mask_of(open_labels(path)).max() <= 1


@contextmanager
def refusal_of(name: str) -> Iterator[None]:
    """The block succeeds, or fails with a sentence that names the file."""
    message = name
    try:
        yield
    except DataError as error:
        message = str(error)
    assert name in message
