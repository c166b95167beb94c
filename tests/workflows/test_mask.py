"""mask: labels of every form, as class masks on the images' grids."""

import csv
import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely import Polygon, box

from terrazzo.errors import ConflictError, LabelError, PairingError, RasterError
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.mask import mask

CRS = "EPSG:32633"
ORIGIN = Affine.translation(500_000, 5_000_000) @ Affine.scale(2, -2)
SQUARES = [
    box(500_010, 4_999_950, 500_030, 4_999_980),
    box(500_030, 4_999_950, 500_046, 4_999_980),
    box(500_060, 4_999_930, 500_072, 4_999_990),
]


def values(path: Path) -> NDArray[np.generic]:
    with rasterio.open(path) as file:
        found: NDArray[np.generic] = file.read(1)
        return found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images of 40 x 50 pixels of 2 m; the second lies east of the first; a corner of the first has no data."""
    folder = tmp_path / "images"
    folder.mkdir()
    pixels = np.arange(1, 40 * 50 + 1, dtype=np.uint16).reshape(1, 40, 50)
    for number, name in enumerate(("a", "b")):
        shown = pixels.copy()
        if name == "a":
            shown[0, :3, :4] = 0
        transform = Affine.translation(number * 100, 0) @ ORIGIN
        with rasterio.open(
            folder / f"{name}.tif",
            "w",
            driver="GTiff",
            count=1,
            height=40,
            width=50,
            dtype="uint16",
            crs=CRS,
            transform=transform,
            nodata=0,
        ) as file:
            file.write(shown)
    return folder


@pytest.fixture
def polygons(tmp_path: Path) -> Path:
    """Three roofs in degrees, two of which touch; all on the first image."""
    frame = geopandas.GeoDataFrame({"kind": ["house", "house", "shed"]}, geometry=SQUARES, crs=CRS)
    frame.to_crs("EPSG:4326").to_file(tmp_path / "roofs.geojson")
    return tmp_path / "roofs.geojson"


def context(*sets: str) -> Context:
    return open_context(None, sets)


class TestPolygons:
    def test_in_degrees_land_on_rasters_in_metres(
        self, tmp_path: Path, images: Path, polygons: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        result = mask(images, polygons, tmp_path / "masks")
        expected = rasterize(SQUARES, (40, 50), transform=ORIGIN, fill=0, default_value=1, dtype="uint8")
        expected[:3, :4] = 255
        np.testing.assert_array_equal(values(tmp_path / "masks" / "a.tif"), expected)
        assert not values(tmp_path / "masks" / "b.tif").any()
        assert "1 image without a feature" in caplog.text
        assert [Path(path).name for path in result.written["outputs"]] == ["a.tif", "b.tif"]  # type: ignore[union-attr]
        with rasterio.open(tmp_path / "masks" / "a.tif") as file:
            assert (file.crs, file.transform, file.nodata, file.colormap(1)[1][3]) == (CRS, ORIGIN, 255, 255)

    def test_classes_by_attribute(self, tmp_path: Path, images: Path, polygons: Path) -> None:
        result = mask(images, polygons, tmp_path / "masks", context=context("labels.attribute=kind"))
        assert set(np.unique(values(tmp_path / "masks" / "a.tif"))) == {0, 1, 2, 255}
        assert "house" in result.text
        with open_raster(tmp_path / "masks" / "a.tif") as raster:
            assert [entry["name"] for entry in json.loads(raster.tags["TERRAZZO_LEGEND"])["classes"]] == ["background", "house", "shed"]

    def test_target_is_one_class_against_the_rest(self, tmp_path: Path, images: Path, polygons: Path) -> None:
        mask(images, polygons, tmp_path / "masks", context=context("labels.attribute=kind", "legend.target=shed"))
        expected = rasterize(SQUARES[2:], (40, 50), transform=ORIGIN, fill=0, default_value=1, dtype="uint8")
        expected[:3, :4] = 255
        np.testing.assert_array_equal(values(tmp_path / "masks" / "a.tif"), expected)

    def test_touching_objects_stay_two(self, tmp_path: Path, images: Path, polygons: Path) -> None:
        mask(images, polygons, tmp_path / "masks", instances=True, rle=True)
        numbers = values(tmp_path / "masks" / "a_instances.tif")
        assert numbers.dtype == np.uint32
        assert len(np.unique(numbers)) == 4
        with (tmp_path / "masks" / "rle.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["ImageId"] for row in rows] == ["a.tif"] * 3 + ["b.tif"]
        assert not rows[3]["EncodedPixels"]

    def test_what_lies_on_no_image_is_an_error(self, tmp_path: Path, images: Path) -> None:
        geopandas.GeoDataFrame(geometry=[box(10, 50, 10.1, 50.1)], crs="EPSG:4326").to_file(tmp_path / "far.geojson")
        with pytest.raises(LabelError, match=r"None of the features of .*far\.geojson"):
            mask(images, tmp_path / "far.geojson", tmp_path / "masks")
        assert not list((tmp_path / "masks").iterdir())

    def test_a_file_an_image(self, tmp_path: Path, images: Path) -> None:
        (tmp_path / "tiles").mkdir()
        for name, shapes in (("a", SQUARES), ("b", [box(500_120, 4_999_940, 500_140, 4_999_960)])):
            geopandas.GeoDataFrame(geometry=shapes, crs=CRS).to_file(tmp_path / "tiles" / f"{name}.geojson")
        mask(images, tmp_path / "tiles", tmp_path / "masks")
        assert values(tmp_path / "masks" / "b.tif").sum() == 100


class TestTables:
    def test_runs_go_down_the_columns_from_one_and_come_back(self, tmp_path: Path, images: Path) -> None:
        # columns 1 and 2 of 40 rows: 41 is the top of the second column
        (tmp_path / "ships.csv").write_text("ImageId,EncodedPixels\na.tif,41 5\na.tif,46 3 81 2\nb.tif,\n")
        mask(images, tmp_path / "ships.csv", tmp_path / "masks", instances=True, rle=True)
        found = values(tmp_path / "masks" / "b.tif")
        assert not found.any()
        expected = np.zeros((40, 50), np.uint32)
        expected[:5, 1], expected[5:8, 1], expected[:2, 2] = 1, 2, 2
        expected[:3, :4] = 0
        np.testing.assert_array_equal(values(tmp_path / "masks" / "a_instances.tif"), expected)
        with (tmp_path / "masks" / "rle.csv").open(newline="") as file:
            assert [tuple(row) for row in csv.reader(file)] == [
                ("ImageId", "EncodedPixels"),
                ("a.tif", "44 2"),
                ("a.tif", "46 3"),
                ("b.tif", ""),
            ]

    def test_images_that_a_table_does_not_name_are_listed(self, tmp_path: Path, images: Path) -> None:
        (tmp_path / "ships.csv").write_text("ImageId,EncodedPixels\na.tif,41 5\nz.tif,3 3\n")
        with pytest.raises(PairingError, match=r"does not name 1 of 2 images: b\..*other image: z"):
            mask(images, tmp_path / "ships.csv", tmp_path / "masks")


def test_rules_need_no_files(tmp_path: Path, images: Path) -> None:
    result = mask(images / "a.tif", "dark: b1 <= 500; light: b1 > 1500", tmp_path / "masks")
    found = values(tmp_path / "masks" / "a.tif")
    assert (found == 1).sum() == 500 - 12
    assert (found == 2).sum() == 500
    assert (found == 255).sum() == 12
    assert result.text.endswith("background 50.30%, dark 24.55%, light 25.15%")


def test_masks_are_remapped_and_smoothed(tmp_path: Path, images: Path) -> None:
    (tmp_path / "labels").mkdir()
    noisy = np.zeros((40, 50), np.uint8)
    noisy[20:, 25:] = 7
    noisy[30, 40], noisy[5, 30] = 0, 7
    for name in ("a", "b"):
        np.save(tmp_path / "labels" / f"{name}.npy", noisy)
    mask(
        images,
        tmp_path / "labels",
        tmp_path / "masks",
        context=context("legend.remap={7 = 1}", "legend.classes=['no', 'yes']", "labels.median=2"),
    )
    found = values(tmp_path / "masks" / "b.tif")
    assert found[30, 40] == 1
    assert found[5, 30] == 0


def test_a_second_time_nothing_is_written_and_strange_files_are_left(tmp_path: Path, images: Path, polygons: Path) -> None:
    mask(images, polygons, tmp_path / "masks")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").iterdir()}
    assert "2 of them kept" in mask(images, polygons, tmp_path / "masks").text
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").iterdir()} == before
    with pytest.raises(ConflictError, match=r"a\.tif, b\.tif"):
        mask(images, "high: b1 > 1500", tmp_path / "masks")
    with pytest.raises(ConflictError, match=r"a\.tif"):
        mask(images, polygons, images)


def test_a_second_time_the_shares_are_told_again(tmp_path: Path, images: Path, polygons: Path) -> None:
    first = mask(images, polygons, tmp_path / "masks", rle=True)
    stamp = (tmp_path / "masks" / "rle.csv").stat().st_mtime_ns
    second = mask(images, polygons, tmp_path / "masks", rle=True)
    assert (second.facts, second.written) == (first.facts, first.written)
    assert (tmp_path / "masks" / "rle.csv").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["rle.csv", "a_instances.tif", "a.tif"])
@pytest.mark.parametrize("content", [b"", b"mine\n"])
def test_files_of_others_are_never_written_over(tmp_path: Path, images: Path, polygons: Path, name: str, content: bytes) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / name).write_bytes(content)
    with pytest.raises(ConflictError, match=name):
        mask(images, polygons, tmp_path / "masks", instances=True, rle=True)
    assert (tmp_path / "masks" / name).read_bytes() == content


def test_two_files_are_never_written_to_one_place(tmp_path: Path, images: Path, polygons: Path) -> None:
    (images / "b.tif").rename(images / "a_instances.tif")
    with pytest.raises(ConflictError, match=r"two would be written to a_instances\.tif"):
        mask(images, polygons, tmp_path / "masks", instances=True)
    assert len(mask(images, polygons, tmp_path / "masks").written["outputs"]) == 2  # type: ignore[arg-type]


def test_all_images_with_broken_pixels_are_named(tmp_path: Path, images: Path, polygons: Path) -> None:
    for name in ("c", "d"):
        profile = {"width": 300, "height": 200, "dtype": "uint8", "crs": CRS, "transform": ORIGIN, "compress": "deflate"}
        with rasterio.open(images / f"{name}.tif", "w", driver="GTiff", count=1, **profile) as file:
            file.write(np.random.default_rng(0).integers(1, 255, (1, 200, 300), np.uint8))
        content = bytearray((images / f"{name}.tif").read_bytes())
        content[len(content) // 2 : len(content) // 2 + 2000] = b"\xff" * 2000
        (images / f"{name}.tif").write_bytes(content)
    with pytest.raises(RasterError, match=r"(?s)2 of 4 images cannot be used:.*c\.tif is broken.*d\.tif is broken"):
        mask(images, polygons, tmp_path / "masks")
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["a.tif", "b.tif"]


def test_all_vector_files_that_lie_elsewhere_are_named(tmp_path: Path, images: Path) -> None:
    (tmp_path / "tiles").mkdir()
    for name in ("a", "b"):
        geopandas.GeoDataFrame(geometry=[box(10, 50, 10.1, 50.1)], crs="EPSG:4326").to_file(tmp_path / "tiles" / f"{name}.geojson")
    with pytest.raises(LabelError, match=r"(?s)2 of 2 label files cannot be used:.*a\.geojson.*b\.geojson"):
        mask(images, tmp_path / "tiles", tmp_path / "masks")


def test_labels_that_are_not_there_are_called_labels(tmp_path: Path, images: Path) -> None:
    with pytest.raises(RasterError, match=r"No labels are found at .*nope\.geojson"):
        mask(images, tmp_path / "nope.geojson", tmp_path / "masks")


def test_images_and_masks_that_are_exchanged(tmp_path: Path, images: Path) -> None:
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=3, height=40, width=50, dtype="uint8") as file:
        file.write(np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8))
    with pytest.raises(LabelError, match="are images and labels exchanged"):
        mask(images / "a.tif", tmp_path / "a.tif", tmp_path / "masks")


@pytest.mark.parametrize(
    "turn", [Affine.scale(1, -1), Affine.rotation(30), Affine.rotation(200) @ Affine.scale(-1, 1)], ids=["south-up", "rotated", "mirrored"]
)
def test_any_grid_is_met(tmp_path: Path, turn: Affine, polygons: Path, images: Path) -> None:
    """Torture 19: pixels of turned grids are labelled where they lie, told by the place of their centres."""
    transform = Affine.translation(500_040, 4_999_960) @ turn @ Affine.scale(2, -2) @ Affine.translation(-25, -20)
    path = tmp_path / "turned.tif"
    with rasterio.open(path, "w", driver="GTiff", count=1, height=40, width=50, dtype="uint8", crs=CRS, transform=transform) as file:
        file.write(np.ones((1, 40, 50), np.uint8))
    mask(path, polygons, tmp_path / "masks")
    rows, cols = np.mgrid[:40, :50]
    xs, ys = transform @ (cols + 0.5, rows + 0.5)
    expected = np.array(
        [[any(inside(shape, x, y) for shape in SQUARES) for x, y in zip(*line, strict=True)] for line in zip(xs, ys, strict=True)]
    )
    found = values(tmp_path / "masks" / "turned.tif") == 1
    # the way there and back through degrees moves corners by less than a micrometre; centres that lie on an edge may fall to either side
    assert (found != expected).sum() <= 2
    assert found.any()


def inside(shape: Polygon, x: float, y: float) -> bool:
    west, south, east, north = shape.bounds
    return bool(west < x < east and south < y < north)


def test_the_footprints_of_solaris(tmp_path: Path) -> None:
    data = Path(__file__).parents[3] / "shared" / "data" / "solaris_footprints"
    if not data.is_dir():
        pytest.skip("the data set solaris_footprints is not beside the project (../shared/data)")
    mask(data / "sample_geotiff.tif", data / "geotiff_labels.geojson", tmp_path, context=context("data.nodata=nan"))
    with open_raster(data / "sample_geotiff.tif") as raster:
        valid = raster.read().valid
    reference = values(data / "sample_fp_mask_from_geojson.tif") != 0
    np.testing.assert_array_equal(values(tmp_path / "sample_geotiff.tif")[valid], reference[valid])


def test_images_need_not_be_alike(tmp_path: Path, images: Path, polygons: Path) -> None:
    with rasterio.open(images / "c.tif", "w", driver="GTiff", count=3, height=9, width=9, dtype="uint8", crs=CRS, transform=ORIGIN) as file:
        file.write(np.ones((3, 9, 9), np.uint8))
    assert len(mask(images, polygons, tmp_path / "masks").written["outputs"]) == 3  # type: ignore[arg-type]
