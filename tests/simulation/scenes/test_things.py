"""Roads, water, buildings and trees: where they lie, and that they are the same whoever asks."""

import numpy as np
import pytest
import shapely

from terrazzo.simulation.scenes.buildings import Lot
from terrazzo.simulation.scenes.dice import Dice
from terrazzo.simulation.scenes.land import Box, Land, draw_land, lattice, turned
from terrazzo.simulation.scenes.plots import Plot, Plots
from terrazzo.simulation.scenes.roads import SPACING_M, planned
from terrazzo.simulation.scenes.water import Water, water_in

BIG = Box(left=-300, top=-200, right=900, bottom=800)
SMALL = Box(left=100, top=50, right=420, bottom=300)


def land(index: int = 0) -> Land:
    return draw_land(Dice(5, index), (0.0, 0.1))


@pytest.fixture(scope="module")
def plots() -> list[Plot]:
    return [Plots(land(index), (1000, 1000), 0.5).at(0, 0) for index in range(4)]


def polygons(rings: object) -> list[shapely.Polygon]:
    return [shapely.Polygon(ring) for ring in rings]  # type: ignore[attr-defined] # any rings


@pytest.mark.parametrize("turn_rad", [0.0, 0.7, 3.0])
def test_a_lattice_covers_its_box(turn_rad: float) -> None:
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(SMALL.left, SMALL.right, 500), rng.uniform(SMALL.top, SMALL.bottom, 500)], -1)
    cells = np.floor(turned(points, -turn_rad) / 30).astype(int)
    assert set(map(tuple, cells.tolist())) <= set(zip(*(key.tolist() for key in lattice(SMALL, 30.0, turn_rad)), strict=True))


def test_a_turn_and_back() -> None:
    points = np.random.default_rng(0).normal(0, 100, (9, 2))
    np.testing.assert_allclose(land().straight(land().turned(points)), points, atol=1e-9)


def test_roads_do_not_depend_on_the_box() -> None:
    many, few = planned(land(), BIG), planned(land(), SMALL)
    inside = SMALL.holds(many.owner)
    assert {tuple(key) for key in few.key.tolist()} == {tuple(key) for key in many.key[inside].tolist()}
    assert 0 < len(few) < len(many)


def test_stretches_of_a_road_meet_without_a_bend() -> None:
    roads = planned(land(), BIG)
    ends = {tuple(key): (line, width) for key, line, width in zip(roads.key.tolist(), roads.lines, roads.width_m, strict=True)}
    met = 0
    for (way, column, row), (line, _) in ends.items():
        following = ends.get((way, column + (way == 0), row + (way == 1)))
        if following is None:
            continue
        met += 1
        np.testing.assert_allclose(following[0][0], line[-1], atol=1e-9)
        before, after = line[-1] - line[-2], following[0][1] - following[0][0]
        assert before @ after > 0.9 * np.hypot(*before) * np.hypot(*after)
    assert met > 10


def test_roads_differ_in_width_and_main_roads_go_on() -> None:
    roads = planned(land(1), BIG)
    assert 3 < roads.width_m.min() < 8.5 <= roads.width_m[roads.main].min() < roads.width_m.max() < 13.01
    keys = {tuple(key) for key in roads.key[roads.main].tolist()}
    for way, line in {(key[0], key[2 - key[0]]) for key in keys}:
        along = sorted(key[1 + way] for key in keys if (key[0], key[2 - way]) == (way, line))
        # a road leaves the box and may come back, but has no gap inside
        assert len(along) > 1 or along


def test_water_does_not_depend_on_the_box() -> None:
    def of(box: Box) -> Water:
        return water_in(land(2), box, planned(land(2), box.grown(400)))

    many, few = of(BIG), of(SMALL)
    inside = SMALL.holds(many.owner)
    assert inside.sum() == len(few)
    np.testing.assert_array_equal(np.sort(many.rings[inside].sum(axis=(1, 2))), np.sort(few.rings.sum(axis=(1, 2))))


def test_outlines_are_simple_and_water_is_smooth() -> None:
    for index in range(6):
        water = water_in(land(index), BIG, planned(land(index), BIG.grown(400)))
        assert shapely.is_valid(shapely.polygons(water.rings)).all()
        assert shapely.covers(shapely.buffer(shapely.polygons(water.banks), 0.01), shapely.polygons(water.rings)).all()


def test_nothing_stands_in_roads_or_water(plots: list[Plot]) -> None:
    for plot in plots:
        ground = shapely.union_all([*shapely.polygons(plot.water.rings), *plot.roads.polygons()])
        assert shapely.area(shapely.intersection(polygons(plot.buildings.outlines()), ground)).max() == 0
        assert not shapely.intersects(shapely.points(plot.trees.middle), ground).any()


def test_buildings_never_overlap_and_those_of_a_row_share_walls(plots: list[Plot]) -> None:
    touching = 0
    for plot in plots:
        houses = np.array(polygons(plot.buildings.outlines()))
        assert shapely.is_valid(houses).all()
        one, other = shapely.STRtree(houses).query(houses, predicate="intersects")
        pairs = one < other
        meeting = shapely.intersection(houses[one[pairs]], houses[other[pairs]])
        # neighbours share corners as they come out of the arithmetic: to within its last bits
        assert shapely.area(meeting).max(initial=0) < 1e-6
        lots = plot.buildings.lot
        assert (lots[one[pairs]] == Lot.ROWS).all()
        near, far = shapely.STRtree(houses).query(houses, predicate="dwithin", distance=1e-6)
        touching += int(np.count_nonzero(near < far))
    assert touching > 20


def test_buildings_have_four_or_six_corners_and_many_shapes(plots: list[Plot]) -> None:
    corners = [len(ring) for plot in plots for ring in plot.buildings.outlines()]
    assert set(corners) == {4, 6}
    lots = np.concatenate([plot.buildings.lot for plot in plots])
    assert set(lots.tolist()) >= {Lot.HOUSES, Lot.ROWS, Lot.BLOCKS, Lot.HALLS}
    assert len(set(np.concatenate([plot.buildings.cover for plot in plots]).tolist())) >= 7
    areas = shapely.area(polygons(ring for plot in plots for ring in plot.buildings.outlines()))
    assert 25 < areas.min() < 60
    assert areas.max() > 500


def test_an_angle_is_where_its_wing_is(plots: list[Plot]) -> None:
    for plot in plots:
        angled = plot.buildings.part(plot.buildings.angled)
        for ring, half, wing in zip(angled.outlines(), angled.half, angled.wing, strict=True):
            assert shapely.Polygon(ring).area == pytest.approx(4 * half[0] * half[1] + 4 * wing[2] * wing[3])


def test_crowns_overlap_and_are_of_a_tree_s_size(plots: list[Plot]) -> None:
    for plot in plots:
        crowns = np.array(polygons(plot.trees.outlines()))
        assert shapely.is_valid(crowns).all()
        assert shapely.area(shapely.union_all(crowns)) < shapely.area(crowns).sum()
        assert 1.2 < plot.trees.radius_m.min() < plot.trees.radius_m.max() < 5.5


def test_streets_are_a_net() -> None:
    assert len(planned(land(), BIG)) > 0.5 * 2 * (1200 * 1000) / SPACING_M**2
