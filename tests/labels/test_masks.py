"""Reading masks of every form: the survey, and windows of class indices and object numbers."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import DataError, LabelError, RasterError
from terrazzo.labels import survey as survey_module
from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.labels.masks import MaskLabels, resolve_legend, survey
from terrazzo.labels.options import LegendOptions
from terrazzo.progress import Silent
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Shape, Window, whole

RNG = np.random.default_rng(7)
TWO = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=1, name="yes", color=(255, 0, 0))))


def write_tif(path: Path, values: NDArray[np.generic], nodata: float | None = None) -> Path:
    bands = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2], dtype=bands.dtype, nodata=nodata
    ) as file:
        file.write(bands)
    return path


def write_png(path: Path, values: NDArray[np.uint8], palette: list[int] | None = None) -> Path:
    image = Image.fromarray(values)
    if palette is not None:
        image = Image.frombytes("P", image.size, values.tobytes())
        image.putpalette(palette)
    image.save(path)
    return path


class TestSurvey:
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32"])
    def test_counts_every_value_whatever_the_blocks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
        monkeypatch.setattr(survey_module, "BLOCK_BYTES", 30)
        values = RNG.integers(0, 5, (23, 17)).astype(dtype)
        found = survey([write_tif(tmp_path / "a.tif", values)], Silent()).total
        assert found == {value: int((values == value).sum()) for value in range(5)}

    def test_adds_files_up_and_keeps_them_apart(self, tmp_path: Path) -> None:
        paths = [write_png(tmp_path / f"{value}.png", np.full((3, 5), value, np.uint8)) for value in (2, 0, 2)]
        found = survey(paths, Silent())
        assert found.total == {0: 15, 2: 30}
        assert [dict(file.counts) for file in found.files] == [{2: 15}, {0: 15}, {2: 15}]

    def test_counts_nodata_apart(self, tmp_path: Path) -> None:
        values = np.array([[0, 0, 1], [3, 3, 3]], np.uint8)
        found = survey([write_tif(tmp_path / "a.tif", values, nodata=3)], Silent())
        assert (found.total, found.nodata) == ({0: 2, 1: 1}, {3: 3})

    def test_knows_lossy_files(self, tmp_path: Path) -> None:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
        write_png(tmp_path / "b.png", np.zeros((8, 8), np.uint8))
        assert [file.lossy for file in survey([tmp_path / "a.jpg", tmp_path / "b.png"], Silent()).files] == [True, False]

    def test_names_all_bad_files_at_once(self, tmp_path: Path) -> None:
        good = write_png(tmp_path / "good.png", np.zeros((4, 4), np.uint8))
        stack = write_tif(tmp_path / "stack.tif", RNG.integers(0, 9, (5, 4, 4)).astype(np.uint8))
        broken = tmp_path / "broken.png"
        broken.write_bytes(good.read_bytes()[:40])
        with pytest.raises(DataError) as caught:
            survey([good, stack, tmp_path / "gone.png", broken], Silent())
        for part in ("3 of 4 masks", "stack.tif", "gone.png", "broken.png", "5 bands"):
            assert part in str(caught.value)
        with pytest.raises(LabelError, match=r"stack\.tif has 5 bands of type uint8.*one-hot"):
            survey([stack], Silent())
        with pytest.raises(RasterError, match=r"gone\.png"):
            survey([tmp_path / "gone.png"], Silent())


class TestMaskLabels:
    def test_windows_equal_the_whole_and_255_lies_around_it(self, tmp_path: Path) -> None:
        values = RNG.integers(0, 2, (11, 13)).astype(np.uint8)
        with MaskLabels(write_tif(tmp_path / "a.tif", values), TWO) as masks:
            assert masks.shape == (11, 13)
            assert np.array_equal(masks.read(whole((11, 13))), values)
            window = Window(col_off=-2, row_off=7, width=20, height=6)
            expected = np.pad(values, 20, constant_values=255)[27:33, 18:38]
            assert np.array_equal(masks.read(window), expected)
            assert (masks.read(Window(col_off=50, row_off=50, width=2, height=3)) == 255).all()

    def test_a_palette_gives_its_indices(self, tmp_path: Path) -> None:
        values = RNG.integers(0, 2, (5, 6)).astype(np.uint8)
        path = write_png(tmp_path / "a.png", values, palette=[255, 255, 255, 0, 0, 255])
        assert np.array_equal(MaskLabels(path, TWO).read(whole((5, 6))), values)

    def test_nodata_is_left_out_unless_it_is_a_class(self, tmp_path: Path) -> None:
        values = np.array([[0, 1, 9]], np.int16)
        beyond = Window(col_off=0, row_off=0, width=4, height=1)
        assert MaskLabels(write_tif(tmp_path / "a.tif", values, nodata=9), TWO).read(beyond).tolist() == [[0, 1, 255, 255]]
        path = write_tif(tmp_path / "b.tif", values[:, :2], nodata=0)
        assert MaskLabels(path, TWO).read(beyond).tolist() == [[0, 1, 255, 255]]

    def test_values_outside_the_legend_name_the_file(self, tmp_path: Path) -> None:
        path = write_png(tmp_path / "odd.png", np.array([[0, 1, 7]], np.uint8))
        with pytest.raises(LabelError, match=r"odd\.png.*7 \(1 pixel\)"):
            MaskLabels(path, TWO).read(whole((1, 3)))

    def test_bands_that_differ_are_refused(self, tmp_path: Path) -> None:
        values = np.zeros((2, 4, 4), np.uint8)
        values[0, 2, 2] = 1
        with pytest.raises(LabelError, match=r"a\.tif, rows 0 to 4: its 2 bands differ"):
            MaskLabels(write_tif(tmp_path / "a.tif", values), TWO).read(whole((4, 4)))


def resolved(paths: list[Path], reading: DataOptions = DataOptions(), **options: Any) -> Legend:
    given_options = LegendOptions(**options)
    return resolve_legend(given_options, survey(paths, Silent(), given_options, reading))


def whole_of(path: Path, legend: Legend, reading: DataOptions = DataOptions()) -> NDArray[np.uint8]:
    with MaskLabels(path, legend, reading) as masks:
        return masks.read(whole(masks.shape))


INDICES = RNG.integers(0, 4, (23, 17))
COLORS = np.array([[0, 0, 0], [230, 25, 75], [60, 180, 75], [255, 255, 255]], np.uint8)
NAMED: dict[str, Any] = {"classes": ["none", "roof", "tree", "snow"], "colors": ["#000000", "#e6194b", "#3cb44b", "#ffffff"]}
HOT: NDArray[np.uint8] = (np.arange(4)[:, None, None] == INDICES).astype(np.uint8)


def colors_png(path: Path) -> Path:
    Image.fromarray(COLORS[INDICES]).save(path)
    return path


def colors_tif(path: Path) -> Path:
    return write_tif(path, np.moveaxis(COLORS[INDICES], 2, 0))


def palette_png(path: Path) -> Path:
    return write_png(path, INDICES.astype(np.uint8), palette=COLORS.ravel().tolist())


def array(path: Path, values: NDArray[Any]) -> Path:
    np.save(path, values)
    return path


FORMS: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "values.png": (lambda path: write_png(path, INDICES.astype(np.uint8)), {}),
    "palette.png": (palette_png, {}),
    "grey_as_rgb.png": (lambda path: write_png(path, np.repeat(INDICES[..., None], 3, -1).astype(np.uint8)), {}),
    "int64.npy": (lambda path: array(path, INDICES), {}),
    "big_endian.npy": (lambda path: array(path, INDICES.astype(">u2")), {}),
    "float.tif": (lambda path: write_tif(path, INDICES.astype(np.float32)), {}),
    "codes.tif": (lambda path: write_tif(path, np.array([7, 700, 3, -1], np.int32)[INDICES]), {"remap": {7: 0, 700: 1, 3: 2, -1: 3}}),
    "inverted.png": (lambda path: write_png(path, (3 - INDICES).astype(np.uint8)), {"remap": {0: 3, 1: 2, 2: 1, 3: 0}}),
    "values_given.png": (
        lambda path: write_png(path, np.array([9, 4, 200, 0], np.uint8)[INDICES]),
        {"classes": ["a", "b", "c", "d"], "values": [9, 4, 200, 0]},
    ),
    "colors.png": (colors_png, NAMED),
    "colors.tif": (colors_tif, NAMED),
    "palette_as_colors.png": (palette_png, {**NAMED, "encoding": "colors"}),
    "onehot.tif": (lambda path: write_tif(path, HOT), {}),
    "onehot_255.tif": (lambda path: write_tif(path, HOT * np.uint8(255)), {"classes": ["a", "b", "c", "d"]}),
    "onehot_float.npy": (lambda path: array(path, HOT.astype(np.float64)), {}),
    "onehot_bool.npy": (lambda path: array(path, HOT == 1), {}),
    "onehot_with_spare_bands.tif": (lambda path: write_tif(path, np.concatenate([HOT, HOT[:2] * np.uint8(0)])), {"remap": {4: 0, 5: 0}}),
}


@pytest.mark.parametrize("name", list(FORMS))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_form_gives_the_same_classes(tmp_path: Path, name: str) -> None:
    write, options = FORMS[name]
    path = write(tmp_path / name)
    legend = resolved([path], **options)
    assert np.array_equal(whole_of(path, legend), INDICES)
    with MaskLabels(path, Legend.from_json(legend.to_json())) as masks:
        window = Window(col_off=-3, row_off=5, width=30, height=9)
        expected = np.pad(INDICES, 40, constant_values=IGNORE)[45:54, 37:67]
        assert np.array_equal(masks.read(window), expected)
        assert not masks.has_instances
        with pytest.raises(LabelError, match="no object numbers"):
            masks.instances(window)


@pytest.mark.parametrize("name", list(FORMS))
@pytest.mark.parametrize("target", [0, 2])
def test_every_form_takes_a_target(tmp_path: Path, name: str, target: int) -> None:
    write, options = FORMS[name]
    path = write(tmp_path / name)
    plain = resolved([path], **options)
    legend = resolved([path], **options, target=plain.names[target])
    assert np.array_equal(whole_of(path, legend), target == INDICES)


def test_booleans_and_masks_of_0_and_255(tmp_path: Path) -> None:
    truth = INDICES > 1
    one = array(tmp_path / "a.npy", truth)
    white = write_png(tmp_path / "b.png", (truth * 255).astype(np.uint8))
    bits = tmp_path / "c.png"
    Image.fromarray(truth).save(bits)
    for path in (one, white, bits):
        assert np.array_equal(whole_of(path, resolved([path])), truth)
    inverted = resolved([white], remap={0: 1, 255: 0})
    assert np.array_equal(whole_of(white, inverted), ~truth)


class TestSmeared:
    @pytest.mark.parametrize("quality", [30, 75, 95])
    def test_jpeg_masks_of_two_classes(self, tmp_path: Path, quality: int) -> None:
        truth = np.kron(RNG.integers(0, 2, (6, 5)), np.ones((16, 16), np.int64))
        path = tmp_path / "a.jpg"
        Image.fromarray((truth * 255).astype(np.uint8)).save(path, quality=quality)
        for options in ({"threshold": 127}, {"snap": True, "classes": ["no", "yes"]}, {"snap": True, "remap": {255: 1}}):
            assert np.array_equal(whole_of(path, resolved([path], **options)), truth)

    def test_jpeg_masks_of_colors(self, tmp_path: Path) -> None:
        truth = np.kron(RNG.integers(0, 4, (6, 5)), np.ones((30, 30), np.int64))
        path = tmp_path / "a.jpg"
        Image.fromarray(COLORS[truth]).save(path, quality=80, subsampling=0)
        with pytest.raises(LabelError, match=r"(?s)different colours.*snap = true"):
            resolved([path])
        found = whole_of(path, resolved([path], **NAMED, snap=True))
        assert np.mean(found == truth) > 0.995

    def test_resampled_masks_of_three_classes(self, tmp_path: Path) -> None:
        small = np.kron(RNG.integers(0, 3, (5, 5)), np.ones((8, 8), np.int64))
        grey = Image.fromarray(np.array([0, 126, 255], np.uint8)[small]).resize((80, 80), Image.Resampling.BICUBIC)
        path = tmp_path / "a.png"
        grey.save(path)
        found = whole_of(path, resolved([path], snap=True, remap={126: 1, 255: 2}))
        levels = np.asarray(grey).astype(np.int64)
        nearest = np.abs(levels[..., None] - np.array([0, 126, 255])).argmin(-1)
        assert np.array_equal(found, nearest)


class TestInstances:
    VALUES = np.array([[0, 3, 3, 700], [0, 0, 9, 65535]], np.uint16)

    def test_objects_keep_their_numbers(self, tmp_path: Path) -> None:
        path = write_tif(tmp_path / "a.tif", self.VALUES)
        legend = resolved([path], encoding="instances", ignore=65535)
        with MaskLabels(path, legend) as masks:
            assert masks.has_instances
            assert masks.read(whole((2, 4))).tolist() == [[0, 1, 1, 1], [0, 0, 1, IGNORE]]
            window = Window(col_off=1, row_off=-1, width=4, height=3)
            assert masks.instances(window).tolist() == [[0, 0, 0, 0], [3, 3, 700, 0], [0, 9, 0, 0]]
            assert masks.instances(window).dtype == np.uint32

    def test_nodata_0_is_the_background(self, tmp_path: Path) -> None:
        path = write_tif(tmp_path / "a.tif", self.VALUES, nodata=0)
        with MaskLabels(path, resolved([path], encoding="instances")) as masks:
            assert masks.read(whole((2, 4))).tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]
            assert masks.instances(whole((2, 4))).tolist() == self.VALUES.tolist()

    def test_numbers_beyond_32_bits_are_refused(self, tmp_path: Path) -> None:
        path = array(tmp_path / "a.npy", np.array([[0, 2**40]]))
        with pytest.raises(LabelError, match=r"a\.npy has the object number 1099511627776"):
            MaskLabels(path, resolved([path], encoding="instances")).instances(whole((1, 2)))

    def test_float_numbers_are_whole(self, tmp_path: Path) -> None:
        path = array(tmp_path / "a.npy", np.array([[0, 2, 7.0, np.nan]], np.float32))
        with MaskLabels(path, resolved([path], encoding="instances")) as masks:
            assert masks.instances(whole((1, 4))).tolist() == [[0, 2, 7, 0]]


def test_masks_are_brought_to_another_grid_by_the_nearest_pixel(tmp_path: Path) -> None:
    transform = rasterio.Affine(2.0, 0.0, 500000.0, 0.0, -2.0, 4000000.0)
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=23, width=17, dtype="uint8", crs="EPSG:32633", transform=transform
    ) as file:
        file.write(INDICES.astype(np.uint8), 1)
    onto = Grid(shape=(44, 30), crs=file.crs, transform=transform * rasterio.Affine.translation(1, 1) * rasterio.Affine.scale(0.5))
    with MaskLabels(path, resolved([path]), onto=onto) as masks:
        assert masks.shape == (44, 30)
        assert np.array_equal(masks.read(whole(onto.shape)), np.kron(INDICES[1:, 1:16], np.ones((2, 2), np.int64)))


class TestBroken:
    """Whatever is in a mask file, there are labels of its shape, or an error that names it."""

    BASES: tuple[tuple[str, dict[str, Any]], ...] = (("values.png", {}), ("colors.png", NAMED), ("int64.npy", {}), ("onehot.tif", {}))

    @pytest.mark.parametrize(("name", "options"), BASES)
    @given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4), kept=st.floats(0, 1))
    @settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_bytes(self, tmp_path: Path, name: str, options: dict[str, Any], changes: list[tuple[float, int]], kept: float) -> None:
        (tmp_path / name).unlink(missing_ok=True)
        path = FORMS[name][0](tmp_path / name)
        legend = resolved([path], **options)
        data = bytearray(path.read_bytes())
        for place, value in changes:
            # most faults that matter are in the header
            data[int((len(data) - 1) * place**3)] = value
        path.write_bytes(bytes(data[: max(1, int(len(data) * min(1, kept * 3)))]))
        for work in (lambda: resolved([path], **options), lambda: self.read(path, legend)):
            try:
                work()
            except (LabelError, RasterError) as error:
                assert name in str(error) or "masks" in str(error).lower()  # noqa: PT017 - not all bytes are an error

    def read(self, path: Path, legend: Legend) -> None:
        with MaskLabels(path, legend) as masks:
            height, width = masks.shape
            # a file may declare any size
            part: Shape = min(height, 64), min(width, 64)
            assert masks.read(whole(part)).shape == part

    def test_every_file_is_named(self, tmp_path: Path) -> None:
        image = io.BytesIO()
        Image.fromarray(COLORS[INDICES]).save(image, "PNG")
        paths = []
        for number, data in enumerate((b"", b"\x93NUMPY", image.getvalue()[:60], b"II*\x00" + bytes(20))):
            paths.append(tmp_path / f"mask{number}.png")
            paths[-1].write_bytes(data)
        with pytest.raises(DataError) as caught:
            resolved(paths)
        assert all(path.name in str(caught.value) for path in paths)


SHARED = Path(__file__).parents[3] / "shared" / "data"


def real(pattern: str) -> list[Path]:
    found = sorted(SHARED.glob(pattern))
    if not found:
        pytest.skip(f"{Path(pattern).parts[0]} is not beside the project (../shared/data)")
    return found


class TestRealMasks:
    def test_jpeg_masks_of_clouds_by_threshold_and_by_snap(self) -> None:
        paths = real("hyta_sky_cloud/2GT/*.jpg")
        with pytest.raises(LabelError, match=r"smeared by JPEG.*\n.*threshold = 127.*snap = true and remap = \{255 = 1\}"):
            resolved(paths)
        by_threshold, by_snap = resolved(paths, threshold=127), resolved(paths, snap=True, remap={255: 1})
        assert np.array_equal(whole_of(paths[0], by_threshold), whole_of(paths[0], by_snap))

    def test_clouds_of_three_levels(self) -> None:
        paths = real("hyta_sky_cloud/3GT/*.png")
        legend = resolved(paths, classes=["sky", "thin", "thick"], remap={126: 1, 255: 2})
        expected = np.select([np.asarray(Image.open(paths[0])) == raw for raw in (0, 126, 255)], [0, 1, 2])
        assert np.array_equal(whole_of(paths[0], legend), expected)

    def test_anti_aliased_roads(self) -> None:
        paths = real("roads_ethz_epfl/groundtruth/*.png")
        with pytest.raises(LabelError, match=r"look grey.*\n.*threshold = 127 .*snap = true"):
            resolved(paths)
        assert np.array_equal(whole_of(paths[3], resolved(paths, threshold=127)), np.asarray(Image.open(paths[3])) > 127)

    def test_nuclei_are_objects(self) -> None:
        paths = real("dsb2018_nuclei/labels/*.png")
        with pytest.raises(LabelError, match="encoding = 'instances'"):
            resolved(paths)
        legend = resolved(paths, encoding="instances")
        expected = np.asarray(Image.open(paths[1]))
        with MaskLabels(paths[1], legend) as masks:
            assert np.array_equal(masks.instances(whole(masks.shape)), expected)
            assert np.array_equal(masks.read(whole(masks.shape)), expected > 0)

    def test_doodles_are_one_hot(self) -> None:
        path = real("doodler_coast/*2016*.npz")[0]
        with np.load(path) as stored:
            expected, names = stored["label"].argmax(-1), [str(name) for name in stored["classes"]]
        reading = DataOptions(array="label", axes="bands_last")
        legend = resolved([path], reading, classes=names)
        assert (legend.encoding, legend.names) == ("onehot", tuple(names))
        assert np.array_equal(whole_of(path, legend, reading), expected)

    def test_streets_against_the_rest(self) -> None:
        paths = real("camvid_small/trainannot/*.png")
        names = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
        legend = resolved(paths, classes=names, ignore=11, target="car")
        stored = np.asarray(Image.open(paths[0]))
        assert np.array_equal(whole_of(paths[0], legend), np.where(stored == 11, IGNORE, stored == 8))


def test_legends_of_other_forms_name_the_file(tmp_path: Path) -> None:
    colors = replace(resolved([colors_png(tmp_path / "a.png")], **NAMED))
    with pytest.raises(LabelError, match=r"b\.tif, rows 0 to 23: it has 4 bands of type uint16; colours are"):
        whole_of(write_tif(tmp_path / "b.tif", HOT.astype(np.uint16)), colors)
    with pytest.raises(LabelError, match=r"c\.png, rows 0 to 1: Mask values outside the legend: '#010203' \(1 pixel\)"):
        whole_of(write_png(tmp_path / "c.png", np.array([[[1, 2, 3]]], np.uint8)), colors)
