"""Bands from files beside each image, from training to maps of images in another folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from terrazzo.errors import ConflictError, RasterError
from terrazzo.models.bundle import load_bundle
from terrazzo.workflows.context import Context
from terrazzo.workflows.predict import predict
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]


def write_beside(image: Path, folder: str, cells: int = 1) -> None:
    """A band of a slope beside an image, with cells as many times larger."""
    with rasterio.open(image) as file:
        place, height, width, crs = file.transform, file.height // cells, file.width // cells, file.crs
    path = image.parent.parent / folder / image.name
    path.parent.mkdir(exist_ok=True)
    values = np.add.outer(np.arange(height), np.arange(width)).astype(np.float32)
    larger = Affine(place.a * cells, 0, place.c, 0, place.e * cells, place.f)
    settings: dict[str, Any] = {"driver": "GTiff", "count": 1, "height": height, "width": width, "crs": crs, "transform": larger}
    with rasterio.open(path, "w", dtype="float32", **settings) as file:
        file.write(values, 1)


@pytest.fixture
def model(data: Path, context_of: ContextOf) -> Path:
    for image in (data.parent / "images").iterdir():
        write_beside(image, "nir")
        write_beside(image, "dem", cells=4)
    context = context_of(data, 'data.extra_bands=["../nir", "../dem/{stem}.tif"]', "training.epochs=1")
    train(data, data.parent / "run", context=context)
    return data.parent / "run"


def test_a_model_joins_what_lies_beside_the_images_wherever_they_are(
    model: Path, data: Path, tmp_path: Path, context_of: ContextOf
) -> None:
    card = load_bundle(model).card
    assert (card.bands, card.reading.extra_bands) == (4, ["../nir", "../dem/{stem}.tif"])
    far = tmp_path / "far" / "pictures"
    far.mkdir(parents=True)
    for name in "ab":
        (far / f"{name}.tif").write_bytes((data.parent / "images" / f"{name}.tif").read_bytes())
    with pytest.raises(RasterError, match=r"(?s)2 of 2 images cannot be used:.*a\.tif needs.*nir.*dem.*b\.tif needs"):
        predict(model, [far], tmp_path / "maps", context_of())
    for name in "ab":
        write_beside(far / f"{name}.tif", "nir")
        write_beside(far / f"{name}.tif", "dem", cells=4)
    predict(model, [data.parent / "images" / "a.tif"], tmp_path / "here", context_of())
    predict(model, [far], tmp_path / "maps", context_of())
    here, there = (tmp_path / folder / "a_predseg.tif" for folder in ("here", "maps"))
    assert here.read_bytes() == there.read_bytes()
    # what joins an image is part of what its map was made with
    write_beside(far / "a.tif", "nir", cells=2)
    with pytest.raises(ConflictError, match="did not make: a_predseg"):
        predict(model, [far], tmp_path / "maps", context_of())
