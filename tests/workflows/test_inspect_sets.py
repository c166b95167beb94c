"""What inspect tells of many files together: sets, groups, copies, classes, pairs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from terrazzo.errors import RecipeError
from terrazzo.workflows.context import Result, open_context
from terrazzo.workflows.inspect import MOST_DETAILED, inspect


def picture(path: Path, seed: int = 0, shape: tuple[int, int] = (20, 30), bands: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(5, 250, (*shape, bands)).astype(np.uint8)
    Image.fromarray(values if bands > 1 else values[..., 0]).save(path)
    return path


def mask(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def tif(path: Path, seed: int = 0, dtype: str = "uint16", bands: int = 1, cell: float = 10, crs: str | None = "EPSG:32633") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(300, 4000, (bands, 20, 30)).astype(dtype)
    profile: dict[str, Any] = {"driver": "GTiff", "height": 20, "width": 30, "count": bands, "dtype": dtype, "crs": crs}
    with rasterio.open(path, "w", **profile, transform=from_origin(500_000, 5_000_000, cell, cell)) as file:
        file.write(values)
    return path


def classes(shape: tuple[int, int] = (20, 30), values: tuple[int, ...] = (0, 1)) -> np.ndarray:
    return np.array(values, np.uint8)[np.arange(shape[0])[:, None] * len(values) // shape[0] + np.zeros(shape[1], int)]


def kinds(result: Result, place: int = 0) -> list[str]:
    [*sets] = json.loads(json.dumps(result.facts))["sets"]
    return [problem["kind"] for problem in sets[place]["problems"]]


def problems_of(result: Result) -> list[str]:
    return [line.strip() for line in result.text.splitlines() if line.strip().startswith("problem:")]


def test_many_files_are_told_together_in_a_few_lines(tmp_path: Path) -> None:
    for number in range(MOST_DETAILED + 30):
        picture(tmp_path / "images" / f"{number}.png", number)
    result = inspect(tmp_path)
    assert len(result.text.splitlines()) < 10
    assert result.text.startswith(f"{tmp_path / 'images'}: {MOST_DETAILED + 30} images")
    assert isinstance(result.facts["files"], list)
    assert len(result.facts["files"]) == MOST_DETAILED + 30


def test_few_files_are_told_one_by_one_and_together(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.png", number)
    heads = [line.partition(":")[0] for line in inspect(tmp_path).text.splitlines() if not line.startswith(" ")]
    assert heads == [*(str(tmp_path / f"{number}.png") for number in range(3)), str(tmp_path)]


def test_every_folder_is_a_set_and_of_many_folders_those_of_one_name(tmp_path: Path) -> None:
    for number in range(14):
        picture(tmp_path / f"scene{number}" / "images" / "a.png", number)
        mask(tmp_path / f"scene{number}" / "labels" / "a.png", classes())
    result = inspect(tmp_path)
    names = [found["name"] for found in json.loads(json.dumps(result.facts))["sets"]]
    assert names == ["*/images", "*/labels"]
    few = inspect([tmp_path / "scene0", tmp_path / "scene1"])
    assert "sets" in few.facts
    assert f"{tmp_path / 'scene1' / 'labels' / 'a.png'}: class mask" in few.text


def test_masks_in_a_folder_of_images_are_a_set_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.jpg", number)
        mask(tmp_path / f"{number}_mask.png", classes())
    names = [found["name"] for found in json.loads(json.dumps(inspect(tmp_path).facts))["sets"]]
    assert names == [str(tmp_path), f"{tmp_path} (masks)"]


def test_a_black_image_stays_among_the_others(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.png", number, bands=1)
    mask(tmp_path / "black.png", np.zeros((20, 30), np.uint8))
    result = inspect(tmp_path)
    assert [found["files"] for found in json.loads(json.dumps(result.facts))["sets"]] == [4]
    assert "constant" in kinds(result)
    assert "masks-among-images" in kinds(result)


def test_a_pattern_stands_for_what_it_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a1.png", "a2.png", "b1.png"):
        picture(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    heads = [line.partition(":")[0] for line in inspect("a*.png").text.splitlines() if not line.startswith(" ")]
    assert heads == ["a1.png", "a2.png", "."]
    assert inspect("c*.png").exit_code == 3


def test_mixed_sets_are_problems(tmp_path: Path) -> None:
    tif(tmp_path / "a.tif", 1)
    tif(tmp_path / "b.tif", 2, bands=3)
    tif(tmp_path / "c.tif", 3, dtype="float32")
    tif(tmp_path / "d.tif", 4, crs="EPSG:32632")
    tif(tmp_path / "e.tif", 5, cell=20)
    result = inspect(tmp_path)
    assert kinds(result) == ["mixed-bands", "mixed-types", "mixed-crs", "mixed-cells"]
    assert "4 files of 1 band (a.tif, c.tif and 2 more), 1 file of 3 bands (b.tif)" in result.text
    assert 'crs, such as "EPSG:32633"' in result.text
    assert result.exit_code == 0


def test_sizes_may_differ(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png", number, (20 + number, 30))
    result = inspect(tmp_path)
    assert "12 PNG, 12 sizes from 20 x 30 to 31 x 30 pixels, 3 bands of uint8" in result.text
    assert kinds(result) == []


def test_copies_of_images_are_a_leak_and_those_of_masks_are_not(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png", 1)
    picture(tmp_path / "images" / "b.png", 2)
    shutil.copy(tmp_path / "images" / "a.png", tmp_path / "images" / "c.png")
    mask(tmp_path / "labels" / "a.png", classes())
    shutil.copy(tmp_path / "labels" / "a.png", tmp_path / "labels" / "b.png")
    result = inspect(tmp_path)
    assert (kinds(result, 0), kinds(result, 1)) == (["copies"], [])
    assert "a.png, c.png" in problems_of(result)[0]


def test_a_problem_of_many_files_is_told_once(tmp_path: Path) -> None:
    for number in range(5):
        values = np.random.default_rng(number).integers(300, 4000, (1, 20, 30)).astype(np.int16)
        values[0, : number + 1] = -9999
        with rasterio.open(tmp_path / f"{number}.tif", "w", driver="GTiff", height=20, width=30, count=1, dtype="int16") as file:
            file.write(values)
    told = problems_of(inspect(tmp_path))
    assert len([line for line in told if line.startswith("problem: All files: -9999 looks like missing data")]) == 1
    assert "(5.00% of the pixels in 0.tif)" in told[-1]


def test_bands_are_judged_over_all_files(tmp_path: Path) -> None:
    for number in range(3):
        values = np.random.default_rng(number).uniform(0, 1, (4, 20, 30)).astype(np.float32)
        values[3] = number
        np.save(tmp_path / f"{number}.npy", values)
    result = inspect(tmp_path)
    assert "constant-band" not in kinds(result)
    assert "Band 4 looks like classes" in result.text


def test_shares_of_classes_are_those_of_the_legend(tmp_path: Path) -> None:
    for number, values in enumerate(((0, 1), (0, 0), (1, 2))):
        mask(tmp_path / f"{number}.png", classes(values=values))
    context = open_context(None, ["legend.classes=['sea', 'ship', 'quay']", "legend.colors=['#000000', '#ff0000', '#00ff00']"])
    result = inspect(tmp_path, context=context)
    [found] = json.loads(json.dumps(result.facts))["sets"]
    assert [(entry["name"], entry["color"], entry["share"]) for entry in found["classes"]] == [
        ("sea", "#000000", pytest.approx(0.5)),
        ("ship", "#ff0000", pytest.approx(1 / 3)),
        ("quay", "#00ff00", pytest.approx(1 / 6)),
    ]
    assert "classes: sea 50.00%, ship 33.33%, quay 16.67%" in result.text
    assert "of one value: 1 of 3 masks (1.png)" in result.text
    assert "classes: sea 50.00%, ship 50.00%, quay 0.00%" in result.text


def test_255_is_named_where_it_is_left_out_unasked(tmp_path: Path) -> None:
    for number in range(2):
        mask(tmp_path / f"{number}.png", classes(values=(0, 126, 255)))
    assert kinds(inspect(tmp_path)) == ["left-out"]
    assert "remap = {255 = 1}" in inspect(tmp_path / "0.png").text
    assert kinds(inspect(tmp_path, context=open_context(None, ["legend.ignore=255"]))) == []


def test_grey_masks_are_told_with_their_threshold(tmp_path: Path) -> None:
    for number in range(3):
        mask(tmp_path / f"{number}.jpg", (np.hypot(*np.ogrid[-40:40, -50:50]) < 20 + number).astype(np.uint8) * 255)
    result = inspect(tmp_path)
    assert "3 grey masks" in result.text
    assert kinds(result) == ["labels"]
    assert "threshold = 127" in result.text
    understood = inspect(tmp_path, context=open_context(None, ["legend.threshold=127"]))
    assert "labels" not in kinds(understood)
    assert "classes: 0 8" in understood.text


def test_masks_of_object_numbers_are_one_set_however_few_objects_they_hold(tmp_path: Path) -> None:
    numbers = (np.arange(60)[:, None] // 6 * 10 + np.arange(80) // 8).astype(np.uint16)
    mask(tmp_path / "many.png", numbers)
    mask(tmp_path / "few.png", np.where(numbers < 4, numbers, 0).astype(np.uint16))
    result = inspect(tmp_path)
    assert "2 masks of object numbers" in result.text
    assert kinds(result) == ["object-numbers"]
    assert "object 5" in result.text


def test_a_wrong_legend_is_a_usage_error(tmp_path: Path) -> None:
    mask(tmp_path / "a.png", classes())
    with pytest.raises(RecipeError):
        inspect(tmp_path, context=open_context(None, ["legend.classes=['a', 'b']", "legend.values=[1, 2, 3]"]))


def test_images_are_paired_with_the_labels_that_are_named(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
        mask(tmp_path / "labels" / f"{number}.png", classes(values=(0, 0, 1)))
    context = open_context(None, [f"data.labels={tmp_path / 'labels'}"])
    result = inspect(tmp_path / "images", context=context)
    assert "images and labels: 3 images, 3 files of labels, 3 images with labels" in result.text
    assert "classes: 0 70.00%, 1 30.00%" in result.text
    pairs = json.loads(json.dumps(result.facts))["files"][-1]
    assert (pairs["images"], pairs["labels"], pairs["labelled"], pairs["problems"]) == (3, 3, 3, [])


def test_what_is_unpaired_or_does_not_fit_is_listed(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png", 1)
    picture(tmp_path / "images" / "b.png", 2)
    mask(tmp_path / "labels" / "a.png", classes())
    mask(tmp_path / "labels" / "c.png", classes())
    context = open_context(None, [f"data.labels={tmp_path / 'labels'}"])
    result = inspect(tmp_path / "images", context=context)
    assert "1 of 2 images without label: b. 1 of 2 labels without image: c." in result.text
    assert result.exit_code == 0
    (tmp_path / "labels" / "c.png").unlink()
    mask(tmp_path / "labels" / "b.png", classes((19, 30)))
    assert "is 19 x 30 pixels" in inspect(tmp_path / "images", context=context).text


def test_a_recipe_tells_the_shares_and_what_is_missing(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png", 1)
    mask(tmp_path / "labels" / "a.png", classes())
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[data]\nimages = "images"\nlabels = "labels"\n', encoding="utf-8")
    result = inspect(recipe)
    assert "recipe, 1 image, 1 file of labels, 1 image with labels" in result.text
    assert "classes: 0 50.00%, 1 50.00%" in result.text
    recipe.write_text('[data]\nimages = "elsewhere"\nlabels = "labels"\n', encoding="utf-8")
    missing = inspect(recipe)
    assert "No image is found at" in missing.text
    assert missing.exit_code == 0
