"""Labels of classes that overlap: the same sets from every form, and what is refused."""

import json
import logging
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely import box

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.legend import Legend
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.labels.reader import LabelPlace, LabelReader, find_legend
from terrazzo.labels.rules import Rules
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, whole

SHAPE = (20, 30)
BOTH = LegendOptions(classes=["roof", "tree"], overlapping=True)
ROOFS = [slice(3, 11), slice(11, 15)]
"""Columns; rows are 4 to 8."""
SETS = np.zeros(SHAPE, np.uint8)
SETS[4:9, 3:15] = 1
SETS[6:13, 9:20] |= 2


@pytest.fixture
def image(tmp_path: Path) -> LabelledImage:
    path = tmp_path / "a.tif"
    transform = Affine.translation(1000, 2000) @ Affine.scale(1, -1)
    values = np.stack([100 * (SETS & 1), 100 * (SETS >> 1)]).astype(np.uint8) + 1
    with rasterio.open(
        path, "w", driver="GTiff", count=2, height=20, width=30, dtype="uint8", crs="EPSG:3857", transform=transform
    ) as file:
        file.write(values)
    with open_raster(path) as raster:
        return LabelledImage(name="a", path=path, grid=raster.grid, place=raster.place)


def write_mask(path: Path, planes: np.ndarray, nodata: float | None = None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", count=len(planes), height=planes.shape[1], width=planes.shape[2], dtype=planes.dtype, nodata=nodata
    ) as file:
        file.write(planes)
    return path


def planes_of(sets: np.ndarray, high: int = 1) -> np.ndarray:
    return (np.stack([sets & 1, sets >> 1 & 1]) * high).astype(np.uint8)


def run_cell(columns: slice, rows: slice) -> str:
    return " ".join(f"{column * SHAPE[0] + rows.start + 1} {rows.stop - rows.start}" for column in range(columns.start, columns.stop))


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, LabelPlace]:
    """Two roofs that touch and a crown over one of them, in every form; what would lie on top comes first and last."""
    write_mask(tmp_path / "mask.tif", planes_of(SETS))
    shapes = [box(1003, 1991, 1011, 1996), box(1009, 1987, 1020, 1994), box(1011, 1991, 1015, 1996)]
    kinds = ["roof", "tree", "roof"]
    geopandas.GeoDataFrame({"kind": kinds}, geometry=shapes, crs="EPSG:3857").to_file(tmp_path / "shapes.gpkg")
    cells = [("roof", ROOFS[0], slice(4, 9)), ("tree", slice(9, 20), slice(6, 13)), ("roof", ROOFS[1], slice(4, 9))]
    rows = [f"a.tif,{run_cell(columns, band)},{kind}" for kind, columns, band in cells]
    (tmp_path / "runs.csv").write_text("\n".join(["ImageId,EncodedPixels,class", *rows, ""]))
    rings = [[3, 4, 11, 4, 11, 9, 3, 9], [9, 6, 20, 6, 20, 13, 9, 13], [11, 4, 15, 4, 15, 9, 11, 9]]
    annotations = [
        {"id": number, "image_id": 1, "category_id": kinds.index(kind), "segmentation": [ring]}
        for number, (kind, ring) in enumerate(zip(kinds, rings, strict=True))
    ]
    coco = {
        "images": [{"id": 1, "file_name": "a.tif", "height": 20, "width": 30}],
        "categories": [{"id": 0, "name": "roof"}, {"id": 1, "name": "tree"}],
        "annotations": annotations,
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    return {
        "masks": tmp_path / "mask.tif",
        "vectors": tmp_path / "shapes.gpkg",
        "runs": tmp_path / "runs.csv",
        "coco": tmp_path / "coco.json",
        "rules": Rules.parse(["roof: b1 > 50", "tree: b2 > 50"]),
    }


def options_of(form: str) -> LabelOptions:
    return LabelOptions(attribute="kind" if form == "vectors" else None)


@pytest.mark.parametrize("form", ["masks", "vectors", "runs", "coco", "rules"])
@pytest.mark.parametrize("window", [whole(SHAPE), Window(col_off=-2, row_off=3, width=15, height=40)])
def test_every_form_says_the_same(image: LabelledImage, forms: dict[str, LabelPlace], form: str, window: Window) -> None:
    legend = find_legend([forms[form]], BOTH, options_of(form), overlapping=True)
    assert (legend.overlapping, legend.names, legend.values) == (True, ("roof", "tree"), (1, 2))
    expected = np.full(window.shape, 255, np.uint8)
    inner = window.intersection(whole(SHAPE))
    assert inner is not None
    expected[inner.inside(window)] = SETS[inner.slices]
    with LabelReader(legend, options=options_of(form)).open(forms[form], image) as labels:
        assert labels.shape == SHAPE
        assert not labels.has_instances
        np.testing.assert_array_equal(labels.read(window), expected)


def test_labels_follow_the_image_to_its_working_size(image: LabelledImage, forms: dict[str, LabelPlace]) -> None:
    data = DataOptions(resize=(10, 15))
    with open_raster(image.path, data) as raster:
        small = LabelledImage(name="a", path=image.path, grid=raster.grid, place=raster.place, own_grid=raster.own_grid)
    legend = find_legend([forms["vectors"]], BOTH, options_of("vectors"), overlapping=True)
    with LabelReader(legend, data, options_of("vectors")).open(forms["vectors"], small) as labels:
        np.testing.assert_array_equal(labels.read(whole((10, 15))), SETS[1::2, 1::2])


def test_a_crowd_leaves_its_pixels_out_for_all_classes(tmp_path: Path, image: LabelledImage, forms: dict[str, LabelPlace]) -> None:
    path = forms["coco"]
    assert isinstance(path, Path)
    coco = json.loads(path.read_text())
    coco["annotations"][2]["iscrowd"] = 1
    (tmp_path / "crowd.json").write_text(json.dumps(coco))
    legend = find_legend([path], BOTH, LabelOptions(), overlapping=True)
    with LabelReader(legend).open(tmp_path / "crowd.json", image) as labels:
        found = labels.read(whole(SHAPE))
    expected = SETS.copy()
    expected[4:9, 11:15] = 255
    np.testing.assert_array_equal(found, expected)


class TestMasks:
    @pytest.mark.parametrize("nodata", [None, 0, 1, 255])
    def test_zero_and_one_are_data_whatever_the_file_declares(self, tmp_path: Path, image: LabelledImage, nodata: float | None) -> None:
        planes = planes_of(SETS)
        planes[:, 0, :4] = 255
        planes[0, 1, 0] = 255
        path = write_mask(tmp_path / "m.tif", planes, nodata)
        legend = find_legend([path], BOTH, LabelOptions(), overlapping=True)
        expected = SETS.copy()
        expected[0, :4] = expected[1, 0] = 255
        with LabelReader(legend).open(path, image) as labels:
            np.testing.assert_array_equal(labels.read(whole(SHAPE)), expected)

    def test_white_is_a_class_where_nothing_is_one(self, tmp_path: Path, image: LabelledImage, caplog: pytest.LogCaptureFixture) -> None:
        path = write_mask(tmp_path / "m.tif", planes_of(SETS, 255))
        with caplog.at_level(logging.INFO):
            legend = find_legend([path], BOTH, LabelOptions(), overlapping=True)
        assert "255 is taken as the sign of a class" in caplog.text
        with LabelReader(legend).open(path, image) as labels:
            np.testing.assert_array_equal(labels.read(whole(SHAPE)), SETS)

    def test_a_fourth_class_is_no_alpha_band(self, tmp_path: Path) -> None:
        four = np.concatenate([planes_of(SETS), planes_of(SETS)])
        profile = {"driver": "GTiff", "count": 4, "height": 20, "width": 30, "dtype": "uint8", "photometric": "RGB"}
        with rasterio.open(tmp_path / "m.tif", "w", **profile) as file:
            file.write(four)
        options = LegendOptions(classes=["a", "b", "c", "d"], overlapping=True)
        legend = find_legend([tmp_path / "m.tif"], options, LabelOptions(), overlapping=True)
        with open_raster(tmp_path / "m.tif") as raster:
            image = LabelledImage(name="m", path=tmp_path / "m.tif", grid=raster.grid)
        with LabelReader(legend).open(tmp_path / "m.tif", image) as labels:
            np.testing.assert_array_equal(labels.read(whole(SHAPE)), SETS | SETS << 2)

    @pytest.mark.parametrize(
        ("planes", "said"),
        [
            (np.ones((3, 4, 5), np.uint8), r"m\.tif has 3 bands; with \[legend\] overlapping a mask has one a class, 2 altogether"),
            (np.full((2, 4, 5), 7, np.uint8), r"Masks hold 7 \(40 pixels\); bands of classes that overlap hold 0 and 1"),
            (np.zeros((2, 4, 5), np.uint8), r"All masks are empty: none of 1 mask holds any of roof, tree"),
            (np.arange(600, dtype=np.float32).reshape(2, 1, 300), r"more than 255 different values. Is it an image, not a mask\?"),
        ],
    )
    def test_what_is_no_such_mask_is_refused(self, tmp_path: Path, planes: np.ndarray, said: str) -> None:
        with pytest.raises(LabelError, match=said):
            find_legend([write_mask(tmp_path / "m.tif", planes)], BOTH, LabelOptions(), overlapping=True)

    def test_a_class_that_no_mask_holds_is_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        find_legend([write_mask(tmp_path / "m.tif", planes_of(SETS & 1))], BOTH, LabelOptions(), overlapping=True)
        assert "No masks have the class tree" in caplog.text


class TestRuns:
    def test_rows_of_one_class_may_not_share_pixels(self, tmp_path: Path) -> None:
        (tmp_path / "r.csv").write_text("ImageId,EncodedPixels,class\na.tif,1 5,roof\na.tif,3 9,tree\na.tif,4 2,roof\n")
        with pytest.raises(LabelError, match=r"line 4: a\.tif: it shares pixels with line 2"):
            find_legend([tmp_path / "r.csv"], BOTH, LabelOptions(), overlapping=True)

    def test_rows_of_other_classes_may_not_where_classes_exclude_each_other(
        self, image: LabelledImage, forms: dict[str, LabelPlace], tmp_path: Path
    ) -> None:
        with pytest.raises(LabelError, match=r"line 3: a\.tif: it shares pixels with line 2"):
            find_legend([forms["runs"]], LegendOptions(), LabelOptions())
        (tmp_path / "apart.csv").write_text("ImageId,EncodedPixels,class\na.tif,1 5,roof\na.tif,9 9,tree\n")
        legend = find_legend([tmp_path / "apart.csv"], LegendOptions(), LabelOptions())
        with (
            pytest.raises(LabelError, match=r"line 3: a\.tif: it shares pixels with line 2"),
            LabelReader(legend).open(forms["runs"], image),
        ):
            pass


class TestTheOptions:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"remap": {3: 1}}, r"\[legend\] remap is for classes that exclude each other"),
            ({"threshold": 9.0}, "threshold is for"),
            ({"snap": True}, "snap is for"),
            ({"target": "roof"}, "target is for"),
            ({"encoding": "onehot"}, "encoding is for"),
            ({"classes": None}, "needs 2 to 7 classes; there are none"),
            ({"classes": [str(number) for number in range(8)]}, "needs 2 to 7 classes; there are 8"),
            ({"values": [0, 1]}, "values has 0, which stands for no class"),
        ],
    )
    def test_that_contradict_it_are_refused(self, given: dict[str, object], said: str) -> None:
        options = LegendOptions.model_validate({"classes": ["roof", "tree"], "overlapping": True, **given})
        with pytest.raises(RecipeError, match=said):
            find_legend([Rules.parse(["roof: b1 > 1"])], options, LabelOptions(), overlapping=True)

    def test_callers_that_cannot_do_with_it_refuse(self, forms: dict[str, LabelPlace]) -> None:
        with pytest.raises(RecipeError, match=r"overlapping = true goes with index, .* only"):
            find_legend([forms["masks"]], BOTH, LabelOptions())

    def test_labels_without_classes_or_of_others_are_refused(self, forms: dict[str, LabelPlace]) -> None:
        with pytest.raises(LabelError, match="Nothing says which polygons are of which of the classes roof, tree"):
            find_legend([forms["vectors"]], BOTH, LabelOptions(), overlapping=True)
        other = LegendOptions(classes=["roofs", "tree"], overlapping=True)
        with pytest.raises(LabelError, match=r"'roof' \(2\). The legend has roofs, tree. Did you mean 'roofs'\?"):
            find_legend([forms["coco"]], other, LabelOptions(), overlapping=True)

    def test_a_median_is_refused(self, forms: dict[str, LabelPlace]) -> None:
        legend = find_legend([forms["masks"]], BOTH, LabelOptions(), overlapping=True)
        with pytest.raises(RecipeError, match=r"\[labels\] median is for classes that exclude each other"):
            LabelReader(legend, options=LabelOptions(median=2))

    def test_colors_are_told_apart_from_no_class(self, forms: dict[str, LabelPlace]) -> None:
        legend: Legend = find_legend([forms["rules"]], BOTH, LabelOptions(), overlapping=True)
        assert (0, 0, 0) not in legend.colors
