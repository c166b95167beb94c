"""What a table says of its origin, and what of it has changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from terrazzo.errors import RasterError
from terrazzo.labels.rules import Rules
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.fingerprint import Fingerprint, digest_scenes
from terrazzo.samples.scenes import Scene

WriteImage = Callable[..., Path]


@pytest.fixture
def scenes(tmp_path: Path, write_image: WriteImage, rng: np.random.Generator) -> list[Scene]:
    made = []
    for name in ("a1", "a2", "a10"):
        pixels = rng.integers(0, 200, (6, 7)).astype(np.uint8)
        made.append(
            Scene(
                name=name,
                image=write_image(tmp_path / "i" / f"{name}.tif", pixels),
                label=write_image(tmp_path / "l" / f"{name}.png", pixels),
            )
        )
    return made


def digests(scenes: list[Scene], data: DataOptions = DataOptions()) -> dict[str, tuple[str, str]]:
    return digest_scenes(scenes, data, Silent())


def test_only_bytes_count(scenes: list[Scene], tmp_path: Path) -> None:
    before = digests(scenes)
    moved = (tmp_path / "i").rename(tmp_path / "elsewhere")
    there = [Scene(name=scene.name, image=moved / scene.image.name, label=scene.label) for scene in scenes]
    (moved / "a1.tif").touch()
    assert digests(there) == before
    assert len({image for image, _ in before.values()}) == 3


def test_what_has_changed_is_told_by_name_and_kind(scenes: list[Scene], write_image: WriteImage) -> None:
    before = Fingerprint(settings={"samples.size": [256, 256], "labels.median": 3}, scenes=digests(scenes))
    assert before.changes(before) == []
    write_image(scenes[0].image, np.zeros((6, 7), np.uint8))
    write_image(scenes[2].image, np.zeros((6, 7), np.uint8))
    assert isinstance(scenes[1].label, Path)
    write_image(scenes[1].label, np.zeros((6, 7), np.uint8))
    now = Fingerprint(settings={"samples.size": [512, 512]}, scenes={**digests(scenes), "b": ("x", "y")})
    assert before.changes(now) == [
        "[labels] median is not set, was 3",
        "[samples] size is [512, 512], was [256, 256]",
        "2 images changed: a1, a10",
        "1 label changed: a2",
        "1 image new: b",
    ]
    assert now.changes(before)[-1] == "1 image gone: b"


def test_rules_and_bands_beside_the_image_count(scenes: list[Scene], tmp_path: Path, write_image: WriteImage) -> None:
    rules = [Scene(name=scene.name, image=scene.image, label=Rules.parse(["hot: b1 > 5"])) for scene in scenes]
    other = [Scene(name=scene.name, image=scene.image, label=Rules.parse(["hot: b1 > 6"])) for scene in scenes]
    assert digests(rules)["a1"][1] != digests(other)["a1"][1]
    for scene in scenes:
        write_image(tmp_path / "nir" / scene.image.name, np.ones((6, 7), np.uint8))
    data = DataOptions(extra_bands=["../nir"])
    before = digests(scenes, data)
    write_image(tmp_path / "nir" / "a2.tif", np.full((6, 7), 9, np.uint8))
    after = digests(scenes, data)
    assert [name for name in before if before[name] != after[name]] == ["a2"]


def test_all_missing_files_are_named(scenes: list[Scene]) -> None:
    for scene in scenes[:2]:
        scene.image.unlink()
    with pytest.raises(RasterError, match=r"(?s)2 of 3 images.*a1\.tif.*a2\.tif"):
        digests(scenes)
