"""Plots: numbers, and that borders between them are not seen."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.rasters.window import Window, whole
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.simulation.scenes import plots as plots_module
from terrazzo.simulation.scenes.outlines import Outlines
from terrazzo.simulation.scenes.plots import ORDER, Plots
from terrazzo.simulation.scenes.scene import Block, Scene, make_scene
from terrazzo.simulation.scenes.siting import find_site

SHAPE = (420, 610)


def scene() -> Scene:
    options = SimulationOptions(size=SHAPE, seed=8)
    scenes = ScenesOptions(bands=4, dtype="uint16", nodata_share=0.1)
    return make_scene(1, options, scenes, find_site("EPSG:32633"))


@cache
def drawn_whole() -> tuple[Scene, Block]:
    """A scene and all of its pixels."""
    drawn = scene()
    return drawn, drawn.block(whole(SHAPE))


@given(st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1), st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=8)
def test_any_window_is_a_part_of_the_whole(row_off: int, col_off: int, height: int, width: int) -> None:
    drawn, everything = drawn_whole()
    window = Window(col_off=col_off, row_off=row_off, width=min(width, SHAPE[1] - col_off), height=min(height, SHAPE[0] - row_off))
    part = drawn.block(window)
    np.testing.assert_array_equal(part.values, everything.values[:, *window.slices])
    np.testing.assert_array_equal(part.labels, everything.labels[window.slices])
    np.testing.assert_array_equal(part.instances, everything.instances[window.slices])


def test_borders_between_plots_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same land, once as one plot and once as many, shows the same; only the numbers of things differ, and which crown is on top."""
    one = drawn_whole()[1]
    monkeypatch.setattr(plots_module, "PLOT_M", 70.0)
    monkeypatch.setattr(plots_module, "REACH_M", 150.0)
    many_plots = scene()
    assert (many_plots.plots.rows, many_plots.plots.columns) == (3, 4)
    many = many_plots.block(whole(SHAPE))
    np.testing.assert_array_equal(many.labels, one.labels)
    np.testing.assert_array_equal(many.instances > 0, one.instances > 0)
    assert (many.values == one.values).mean() > 0.97
    pairs = np.unique(np.stack([one.instances[one.labels == 1], many.instances[many.labels == 1]]), axis=1)
    # each building has one number here and one there
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_numbers_run_through_all_things_in_painting_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots_module, "PLOT_M", 100.0)
    plots = scene().plots
    numbers: list[int] = []
    for label in ORDER:
        for place, first in np.ndenumerate(plots.first[label]):
            numbers += range(first, first + len(plots.at(*place).table(label)))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_thing_has_an_owner_and_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one = scene().plots.at(0, 0)
    monkeypatch.setattr(plots_module, "PLOT_M", 70.0)
    monkeypatch.setattr(plots_module, "REACH_M", 150.0)
    many = scene().plots
    for label in ORDER:
        owned = np.concatenate([many.at(row, column).table(label).owner for row in range(many.rows) for column in range(many.columns)])
        expected = one.table(label).owner
        np.testing.assert_array_equal(owned[np.lexsort(owned.T)], expected[np.lexsort(expected.T)])


def test_things_out_of_sight_are_not_listed() -> None:
    plot = scene().plots.at(0, 0)
    for label in ORDER:
        assert plot.outlines[label].meet(whole(SHAPE)).all()
        assert len(plot.outlines[label]) == len(plot.table(label))


def test_plots_used_last_are_kept() -> None:
    plots: Plots = scene().plots
    assert plots.at(0, 0) is plots.at(0, 0)


def test_outlines_of_any_number_of_corners() -> None:
    rings = [np.array([(0, 0), (4, 0), (4, 2)], float), np.array([(10, 10), (12, 10), (12, 13), (10, 13)], float)]
    outlines = Outlines.of(rings, 2.0)
    np.testing.assert_array_equal(outlines.bounds, [(0, 0, 2, 1), (5, 5, 6, 6.5)])
    for ring, expected in zip(outlines, rings, strict=True):
        np.testing.assert_array_equal(ring, expected / 2)
    [second] = outlines.part(np.array([False, True]))
    np.testing.assert_array_equal(second, rings[1] / 2)
    assert outlines.meet(Window(col_off=3, row_off=3, width=2, height=2)).tolist() == [False, False]
    assert outlines.meet(Window(col_off=3, row_off=3, width=2, height=2), 0.5).tolist() == [False, True]
    assert len(Outlines.of([], 1.0)) == 0
