"""Finding images with their labels, and refusing those that do not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.errors import PairingError, RasterError, RecipeError
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.scenes import Scene, find_scenes

WriteImage = Callable[..., Path]


def touch(root: Path, *names: str) -> None:
    """Files with nothing in them: pairing goes by names alone."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def pairs(root: Path, images: str, labels: str | None, suffix: str = "") -> dict[str, tuple[str, str | None]]:
    """Scene name to image and label, both relative to root."""
    scenes = find_scenes(DataOptions(images=images, labels=labels, pair_suffix=suffix), root)
    return {
        scene.name: (
            scene.image.relative_to(root).as_posix(),
            scene.label.relative_to(root).as_posix() if isinstance(scene.label, Path) else None,
        )
        for scene in scenes
    }


class TestPairing:
    def test_by_name_in_natural_order(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/x10.tif", "images/x2.tif", "labels/x2.png", "labels/x10.png")
        found = pairs(tmp_path, "images", "labels")
        assert list(found.items()) == [("x2", ("images/x2.tif", "labels/x2.png")), ("x10", ("images/x10.tif", "labels/x10.png"))]

    def test_by_name_with_folders_of_the_same_stems(self, tmp_path: Path) -> None:
        touch(tmp_path, *(f"{part}/{kind}/a.png" for part in ("train", "test") for kind in ("images", "masks")))
        assert pairs(tmp_path, "*/images/*.png", "*/masks/*.png") == {
            "test/a": ("test/images/a.png", "test/masks/a.png"),
            "train/a": ("train/images/a.png", "train/masks/a.png"),
        }

    def test_by_unique_stem_where_folders_differ(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/north/a.png", "images/south/b.png", "labels/a.png", "labels/b.png")
        assert pairs(tmp_path, "images", "labels") == {
            "north/a": ("images/north/a.png", "labels/a.png"),
            "south/b": ("images/south/b.png", "labels/b.png"),
        }

    def test_by_suffix_also_in_one_folder(self, tmp_path: Path) -> None:
        touch(tmp_path, "all/a.jpg", "all/a_mask.jpg", "all/ab.jpg", "all/ab_mask.jpg")
        expected = {"a": ("all/a.jpg", "all/a_mask.jpg"), "ab": ("all/ab.jpg", "all/ab_mask.jpg")}
        assert pairs(tmp_path, "all", "all/*_mask.jpg", "_mask") == expected
        assert pairs(tmp_path, "all/*.jpg", "all/*_mask.jpg") == expected

    def test_by_what_the_wildcards_stand_for(self, tmp_path: Path) -> None:
        touch(tmp_path, "image_1.tif", "image_12.tif", "label_1.tif", "label_12.tif")
        assert pairs(tmp_path, "image_*.tif", "label_*.tif") == {
            "image_1": ("image_1.tif", "label_1.tif"),
            "image_12": ("image_12.tif", "label_12.tif"),
        }

    def test_two_single_files_are_a_pair(self, tmp_path: Path) -> None:
        touch(tmp_path, "ortho.tif", "drawn by hand.png")
        assert pairs(tmp_path, "ortho.tif", "drawn by hand.png") == {"ortho": ("ortho.tif", "drawn by hand.png")}

    def test_never_by_position_or_common_beginning(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/a1.png", "images/a2.png", "labels/a1x.png", "labels/b2.png")
        with pytest.raises(PairingError, match=r"(?s)2 of 2 images without label: a1, a2.*2 of 2 labels without image: a1x, b2"):
            pairs(tmp_path, "images", "labels")

    def test_the_left_over_of_both_sides_are_listed(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/a.png", "images/b.png", "labels/b.png", "labels/c.png")
        with pytest.raises(PairingError, match=r"1 of 2 images without label: a\. 1 of 2 labels without image: c\."):
            pairs(tmp_path, "images", "labels")

    def test_ambiguous_stems_are_named(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/n/a.png", "images/s/a.png", "labels/a.png")
        with pytest.raises(PairingError, match=r"Ambiguous.*: a"):
            pairs(tmp_path, "images", "labels")

    def test_the_same_name_with_two_endings_is_refused(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/a.png", "images/a.tif", "labels/a.png")
        with pytest.raises(PairingError, match=r"a\.png, a\.tif"):
            pairs(tmp_path, "images", "labels")

    def test_a_common_suffix_is_suggested(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/a.png", "images/b.png", "labels/a_gt.png", "labels/b_gt.png")
        with pytest.raises(PairingError, match=r"set .data. pair_suffix = '_gt'"):
            pairs(tmp_path, "images", "labels")

    def test_one_pattern_for_both_is_refused(self, tmp_path: Path) -> None:
        touch(tmp_path, "a.png", "b.png")
        with pytest.raises(PairingError, match="same 2 files"):
            pairs(tmp_path, "*.png", "*.png")

    def test_images_alone_have_no_labels(self, tmp_path: Path) -> None:
        touch(tmp_path, "a.png")
        assert pairs(tmp_path, "*.png", None) == {"a": ("a.png", None)}

    def test_root_is_relative_to_the_folder(self, tmp_path: Path) -> None:
        touch(tmp_path, "data/i/a.png", "data/l/a.png")
        scenes = find_scenes(DataOptions(root=Path("data"), images="i", labels="l"), tmp_path)
        assert scenes == [Scene(name="a", image=tmp_path / "data/i/a.png", label=tmp_path / "data/l/a.png")]

    def test_nothing_to_find_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="images is missing"):
            find_scenes(DataOptions(), tmp_path)
        with pytest.raises(RasterError, match="gone"):
            find_scenes(DataOptions(images="gone"), tmp_path)


class TestOtherForms:
    def test_a_prefix_and_a_suffix(self, tmp_path: Path) -> None:
        touch(tmp_path, "i/a.png", "i/north/b.png", "l/mask_a_v2.png", "l/north/mask_b_v2.png")
        options = DataOptions(images="i", labels="l", pair_prefix="mask_", pair_suffix="_v2")
        assert [scene.label for scene in find_scenes(options, tmp_path)] == [
            tmp_path / "l/mask_a_v2.png",
            tmp_path / "l/north/mask_b_v2.png",
        ]

    def test_a_prefix_that_all_labels_have_is_advised(self, tmp_path: Path) -> None:
        touch(tmp_path, "i/a.png", "i/b.png", "l/mask_a.png", "l/mask_b.png")
        with pytest.raises(PairingError, match=r"begin with 'mask_': set \[data\] pair_prefix = 'mask_'"):
            pairs(tmp_path, "i", "l")

    def test_a_table(self, tmp_path: Path) -> None:
        touch(tmp_path, "i/a.png", "i/b.png", "l/1.png", "l/2.png")
        (tmp_path / "pairs.csv").write_text("image,label\na.png,2.png\nb.png,1.png\n")
        scenes = find_scenes(DataOptions(images="i", labels="l", pair_table="pairs.csv"), tmp_path)
        assert {scene.name: str(scene.label) for scene in scenes} == {"a": str(tmp_path / "l/2.png"), "b": str(tmp_path / "l/1.png")}

    @pytest.mark.parametrize("name", ["all.gpkg", "all.geojson", "all.csv", "all.json"])
    def test_one_file_serves_all_images(self, tmp_path: Path, name: str) -> None:
        touch(tmp_path, "i/a.png", "i/b.png", name)
        assert {label for _, label in pairs(tmp_path, "i", name).values()} == {name}

    def test_a_vector_file_an_image(self, tmp_path: Path) -> None:
        touch(tmp_path, "i/a.png", "i/b.png", "l/a.geojson", "l/b.geojson")
        assert pairs(tmp_path, "i", "l")["b"] == ("i/b.png", "l/b.geojson")

    def test_rules_as_a_list_and_as_a_text(self, tmp_path: Path) -> None:
        touch(tmp_path, "i/a.png")
        texts = ["hot: b1 > 5", "glow: 2 < b1 <= 5"]
        for labels in (texts, "; ".join(texts)):
            (scene,) = find_scenes(DataOptions(images="i", labels=labels), tmp_path)
            assert str(scene.label) == "hot: b1 > 5; glow: 2 < b1 <= 5"
