"""Labels from vector files: on which pixels of which image they fall, and as which class."""

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.features import rasterize

from terrazzo.errors import LabelError, UsageError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.labels.vectors import VectorFile, VectorLabels
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.place import Place
from terrazzo.rasters.window import Window, cover, whole

SHAPE = (47, 61)
UTM = CRS.from_epsg(32633)
NORTH_UP = Affine(0.5, 0, 400_000, 0, -0.5, 5_500_000)
TRANSFORMS = {
    "north-up": NORTH_UP,
    "south-up": Affine(0.5, 0, 400_000, 0, 0.5, 5_500_000),
    "rotated": Affine(0.42, 0.38, 400_000, 0.27, -0.59, 5_500_000),
    "sheared": Affine(0.5, 0.2, 400_000, -0.1, -0.6, 5_500_000),
    "mirrored": Affine(-0.5, 0, 400_000, 0, -0.5, 5_500_000),
}

Write = Callable[..., Path]


def legend(*names: str, values: Sequence[int] | None = None, **options: Any) -> Legend:
    numbers = values or range(len(names))
    classes = (LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in zip(numbers, names, strict=True))
    return Legend(classes=tuple(classes), **options)


TWO = legend("ground", "roof")


def image(transform: Affine | None = NORTH_UP, crs: CRS | None = UTM, shape: tuple[int, int] = SHAPE) -> LabelledImage:
    return LabelledImage(name="image", path=Path("image.tif"), grid=Grid(shape=shape, crs=crs, transform=transform))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write shapes to GeoJSON, in the CRS that is given (none: the standard's degrees); each has the next of `values` as `class`."""

    def make(shapes: Sequence[shapely.Geometry], crs: int | None = 32633, values: Sequence[Any] | None = None) -> Path:
        features = [
            {"type": "Feature", "properties": {"class": value}, "geometry": json.loads(shapely.to_geojson(shape))}
            for shape, value in zip(shapes, values or [1] * len(shapes), strict=True)
        ]
        document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
        if crs is not None:
            document["crs"] = {"type": "name", "properties": {"name": f"EPSG:{crs}"}} if crs else None
        (tmp_path / "a.geojson").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path / "a.geojson"

    return make


def labels(path: Path, on: LabelledImage, known: Legend = TWO, **options: Any) -> VectorLabels:
    chosen = LabelOptions(**options)
    return VectorLabels(on, VectorFile.load(path, chosen), known, chosen)


def drawn(path: Path, on: LabelledImage, known: Legend = TWO, **options: Any) -> NDArray[np.uint8]:
    """The class indices of the whole image."""
    return labels(path, on, known, **options).read(whole(on.grid.shape))


def placed(on: LabelledImage, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y in the image's CRS."""
    assert on.grid.transform is not None
    a, b, c, d, e, f = on.grid.transform[:6]
    return a * columns + b * rows + c, d * columns + e * rows + f


def centres(on: LabelledImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y of all pixel centres."""
    rows, columns = np.indices(on.grid.shape) + 0.5
    return placed(on, columns, rows)


def star(x: float, y: float, radius: float, seed: int = 0) -> shapely.Polygon:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 17))
    spokes = radius * rng.uniform(0.3, 1, 17)
    return shapely.Polygon(np.stack([x + spokes * np.cos(angles), y + spokes * np.sin(angles)], axis=1))


def middle(on: LabelledImage) -> tuple[float, float]:
    height, width = on.grid.shape
    x, y = placed(on, np.array(width / 2), np.array(height / 2))
    return float(x), float(y)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_pixels_whose_centre_lies_inside_whatever_the_transform(write: Write, name: str) -> None:
    on = image(TRANSFORMS[name])
    x, y = middle(on)
    polygons = [star(x, y, 14), star(x + 6, y - 4, 9, seed=1), shapely.box(x - 30, y - 3, x - 20, y + 90)]
    found = drawn(write(polygons), on)
    inside = shapely.contains_xy(shapely.union_all(polygons), *centres(on))
    np.testing.assert_array_equal(found, inside)
    bare = rasterize(polygons, out_shape=SHAPE, transform=TRANSFORMS[name])
    np.testing.assert_array_equal(found, bare)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(TRANSFORMS)))
@settings(max_examples=12)
def test_any_window_is_the_crop_of_the_whole_image(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    on = image(TRANSFORMS[name])
    x, y = middle(on)
    parts = np.array([star(x + dx, y + dy, 8, seed) for dx, dy in rng.uniform(-18, 18, (6, 2))], np.object_)
    file = VectorFile(
        path=Path("a.gpkg"), crs=None, in_pixels=False, parts=parts, rows=np.arange(6), keys=(1.0, 0.0), codes=np.arange(6) % 2
    )
    given_labels = VectorLabels(on, file, TWO, LabelOptions(all_touched=bool(seed % 2)))
    everything, objects = given_labels.read(whole(SHAPE)), given_labels.instances(whole(SHAPE))
    np.testing.assert_array_equal(everything != 0, np.isin(objects, [1, 3, 5]))
    for window in (*cover(SHAPE, (16, 20), 3), Window(col_off=-5, row_off=-9, width=99, height=70)):
        inner = window.intersection(whole(SHAPE))
        assert inner is not None
        found, numbers = given_labels.read(window), given_labels.instances(window)
        np.testing.assert_array_equal(found[inner.inside(window)], everything[inner.slices])
        np.testing.assert_array_equal(numbers[inner.inside(window)], objects[inner.slices])
        outside = np.ones(window.shape, np.bool_)
        outside[inner.inside(window)] = False
        assert (found[outside] == 255).all()
        assert not numbers[outside].any()


@pytest.mark.parametrize(
    ("file_epsg", "image_epsg"), [(4326, 32633), (32633, 4326), (3857, 32633), (4326, 3857), (32632, 32633), (3035, 25832)]
)
def test_another_crs_is_reprojected(write: Write, file_epsg: int, image_epsg: int) -> None:
    x, y = Transformer.from_crs(4326, image_epsg, always_xy=True).transform(13.5, 49.7)
    cell = 1e-5 if image_epsg == 4326 else 1.0
    on = image(Affine(cell, 0, x, 0, -cell, y), CRS.from_epsg(image_epsg))
    there = Transformer.from_crs(image_epsg, file_epsg, always_xy=True)
    corner, other = there.transform(x, y), there.transform(x + 60 * cell, y - 45 * cell)
    size = abs(other[0] - corner[0])
    polygons = [star((corner[0] + other[0]) / 2, (corner[1] + other[1]) / 2, size / 2, seed) for seed in range(3)]
    found = drawn(write(polygons, file_epsg), on)
    at = there.transform(*centres(on))
    union = shapely.union_all(polygons)
    inside = shapely.contains_xy(union, *at)
    different = found != inside
    assert inside.any()
    # a pixel that differs has its centre on the edge, to a tenth of a pixel
    scale = size / 60
    near = shapely.distance(union.boundary, shapely.points(at[0][different], at[1][different]))
    assert (near < 0.1 * scale).all()
    assert np.count_nonzero(different) <= 3


def test_long_edges_are_bent_as_the_projection_bends_them(write: Write) -> None:
    # along the parallel of 68 degrees north for 20 degrees, in pixels of 500 m: straight, it would be 30 km off
    on = image(Affine(500, 0, -400_000, 0, -500, 7_900_000), CRS.from_epsg(32633), (800, 2000))
    path = write([shapely.box(5, 68, 25, 80)], 4326)
    found = drawn(path, on)
    longitude, latitude = Transformer.from_crs(32633, 4326, always_xy=True).transform(*centres(on))
    inside = (latitude > 68) & (longitude > 5) & (longitude < 25)
    different = found != inside
    assert np.count_nonzero(different) < 0.05 * 2000
    off = np.minimum(np.abs(latitude - 68) * 111_000, np.minimum(np.abs(longitude - 5), np.abs(longitude - 25)) * 111_000)
    assert (off[different] < 0.1 * 500).all()


def test_a_polygon_around_the_world_covers_any_image(write: Write) -> None:
    world = shapely.box(-180, -90, 180, 90)
    assert (drawn(write([world], None), image()) == 1).all()
    pole = image(Affine(1000, 0, -25_000, 0, -1000, 25_000), CRS.from_epsg(3413))
    assert (drawn(write([shapely.box(-180, 60, 180, 90)], None), pole) == 1).all()


def test_an_image_across_the_antimeridian(write: Write) -> None:
    x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(-180, 52)
    on = image(Affine(10, 0, x - 300, 0, -10, y + 200), CRS.from_epsg(32601))
    found = drawn(write([shapely.box(-180, 51.9, -179.9, 52.1), shapely.box(179.999, 51.9, 180, 52.1)], None), on)
    longitude, _ = Transformer.from_crs(32601, 4326, always_xy=True).transform(*centres(on))
    np.testing.assert_array_equal(found, (longitude < 0) | (longitude > 179.999))


def test_lines_and_points_get_their_width(write: Write) -> None:
    on = image()
    x, y = middle(on)
    # off the lattice of pixels, so that no centre lies on an edge
    x, y = x + 0.13, y + 0.17
    line = shapely.LineString([(x - 10, y), (x + 2, y + 3), (x + 2, y - 8)])
    point = shapely.Point(x - 8, y - 6)
    path = write([line, shapely.MultiPoint([point, (x - 12, y + 8)]), shapely.box(x + 8, y, x + 10, y + 4)])
    with pytest.raises(LabelError, match=r"has lines or points, .* Set \[labels\] width"):
        VectorFile.load(path, LabelOptions())
    found = drawn(path, on, width=3)
    px, py = centres(on)
    inside = shapely.contains_xy(shapely.box(x + 8, y, x + 10, y + 4), px, py)
    for thing in (line, point, shapely.Point(x - 12, y + 8)):
        inside |= shapely.distance(thing, shapely.points(px, py)) < 1.5
    assert np.count_nonzero(found != inside) <= 4
    objects = labels(path, on, width=3).instances(whole(SHAPE))
    assert set(np.unique(objects)) == {0, 1, 2, 3}


def test_a_line_beside_the_image_reaches_into_it(write: Write) -> None:
    on = image()
    path = write([shapely.LineString([(399_997, 5_499_000), (399_997, 5_501_000)])])
    assert not drawn(path, on, width=5).any()
    assert drawn(path, on, width=8)[:, :2].all()
    # of 4 m, of which the image has 1 m: two columns of 0.5 m
    assert not drawn(path, on, width=8)[:, 2:].any()


def test_a_long_line_is_as_wide_as_a_short_one(write: Write) -> None:
    on = image()
    x, y = middle(on)
    curve = np.linspace(0, 12, 400)
    line = shapely.LineString(np.stack([x + np.cos(curve) * (3 + curve / 2), y + np.sin(curve) * (3 + curve / 2)], axis=1))
    found = drawn(write([line]), on, width=2)
    np.testing.assert_array_equal(found, rasterize([line.buffer(1, quad_segs=32)], out_shape=SHAPE, transform=NORTH_UP))
    assert set(np.unique(labels(write([line]), on, width=2).instances(whole(SHAPE)))) == {0, 1}


def test_self_crossing_polygons_are_filled_as_if_repaired(write: Write) -> None:
    on = image()
    x, y = middle(on)
    rng = np.random.default_rng(8)
    for _ in range(20):
        crossing = shapely.Polygon(rng.uniform(-12, 12, (7, 2)) + np.array([x, y]))
        expected = rasterize([shapely.make_valid(crossing)], out_shape=SHAPE, transform=NORTH_UP)
        np.testing.assert_array_equal(drawn(write([crossing]), on), expected)


class TestPixels:
    """Columns and rows instead of a CRS."""

    def test_on_an_image_without_a_place(self, write: Write) -> None:
        path = write([shapely.box(3, 5, 10, 9), shapely.LineString([(20.5, 0), (20.5, 40)])], None)
        found = drawn(path, image(None, None), crs="pixels", width=3)
        expected = np.zeros(SHAPE, np.uint8)
        expected[5:9, 3:10] = 1
        expected[:41, 19:22] = 1
        expected[41:43, 19:22] = found[41:43, 19:22]
        np.testing.assert_array_equal(found, expected)

    def test_georeferenced_images_have_pixels_too(self, write: Write) -> None:
        assert drawn(write([shapely.box(3, 5, 10, 9)], None), image(), crs="Pixels").sum() == 28

    def test_they_are_not_those_of_a_resampled_image(self, write: Write) -> None:
        path = write([shapely.box(3, 5, 10, 9)], None)
        place = Place.of(image().grid, None)
        assert drawn(path, replace(image(), place=place), crs="pixels").sum() == 28
        with pytest.raises(LabelError, match=r"is in pixels, and those of image\.tif are resampled"):
            labels(path, replace(image(TRANSFORMS["south-up"]), place=place), crs="pixels")

    @pytest.mark.parametrize(("transform", "crs"), [(None, None), (NORTH_UP, None)])
    def test_nothing_is_laid_on_an_image_without_a_place(self, write: Write, transform: Affine | None, crs: CRS | None) -> None:
        with pytest.raises(LabelError, match=r"image\.tif has no place on the ground.*crs = 'pixels'"):
            labels(write([shapely.box(0, 0, 1, 1)]), image(transform, crs))


class TestCrs:
    """What the CRS of coordinates is."""

    METRES = shapely.box(400_000, 5_499_980, 400_010, 5_499_990)

    def test_metres_are_no_degrees(self, write: Write) -> None:
        path = write([self.METRES], None)
        with pytest.raises(LabelError, match=r"\(400000, 5499980\) to \(400010, 5499990\), which are no degrees .* Set \[labels\] crs"):
            VectorFile.load(path, LabelOptions())
        assert drawn(path, image(), crs="EPSG:32633").sum() == 400

    def test_a_declared_crs_is_for_files_that_name_none(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        path = write([self.METRES])
        with caplog.at_level(logging.WARNING):
            assert drawn(path, image(), crs="EPSG:32632").sum() == 400
        assert "says that its CRS is EPSG:32633; [labels] crs (EPSG:32632) is for files that name none" in caplog.text
        caplog.clear()
        assert drawn(path, image(), crs="epsg:32633").sum() == 400
        assert not caplog.records
        with pytest.raises(UsageError, match=r"labels\.crs is 'metres', which is no CRS"):
            VectorFile.load(path, LabelOptions(crs="metres"))

    def test_without_any_crs_the_image_s_is_taken_if_it_can_be(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        path = write([self.METRES], 0)
        with caplog.at_level(logging.WARNING):
            assert drawn(path, image()).sum() == 400
        assert "a.geojson names no CRS: its coordinates are taken for those of the images" in caplog.text
        with pytest.raises(LabelError, match=r"names no CRS, and its coordinates, from \(400000, .* are not on image\.tif, from \(12\.99"):
            labels(path, image(Affine(1e-5, 0, 13, 0, -1e-5, 50), CRS.from_epsg(4326)))

    def test_a_height_does_not_hinder(self, write: Write) -> None:
        compound = CRS.from_user_input("EPSG:25833+5783")
        assert drawn(write([self.METRES], 25833), image(crs=compound)).sum() == 400

    def test_there_is_no_way_to_a_local_crs(self, write: Write) -> None:
        local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]')
        with pytest.raises(LabelError, match="no way from EPSG:32633 to site"):
            labels(write([self.METRES]), image(crs=local))

    def test_an_inaccurate_way_is_told(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        x, y = Transformer.from_crs(4326, 26716, always_xy=True).transform(-87, 40)
        with caplog.at_level(logging.WARNING):
            labels(write([shapely.box(-87, 39.9, -86.9, 40)], None), image(Affine(1, 0, x, 0, -1, y), CRS.from_epsg(26716)))
        # PROJ may have the grid
        assert all("lacks the grid file from OGC:CRS84 to EPSG:26716" in record.getMessage() for record in caplog.records)


class TestClasses:
    """Which class a feature has."""

    BOXES = (shapely.box(400_000, 5_499_990, 400_010, 5_500_000), shapely.box(400_005, 5_499_990, 400_015, 5_500_000))

    def test_by_number_and_later_features_on_top(self, write: Write) -> None:
        known = legend("ground", "roof", "road", values=[0, 4, 9])
        found = drawn(write(self.BOXES, values=[9, 4]), image(), known, attribute="class")
        assert (found[0, :10] == 2).all()
        assert (found[0, 10:30] == 1).all()
        assert (found[0, 30:] == 0).all()

    def test_by_name_alias_and_ignored(self, write: Write) -> None:
        known = legend("ground", "roof", aliases={"Dach": 1, "unklar": 255})
        found = drawn(write(self.BOXES, values=["Dach", "unklar"]), image(), known, attribute="class")
        assert found[0, 0] == 1
        assert found[0, 12] == 255

    def test_values_outside_the_legend(self, write: Write) -> None:
        with pytest.raises(LabelError, match=r"classes outside the legend: 'wall' \(1 feature\); the legend has 0 \(ground\), 1 \(roof\)"):
            labels(write(self.BOXES, values=["wall", "roof"]), image(), attribute="class")
        with pytest.raises(LabelError, match=r"outside the legend: 7 \(2 features\)"):
            labels(write(self.BOXES, values=[7, 7]), image(), attribute="class")

    def test_one_class_without_an_attribute(self, write: Write) -> None:
        path = write(self.BOXES)
        assert drawn(path, image())[0, 0] == 1
        assert drawn(path, image(), legend("ground", "roof", values=[0, 7]))[0, 0] == 1
        assert drawn(path, image(), legend("roof", "ground", values=[1, 0]))[0].tolist()[::40] == [0, 1]
        assert drawn(path, image(), legend("a", "b", "c"))[0, 0] == 1
        with pytest.raises(LabelError, match=r"has 3 classes, none of the value 1\. Set \[labels\] attribute"):
            labels(path, image(), legend("a", "b", "c", values=[0, 4, 9]))

    def test_background_that_is_left_out(self, write: Write) -> None:
        found = drawn(write(self.BOXES), image(), legend("roof", "road", values=[1, 2], ignore=0))
        assert found[0, 0] == 0
        assert found[40, 40] == 255


def test_an_image_without_features_is_all_background(write: Write) -> None:
    path = write([shapely.box(500_000, 5_499_980, 500_010, 5_499_990)])
    file = VectorFile.load(path, LabelOptions())
    assert not file.touches(image(), LabelOptions())
    assert not drawn(path, image()).any()
    there = image(Affine(0.5, 0, 500_000, 0, -0.5, 5_500_000))
    assert file.touches(there, LabelOptions())
    assert drawn(path, there).any()
    empty = VectorFile.load(write([]), LabelOptions(attribute="class"))
    assert not empty.touches(image(), LabelOptions())
    assert (empty.class_keys(), empty.object_count) == ({}, 0)
    assert not VectorLabels(image(), empty, TWO, LabelOptions()).read(whole(SHAPE)).any()


def test_touched_pixels_on_demand(write: Write) -> None:
    on = image()
    x, y = middle(on)
    polygon = star(x, y, 9)
    expected = rasterize([polygon], out_shape=SHAPE, transform=NORTH_UP, all_touched=True)
    np.testing.assert_array_equal(drawn(write([polygon]), on, all_touched=True), expected)


def test_threads_share_a_file_and_its_labels(write: Write) -> None:
    x, y = middle(image())
    file = VectorFile.load(write([star(x + dx - 10, y, 8, seed=dx) for dx in range(20)], 32633), LabelOptions())

    def read(_: int) -> int:
        with VectorLabels(image(), file, TWO, LabelOptions()) as shared:
            return int(sum(shared.read(window).sum() for window in cover(SHAPE, (13, 17), 0)))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(read, range(32)))) == 1


def test_it_keeps_the_protocol_of_labels(write: Write) -> None:
    kept: Labels = labels(write([]), image())
    assert (kept.shape, kept.has_instances) == (SHAPE, True)
    kept.close()
