"""`tz.load(MODEL).predict(IMAGE)`."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrazzo.errors import ConflictError, DataError, EnvironmentFault, RasterError
from terrazzo.prediction import prediction
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.prediction import Model


@pytest.fixture
def model(make_bundle: Any) -> Model:
    return Model(make_bundle(), PredictionOptions(precision="float32"), "cpu")


def test_the_array_is_the_map(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    hole = np.zeros((20, 33), np.bool_)
    hole[2:5, 7] = True
    made = model.predict(str(write_tiff(20, 33, hole=hole)))
    assert set(np.unique(made.classes)) <= {1, 4, 9, 255}
    assert np.array_equal(made.classes == 255, hole)
    path = made.save(tmp_path / "new" / "map.tif")
    with rasterio.open(path) as found:
        assert np.array_equal(found.read(1), made.classes)


def test_saved_without_asking_for_the_array(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    made = model.predict(write_tiff(9, 5))
    assert rasterio.open(made.save(str(tmp_path / "map.png"))).read(1).shape == (9, 5)


def test_its_classes_are_named(model: Model) -> None:
    assert model.legend.names == ("sea", "sand", "wood")


def test_nothing_is_overwritten(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    (tmp_path / "map.tif").write_bytes(b"mine")
    with pytest.raises(ConflictError, match="exists; it is not overwritten"):
        model.predict(write_tiff(9, 5)).save(tmp_path / "map.tif")
    assert (tmp_path / "map.tif").read_bytes() == b"mine"


def test_a_place_that_cannot_be_written(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault):
        model.predict(write_tiff(9, 5)).save(tmp_path / "file" / "map.tif")


def test_images_are_refused_at_once(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    with pytest.raises(RasterError):
        model.predict(tmp_path / "nothing.tif")
    with pytest.raises(DataError, match="3 bands"):
        model.predict(write_tiff(9, 5, bands=3))


def test_arrays_have_a_limit_files_have_none(model: Model, write_tiff: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "LARGEST_ARRAY_PX", 44)
    made = model.predict(write_tiff(9, 5))
    with pytest.raises(DataError, match=r"9 x 5 pixels is too large for memory\. Write it with save"):
        _ = made.classes
    assert made.save(tmp_path / "map.tif").exists()


def test_written_at_once(model: Model, write_tiff: Any, tmp_path: Path) -> None:
    image = write_tiff(20, 33)
    made = model.predict(image, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as found:
        assert np.array_equal(found.read(1), made.classes)
    with pytest.raises(ConflictError, match="exists; it is not overwritten"):
        model.predict(image, tmp_path / "map.tif")


def test_a_device_that_is_not_there(make_bundle: Any) -> None:
    with pytest.raises(EnvironmentFault, match="'nowhere'"):
        Model(make_bundle(), PredictionOptions(), "nowhere")


class TestNotebook:
    def test_a_prediction_shows_its_map_and_the_shares(self, model: Model, write_tiff: Any) -> None:
        made = model.predict(write_tiff(20, 33, name="<b>.tif"))
        with Image.open(io.BytesIO(made._repr_png_() or b"")) as image:
            assert image.size == (33, 20)
        html = made._repr_html_()
        assert "&lt;b&gt;.tif" in html
        assert "20 x 33 pixels" in html
        assert f"{np.count_nonzero(made.classes == 4):,} pixels" in html
        assert "data:image/png;base64," in html

    def test_a_large_one_is_not_computed_for_a_picture(self, model: Model, write_tiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prediction, "LARGEST_SHOWN_PX", 100)
        made = model.predict(write_tiff(20, 33))
        assert made._repr_png_() is None
        assert "save(path)" in made._repr_html_()
        assert "classes" not in made.__dict__
        assert made.classes.shape == (20, 33)
        assert made._repr_png_() is not None

    def test_as_a_labelled_array(self, model: Model, write_tiff: Any) -> None:
        made = model.predict(write_tiff(20, 33))
        assert np.array_equal(made.to_xarray().values, made.classes)

    def test_a_model_shows_its_network_and_its_classes(self, model: Model) -> None:
        html = model._repr_html_()
        assert "unet" in html
        assert "16 x 16 pixels" in html
        assert "sand" in html
