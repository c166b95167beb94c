"""Real images, where they lie next to the project: what lies over each other is found, and only that."""

from pathlib import Path

import pytest

from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.audit.likeness import alike_pairs

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the data sets of ../shared/data are not here")]


def found_in(pattern: str) -> set[tuple[str, str]]:
    paths = sorted(DATA.glob(pattern))
    assert len(paths) > 15
    return {(paths[pair.a].stem, paths[pair.b].stem) for pair in alike_pairs(paths, DataOptions(), Silent())}


def test_ships_that_were_cut_from_one_scene_or_show_one_harbour_twice() -> None:
    """The first four share pixels; of the others there are two pictures of different days, some metres off."""
    assert found_in("airbus_ships/images/*.jpg") == {
        ("01ad35fcb", "26a077378"),
        ("0bbfa43b6", "583feb82b"),
        ("3ff2e23f0", "67def51c5"),
        ("6ac1b9412", "9577ae9c1"),
        ("3ff2e23f0", "fa4483b95"),
        ("67def51c5", "fa4483b95"),
        ("56d23b600", "6d6468e24"),
        ("330a503a4", "cc8960db1"),
    }


@pytest.mark.parametrize(
    "pattern",
    [
        "roads_ethz_epfl/images/*.png",
        "isbi2012_em/images/*.png",
        "hyta_sky_cloud/images/*.jpg",
        "dsb2018_nuclei/images/*.png",
        "fair_osm_buildings/images/*.png",
        "ccd_damic_sim/*/images/*.fits",
    ],
)
def test_other_ground_is_not_alike(pattern: str) -> None:
    assert found_in(pattern) == set()
