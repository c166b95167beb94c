"""Strips, groups, folders, folds, buffers, areas, strata: each kind of split on tables built in code."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.errors import PairingError, SplitError
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def share(samples: Samples, part: str) -> float:
    kept = samples.frame["split"].notna()
    return float((samples.frame["split"] == part).sum() / kept.sum())


def parts_of(samples: Samples, column: str = "scene") -> dict[str, set[str | None]]:
    return {str(key): set(rows) for key, rows in samples.frame.groupby(column)["split"]}


class TestStrip:
    @pytest.mark.parametrize(("along", "column"), [("x", "col_off"), ("y", "row_off")])
    def test_bands_of_ground_stay_whole(self, make_samples: MakeSamples, along: str, column: str) -> None:
        done = assign_split(make_samples({"a": (200, 300)}), SplitOptions.model_validate({"by": "strip", "along": along, "test": 0.1}))
        assert {len(parts) for parts in parts_of(done, column).values()} == {1}
        assert share(done, "validation") == pytest.approx(0.2, abs=0.06)
        assert done.frame["split"].notna().all()

    def test_of_a_width(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (40, 300)}), SplitOptions(by="strip", block_px=50))
        strips = done.frame.groupby(done.frame["col_off"] // 50)["split"].nunique()
        assert len(strips) == 6
        assert (strips == 1).all()

    def test_one_strip_cannot_be_split(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match="Only 1 strip of 10 pixels to split"):
            assign_split(make_samples({"a": (100, 10)}), SplitOptions(by="strip"))


class TestMetres:
    def test_blocks_in_metres_are_blocks_in_pixels_of_the_ground(self, make_samples: MakeSamples) -> None:
        samples = make_samples({"a": (200, 200)}, origins={"a": (0.0, 0.0)})
        in_feet = samples.frame.set_crs("EPSG:2263", allow_override=True)
        metres = assign_split(samples, SplitOptions(block_m=40)).frame["split"]
        assert metres.equals(assign_split(samples, SplitOptions(block_px=40)).frame["split"])
        feet = assign_split(Samples(**{**vars(samples), "frame": in_feet}), SplitOptions(block_m=40 * 0.3048006)).frame["split"]
        assert metres.equals(feet)

    def test_in_degrees_about_the_equator(self, make_samples: MakeSamples) -> None:
        samples = make_samples({"a": (200, 200)}, origins={"a": (0.0, 0.0)})
        frame = samples.frame.set_geometry(shapely.transform(samples.frame.geometry.to_numpy(), lambda xy: xy / 111_320), crs="EPSG:4326")
        done = assign_split(Samples(**{**vars(samples), "frame": frame}), SplitOptions(block_m=50))
        assert done.frame.groupby([frame["row_off"] // 50, frame["col_off"] // 50])["split"].nunique().max() == 1

    def test_need_a_place_and_a_whole_window(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"block_m is in metres, but the images have no place"):
            assign_split(make_samples({"a": (200, 200)}), SplitOptions(block_m=40))
        with pytest.raises(SplitError, match=r"block_m is 5, which is 5 pixels; it must be at least the window"):
            assign_split(make_samples({"a": (200, 200)}, origins={"a": (0.0, 0.0)}), SplitOptions(block_m=5))
        with pytest.raises(SplitError, match=r"buffer_m is in metres"):
            assign_split(make_samples({"a": (200, 200)}), SplitOptions(buffer_m=4))


class TestGroup:
    def test_by_a_pattern_of_names(self, make_samples: MakeSamples) -> None:
        samples = make_samples({f"site{site}_{number}": (10, 10 * (1 + number)) for site in range(10) for number in range(3)})
        done = assign_split(samples, SplitOptions(by="group", group=r"(.*)_\d+"))
        sites = done.frame.groupby(done.frame["scene"].str.partition("_")[0])["split"].nunique()
        assert len(sites) == 10
        assert (sites == 1).all()
        assert share(done, "validation") == pytest.approx(0.2)

    def test_by_a_table(self, make_samples: MakeSamples, tmp_path: Path) -> None:
        table = tmp_path / "groups.csv"
        table.write_text("group,image\n" + "".join(f"g{number // 4},s{number}.tif\n" for number in range(20)), encoding="utf-8")
        done = assign_split(make_samples({f"s{n}": (10, 10) for n in range(20)}), SplitOptions(by="group", group_table=table))
        parts = parts_of(done)
        assert [len(set.union(*(parts[f"s{4 * group + member}"] for member in range(4)))) for group in range(5)] == [1] * 5

    def test_groups_that_share_ground_stay_together(self, make_samples: MakeSamples) -> None:
        scenes = {f"g{number}_x": (20, 20) for number in range(6)}
        origins = {f"g{number}_x": (number // 2 * 500.0 + number % 2 * 15, 0.0) for number in range(6)}
        parts = parts_of(assign_split(make_samples(scenes, origins=origins), SplitOptions(by="group", group="(g.)", validation=0.3)))
        assert all(parts[f"g{2 * pair}_x"] == parts[f"g{2 * pair + 1}_x"] for pair in range(3))

    def test_scenes_without_a_group_are_named(self, make_samples: MakeSamples, tmp_path: Path) -> None:
        samples = make_samples({"a_1": (10, 10), "a_2": (10, 10), "b": (10, 10)})
        with pytest.raises(SplitError, match=r"gives 1 scene no group: b\."):
            assign_split(samples, SplitOptions(by="group", group=r"(.*)_\d+"))
        table = tmp_path / "groups.csv"
        table.write_text("image,site\na_1,x\n", encoding="utf-8")
        with pytest.raises(PairingError, match="needs one called image and one called group"):
            assign_split(samples, SplitOptions(by="group", group_table=table))
        table.write_text("image,group\na_1,x\na_1,y\n", encoding="utf-8")
        with pytest.raises(SplitError, match=r"row 3: 'a_1' is in the groups 'x' and 'y'"):
            assign_split(samples, SplitOptions(by="group", group_table=table))

    def test_options_that_tell_no_group_are_refused(self) -> None:
        with pytest.raises(ValueError, match="needs either group"):
            SplitOptions(by="group")
        with pytest.raises(ValueError, match="must have one bracket"):
            SplitOptions(by="group", group="a_.*")
        with pytest.raises(ValueError, match="no regular expression"):
            SplitOptions(by="group", group="(")


class TestFolder:
    def test_goes_by_the_names_of_folders(self, make_samples: MakeSamples) -> None:
        names = ["train/a", "Training/b", "x/val/c", "validation/d", "test/deep/e"]
        done = assign_split(make_samples(dict.fromkeys(names, (10, 10))), SplitOptions(by="folder"))
        expected = dict(zip(names, ("train", "train", "validation", "validation", "test"), strict=True))
        assert parts_of(done) == {name: {part} for name, part in expected.items()}

    def test_images_elsewhere_are_named(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"2 scenes in no folder called train, val or test: other/a, train"):
            assign_split(make_samples(dict.fromkeys(["train", "other/a", "val/b"], (10, 10))), SplitOptions(by="folder"))


class TestFolds:
    @pytest.mark.parametrize("by", ["block", "strip", "scene", "random", "group"])
    def test_every_window_is_tested_once(self, make_samples: MakeSamples, by: str) -> None:
        samples = make_samples({f"s{number}": (40, 60) for number in range(8)})
        tested = np.zeros(len(samples), np.int64)
        for fold in range(4):
            options = SplitOptions.model_validate({"by": by, "folds": 4, "fold": fold, "group": "(s.)", "seed": 3})
            split = assign_split(samples, options).frame["split"]
            assert (split == "test").mean() == pytest.approx(0.25, abs=0.06)
            assert {"train", "validation"} <= set(split)
            tested += (split == "test").to_numpy()
        assert (tested == 1).all()

    def test_too_many_are_refused(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match="2 scenes with ground of its own cannot make 3 folds"):
            assign_split(make_samples({"a": (10, 10), "b": (10, 10)}), SplitOptions(by="scene", folds=3, fold=0))


class TestBuffer:
    @given(
        shape=st.tuples(st.integers(120, 200), st.integers(120, 200)),
        overlap_px=st.integers(0, 5),
        buffer_px=st.integers(1, 12),
        seed=st.integers(0, 2**40),
        test=st.sampled_from([0.0, 0.15]),
    )
    @QUICK
    def test_no_window_is_nearer_than_the_buffer_to_held_out_ground(
        self, make_samples: MakeSamples, shape: tuple[int, int], overlap_px: int, buffer_px: int, seed: int, test: float
    ) -> None:
        options = SplitOptions(buffer_px=buffer_px, seed=seed, test=test)
        done = assign_split(make_samples({"a": shape}, overlap_px=overlap_px), options)
        grounds = {part: shapely.union_all(rows.geometry.to_numpy()) for part, rows in done.frame.groupby("split")}
        distances = [
            shapely.distance(grounds[one], grounds[other])
            for one, other in (("train", "validation"), ("train", "test"), ("validation", "test"))
            if other in grounds
        ]
        # windows that touch make corners of blocks: their distance is Euclidean too
        assert min(distances) >= buffer_px - 1e-2

    def test_reaches_across_images_that_only_touch(self, make_samples: MakeSamples) -> None:
        scenes = {f"s{number}": (50, 50) for number in range(10)}
        samples = make_samples(scenes, origins={f"s{number}": (number * 50.0, 0.0) for number in range(10)})
        done = assign_split(samples, SplitOptions(by="scene", buffer_m=15))
        held = shapely.union_all(done.frame.geometry[done.frame["split"] == "validation"].to_numpy())
        near = shapely.distance(held, done.frame.geometry.to_numpy()) < 15
        assert set(done.frame["split"][near]) == {"validation", None}
        assert set(done.frame["split"][~near]) == {"train"}

    def test_the_share_is_of_what_the_buffer_leaves(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (600, 600)}), SplitOptions(buffer_px=15, block_px=50))
        assert done.frame["split"].isna().mean() > 0.2
        assert share(done, "validation") == pytest.approx(0.2, abs=0.05)


def write_area(path: Path, polygon: shapely.Geometry, crs: str) -> Path:
    geopandas.GeoSeries([polygon], crs=crs).to_file(path)
    return path


class TestAreas:
    def samples(self, make_samples: MakeSamples) -> Samples:
        return make_samples({"a": (100, 200)}, origins={"a": (500_000.0, 5_000_000.0)})

    @pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
    def test_windows_wholly_inside_are_held_out_and_those_across_dropped(self, make_samples: MakeSamples, tmp_path: Path, crs: str) -> None:
        ground = geopandas.GeoSeries([shapely.box(500_100, 4_999_945, 500_201, 5_000_001)], crs="EPSG:32633")
        path = write_area(tmp_path / "area.gpkg", ground.segmentize(5).to_crs(crs)[0], crs)
        done = assign_split(self.samples(make_samples), SplitOptions(by="given", validation_area=path)).frame
        inside = (done["col_off"] >= 100) & (done["row_off"] + 10 <= 50)
        across = (done["col_off"] >= 100) & (done["row_off"] == 50)
        assert set(done["split"][inside]) == {"validation"}
        assert set(done["split"][across]) == {None}
        assert set(done["split"][~inside & ~across]) == {"train"}

    def test_the_rest_is_dealt(self, make_samples: MakeSamples, tmp_path: Path) -> None:
        path = write_area(tmp_path / "area.geojson", shapely.box(500_000, 4_999_900, 500_050, 5_000_000), "EPSG:32633")
        done = assign_split(self.samples(make_samples), SplitOptions(test_area=path)).frame
        assert set(done["split"][done["col_off"] < 50]) == {"test"}
        assert set(done["split"][done["col_off"] >= 50]) == {"train", "validation"}

    def test_only_the_training_area_is_learned_from(self, make_samples: MakeSamples, tmp_path: Path) -> None:
        train = write_area(tmp_path / "train.gpkg", shapely.box(500_000, 4_999_900, 500_050, 5_000_000), "EPSG:32633")
        held = write_area(tmp_path / "held.gpkg", shapely.Point(500_150, 4_999_950).buffer(40), "EPSG:32633")
        done = assign_split(self.samples(make_samples), SplitOptions(by="given", train_area=train, validation_area=held)).frame
        assert set(done["split"][done["col_off"] < 50]) == {"train"}
        assert set(done["split"][done["col_off"] >= 50]) == {"validation", None}

    def test_what_cannot_be_is_said(self, make_samples: MakeSamples, tmp_path: Path) -> None:
        far = write_area(tmp_path / "far.gpkg", shapely.box(0, 0, 10, 10), "EPSG:32633")
        with pytest.raises(SplitError, match=r"test_area: no window lies wholly in the polygons of .*far\.gpkg"):
            assign_split(self.samples(make_samples), SplitOptions(test_area=far))
        one = write_area(tmp_path / "one.gpkg", shapely.box(500_000, 4_999_900, 500_050, 5_000_000), "EPSG:32633")
        with pytest.raises(SplitError, match="shares ground with the area of another part"):
            assign_split(self.samples(make_samples), SplitOptions(test_area=one, validation_area=one))
        line = write_area(tmp_path / "line.gpkg", shapely.LineString([(0, 0), (1, 1)]), "EPSG:32633")
        with pytest.raises(SplitError, match="holds no polygon"):
            assign_split(self.samples(make_samples), SplitOptions(test_area=line))
        with pytest.raises(SplitError, match="areas need images with a place on the ground"):
            assign_split(make_samples({"a": (100, 100)}), SplitOptions(test_area=one))


class TestStrata:
    def clumped(self, make_samples: MakeSamples) -> Samples:
        """A rare class that lies in one corner for the most part."""
        rng = np.random.default_rng(2)
        return make_samples(
            {"a": (300, 300)},
            positives=lambda _, row: int(60 * rng.random()) if row // 30 < 12 and row % 30 < 12 else int(rng.random() < 0.1),
        )

    @pytest.mark.parametrize(("stratify", "column"), [("class", "pixels_3"), ("objects", "objects")])
    def test_parts_are_more_alike(self, make_samples: MakeSamples, stratify: str, column: str) -> None:
        samples = self.clumped(make_samples)

        def unlike(options: SplitOptions) -> float:
            done = assign_split(samples, options).frame
            means = done.groupby("split")[column].mean()
            return float(abs(means["validation"] / done[column].mean() - 1))

        plain = np.mean([unlike(SplitOptions(block_px=30, seed=seed)) for seed in range(3)])
        strata = [unlike(SplitOptions.model_validate({"block_px": 30, "seed": seed, "stratify": stratify})) for seed in range(3)]
        assert max(strata) < 0.05
        assert max(strata) < plain / 2

    def test_folds_are_alike_too(self, make_samples: MakeSamples) -> None:
        samples = self.clumped(make_samples)
        means = []
        for fold in range(3):
            done = assign_split(samples, SplitOptions(block_px=30, folds=3, fold=fold, stratify="class")).frame
            means.append(done[done["split"] == "test"]["pixels_3"].mean())
        assert max(means) / min(means) < 1.3


@given(
    seed=st.integers(0, 2**40),
    shuffle=st.integers(0, 2**32),
    by=st.sampled_from(["block", "strip", "scene", "random", "sequence", "kfold"]),
)
@QUICK
def test_the_order_of_rows_does_not_matter(make_samples: MakeSamples, seed: int, shuffle: int, by: str) -> None:
    origins = {f"s{number}": (number % 3 * 35.0, number // 3 * -35.0) for number in range(7)} | {
        f"s{number}": (number * 1e4, 0.0) for number in range(7, 12)
    }
    samples = make_samples(dict.fromkeys(origins, (40, 50)), origins=origins)
    options = SplitOptions.model_validate({"by": by, "seed": seed, "buffer_px": 2, "allow_leak": True})
    order = np.random.default_rng(shuffle).permutation(len(samples))
    shuffled = Samples(**{**vars(samples), "frame": samples.frame.iloc[order]})
    mine, other = assign_split(samples, options).frame["split"], assign_split(shuffled, options).frame["split"]
    assert other.index.tolist() == order.tolist()
    assert other.sort_index().fillna("").tolist() == mine.fillna("").tolist()


@given(
    places=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 150)), min_size=2, max_size=4),
    by=st.sampled_from(["block", "strip", "random", "scene"]),
    buffer_px=st.sampled_from([0, 4]),
    seed=st.integers(0, 2**32),
)
@QUICK
def test_no_ground_is_on_two_sides(make_samples: MakeSamples, places: list[tuple[int, int]], by: str, buffer_px: int, seed: int) -> None:
    """The ground of each part, drawn finely, of images that overlap anywhere."""
    origins = {f"s{number}": place for number, place in enumerate(places)} | {"far1": (1e4, 0.0), "far2": (2e4, 0.0)}
    samples = make_samples(dict.fromkeys(origins, (60, 75)), overlap_px=3, origins=origins)
    options = SplitOptions.model_validate({"by": by, "seed": seed, "buffer_px": buffer_px})
    refused, done = "", samples.frame
    try:
        done = assign_split(samples, options).frame
    except SplitError as error:
        refused = str(error)
    if refused:
        # a few images that all share ground cannot be split whole, and a wide buffer may leave nothing of a part
        assert re.search("leaves nothing|to split into", refused)
        return
    drawn = {part: np.zeros((240, 240), np.bool_) for part in ("train", "validation")}
    for part, (left, low, right, high) in zip(done["split"], shapely.bounds(done.geometry.to_numpy()).astype(int), strict=True):
        if part is not None and right < 1000:
            drawn[part][160 - high : 160 - low, left:right] = True
    assert not (drawn["train"] & drawn["validation"]).any()


def test_notes_of_a_table_stay(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (100, 100)})
    frame = samples.frame.assign(mine=json.dumps({"a": 1}))
    done = assign_split(Samples(**{**vars(samples), "frame": frame}), SplitOptions()).frame
    assert done.drop(columns="split").equals(frame.drop(columns="split"))
