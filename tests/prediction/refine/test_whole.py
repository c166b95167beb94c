"""Maps cleaned of whole objects: one meaning on disk, in memory and for who follows, with a journal or without."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from terrazzo.errors import DataError, RecipeError
from terrazzo.prediction import keeping
from terrazzo.prediction.maps import follow_maps, write_maps
from terrazzo.prediction.prediction import Prediction
from terrazzo.prediction.refine.chain import finished_rows
from terrazzo.prediction.refine.objects import stage
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.objects.pieces import MapRows
from terrazzo.prediction.refine.whole import sureness
from terrazzo.prediction.stream import Predictor
from terrazzo.progress import Silent

SHAPE = (90, 41)
OPTIONS: dict[str, Any] = {"sieve": 3, "min_size": 6, "rules": {"sand": "confidence > 0.7 or area_px > 40", "wood": "elongation < 4"}}


@pytest.fixture(autouse=True)
def _small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "BAND_PX", 7 * SHAPE[1])


@pytest.fixture
def image(write_tiff: Any) -> Path:
    hole = np.zeros(SHAPE, np.bool_)
    hole[20:50, 5:20] = True
    path: Path = write_tiff(*SHAPE, hole=hole)
    return path


def expected(plain: Predictor, path: Path) -> NDArray[np.uint8]:
    """Class indices of the whole map at once."""
    rows = list(finished_rows([plain.open_job(path)], plain, lambda _: None))
    whole = MapRows(
        row_off=0,
        indices=np.concatenate([each.indices for each in rows]),
        sureness=np.concatenate([sureness(each) for each in rows]),
    )
    cleaning = Cleaning.of(plain.options.model_copy(update=OPTIONS), plain.bundle.legend)
    assert cleaning is not None
    cleaned = np.concatenate([each.indices for each in cleaning.clean(lambda: iter([whole]), plain.open_job(path).mapped.grid)])
    assert not np.array_equal(cleaned, whole.indices)
    assert np.array_equal(cleaned == 255, whole.indices == 255)
    return cleaned


@pytest.mark.parametrize("journal_px", [2**22, 20 * SHAPE[1]])
@pytest.mark.parametrize("layers", [True, False])
def test_maps_on_disk(
    make_predictor: Any,
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layers: bool,  # noqa: FBT001
    journal_px: int,
) -> None:
    monkeypatch.setattr(keeping, "BLOCK_PX", journal_px)
    plain, predictor = make_predictor(probabilities=layers), make_predictor(probabilities=layers, **OPTIONS)
    for name, each in {"plain": plain, "cleaned": predictor}.items():
        out = tmp_path / name / "image_predseg.tif"
        written = write_maps({out: each.open_job(image)}, each, Silent())
        assert sorted(out.parent.iterdir()) == sorted(written)
    with rasterio.open(tmp_path / "cleaned" / "image_predseg.tif") as found:
        assert np.array_equal(found.read(1), predictor.bundle.legend.decode(expected(plain, image)))
    if layers:
        before, after = ((tmp_path / name / "image_probabilities.tif").read_bytes() for name in ("plain", "cleaned"))
        assert before == after


def test_maps_in_memory_and_for_who_follows(make_predictor: Any, image: Path) -> None:
    plain, predictor = make_predictor(), make_predictor(**OPTIONS)
    wanted = expected(plain, image)
    assert np.array_equal(Prediction(predictor.open_job(image), predictor).classes, predictor.bundle.legend.decode(wanted))
    followed, probabilities = [], []

    def seen(job: Any, rows: Any, indices: NDArray[np.uint8]) -> None:
        followed.append(indices)
        probabilities.append(rows.probabilities())
        assert rows.probabilities().shape[1:] == indices.shape

    follow_maps([predictor.open_job(image)], predictor, Silent(), seen)
    assert np.array_equal(np.concatenate(followed), wanted)
    shares = [each.blended.probabilities() for each in finished_rows([plain.open_job(image)], plain, lambda _: None)]
    assert np.array_equal(np.concatenate(probabilities, axis=1), np.concatenate(shares, axis=1))


def test_what_is_unsure_stays_so_and_gives_no_class(make_predictor: Any, image: Path) -> None:
    before = Prediction(make_predictor(unsure=0.6).open_job(image), make_predictor(unsure=0.6)).classes
    predictor = make_predictor(unsure=0.6, **OPTIONS)
    after = Prediction(predictor.open_job(image), predictor).classes
    assert (before == 254).sum() > 50
    assert np.array_equal(before >= 254, after >= 254)
    assert not np.array_equal(before, after)


def test_what_is_counted_is_what_is_written(
    make_predictor: Any, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = make_predictor(min_size=10_000)
    for name, block in {"small": 2**22, "large": 20 * SHAPE[1]}.items():
        monkeypatch.setattr(keeping, "BLOCK_PX", block)
        caplog.clear()
        write_maps({tmp_path / name / "image_predseg.tif": predictor.open_job(image)}, predictor, Silent())
        assert "Every predicted pixel is" in caplog.text


def test_metres_without_a_place_and_rules_that_cannot_be_are_told_before_anything_is_predicted(make_predictor: Any, image: Path) -> None:
    with pytest.raises(DataError, match=r"image.tif has no place on the ground"):
        make_predictor(min_size="25 m2").open_job(image)
    with pytest.raises(RecipeError, match="asks for size"):
        make_predictor(rules={"wood": "size > 4"}).open_job(image)
