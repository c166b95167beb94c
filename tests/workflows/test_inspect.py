"""inspect: facts, problems and the exit code."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.recipe import Recipe
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.inspection import raster_facts


def tif(path: Path, values: np.ndarray, **profile: object) -> Path:
    bands, height, width = values.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=bands,
        dtype=values.dtype,
        crs="EPSG:32631",
        transform=from_origin(500_000, 4_000_000, 2, 3),
        **profile,
    ) as file:
        file.write(values)
    return path


def only(path: Path, context: Context | None = None) -> dict[str, object]:
    result = inspect([path], context=context)
    assert result.exit_code == 0
    [facts] = json.loads(json.dumps(result.facts))["files"]
    assert isinstance(facts, dict)
    return facts


@pytest.fixture
def image(tmp_path: Path) -> Path:
    values = np.random.default_rng(1).integers(1, 4000, (2, 37, 51)).astype(np.uint16)
    values[:, :5] = 0
    return tif(tmp_path / "a.tif", values, nodata=0)


def test_figures_are_those_of_numpy(image: Path) -> None:
    facts = only(image)
    with rasterio.open(image) as file:
        values = file.read()[:, 5:].astype(np.float64)
    assert facts["shape"] == [37, 51]
    assert facts["dtype"] == "uint16"
    assert facts["crs"] == "EPSG:32631"
    assert facts["cell"] == [2, 3]
    assert facts["read_share"] == 1
    assert facts["valid_share"] == pytest.approx(32 / 37)
    bands = facts["bands"]
    assert isinstance(bands, list)
    for band, expected in zip(bands, values, strict=True):
        assert (band["low"], band["high"], band["count"], band["nodata"]) == (expected.min(), expected.max(), expected.size, 0)
        assert band["mean"] == pytest.approx(expected.mean())
        assert band["sd"] == pytest.approx(expected.std())


def test_blocks_add_up(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, bands = only(image), only(image)["bands"]
    monkeypatch.setattr(raster_facts, "BLOCK", (7, 13))
    blocks = only(image)
    assert isinstance(bands, list)
    for band, expected in zip(blocks.pop("bands"), bands, strict=True):  # type: ignore[call-overload] # a list, as above
        for figure in ("count", "mean", "sd", "low", "high", "missing_share"):
            assert band[figure] == pytest.approx(expected[figure])
        assert band["percentiles"] == expected["percentiles"]
    del whole["bands"]
    assert blocks == whole


def test_large_values_keep_their_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_facts, "BLOCK", (4, 4))
    values = 1e9 + np.random.default_rng(0).normal(0, 1, (1, 20, 30))
    path = tmp_path / "a.npy"
    np.save(path, values)
    bands = only(path)["bands"]
    assert isinstance(bands, list)
    assert bands[0]["sd"] == pytest.approx(values.std(), rel=1e-6)


def test_a_large_file_is_sampled_and_says_so(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_facts, "BLOCK", (4, 4))
    monkeypatch.setattr(raster_facts, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(raster_facts, "SAMPLE_BYTES", 1000)
    share = only(image)["read_share"]
    assert isinstance(share, float)
    assert 0.05 < share < 0.3
    assert f"of the {share:.2%} that were read as a sample" in inspect(image).text


def test_a_mask_shows_its_values(tmp_path: Path) -> None:
    mask = np.zeros((9, 10), np.uint8)
    mask[:3] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    assert only(tmp_path / "m.png")["values"] == {"0": 60, "255": 30}
    assert "values: 0 (66.67%), 255 (33.33%)" in inspect(tmp_path / "m.png").text


def test_an_image_has_no_values(image: Path) -> None:
    assert only(image)["values"] is None


def test_nothing_valid_is_said(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tif", np.zeros((1, 8, 9), np.float32), nodata=0)
    assert "no valid pixel, nodata 0" in inspect(path).text


def test_reading_obeys_the_options_of_data(image: Path) -> None:
    context = Context(recipe=Recipe(data=DataOptions(bands=[2])))
    bands = only(image, context)["bands"]
    assert isinstance(bands, list)
    assert len(bands) == 1


def test_every_bad_file_is_a_problem_and_the_others_are_shown(tmp_path: Path, image: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(image.read_bytes()[:200])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "bad.toml").write_text("[trainin]\n", encoding="utf-8")
    result = inspect([tmp_path, tmp_path / "bad.toml", tmp_path / "none.npy"])
    assert result.exit_code == 3
    assert len(result.problems) == 4
    for name in ("broken.tif", "empty.png", "bad.toml", "none.npy"):
        assert sum(str(tmp_path / name) in problem for problem in result.problems) == 1
    assert str(image) in result.text


def test_a_folder_stands_for_its_images_named_as_it_was_given(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tif(tmp_path / "deep" / "x10.tif", np.ones((1, 8, 8), np.uint8))
    tif(tmp_path / "deep" / "x2.tif", np.ones((1, 8, 8), np.uint8))
    monkeypatch.chdir(tmp_path)
    lines = inspect(".").text.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [image.name, "deep/x2.tif", "deep/x10.tif", "deep"]


def test_a_folder_without_images_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = inspect(tmp_path / "empty")
    assert result.exit_code == 3
    assert str(tmp_path / "empty") in result.problems[0]


def test_a_recipe_tells_what_it_gives_and_finds(tmp_path: Path) -> None:
    tif(tmp_path / "images" / "a.tif", np.ones((1, 8, 8), np.uint8))
    tif(tmp_path / "labels" / "a.tif", np.ones((1, 8, 8), np.uint8))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[data]\nimages = "images"\nlabels = "labels"\n[training]\nepochs = 2\n', encoding="utf-8")
    facts = only(recipe)
    assert facts["given"] == {"data": ["images", "labels"], "training": ["epochs"]}
    assert (facts["images"], facts["labelled"]) == (1, 1)


def test_real_odd_files_end_in_facts_or_sentences() -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / "odd_rasters"
    if not folder.is_dir():
        pytest.skip("the odd rasters are not beside this project (../shared/data/odd_rasters)")
    result = inspect(folder)
    assert result.exit_code == 3
    assert all("\n" not in problem.strip() or len(problem.splitlines()) <= 2 for problem in result.problems)


def test_a_small_file_that_declares_gigabytes_is_sampled(tmp_path: Path) -> None:
    side = 60_000
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8", "tiled": True, "compress": "deflate"}
    with rasterio.open(tmp_path / "a.tif", "w", **profile, SPARSE_OK=True) as file:
        file.write(np.full((1, 512, 512), 9, np.uint8), window=rasterio.windows.Window(0, 0, 512, 512))
    result = inspect(tmp_path / "a.tif", tmp_path / "page.html")
    assert result.exit_code == 0
    assert "that were read as a sample" in result.text
    assert "in the middle" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_points_to_other_files_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("<VRTDataset><VRTRasterBand><SourceFilename>/etc/passwd</SourceFilename></VRTRasterBand></VRTDataset>")
    result = inspect([tmp_path / "a.tif", "/vsicurl/http://127.0.0.1/a.tif"])
    assert result.exit_code == 3
    assert len(result.problems) == 2


def test_who_stops_does_not_wait_for_a_large_file(image: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(RasterError, match="not read to its end"):
        raster_facts.raster_facts(image, DataOptions(), stopped)


def test_lines_of_a_problem_are_indented(tmp_path: Path) -> None:
    for number in range(2):
        grey = (np.hypot(*np.ogrid[-40:40, -50:50]) * 5).clip(0, 255).astype(np.uint8)
        Image.fromarray(np.where(grey > 200, 255, np.where(grey < 190, 0, grey)).astype(np.uint8)).save(tmp_path / f"{number}.png")
    lines = inspect(tmp_path).text.splitlines()
    assert all(line.startswith(("  ", str(tmp_path))) for line in lines)
