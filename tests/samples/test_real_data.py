"""Real data sets, where they lie next to the project: ../shared/data."""

from pathlib import Path

import pytest

from terrazzo.errors import DataError, LabelError, PairingError
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.labels.reader import LabelReader, find_legend
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.audit.leaks import find_leaks
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.index import build_index
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data sets of ../shared/data are not here")

PLAIN = LegendOptions()
GREY = LegendOptions(threshold=127)


def index(data: DataOptions, legend: LegendOptions = PLAIN, **samples: float) -> Samples:
    scenes = find_scenes(data, DATA)
    checked = check_scenes(scenes, data)
    found = find_legend([scene.label for scene in scenes if scene.label is not None], legend, LabelOptions())
    return build_index(checked, LabelReader(found, data), SamplesOptions.model_validate(samples), Silent())


def test_grey_road_masks_need_a_threshold() -> None:
    data = DataOptions(root=Path("roads_ethz_epfl"), images="images", labels="groundtruth")
    with pytest.raises(LabelError, match=r"(?s)238 different values.*threshold = 127"):
        index(data)
    samples = index(data, GREY)
    assert len(samples) == 200
    assert 0.15 < samples.frame["pixels_1"].sum() / samples.class_pixels().sum() < 0.25


def test_ccd_frames_keep_their_given_test_part() -> None:
    data = DataOptions(root=Path("ccd_damic_sim"), images="*/images/*.fits", labels="*/masks/*.png")
    samples = assign_split(index(data), SplitOptions(test_scenes=["test/*"]))
    assert samples.frame["split"].value_counts().to_dict() == {"train": 48, "test": 42, "validation": 12}
    shares = samples.class_pixels().sum(0) / samples.class_pixels().sum()
    assert shares.tolist() == pytest.approx([0.927, 0.060, 0.0030, 0.0097], abs=0.001)


def test_em_masks_of_0_and_255_are_two_classes() -> None:
    samples = index(DataOptions(root=Path("isbi2012_em"), images="images", labels="labels"))
    assert samples.legend.values == (0, 1)
    assert samples.frame["pixels_0"].sum() / samples.class_pixels().sum() == pytest.approx(0.22, abs=0.02)


def test_ships_pair_by_suffix_and_their_jpeg_masks_need_a_threshold() -> None:
    data = DataOptions(root=Path("airbus_ships"), images="images", labels="masks", pair_suffix="_train_mask")
    with pytest.raises(PairingError, match="pair_suffix = '_train_mask'"):
        index(data.model_copy(update={"pair_suffix": ""}))
    with pytest.raises(LabelError, match="JPEG"):
        index(data)
    samples = index(data, GREY, size=768)
    assert len(samples) == 128
    assert samples.frame["pixels_1"].sum() / samples.class_pixels().sum() == pytest.approx(0.0072, abs=0.003)


def test_street_scenes_leave_void_out() -> None:
    samples = index(DataOptions(root=Path("camvid_small"), images="train", labels="trainannot"), LegendOptions(ignore=11), size=360)
    assert samples.legend.values == tuple(range(11))
    assert samples.frame["valid_share"].max() < 1


def test_one_georeferenced_scene_is_split_by_ground() -> None:
    data = DataOptions(root=Path("solaris_footprints"), images="sample_geotiff.tif", labels="sample_fp_mask_from_geojson.tif")
    samples = assign_split(index(data, size=128, overlap=0.5), SplitOptions())
    assert samples.frame.crs.to_epsg() == 32616
    assert not find_leaks(samples)
    kept = samples.frame["split"].dropna()
    assert (kept == "validation").mean() == pytest.approx(0.2, abs=0.05)
    assert samples.part("validation").frame["pixels_1"].sum() > 0


def test_tiles_with_nodata_0_use_it_as_background() -> None:
    data = DataOptions(root=Path("nrcan_gdl"), images="tiles/tiled_image_*.tif", labels="tiles/tiled_label_*.tif")
    with pytest.raises(DataError, match=r"cells of 0\.15.*cells of 0\.3"):
        index(data, size=64)
    samples = index(data.model_copy(update={"cell_size": 0.3}), size=64)
    assert samples.frame["pixels_0"].sum() > 0
    # 512 pixels of 0.3 m and 512 of 0.15 m, which are 256 of 0.3 m and up to one more a side
    assert 64 + 16 <= len(samples) <= 64 + 25


def test_pictures_with_and_without_alpha_go_together() -> None:
    samples = index(DataOptions(root=Path("fair_osm_buildings"), images="images", labels="masks_rasterised"))
    assert samples.frame["valid_share"].between(0.1, 1).all()
    assert (samples.frame["valid_share"] < 1).any()


def test_twelve_bands_are_counted() -> None:
    samples = index(DataOptions(root=Path("water_12band"), images="images", labels="labels"), size=128)
    assert len(samples) == 60
