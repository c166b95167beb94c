"""evaluate: maps against labels, paired by name, read by the legend that the maps carry."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from shapely import box
from sklearn.metrics import accuracy_score, confusion_matrix

from terrazzo.drawing.panels import SampleView
from terrazzo.errors import ConflictError, EnvironmentFault, LabelError, PairingError, RasterError, UsageError
from terrazzo.labels.class_files import map_style
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.prediction.outputs.layers import probabilities_layout
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import MapWriter, writing_bands
from terrazzo.workflows import evaluate as module
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]
LEGEND = Legend(
    classes=(LegendClass(value=0, name="land", color=(0, 0, 0)), LegendClass(value=3, name="water", color=(0, 0, 255))),
    remap={255: 3},
    ignore=None,
)


def write_map(path: Path, values: NDArray[np.uint8], legend: Legend = LEGEND) -> Path:
    """A map of ours."""
    with MapWriter(path, Grid(shape=values.shape), map_style(legend, "{}")) as writer:
        writer.write(values)
    return path


def write_png(path: Path, values: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path, rng: np.random.Generator) -> Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """maps/<name>_predseg.tif of 0, 3 and 255, and labels/<name>.png of 0 and 255, of odd sizes."""
    made = {}
    for name, shape in (("x2", (7, 9)), ("x10", (20, 3)), ("b", (1, 1))):
        truth = rng.choice(np.array([0, 255], np.uint8), shape)
        predicted = rng.choice(np.array([0, 3, 255], np.uint8), shape)
        predicted[0, 0] = 3
        write_map(tmp_path / "maps" / f"{name}_predseg.tif", predicted)
        write_png(tmp_path / "labels" / f"{name}.png", truth)
        made[name] = truth, predicted
    return made


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def evaluation(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    return found


def test_counts_are_those_of_sklearn_over_all_predicted_pixels(tmp_path: Path, pairs: Any) -> None:
    done = evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    truth = np.concatenate([values.ravel() for values, _ in pairs.values()])
    predicted = np.concatenate([values.ravel() for _, values in pairs.values()])
    use = predicted != 255
    truth = np.where(truth == 255, 3, 0)
    found = evaluation(tmp_path / "out")
    assert found["pixels"]["confusion"] == confusion_matrix(truth[use], predicted[use], labels=[0, 3]).tolist()
    assert found["pixels"]["accuracy"] == pytest.approx(accuracy_score(truth[use], predicted[use]))
    assert found["pixels"]["unpredicted"] == np.count_nonzero(~use)
    assert [entry["name"] for entry in found["pixels"]["classes"]] == ["land", "water"]
    assert (found["images"], found["valid_pixels"]) == (3, np.count_nonzero(use))
    missed = np.count_nonzero(~use)
    assert f"{missed} labelled pixels ({missed / use.size:.1%}".replace("%", " %) have no prediction and are in no score.") in done.text
    assert done.facts["pixels"] == found["pixels"]


def test_a_row_an_image_in_natural_order(tmp_path: Path, pairs: Any) -> None:
    done = evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    frame = geopandas.read_parquet(tmp_path / "out" / "samples.parquet")
    assert frame["scene"].tolist() == ["b", "x2", "x10"]
    for name, accuracy in zip(frame["scene"], frame["accuracy"], strict=True):
        truth, predicted = pairs[name]
        use = predicted != 255
        assert accuracy == pytest.approx(np.mean((truth[use] == 255) == (predicted[use] == 3)))
    assert set(done.written) == {"evaluation", "report", "samples", "outputs"}
    assert "water" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_maps_of_a_run_against_its_labels(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    """The same figures as the run's own, which it counted while it predicted."""
    (tmp_path / "labels").mkdir()
    shutil.copy(tiny_run.folder / "labels" / "d.png", tmp_path / "labels")
    evaluate(tiny_run.run / "maps", tmp_path / "labels", tmp_path / "out")
    own = json.loads((tiny_run.run / "evaluation.json").read_text(encoding="utf-8"))["pixels"]
    found = evaluation(tmp_path / "out")["pixels"]
    # the hole of the image is labelled, and has no prediction
    assert found["unpredicted"] == 20
    assert {**found, "unpredicted": 0} == {**own, "unpredicted": 0}
    for part in ("boundary", "intervals"):
        assert evaluation(tmp_path / "out")[part] == json.loads((tiny_run.run / "evaluation.json").read_text(encoding="utf-8"))[part]


def test_predict_then_evaluate(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "maps", context_of())
    done = evaluate(tmp_path / "maps", tiny_run.folder / "labels", tmp_path / "out")
    frame = geopandas.read_parquet(tmp_path / "out" / "samples.parquet")
    assert frame.crs.to_epsg() == 32633
    assert frame.geometry[0].bounds == (500_000, 5_000_000 - 80, 500_096, 5_000_000)
    assert "water" in done.text


class TestPairing:
    def test_maps_of_a_folder_that_also_holds_other_files(self, tmp_path: Path, pairs: Any) -> None:
        write_png(tmp_path / "maps" / "x2_segoverlay.png", np.zeros((7, 9), np.uint8))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert evaluation(tmp_path / "out")["images"] == 3

    def test_one_file_each(self, tmp_path: Path, pairs: Any) -> None:
        evaluate(tmp_path / "maps" / "b_predseg.tif", tmp_path / "labels" / "b.png", tmp_path / "out")
        assert evaluation(tmp_path / "out")["images"] == 1

    def test_a_prefix_of_the_labels(self, tmp_path: Path, pairs: Any) -> None:
        for path in (tmp_path / "labels").iterdir():
            path.rename(path.with_name(f"mask_{path.name}"))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", open_context(None, ["data.pair_prefix=mask_"]))
        assert evaluation(tmp_path / "out")["images"] == 3

    def test_labels_without_a_map_are_counted(self, tmp_path: Path, pairs: Any) -> None:
        done = evaluate(tmp_path / "maps" / "x*_predseg.tif", tmp_path / "labels", tmp_path / "out")
        assert "1 label without a map: left out." in done.text
        assert "1 label without a map" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    def test_maps_without_a_label_are_named(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "labels" / "x10.png").unlink()
        with pytest.raises(PairingError, match=r"1 of 3 maps without a label of the same stem: x10\.") as caught:
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert caught.value.exit_code == 3
        assert list((tmp_path / "out").iterdir()) == []

    def test_x1_is_not_the_label_of_x10(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "labels" / "x10.png").rename(tmp_path / "labels" / "x1.png")
        with pytest.raises(PairingError, match="x10"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_a_suffix_of_the_labels(self, tmp_path: Path, pairs: Any, context_of: ContextOf) -> None:
        for path in list((tmp_path / "labels").iterdir()):
            path.rename(path.with_stem(f"{path.stem}_mask"))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", context_of(None, "data.pair_suffix=_mask"))
        assert evaluation(tmp_path / "out")["images"] == 3

    def test_folders_tell_repeated_stems_apart(self, tmp_path: Path) -> None:
        for folder, value in (("p", 0), ("q", 3)):
            write_map(tmp_path / "maps" / folder / "a_predseg.tif", np.full((4, 4), value, np.uint8))
            write_png(tmp_path / "labels" / folder / "a.png", np.full((4, 4), value and 255, np.uint8))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert evaluation(tmp_path / "out")["pixels"]["accuracy"] == 1

    def test_two_labels_of_one_name_are_ambiguous(self, tmp_path: Path, pairs: Any) -> None:
        shutil.copy(tmp_path / "maps" / "b_predseg.tif", tmp_path / "labels" / "b.tif")
        with pytest.raises(PairingError, match=r"Several labels have the same name but for their ending: b\.(png|tif)"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_two_maps_never_share_a_label(self, tmp_path: Path, pairs: Any) -> None:
        for folder in ("p", "q"):
            write_map(tmp_path / "other" / folder / "b_predseg.tif", np.zeros((1, 1), np.uint8))
        with pytest.raises(PairingError, match="Two maps would share a label"):
            evaluate(tmp_path / "other", tmp_path / "labels" / "b.png", tmp_path / "out")


class TestLegends:
    def test_a_given_legend_says_how_labels_are_read(self, tmp_path: Path, context_of: ContextOf) -> None:
        """Grey masks that the maps' own legend does not know."""
        write_map(tmp_path / "maps" / "a_predseg.tif", np.array([[0, 3, 3]], np.uint8))
        write_png(tmp_path / "labels" / "a.png", np.array([[20, 90, 200]], np.uint8))
        context = context_of(None, "legend.threshold=100", "legend.classes=['land', 'water']", "legend.values=[0, 3]")
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", context)
        assert evaluation(tmp_path / "out")["pixels"]["confusion"] == [[1, 1], [0, 1]]

    def test_a_given_legend_of_other_classes(self, tmp_path: Path, pairs: Any, context_of: ContextOf) -> None:
        with pytest.raises(LabelError, match=r"The maps hold the classes \[0, 3\], \[legend\] gives \[0, 1\]"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", context_of(None, "legend.classes=['a', 'b']"))

    def test_label_values_outside_the_legend(self, tmp_path: Path, pairs: Any) -> None:
        write_png(tmp_path / "labels" / "x2.png", np.full((7, 9), 5, np.uint8))
        with pytest.raises(LabelError, match=r"x2\.png.*5 \(63 pixels\)"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_maps_of_different_legends(self, tmp_path: Path, pairs: Any) -> None:
        other = Legend(classes=(*LEGEND.classes, LegendClass(value=9, name="sand", color=(9, 9, 9))))
        write_map(tmp_path / "maps" / "b_predseg.tif", np.zeros((1, 1), np.uint8), other)
        with pytest.raises(LabelError, match="carry different legends"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_maps_of_other_tools_are_read_like_the_labels(self, tmp_path: Path) -> None:
        """0 and 255 on both sides: 255 is the second class, and not what is left out."""
        write_png(tmp_path / "maps" / "a.png", np.array([[0, 255, 255, 0]], np.uint8))
        write_png(tmp_path / "labels" / "a.png", np.array([[0, 255, 0, 0]], np.uint8))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert evaluation(tmp_path / "out")["pixels"]["confusion"] == [[2, 1], [0, 1]]

    def test_nodata_of_other_tools_is_no_class(self, tmp_path: Path) -> None:
        (tmp_path / "maps").mkdir()
        profile = {"driver": "GTiff", "width": 4, "height": 1, "count": 1, "dtype": "int16", "nodata": -9999}
        with rasterio.open(tmp_path / "maps" / "a.tif", "w", **profile) as file:
            file.write(np.array([[[0, 1, -9999, 1]]], np.int16))
        write_png(tmp_path / "labels" / "a.png", np.array([[0, 1, 1, 0]], np.uint8))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        pixels = evaluation(tmp_path / "out")["pixels"]
        assert pixels["confusion"] == [[1, 1], [0, 1]]
        assert pixels["unpredicted"] == 1


class TestRefused:
    def test_a_mask_of_another_size(self, tmp_path: Path, pairs: Any) -> None:
        write_png(tmp_path / "labels" / "x2.png", np.zeros((9, 7), np.uint8))
        with pytest.raises(LabelError, match=r"x2\.png is 9 x 7 pixels, its map .*x2_predseg\.tif 7 x 9") as caught:
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert caught.value.exit_code == 3

    def test_a_mask_that_lies_elsewhere(self, tmp_path: Path) -> None:
        for folder, west in (("maps", 500_000), ("labels", 500_100)):
            (tmp_path / folder).mkdir()
            place = {"crs": "EPSG:32633", "transform": Affine(1, 0, west, 0, -1, 5_000_000)}
            with rasterio.open(
                tmp_path / folder / "a.tif", "w", driver="GTiff", width=4, height=1, count=1, dtype="uint8", **place
            ) as file:
                file.write(np.array([[[0, 1, 0, 1]]], np.uint8))
        with pytest.raises(LabelError, match=r"labels.a\.tif lies elsewhere on the ground than its map"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_polygons_that_lie_elsewhere(self, tmp_path: Path) -> None:
        grid = Grid(shape=(4, 5), crs=CRS.from_epsg(32633), transform=Affine(1, 0, 500_000, 0, -1, 5_000_000))
        with MapWriter(tmp_path / "a_predseg.tif", grid, map_style(LEGEND, "{}")) as writer:
            writer.write(np.zeros((4, 5), np.uint8))
        geopandas.GeoDataFrame(geometry=[box(0, 0, 9, 9)], crs="EPSG:32633").to_file(tmp_path / "far.gpkg")
        with pytest.raises(LabelError, match=r"None of the features of .*far\.gpkg lies on the image"):
            evaluate(tmp_path / "a_predseg.tif", tmp_path / "far.gpkg", tmp_path / "out")

    def test_maps_that_a_table_does_not_name(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "runs.csv").write_text("ImageId,EncodedPixels\nb.png,\n")
        with pytest.raises(PairingError, match="does not name 2 of 3 images: x2, x10"):
            evaluate(tmp_path / "maps", tmp_path / "runs.csv", tmp_path / "out")

    def test_all_broken_maps_are_named(self, tmp_path: Path, pairs: Any) -> None:
        for name in ("b", "x2"):
            (tmp_path / "maps" / f"{name}_predseg.tif").write_bytes(b"II*\x00")
        with pytest.raises(RasterError, match=r"(?s)2 of 3 maps cannot be used:.*b_predseg\.tif.*x2_predseg\.tif"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_a_table_of_pairs_is_not_passed_over(self, tmp_path: Path, pairs: Any) -> None:
        with pytest.raises(UsageError, match="pair_table"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", open_context(None, ["data.pair_table=pairs.csv"]))

    def test_all_bad_files_are_named_at_once(self, tmp_path: Path, pairs: Any) -> None:
        for name in ("x2", "x10"):
            write_png(tmp_path / "labels" / f"{name}.png", np.zeros((5, 5), np.uint8))
        with pytest.raises(LabelError, match="2 of 3 images cannot be used") as caught:
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert "x2.png" in str(caught.value)
        assert "x10.png" in str(caught.value)

    def test_a_picture_is_no_map(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "maps" / "b_predseg.tif").unlink()
        Image.fromarray(np.array([[[200, 90, 3]]], np.uint8)).save(tmp_path / "maps" / "b_predseg.png")
        with pytest.raises(LabelError, match=r"b_predseg\.png, rows 0 to 1: its 3 bands differ"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_a_broken_map(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "maps" / "b_predseg.tif").write_bytes(b"II*\x00")
        with pytest.raises(RasterError, match=r"b_predseg\.tif"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")

    def test_an_evaluation_is_not_overwritten(self, tmp_path: Path, pairs: Any, tiny_run: Any) -> None:
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        for out in (tmp_path / "out", tiny_run.run):
            with pytest.raises(ConflictError, match="holds files that these maps, labels and options did not make"):
                evaluate(tmp_path / "maps", tmp_path / "labels", out, open_context(None, ["evaluation.bins=9"]))

    def test_a_place_that_cannot_be_written(self, tmp_path: Path, pairs: Any) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(EnvironmentFault):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "file" / "out")


def test_of_a_large_map_only_the_middle_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its size does not matter; every pixel is counted all the same."""
    monkeypatch.setattr(module, "LARGEST_VIEW_PX", 10)
    predicted = np.zeros((30, 21), np.uint8)
    predicted[12:, 7:9] = 3
    write_map(tmp_path / "maps" / "a_predseg.tif", predicted)
    write_png(tmp_path / "labels" / "a.png", np.where(predicted == 3, 255, 0).astype(np.uint8))
    shown: list[SampleView] = []

    def panel(view: SampleView, _: object) -> bytes:
        shown.append(view)
        return b"\x89PNG"

    monkeypatch.setattr("terrazzo.workflows.account.sample_panel", panel)
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert np.array_equal(shown[0].predicted, (predicted == 3)[10:20, 5:15])
    assert evaluation(tmp_path / "out")["valid_pixels"] == 630


def test_run_again_it_keeps_what_is_there(tmp_path: Path, pairs: Any) -> None:
    first = evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert (again.written, again.facts) == (first.written, first.facts)
    assert "it holds this evaluation already" in again.text


def test_broken_off_it_is_made_anew(tmp_path: Path, pairs: Any) -> None:
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert (tmp_path / "out" / "report.html").exists()


def test_a_changed_map_is_another_evaluation(tmp_path: Path, pairs: Any) -> None:
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    write_map(tmp_path / "maps" / "b_predseg.tif", np.zeros((1, 1), np.uint8))
    with pytest.raises(ConflictError, match=r"evaluation\.json"):
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")


def test_files_of_others_are_not_overwritten(tmp_path: Path, pairs: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "classes.csv").write_text("mine")
    with pytest.raises(ConflictError, match=r"classes\.csv"):
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert (tmp_path / "out" / "classes.csv").read_text() == "mine"


class TestProbabilities:
    @pytest.fixture
    def shares(self, tmp_path: Path, pairs: Any) -> Any:
        """Of each map, beside it: the class that it shows has 0.75."""
        made = {}
        for name, (_, predicted) in pairs.items():
            water = np.where(predicted == 3, 49151, 16384).astype(np.uint16)
            values = np.stack([65535 - water, water])
            values[:, predicted == 255] = 0
            path, grid = tmp_path / "maps" / f"{name}_probabilities.tif", Grid(shape=predicted.shape)
            with writing_bands(path, grid, probabilities_layout(LEGEND.names)) as rows:
                rows.add(values)
            made[name] = values
        return made

    def test_beside_the_maps_are_scored(self, tmp_path: Path, pairs: Any, shares: Any) -> None:
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        found = evaluation(tmp_path / "out")
        assert found["calibration"]["mean_confidence"] == pytest.approx(0.75, abs=1e-4)
        assert found["calibration"]["pixels"] == found["valid_pixels"]
        assert found["calibration"]["ece"] == pytest.approx(abs(0.75 - found["pixels"]["accuracy"]), abs=1e-4)
        assert [curve["name"] for curve in found["thresholds"]["classes"]] == ["land", "water"]
        assert "calibration" not in found["missing"]
        scenes = pd.read_csv(tmp_path / "out" / "scenes.csv")
        assert scenes["mean_confidence"].tolist() == pytest.approx([0.75] * 3, abs=1e-4)

    def test_of_some_maps(self, tmp_path: Path, pairs: Any, shares: Any) -> None:
        (tmp_path / "maps" / "x2_probabilities.tif").unlink()
        done = evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert evaluation(tmp_path / "out")["calibration"]["pixels"] < evaluation(tmp_path / "out")["valid_pixels"]
        assert "1 of 3 maps without probabilities" in done.text

    def test_nowhere_is_said(self, tmp_path: Path, pairs: Any) -> None:
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        found = evaluation(tmp_path / "out")
        assert (found["calibration"], found["thresholds"]) == (None, None)
        assert "predict --probabilities" in found["missing"]["calibration"]
        assert not (tmp_path / "out" / "calibration.csv").exists()

    def test_are_no_maps_of_other_tools(self, tmp_path: Path, pairs: Any, shares: Any) -> None:
        for path in (tmp_path / "maps").glob("*_predseg.tif"):
            path.rename(path.with_name(path.name.replace("_predseg", "")))
        evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
        assert evaluation(tmp_path / "out")["images"] == 3
        assert evaluation(tmp_path / "out")["calibration"] is not None

    def test_of_another_map_are_refused(self, tmp_path: Path, pairs: Any, shares: Any) -> None:
        shutil.copy(tmp_path / "maps" / "b_probabilities.tif", tmp_path / "maps" / "x2_probabilities.tif")
        with pytest.raises(RasterError, match=r"x2_probabilities\.tif has 2 bands of type uint16 and 1 x 1 pixels; the probabilities of"):
            evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")


def test_every_number_is_in_a_table_too(tmp_path: Path, pairs: Any) -> None:
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    found = evaluation(tmp_path / "out")
    classes = pd.read_csv(tmp_path / "out" / "classes.csv")
    for column in ("precision", "recall", "f1", "f2", "iou", "support"):
        assert classes[column].tolist() == pytest.approx([entry[column] for entry in found["pixels"]["classes"]])
    assert classes["boundary_f1"].tolist() == pytest.approx([entry["f1"] for entry in found["boundary"]["classes"]])
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index("score")["value"]
    for name in ("accuracy", "mean_iou", "mean_dice", "mcc", "kappa", "frequency_weighted_iou"):
        assert summary[name] == pytest.approx(found["pixels"][name])
    confusion = pd.read_csv(tmp_path / "out" / "confusion.csv", index_col="truth")
    assert confusion.to_numpy().tolist() == found["pixels"]["confusion"]
    area = pd.read_csv(tmp_path / "out" / "area.csv")
    assert area["mapped"].tolist() == [entry["mapped"] for entry in found["area"]["classes"]]
    scenes = pd.read_csv(tmp_path / "out" / "scenes.csv")
    assert scenes["scene"].tolist() == ["b", "x2", "x10"]
    assert scenes["pixels"].sum() == found["valid_pixels"]


def test_names_of_classes_are_quoted_in_tables(tmp_path: Path) -> None:
    legend = Legend(classes=(LegendClass(value=0, name="=cmd()", color=(0, 0, 0)), LegendClass(value=1, name='a "b", c', color=(9, 9, 9))))
    write_map(tmp_path / "maps" / "a_predseg.tif", np.array([[0, 1]], np.uint8), legend)
    write_png(tmp_path / "labels" / "a.png", np.array([[0, 1]], np.uint8))
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert '"=cmd()"' in (tmp_path / "out" / "classes.csv").read_text()
    assert pd.read_csv(tmp_path / "out" / "classes.csv")["class"].tolist() == ["=cmd()", 'a "b", c']


class TestArea:
    def evaluated(self, tmp_path: Path, crs: str, cell: float) -> dict[str, Any]:
        """A map of 40 x 50 cells of which the left half is labelled; two fifths of what it shows as water there are land."""
        predicted, truth = np.zeros((2, 40, 50), np.uint8)
        predicted[:10] = 3
        truth[:6] = 255
        truth = np.where(np.arange(50) < 25, truth, 128).astype(np.uint8)
        grid = Grid(shape=(40, 50), crs=CRS.from_string(crs), transform=Affine(cell, 0, 5, 0, -cell, 50))
        with MapWriter(tmp_path / "a_predseg.tif", grid, map_style(LEGEND, "{}")) as writer:
            writer.write(predicted)
        write_png(tmp_path / "labels" / "a.png", truth)
        sets = ["legend.classes=['land', 'water']", "legend.values=[0, 3]", "legend.remap={255 = 3}", "legend.ignore=128"]
        evaluate(tmp_path / "a_predseg.tif", tmp_path / "labels" / "a.png", tmp_path / "out", open_context(None, sets))
        return evaluation(tmp_path / "out")

    def test_is_corrected_from_the_labelled_part(self, tmp_path: Path) -> None:
        area = self.evaluated(tmp_path, "EPSG:32633", 2.0)["area"]
        assert (area["unit"], area["pixel_area"]) == ("m2", 4)
        assert (area["mapped_pixels"], area["labelled_pixels"]) == (2000, 1000)
        water = area["classes"][1]
        assert (water["mapped"], water["adjusted"]) == (2000, pytest.approx(1200))
        assert water["interval"][0] < 1200 < water["interval"][1]
        assert (water["users_accuracy"], water["producers_accuracy"]) == (pytest.approx(0.6), 1)

    def test_of_feet_is_in_metres(self, tmp_path: Path) -> None:
        area = self.evaluated(tmp_path, "EPSG:2263", 1.0)["area"]
        assert area["pixel_area"] == pytest.approx(0.3048006096**2)

    def test_in_degrees_is_in_pixels_and_says_why(self, tmp_path: Path) -> None:
        found = self.evaluated(tmp_path, "EPSG:4326", 0.001)
        assert (found["area"]["unit"], found["area"]["classes"][1]["mapped"]) == ("pixels", 500)
        assert "projected CRS" in found["area"]["unit_note"]


def test_black_and_white_masks_of_another_tool_are_two_classes(tmp_path: Path) -> None:
    """Though the labels are 0 and 1; unless 255 is said to be left out."""
    truth = np.array([[0, 0, 1, 1], [0, 1, 1, 0]], np.uint8)
    write_png(tmp_path / "labels" / "a.png", truth)
    write_png(tmp_path / "maps" / "a.png", truth * np.uint8(255))
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out")
    assert evaluation(tmp_path / "out")["pixels"]["confusion"] == [[4, 0], [0, 4]]
    ignoring = open_context(None, ["legend.ignore=255"])
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "left_out", ignoring)
    assert evaluation(tmp_path / "left_out")["pixels"]["unpredicted"] == 4


def test_ground_without_any_object_tells_of_false_alarms(tmp_path: Path) -> None:
    """To learn from such labels is refused; to judge a map they will do."""
    write_png(tmp_path / "labels" / "a.png", np.zeros((3, 4), np.uint8))
    write_png(tmp_path / "maps" / "a.png", np.eye(3, 4, dtype=np.uint8))
    context = open_context(None, ["legend.classes=['background', 'ship']"])
    evaluate(tmp_path / "maps", tmp_path / "labels", tmp_path / "out", context)
    assert evaluation(tmp_path / "out")["pixels"]["confusion"] == [[9, 3], [0, 0]]
