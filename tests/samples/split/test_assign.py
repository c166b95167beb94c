"""Splits: shares, whole groups, lists, and no leaks."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.errors import SplitError
from terrazzo.samples.audit.leaks import find_leaks
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
Pairs = Callable[[Samples], list[tuple[int, int]]]


def parts_of_scenes(samples: Samples) -> dict[str, set[str | None]]:
    return {str(scene): set(rows) for scene, rows in samples.frame.groupby("scene")["split"]}


def share(samples: Samples, part: str) -> float:
    kept = samples.frame["split"].notna()
    return float((samples.frame["split"] == part).sum() / kept.sum())


class TestBlock:
    def test_reaches_the_shares_of_kept_windows(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (400, 400)}), SplitOptions(validation=0.2, test=0.1))
        assert share(done, "validation") == pytest.approx(0.2, abs=0.04)
        assert share(done, "test") == pytest.approx(0.1, abs=0.04)
        assert done.frame["split"].notna().all()

    @given(
        shape=st.tuples(st.integers(45, 140), st.integers(45, 140)),
        overlap_px=st.integers(0, 8),
        options=st.builds(SplitOptions, seed=st.integers(0, 2**63 - 1), test=st.sampled_from([0.0, 0.15])),
    )
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_pixel_is_on_two_sides(
        self, make_samples: MakeSamples, overlapping_pairs: Pairs, shape: tuple[int, int], overlap_px: int, options: SplitOptions
    ) -> None:
        done = assign_split(make_samples({"a": shape}, overlap_px=overlap_px), options)
        assert overlapping_pairs(done) == []
        assert {"train", "validation"} <= set(done.frame["split"])

    def test_images_on_the_same_ground_are_cut_alike(self, make_samples: MakeSamples) -> None:
        scenes = {"a": (100, 100), "b": (100, 100), "c": (60, 100)}
        origins = {"a": (0.0, 0.0), "b": (50.0, -30.0), "c": (0.0, 0.0)}
        done = assign_split(make_samples(scenes, origins=origins), SplitOptions())
        assert not find_leaks(done)
        # windows of c lie exactly on windows of a
        frame = done.frame
        upper = frame[(frame["scene"] == "a") & (frame["row_off"] < 60)]["split"].to_list()
        assert upper == frame[frame["scene"] == "c"]["split"].to_list()
        assert share(done, "validation") == pytest.approx(0.2, abs=0.05)

    @given(places=st.lists(st.tuples(st.floats(0, 120), st.floats(0, 120)), min_size=2, max_size=5), seed=st.integers(0, 2**32))
    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_images_anywhere_on_the_ground_never_leak(
        self, make_samples: MakeSamples, places: list[tuple[float, float]], seed: int
    ) -> None:
        origins = {f"s{number}": place for number, place in enumerate(places)}
        samples = make_samples(dict.fromkeys(origins, (60, 75)), overlap_px=3, origins=origins)
        # assign_split raises for leaks
        assert {"train", "validation"} <= set(assign_split(samples, SplitOptions(seed=seed)).frame["split"])

    def test_copies_of_one_image_are_cut_alike(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (100, 100), "b": (100, 100)}, digests={"a": "x", "b": "x"}), SplitOptions())
        assert done.frame["split"].to_list()[:100] == done.frame["split"].to_list()[100:]

    def test_small_scenes_stay_whole(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({f"s{number}": (25, 25) for number in range(20)}), SplitOptions())
        assert all(len(parts) == 1 for parts in parts_of_scenes(done).values())
        assert share(done, "validation") == pytest.approx(0.2)

    def test_depends_on_the_seed_alone(self, make_samples: MakeSamples) -> None:
        samples = make_samples({"a": (200, 200)})
        first, again, other = (assign_split(samples, SplitOptions(seed=seed)).frame["split"].to_list() for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_leaves_the_table_that_was_given_alone(self, make_samples: MakeSamples) -> None:
        samples = make_samples({"a": (200, 200)})
        done = assign_split(samples, SplitOptions())
        assert samples.frame["split"].isna().all()
        assert assign_split(done, SplitOptions()).frame["split"].to_list() == done.frame["split"].to_list()

    def test_obeys_block_px(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (200, 200)}), SplitOptions(block_px=50))
        blocks = done.frame.groupby([done.frame["row_off"] // 50, done.frame["col_off"] // 50])["split"].nunique()
        assert len(blocks) == 16
        assert (blocks == 1).all()

    def test_a_block_smaller_than_a_window_is_refused(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"block_px is 9; it must be at least the window \(10 px\)"):
            assign_split(make_samples({"a": (200, 200)}), SplitOptions(block_px=9))

    def test_one_block_cannot_be_split(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"Only 1 block of 10 x 10 pixels.*Lower"):
            assign_split(make_samples({"a": (10, 10)}), SplitOptions())

    def test_a_rare_class_comes_to_both_sides(self, make_samples: MakeSamples) -> None:
        samples = make_samples({"a": (200, 200)}, positives=lambda _, row: int(row in (5, 333)))
        for seed in range(5):
            done = assign_split(samples, SplitOptions(seed=seed))
            assert set(done.frame.loc[done.frame["pixels_3"] > 0, "split"]) == {"train", "validation"}

    def test_a_class_that_a_part_lacks_is_a_warning(self, make_samples: MakeSamples, caplog: pytest.LogCaptureFixture) -> None:
        assign_split(make_samples({"a": (200, 200)}, positives=lambda _, row: int(row == 5)), SplitOptions())
        assert "The validation part holds nothing of class yes" in caplog.text
        assert "The train part" not in caplog.text


class TestScene:
    def test_keeps_scenes_whole_and_counts_scenes(self, make_samples: MakeSamples) -> None:
        shapes = {f"s{number}": (10, 10 * (1 + number % 4)) for number in range(10)}
        parts = parts_of_scenes(assign_split(make_samples(shapes), SplitOptions(by="scene", test=0.1)))
        assert all(len(found) == 1 for found in parts.values())
        assert sorted(found.copy().pop() or "" for found in parts.values()).count("validation") == 2
        assert sorted(found.copy().pop() or "" for found in parts.values()).count("test") == 1

    def test_keeps_scenes_on_the_same_ground_together(self, make_samples: MakeSamples) -> None:
        scenes = {f"s{number}": (20, 20) for number in range(12)}
        origins = {f"s{number}": (number // 3 * 1000.0 + number % 3 * 15, 0.0) for number in range(12)}
        for seed in range(5):
            done = assign_split(make_samples(scenes, origins=origins), SplitOptions(by="scene", validation=0.25, seed=seed))
            parts = parts_of_scenes(done)
            assert [len(set.union(*(parts[f"s{group * 3 + member}"] for member in range(3)))) for group in range(4)] == [1] * 4

    def test_one_scene_cannot_be_split(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"Only 1 scene with ground of its own.*by = 'block'"):
            assign_split(make_samples({"a": (99, 99)}), SplitOptions(by="scene"))


class TestSequence:
    def test_is_in_natural_order_with_validation_last(self, make_samples: MakeSamples) -> None:
        names = [f"f{number}" for number in (10, 9, 2, 1, 8, 7, 3, 4, 5, 6)]
        done = assign_split(make_samples(dict.fromkeys(names, (10, 10))), SplitOptions(by="sequence", validation=0.2, test=0.1))
        parts = {name: found.pop() for name, found in parts_of_scenes(done).items()}
        expected = ["train"] * 7 + ["test"] + ["validation"] * 2
        assert [parts[f"f{number}"] for number in range(1, 11)] == expected

    def test_every_wanted_part_gets_one(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (10, 10), "b": (10, 10)}), SplitOptions(by="sequence", validation=0.01))
        assert done.frame["split"].to_list() == ["train", "validation"]
        with pytest.raises(SplitError, match="nothing for train"):
            assign_split(make_samples({"a": (10, 10), "b": (10, 10)}), SplitOptions(by="sequence", test=0.1))


class TestFolds:
    def test_every_scene_is_in_the_test_once(self, make_samples: MakeSamples) -> None:
        samples = make_samples({f"s{number}": (10, 10) for number in range(11)})
        tested = []
        for fold in range(3):
            parts = parts_of_scenes(assign_split(samples, SplitOptions(by="kfold", folds=3, fold=fold)))
            held = [name for name, found in parts.items() if found == {"test"}]
            assert sorted(int(name[1:]) % 3 for name in held) == [fold] * len(held)
            assert {"train", "validation"} <= set.union(*parts.values())
            tested += held
        assert sorted(tested) == sorted(f"s{number}" for number in range(11))

    def test_more_folds_than_scenes_are_refused(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match="2 scenes cannot make 5 folds"):
            assign_split(make_samples({"a": (10, 10), "b": (10, 10)}), SplitOptions(by="kfold"))


class TestRandom:
    def test_keeps_windows_that_overlap_together(self, make_samples: MakeSamples, overlapping_pairs: Pairs) -> None:
        scenes = {f"s{number}": (10, 17) for number in range(30)}
        done = assign_split(make_samples(scenes), SplitOptions(by="random", test=0.2))
        assert overlapping_pairs(done) == []
        assert share(done, "validation") == pytest.approx(0.2, abs=0.01)
        assert done.frame["split"].notna().all()

    def test_spreads_over_a_scene_of_windows_side_by_side(self, make_samples: MakeSamples) -> None:
        done = assign_split(make_samples({"a": (100, 100)}), SplitOptions(by="random"))
        assert share(done, "validation") == pytest.approx(0.2, abs=0.01)

    def test_one_group_suggests_blocks(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"Only 1 group of overlapping windows.*by = 'block'"):
            assign_split(make_samples({"a": (100, 100)}, overlap_px=5), SplitOptions(by="random"))


class TestLists:
    def scenes(self, make_samples: MakeSamples) -> Samples:
        names = [f"{part}/{number}" for part in ("train", "val", "test") for number in range(6)]
        return make_samples(dict.fromkeys(names, (10, 10)))

    def test_come_first_and_a_listed_part_gets_nothing_else(self, make_samples: MakeSamples) -> None:
        samples = self.scenes(make_samples)
        done = assign_split(samples, SplitOptions(by="scene", test_scenes=["test/*"], test=0.5, validation=0.25))
        parts = parts_of_scenes(done)
        assert {name for name, found in parts.items() if found == {"test"}} == {f"test/{number}" for number in range(6)}
        assert sum(found == {"validation"} for found in parts.values()) == 3

    def test_given_means_the_lists_only(self, make_samples: MakeSamples) -> None:
        options = SplitOptions(by="given", validation_scenes=["val/*"], test_scenes=["test/[0-4]", "test/5"])
        parts = parts_of_scenes(assign_split(self.scenes(make_samples), options))
        expected = {"train": "train", "val": "validation", "test": "test"}
        assert all(found == {expected[name.partition("/")[0]]} for name, found in parts.items())

    def test_given_asks_for_no_share(self, make_samples: MakeSamples) -> None:
        done = assign_split(self.scenes(make_samples), SplitOptions(by="given", test_scenes=["test/*"]))
        assert set(done.frame["split"]) == {"train", "test"}
        with pytest.raises(SplitError, match=r"by given leaves nothing for train.*Name its scenes"):
            assign_split(self.scenes(make_samples), SplitOptions(by="given", test_scenes=["*"]))

    def test_a_pattern_that_fits_nothing_is_refused(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"'tset/\*' fits no scene; they are called test/0"):
            assign_split(self.scenes(make_samples), SplitOptions(test_scenes=["tset/*"]))

    def test_a_scene_in_two_lists_is_refused(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match="val/3 for validation and for another part"):
            assign_split(self.scenes(make_samples), SplitOptions(train_scenes=["*/3"], validation_scenes=["val/*"]))

    def test_train_scenes_stay_in_training(self, make_samples: MakeSamples) -> None:
        for seed in range(5):
            parts = parts_of_scenes(assign_split(self.scenes(make_samples), SplitOptions(by="scene", train_scenes=["train/*"], seed=seed)))
            assert all(parts[f"train/{number}"] == {"train"} for number in range(6))


class TestLeaks:
    def samples(self, make_samples: MakeSamples) -> Samples:
        return make_samples({"a": (10, 10), "b": (10, 10), "c": (10, 10)}, digests={"a": "x", "b": "x"})

    def test_are_refused_with_their_names(self, make_samples: MakeSamples) -> None:
        with pytest.raises(SplitError, match=r"leaks, 1 pair.*a and b: the same image bytes in train and validation"):
            assign_split(self.samples(make_samples), SplitOptions(by="given", validation_scenes=["b"]))

    def test_are_logged_where_allowed(self, make_samples: MakeSamples, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        done = assign_split(self.samples(make_samples), SplitOptions(by="given", validation_scenes=["b"], allow_leak=True))
        assert done.frame["split"].to_list() == ["train", "validation", "train"]
        assert "the same image bytes" in caplog.text


def test_none_is_all_training(make_samples: MakeSamples) -> None:
    assert set(assign_split(make_samples({"a": (10, 20)}), SplitOptions(by="none")).frame["split"]) == {"train"}


def test_zero_validation_is_allowed(make_samples: MakeSamples) -> None:
    assert set(assign_split(make_samples({"a": (99, 99)}), SplitOptions(validation=0)).frame["split"]) == {"train"}


def test_a_share_far_off_is_a_warning(make_samples: MakeSamples, caplog: pytest.LogCaptureFixture) -> None:
    assign_split(make_samples({"a": (10, 30)}), SplitOptions(validation=0.05))
    assert "The validation part has 33 % of the windows instead of 5 %" in caplog.text


def test_ids_and_other_columns_stay(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (40, 40)})
    done = assign_split(samples, SplitOptions())
    assert done.frame.index.tolist() == list(range(16))
    assert done.frame.drop(columns="split").equals(samples.frame.drop(columns="split"))
    assert list(np.unique(done.frame["split"].to_numpy(str))) == ["train", "validation"]
