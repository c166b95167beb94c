"""Labels of a data set, whatever their form."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely import box

from terrazzo.errors import LabelError
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.labels.reader import LabelReader, find_legend, load_runs, load_vectors
from terrazzo.labels.rules import Rules
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, whole

PLAIN = LabelOptions()
ROOF = np.zeros((20, 30), np.uint8)
ROOF[4:9, 3:11] = 1
ROOF[4:9, 11:15] = 1


@pytest.fixture
def image(tmp_path: Path) -> LabelledImage:
    path = tmp_path / "a.tif"
    transform = Affine.translation(1000, 2000) @ Affine.scale(1, -1)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=20, width=30, dtype="uint8", crs="EPSG:3857", transform=transform
    ) as file:
        file.write(ROOF[None] * 200 + 1)
    with open_raster(path) as raster:
        return LabelledImage(name="a", path=path, grid=raster.grid, place=raster.place)


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, Path | Rules]:
    """The same roof, which is two houses that touch, in every form."""
    np.save(tmp_path / "mask.npy", ROOF)
    houses = [box(1003, 1991, 1011, 1996), box(1011, 1991, 1015, 1996)]
    geopandas.GeoDataFrame(geometry=houses, crs="EPSG:3857").to_crs("EPSG:4326").to_file(tmp_path / "roofs.geojson")
    runs = [" ".join(f"{col * 20 + 5} 5" for col in cols) for cols in (range(3, 11), range(11, 15))]
    (tmp_path / "roofs.csv").write_text("ImageId,EncodedPixels\n" + "".join(f"a.tif,{text}\n" for text in runs))
    rings = [[3, 4, 11, 4, 11, 9, 3, 9], [11, 4, 15, 4, 15, 9, 11, 9]]
    coco = {
        "images": [{"id": 1, "file_name": "a.tif", "height": 20, "width": 30}],
        "categories": [{"id": 7, "name": "roof"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 7, "segmentation": [ring]} for n, ring in enumerate(rings)],
    }
    (tmp_path / "roofs.json").write_text(json.dumps(coco))
    return {
        "masks": tmp_path / "mask.npy",
        "vectors": tmp_path / "roofs.geojson",
        "runs": tmp_path / "roofs.csv",
        "coco": tmp_path / "roofs.json",
        "rules": Rules.parse(["roof: b1 > 100"]),
    }


@pytest.mark.parametrize("form", ["masks", "vectors", "runs", "coco", "rules"])
@pytest.mark.parametrize("window", [whole((20, 30)), Window(col_off=-2, row_off=3, width=15, height=40)])
def test_every_form_says_the_same(image: LabelledImage, forms: dict[str, Path | Rules], form: str, window: Window) -> None:
    legend = find_legend([forms[form]], LegendOptions(), PLAIN)
    assert legend.values == (0, 1)
    expected = np.full(window.shape, 255, np.uint8)
    inner = window.intersection(whole((20, 30)))
    assert inner is not None
    expected[inner.inside(window)] = ROOF[inner.slices]
    with LabelReader(legend).open(forms[form], image) as labels:
        np.testing.assert_array_equal(labels.read(window), expected)
        assert labels.shape == (20, 30)
        if labels.has_instances:
            numbers = labels.instances(window)
            np.testing.assert_array_equal(numbers > 0, expected == 1)
            assert len(np.unique(numbers)) == 3
        else:
            with pytest.raises(LabelError):
                labels.instances(window)
    assert form in ("masks", "rules") or labels.has_instances


@pytest.mark.parametrize("form", ["masks", "vectors", "runs", "coco", "rules"])
def test_every_form_takes_names_and_a_median(image: LabelledImage, forms: dict[str, Path | Rules], form: str) -> None:
    legend = find_legend([forms[form]], LegendOptions(classes=["ground", "roof"]), PLAIN)
    assert legend.names == ("ground", "roof")
    with LabelReader(legend, DataOptions(), LabelOptions(median=2)).open(forms[form], image) as labels:
        smooth = labels.read(whole((20, 30)))
    # the disk takes the corners, not the rest
    assert (smooth != ROOF).sum() == 4


@pytest.mark.parametrize("form", ["masks", "vectors", "rules", "runs", "coco"])
def test_labels_come_to_the_grid_of_their_image(image: LabelledImage, forms: dict[str, Path | Rules], form: str) -> None:
    """Torture 13: images are resampled to a target grid, labels to the nearest."""
    data = DataOptions(cell_size=0.5, resampling="nearest")
    with open_raster(image.path, data) as raster:
        fine = LabelledImage(name="a", path=image.path, grid=raster.grid, place=raster.place)
    reader = LabelReader(find_legend([forms[form]], LegendOptions(), PLAIN), data)
    if form in ("runs", "coco"):
        with pytest.raises(LabelError, match="pixels of the images as they are"):
            reader.take(forms[form], fine)
        return
    with reader.open(forms[form], fine) as labels:
        np.testing.assert_array_equal(labels.read(whole((40, 60))), ROOF.repeat(2, 0).repeat(2, 1))


def test_a_file_is_read_once_as_long_as_it_does_not_change(forms: dict[str, Path | Rules], tmp_path: Path) -> None:
    path = tmp_path / "roofs.csv"
    assert load_runs(path) is load_runs(path)
    assert load_vectors(tmp_path / "roofs.geojson", PLAIN) is load_vectors(tmp_path / "roofs.geojson", LabelOptions(median=3))
    before = load_runs(path)
    path.write_text(path.read_text() + "b.tif,\n")
    assert load_runs(path) is not before
    assert load_runs(path).names == ("a.tif", "b.tif")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"gone\.gpkg cannot be read"):
        load_vectors(tmp_path / "gone.gpkg", PLAIN)
