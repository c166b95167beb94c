"""What a scene looks like."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely
import shapely.affinity
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.evaluation.rule import RuleScores, ValueHistogram, best_rules
from terrazzo.rasters.window import whole
from terrazzo.simulation.scenes.materials import band_names
from terrazzo.simulation.scenes.plots import BUILDING, ORDER, ROAD, TREE, WATER
from terrazzo.simulation.scenes.scene import Block, Scene

MakeScene = Callable[..., Scene]


def block(scene: Scene) -> Block:
    return scene.block(whole(scene.plots.shape))


def rule_f1(make: MakeScene, preset: str) -> list[list[float]]:
    """F1 of each class's best interval of values of each band, chosen on four scenes, on two others."""
    blocks = [block(make(index, size=320, preset=preset, bands=4)) for index in range(6)]
    found = []
    for band in range(4):
        histogram = ValueHistogram(5)
        for chosen in blocks[:4]:
            histogram.add(chosen.values[band], chosen.labels)
        scores = RuleScores(best_rules(histogram))
        for held_out in blocks[4:]:
            scores.add(held_out.values[band], held_out.labels)
        found.append([0.0 if score is None else score for score in scores.f1()])
    return found


def test_no_rule_of_values_finds_buildings_or_roads_and_presets_differ(make: MakeScene) -> None:
    normal = rule_f1(make, "normal")
    assert max(band[BUILDING] for band in normal) < 0.4
    assert max(band[ROAD] for band in normal) < 0.5
    easy, hard = (max(sum(band[BUILDING : ROAD + 1]) for band in rule_f1(make, preset)) for preset in ("easy", "hard"))
    assert easy > hard + 0.1


def test_labels_are_the_same_in_all_presets(make: MakeScene) -> None:
    easy, hard = (block(make(size=100, preset=preset)) for preset in ("easy", "hard"))
    np.testing.assert_array_equal(easy.labels, hard.labels)
    assert (easy.values != hard.values).mean() > 0.8


def test_vegetation_is_bright_in_near_infrared_and_water_dark(make: MakeScene) -> None:
    seen = [block(make(index, size=400, dtype="float32", bands=4)) for index in range(5)]
    values = np.concatenate([part.values.reshape(4, -1) for part in seen], axis=1)
    labels = np.concatenate([part.labels.ravel() for part in seen])
    red, nir = values[0], values[3]
    index = {label: np.median(((nir - red) / (nir + red))[labels == label]) for label in (BUILDING, ROAD, WATER, TREE)}
    assert index[TREE] > 0.35
    assert -0.1 < index[BUILDING] < 0.2
    assert index[ROAD] < 0.2
    assert index[WATER] < 0
    assert np.median(nir[labels == WATER]) < 0.5 * np.median(nir[labels == ROAD])


def test_every_scene_is_another(make: MakeScene) -> None:
    first, second, other_seed = (block(make(size=120, **place)) for place in ({"index": 0}, {"index": 1}, {"seed": 9}))
    assert (first.labels != second.labels).any()
    assert (first.labels != other_seed.labels).any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_types_and_nodata(make: MakeScene, dtype: str) -> None:
    seen = block(make(size=(90, 70), dtype=dtype, nodata_share=0.3))
    nodata = {"uint8": 0, "uint16": 0, "int16": -9999, "float32": np.nan}[dtype]
    assert seen.values.dtype == dtype
    empty: NDArray[np.bool_] = np.isnan(seen.values) if dtype == "float32" else seen.values == nodata
    np.testing.assert_array_equal(empty, np.broadcast_to(seen.labels == 255, seen.values.shape))
    assert not seen.instances[seen.labels == 255].any()
    valid = seen.values[:, seen.labels != 255]
    assert len(np.unique(valid)) > 50
    if dtype != "float32":
        assert valid.min() > 0


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6])
def test_the_border_has_the_share_that_was_asked_for(make: MakeScene, share: float) -> None:
    scene = make(size=(200, 330), nodata_share=share)
    assert scene.border is not None
    inside = scene.border.inside(whole((200, 330)))
    assert inside.mean() == pytest.approx(1 - share, abs=0.012)
    # irregular: its sides lie along no row and no column
    edges = np.argmax(inside, axis=1)[40:160]
    assert share < 0.1 or len(np.unique(edges)) > 10


@pytest.mark.parametrize("bands", range(1, 13))
def test_bands_have_names_and_spectra_of_their_own(make: MakeScene, bands: int) -> None:
    seen = block(make(size=40, bands=bands, dtype="float32"))
    assert seen.values.shape == (bands, 40, 40)
    assert len(set(band_names(bands))) == bands
    means = seen.values.mean(axis=(1, 2))
    assert len(np.unique(means.round(5))) == bands


def test_shadows_lie_opposite_of_the_bright_side(make: MakeScene) -> None:
    """Where the ground is dark beside a building, it is on one side only, the same for all of a scene."""
    scene = make(3, size=500, dtype="float32", preset="easy")
    seen, plot = block(scene), scene.plots.at(0, 0)
    way = np.array(scene.plots.land.shadow) / np.hypot(*scene.plots.land.shadow)
    differences = []
    for ring in plot.outlines[BUILDING]:
        polygon = shapely.Polygon(ring)
        sides = [rasterize([shapely.affinity.translate(polygon, *(sign * 6 * way))], seen.labels.shape) > 0 for sign in (1, -1)]
        dark, bright = (seen.values[0][side & (seen.labels == 0)] for side in sides)
        if len(dark) > 10 and len(bright) > 10:
            differences.append(np.median(bright) - np.median(dark))
    assert len(differences) > 8
    assert np.mean(np.array(differences) > 0) > 0.8


@pytest.mark.parametrize("cell_size_m", [0.1, 0.5, 2.0])
def test_things_have_their_size_in_metres(make: MakeScene, cell_size_m: float) -> None:
    side = round(200 / cell_size_m) if cell_size_m > 0.1 else 300
    scene = make(2, size=side, cell_size_m=cell_size_m)
    outlines = scene.plots.at(0, 0).outlines[TREE]
    radius_m = (outlines.bounds[:, 2] - outlines.bounds[:, 0]) / 2 * cell_size_m
    assert 1 < np.median(radius_m) < 4
    assert {int(label) for label in np.unique(block(scene).labels)} <= {0, *ORDER}


def test_noise_and_haze_grow_with_the_preset(make: MakeScene) -> None:
    def roughness(preset: str) -> float:
        values = block(make(4, size=200, preset=preset, dtype="float32")).values[0]
        return float(np.median(np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2)))

    assert roughness("hard") > 1.3 * roughness("easy")
