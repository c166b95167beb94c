"""evaluate tells where maps are wrong: rasters, layers, suspicious labels where probabilities are at hand."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
from PIL import Image

from terrazzo.errors import ConflictError
from terrazzo.workflows.context import open_context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.predict import predict


@pytest.fixture
def maps(tiny_run: Any, tmp_path: Path) -> Path:
    """Maps of two images, with probabilities."""
    images = [tiny_run.folder / "images" / f"{name}.tif" for name in "ac"]
    predict(tiny_run.run, images, tmp_path / "maps", tiny_run.context("prediction.probabilities=true"))
    return tmp_path / "maps"


def test_errors_and_certainties_of_maps(tiny_run: Any, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terrazzo.evaluation.where.suspects.SURE", 0.5)
    written = evaluate(maps, tiny_run.folder / "labels", tmp_path / "scores").written["outputs"]
    assert isinstance(written, list)
    assert {tmp_path / "scores" / name for name in ("error_map.gpkg", "suspicious.parquet")} <= set(written)
    frame = geopandas.read_parquet(tmp_path / "scores" / "samples.parquet")
    for name in "ac":
        truth = np.asarray(Image.open(tiny_run.folder / "labels" / f"{name}.png"))
        with rasterio.open(maps / f"{name}_predseg.tif") as file:
            predicted = file.read(1)
        with rasterio.open(maps / f"{name}_probabilities.tif") as file:
            shares = file.read() / 65535
        with rasterio.open(tmp_path / "scores" / "errors" / f"{name}_errors.tif") as file:
            codes, place = file.read(1), file.transform
        judged = (truth != 255) & (predicted != 255)
        assert np.array_equal(codes == 3, judged & (truth == 7) & (predicted == 0))
        assert np.array_equal(codes == 255, ~judged)
        assert place.a == 2
        row = frame[frame["scene"] == name].iloc[0]
        of_truth = np.where(truth == 7, shares[1], shares[0])[judged]
        assert row["loss"] == pytest.approx(-np.log(np.maximum(of_truth, 0.5 / 65535)).mean(), abs=1e-4)
        assert row["accuracy"] == pytest.approx((truth == predicted)[judged].mean())
    assert {name for name, _ in pyogrio.list_layers(tmp_path / "scores" / "error_map.gpkg")} >= {"samples", "layer_styles"}


def test_rasters_are_left_out_where_not_wanted(tiny_run: Any, maps: Path, tmp_path: Path) -> None:
    for path in maps.glob("*_probabilities.tif"):
        path.unlink()
    evaluate(maps, tiny_run.folder / "labels", tmp_path / "scores", open_context(sets=["evaluation.error_maps=false"]))
    assert not (tmp_path / "scores" / "errors").exists()
    assert not (tmp_path / "scores" / "suspicious.parquet").exists()
    frame = geopandas.read_parquet(tmp_path / "scores" / "samples.parquet")
    assert frame["loss"].isna().all()
    assert frame["dice_7"].notna().all()


def test_files_of_others_are_never_overwritten(tiny_run: Any, maps: Path, tmp_path: Path) -> None:
    (tmp_path / "scores" / "errors").mkdir(parents=True)
    mine = tmp_path / "scores" / "errors" / "a_errors.tif"
    mine.write_bytes((maps / "a_predseg.tif").read_bytes())
    with pytest.raises(ConflictError, match=r"no error rasters .*a_errors\.tif"):
        evaluate(maps, tiny_run.folder / "labels", tmp_path / "scores")
    assert mine.read_bytes() == (maps / "a_predseg.tif").read_bytes()
