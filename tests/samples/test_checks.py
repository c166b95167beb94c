"""Whether images and labels fit, before any long work."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from terrazzo.errors import DataError, LabelError, RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.scenes import Scene

WriteImage = Callable[..., Path]


class TestChecks:
    def scene(self, image: Path, label: Path | None) -> Scene:
        return Scene(name=image.stem, image=image, label=label)

    def test_facts_are_the_headers(self, tmp_path: Path, write_image: WriteImage) -> None:
        image = write_image(tmp_path / "a.tif", np.zeros((4, 7, 9), np.uint16), origin=(100, 200))
        label = write_image(tmp_path / "a.png", np.zeros((7, 9), np.uint8))
        (facts,) = check_scenes([self.scene(image, label)], DataOptions(bands=[4, 1]))
        assert (facts.grid.shape, facts.bands, facts.dtype) == ((7, 9), 2, np.dtype("uint16"))
        assert facts.grid.georeferenced

    def test_another_size_names_both_shapes_of_all_bad_scenes(self, tmp_path: Path, write_image: WriteImage) -> None:
        scenes = []
        for name, width in (("a", 9), ("b", 8), ("c", 7)):
            image = write_image(tmp_path / f"images/{name}.png", np.zeros((7, 9), np.uint8))
            scenes.append(self.scene(image, write_image(tmp_path / f"labels/{name}.png", np.zeros((7, width), np.uint8))))
        with pytest.raises(LabelError, match=r"(?s)2 of 3 scenes.*b\.png is 7 x 8 .*7 x 9.*c\.png is 7 x 7") as caught:
            check_scenes(scenes, DataOptions())
        assert "a.png" not in str(caught.value)

    def test_a_label_elsewhere_on_the_ground_is_refused(self, tmp_path: Path, write_image: WriteImage) -> None:
        image = write_image(tmp_path / "a.tif", np.zeros((7, 9), np.uint8), origin=(100, 200))
        near = write_image(tmp_path / "near.tif", np.zeros((7, 9), np.uint8), origin=(100.2, 200))
        far = write_image(tmp_path / "far.tif", np.zeros((7, 9), np.uint8), origin=(101, 200))
        check_scenes([self.scene(image, near)], DataOptions())
        with pytest.raises(LabelError, match="lies elsewhere"):
            check_scenes([self.scene(image, far)], DataOptions())

    def test_mixed_band_counts_show_the_groups(self, tmp_path: Path, write_image: WriteImage) -> None:
        scenes = [self.scene(write_image(tmp_path / f"{bands}.tif", np.zeros((bands, 7, 9), np.uint8)), None) for bands in (1, 3, 5)]
        with pytest.raises(DataError, match=r"1 band: 1 image \(.*1\.tif\); 3 bands: 1 image.*5 bands"):
            check_scenes(scenes, DataOptions())
        check_scenes(scenes, DataOptions(bands=[1]))

    def test_alpha_is_no_band(self, tmp_path: Path, write_image: WriteImage) -> None:
        scenes = [self.scene(write_image(tmp_path / f"{bands}.png", np.zeros((7, 9, bands), np.uint8)), None) for bands in (3, 4)]
        assert [facts.bands for facts in check_scenes(scenes, DataOptions())] == [3, 3]

    def test_mixed_types_are_refused_but_not_mixed_floats(self, tmp_path: Path, write_image: WriteImage) -> None:
        kinds = {
            kind: self.scene(write_image(tmp_path / f"{kind}.tif", np.zeros((7, 9), kind)), None)
            for kind in ("uint8", "uint16", "float32", "float64")
        }
        with pytest.raises(DataError, match=r"uint16: 1 image .*uint8: 1 image"):
            check_scenes([kinds["uint8"], kinds["uint16"]], DataOptions())
        with pytest.raises(DataError, match="float"):
            check_scenes([kinds["uint8"], kinds["float32"]], DataOptions())
        check_scenes([kinds["float32"], kinds["float64"]], DataOptions())

    def test_all_unreadable_files_are_named(self, tmp_path: Path, write_image: WriteImage) -> None:
        good = write_image(tmp_path / "good.png", np.zeros((7, 9), np.uint8))
        (tmp_path / "empty.png").touch()
        scenes = [self.scene(good, None), self.scene(tmp_path / "gone.png", None), self.scene(tmp_path / "empty.png", None)]
        with pytest.raises(RasterError, match=r"(?s)2 of 3 scenes.*gone\.png.*empty\.png"):
            check_scenes(scenes, DataOptions())

    def test_mixed_cell_sizes_need_a_target_grid(self, tmp_path: Path, write_image: WriteImage) -> None:
        scenes = [
            self.scene(write_image(tmp_path / f"{cell}.tif", np.zeros((7, 9), np.uint8), origin=(0, 0), cell=cell), None)
            for cell in (0.5, 2.0)
        ]
        check_scenes(scenes[:1], DataOptions())
        with pytest.raises(DataError, match="cell_size"):
            check_scenes(scenes, DataOptions())
        assert [fact.grid.cell_size for fact in check_scenes(scenes, DataOptions(cell_size=1))] == [(1, 1), (1, 1)]

    def test_mixed_types_are_fine_where_the_scaling_says_so(self, tmp_path: Path, write_image: WriteImage) -> None:
        scenes = [self.scene(write_image(tmp_path / f"{kind}.tif", np.zeros((7, 9), kind)), None) for kind in ("uint8", "uint16")]
        assert len(check_scenes(scenes, DataOptions(scaling="none"))) == 2
