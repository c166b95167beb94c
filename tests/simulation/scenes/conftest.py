"""Small scenes, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.progress import Silent
from terrazzo.simulation.options import ScenesOptions, SimulationOptions
from terrazzo.simulation.scenes.files import simulate_scenes
from terrazzo.simulation.scenes.scene import Scene, make_scene
from terrazzo.simulation.scenes.siting import find_site

OPTIONS = SimulationOptions(count=3, size=(150, 230), seed=4)
SCENES = ScenesOptions(bands=4, nodata_share=0.15)

MakeScene = Callable[..., Scene]


@pytest.fixture
def make() -> MakeScene:
    """One scene, by its index, size, seed, preset and options of [scenes]."""

    def scene(index: int = 0, size: int | tuple[int, int] = 300, seed: int = 0, preset: str = "normal", **options: object) -> Scene:
        common = SimulationOptions.model_validate({"size": size, "seed": seed, "preset": preset})
        scenes = ScenesOptions.model_validate(options)
        return make_scene(index, common, scenes, find_site(scenes.crs))

    return scene


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of three scenes with a border without data, and all that belongs to it; not to be changed."""
    out = tmp_path_factory.mktemp("scenes") / "set"
    simulate_scenes(out, OPTIONS, SCENES, Silent())
    return out
