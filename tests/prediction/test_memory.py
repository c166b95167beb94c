"""Memory of a prediction is that of a row of windows: as much for a high raster as for a low one."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from terrazzo.prediction import keeping
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.stream import Predictor
from terrazzo.progress import Silent

BLOCK_PX = 2**16


def peak_bytes(predictor: Predictor, image: Path, out: Path) -> int:
    """Of what Python and numpy hold while a map and its probabilities are written."""
    job = predictor.open_job(image)
    tracemalloc.start()
    try:
        write_maps({out: job}, predictor, Silent())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_height(
    tmp_path: Path, make_bundle: Any, make_predictor: Any, write_tiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # both are written with a journal, whose blocks are whole long before the lower one ends
    monkeypatch.setattr(keeping, "BLOCK_PX", BLOCK_PX)
    predictor = make_predictor(make_bundle(window=(64, 64)), batch_size=4, overlap=0, probabilities=True, median=3)
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "zstd"}
    low, high = (write_tiff(height, 130, f"{height}.tif", **layout) for height in (1024, 8192))
    peak_bytes(predictor, low, tmp_path / "first.tif")
    small, large = peak_bytes(predictor, low, tmp_path / "low.tif"), peak_bytes(predictor, high, tmp_path / "high.tif")
    assert large < 1.1 * small
    # what one row of windows takes is in it, so that the measure is of the right thing
    assert small > 64 * 130 * 3 * 4
