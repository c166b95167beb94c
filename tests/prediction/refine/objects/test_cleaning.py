"""Cleaning of whole objects: the same as what other libraries do with the whole map at once, whatever the bands."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from pydantic import ValidationError
from rasterio.crs import CRS
from rasterio.features import sieve
from scipy import ndimage  # type: ignore[import-untyped]

from terrazzo.errors import DataError, RecipeError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.objects.pieces import MapRows
from terrazzo.rasters.grid import Grid

Classes = NDArray[np.uint8]
CORNERS = np.ones((3, 3), np.bool_)
METRES = Grid(shape=(20, 30), crs=CRS.from_epsg(32633), transform=Affine(0.5, 0, 400000, 0, -0.5, 5000000))


def legend(*names: str, first: int = 0) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(names, first)))


def cleaning(*names: str, **options: Any) -> Cleaning:
    found = Cleaning.of(PredictionOptions(**options), legend(*(names or ("ground", "ship", "road", "roof"))))
    assert found is not None
    return found


def bands(rng: np.random.Generator) -> dict[str, int]:
    return {"step": int(rng.integers(1, 9)), "band_rows": int(rng.integers(1, 12))}


@pytest.mark.parametrize("seed", range(60))
def test_the_sieve_is_that_of_gdal(seed: int, clean: Callable[..., Classes], random_map: Callable[..., Classes]) -> None:
    rng = np.random.default_rng(seed)
    indices = random_map(rng, int(rng.integers(2, 6)), smallest=6, holed=bool(seed % 2))
    threshold = int(rng.integers(2, 30))
    expected = np.where(indices == 255, 255, sieve(indices, threshold, mask=indices != 255))
    assert np.array_equal(clean(cleaning(*"abcdef", sieve=threshold), indices, **bands(rng)), expected)


@pytest.mark.parametrize("seed", range(30))
def test_small_objects_go_and_others_stay(seed: int, clean: Callable[..., Classes], random_map: Callable[..., Classes]) -> None:
    rng = np.random.default_rng(seed)
    indices = random_map(rng, 2, holed=bool(seed % 2))
    least = int(rng.integers(2, 20))
    pieces, count = ndimage.label(indices == 1, CORNERS)
    sizes = np.concatenate([[0], ndimage.sum_labels(indices == 1, pieces, np.arange(1, count + 1))])
    expected = np.where((indices == 1) & (sizes[pieces] < least), 0, indices)
    assert np.array_equal(clean(cleaning("ground", "ship", min_size=least), indices, **bands(rng)), expected)


@pytest.mark.parametrize("seed", range(30))
def test_small_holes_are_filled(seed: int, clean: Callable[..., Classes], random_map: Callable[..., Classes]) -> None:
    rng = np.random.default_rng(seed)
    indices = random_map(rng, 2)
    indices[rng.random(indices.shape) < 0.5] = 1
    indices[rng.random(indices.shape) < 0.02] = 255
    most = int(rng.integers(2, 9))
    pieces, count = ndimage.label(indices == 0)
    open_ground = ndimage.binary_dilation(np.pad(indices == 255, 1, constant_values=True))[1:-1, 1:-1]
    expected = indices.copy()
    for number in range(1, count + 1):
        piece = pieces == number
        if piece.sum() < most and not open_ground[piece].any():
            expected[piece] = 1
    assert np.array_equal(clean(cleaning("ground", "ship", holes=most), indices, **bands(rng)), expected)


@pytest.mark.parametrize("seed", range(20))
def test_all_of_it_is_the_same_whatever_the_bands(seed: int, clean: Callable[..., Classes], random_map: Callable[..., Classes]) -> None:
    rng = np.random.default_rng(seed)
    indices = random_map(rng, 4, holed=True)
    sureness = rng.integers(0, 65535, indices.shape).astype(np.uint16)
    work = cleaning(
        sieve=3, holes=4, min_size=5, rules={"ship": "elongation < 3 or confidence > 0.5", "road": "length_px > 4 and width_px < 9"}
    )
    whole = clean(work, indices, sureness, step=100, band_rows=100)
    assert np.array_equal(whole == 255, indices == 255)
    assert np.array_equal(clean(work, indices, sureness, **bands(rng)), whole)


def test_an_object_takes_the_class_that_surrounds_it_most(clean: Callable[..., Classes]) -> None:
    indices = np.array([[2, 2, 2, 0, 0], [2, 1, 1, 1, 0], [2, 2, 2, 255, 255]], np.uint8)
    assert clean(cleaning(min_size=4), indices)[1].tolist() == [2, 2, 2, 2, 0]


def test_what_fails_together_takes_the_class_that_stays(clean: Callable[..., Classes]) -> None:
    indices = np.full((5, 6), 3, np.uint8)
    indices[2, 2:4] = (1, 2)
    assert (clean(cleaning(min_size=2), indices) == 3).all()


def test_an_object_alone_becomes_background_if_there_is_one(clean: Callable[..., Classes]) -> None:
    indices = np.full((4, 5), 255, np.uint8)
    indices[2, 2] = 1
    assert clean(cleaning(min_size=3), indices)[2, 2] == 0
    coded = legend("sea", "sand", first=1)
    without_background = Legend(classes=coded.classes, remap={0: 255, 1: 1, 2: 2})
    work = Cleaning.of(PredictionOptions(min_size=3), without_background)
    assert work is not None
    assert without_background.background == 255
    assert clean(work, indices)[2, 2] == 1


def test_objects_are_measured(clean: Callable[..., Classes]) -> None:
    indices = np.zeros((20, 30), np.uint8)
    indices[1, 1:13] = 1  # 12 x 1
    indices[5:9, 3:9] = 1  # 4 x 6
    indices[15, 15] = 1

    def kept(rule: str) -> list[bool]:
        found = clean(cleaning(rules={"ship": rule}), indices, grid=METRES)
        return [bool(found[place]) for place in ((1, 1), (5, 3), (15, 15))]

    assert kept("area_px == 24") == [False, True, False]
    assert kept("area_m2 >= 3") == [True, True, False]
    assert kept("length_px > 11.999 and length_px < 12.001") == [True, False, False]
    assert kept("5.999 < length_m < 6.001") == [True, False, False]
    assert kept("1.999 < breadth_m < 2.001") == [False, True, False]
    assert kept("not 1.49 < elongation < 1.51") == [True, False, True]
    assert kept("0.999 < compactness < 1.001") == [True, True, True]
    assert kept("width_px == 6 and height_px == 4") == [False, True, False]
    assert kept("width_px * height_px - area_px == 0") == [True, True, True]
    assert kept("area_px == 1 or elongation > 3") == [True, False, True]


def test_a_slanted_strip_is_as_long_as_a_straight_one_and_a_bent_one_is_less_compact(clean: Callable[..., Classes]) -> None:
    y, x = np.mgrid[:80, :80]
    along, across = (x + y - 80) / np.sqrt(2), (x - y) / np.sqrt(2)
    slanted = ((np.abs(along) < 30) & (np.abs(across) < 4)).astype(np.uint8)
    assert clean(cleaning(rules={"ship": "59 < length_px < 61 and 7.5 < breadth_px < 8.5 and compactness > 0.98"}), slanted).any()
    bent = np.zeros((80, 80), np.uint8)
    bent[5:60, 5:10] = bent[55:60, 5:60] = 1
    assert clean(cleaning(rules={"ship": "compactness < 0.5"}), bent).any()


def test_metres_in_degrees_are_those_of_the_ellipsoid(clean: Callable[..., Classes]) -> None:
    indices = np.zeros((20, 30), np.uint8)
    indices[10:14, 4:24] = 1
    degrees = Grid(shape=(20, 30), crs=CRS.from_epsg(4326), transform=Affine(1e-4, 0, 10, 0, -1e-4, 60))
    # at 60 degrees north a degree is 55.80 km to the east and 111.41 km to the north
    rules = ("111 < length_m < 112.2 and 44.3 < breadth_m < 44.8", "4960 < area_m2 < 4990")
    for rule in rules:
        assert clean(cleaning(rules={"ship": rule}), indices, grid=degrees).any(), rule


def test_confidence_is_the_mean_probability_of_the_object(clean: Callable[..., Classes]) -> None:
    indices = np.zeros((9, 12), np.uint8)
    indices[2:7, 2:4] = 1
    indices[2:7, 8:10] = 1
    sureness = np.full((9, 12), 65535 * 0.6, np.uint16)
    sureness[:, 6:] = 65535 * 0.9
    found = clean(cleaning(rules={"ship": "confidence > 0.7"}), indices, sureness)
    assert not found[:, :6].any()
    assert np.array_equal(found[:, 6:], indices[:, 6:])


def test_sizes_in_square_metres(clean: Callable[..., Classes]) -> None:
    indices = np.zeros((20, 30), np.uint8)
    indices[3:5, 3:6] = 1  # 1.5 m2
    indices[10, 3:6] = 1  # 0.75 m2
    found = clean(cleaning(min_size="1.5 m2"), indices, grid=METRES)
    assert found[3, 3]
    assert not found[10].any()


@pytest.mark.parametrize("options", [{"min_size": "25 m2"}, {"holes": "3m2"}, {"rules": {"road": "length_m > 20"}}])
def test_metres_need_a_place_on_the_ground(options: dict[str, Any]) -> None:
    work = cleaning(**options)
    work.check(METRES, "a.tif")
    with pytest.raises(DataError, match=r"a.png has no place on the ground.*in pixels"):
        work.check(Grid(shape=(20, 30)), "a.png")


def test_without_options_nothing_is_cleaned() -> None:
    assert Cleaning.of(PredictionOptions(), legend("ground", "ship")) is None


def test_probabilities_are_needed_for_confidence_only() -> None:
    assert cleaning(rules={"ship": "confidence > 0.5"}).needs_sureness
    assert not cleaning(rules={"ship": "area_px > 5"}, sieve=4).needs_sureness


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"boat": "area_px > 3"}, "names 'boat'; the classes that have objects are ship, road, roof"),
        ({"ground": "area_px > 3"}, "names 'ground'"),
        ({"ship": "size > 3"}, "asks for size; what objects have is area_px, area_m2"),
        ({"ship": "area_px >"}, "is not a formula"),
        ({"ship": "area_px"}, "compares nothing"),
        ({"ship": "area_px > width_px"}, "compare one formula with numbers"),
        ({"ship": "__import__('os') == 3"}, "is not allowed"),
    ],
)
def test_a_rule_that_cannot_be_says_why(rules: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        cleaning(rules=rules)


@pytest.mark.parametrize("options", [{"min_size": 1}, {"min_size": "25 px"}, {"holes": "25 ha"}, {"sieve": 0}, {"rules": ["area_px > 3"]}])
def test_sizes_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PredictionOptions(**options)


def test_a_map_is_read_again_by_each_stage_and_never_held() -> None:
    readings = []
    indices = np.zeros((9, 5), np.uint8)
    indices[4, 2] = 1

    def source() -> Iterator[MapRows]:
        readings.append(0)
        yield MapRows(row_off=0, indices=indices)

    rows = list(cleaning(sieve=3, min_size=3).clean(source, Grid(shape=(9, 5))))
    assert not rows[0].indices.any()
    assert len(readings) == 3
