import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS

from terrazzo.errors import EnvironmentFault, RasterError, WindowError
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.write import (
    LEGEND_TAG,
    NODATA,
    MapStyle,
    MapWriter,
    check_writable,
    sweep,
    write_bytes,
    write_csv,
    write_text,
    writing,
    writing_bands,
)

STYLE = MapStyle(colors={0: (10, 20, 30), 1: (250, 0, 0), 2: (0, 0, 255)}, legend_json='{"name": "é <script> \\" = 中"}')
PLACE = Grid(shape=(700, 530), crs=CRS.from_epsg(32616), transform=Affine(2, 1, 100, 1, -2, 900))


def classes(shape: tuple[int, int]) -> NDArray[np.uint8]:
    values = np.random.default_rng(0).integers(0, 3, shape, np.uint8)
    values[: shape[0] // 3] = NODATA
    return values


def write_map(path: Path, values: NDArray[np.uint8]) -> None:
    with MapWriter(path, Grid(shape=(37, 51)), STYLE) as writer:
        writer.write(values)


def write_and_fail(path: Path, failure: BaseException) -> None:
    with writing(path) as temporary:
        temporary.write_text("half")
        raise failure


class TestWriting:
    def test_the_file_appears_whole_and_folders_are_made(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "x.txt"
        with writing(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            temporary.write_text("half")
            assert not path.exists()
            temporary.write_text("whole")
        assert path.read_text() == "whole"
        assert list(path.parent.iterdir()) == [path]

    def test_a_failure_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "x.txt"
        path.write_text("before")
        with pytest.raises(KeyboardInterrupt):
            write_and_fail(path, KeyboardInterrupt())
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_errors_of_the_system_become_ours(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(EnvironmentFault, match="cannot be written"):
            write_text(tmp_path / "file" / "x.txt", "text")
        with pytest.raises(EnvironmentFault, match="No space left"):
            write_and_fail(tmp_path / "x.txt", OSError(28, os.strerror(28)))
        assert list(tmp_path.iterdir()) == [tmp_path / "file"]

    def test_our_errors_stay_what_they_are(self, tmp_path: Path) -> None:
        with pytest.raises(RasterError, match="broken"):
            write_and_fail(tmp_path / "x.txt", RasterError("broken"))

    def test_text_is_utf8_and_keeps_its_line_ends(self, tmp_path: Path) -> None:
        write_text(tmp_path / "x.txt", "é\n\udcff")
        assert (tmp_path / "x.txt").read_bytes() == b"\xc3\xa9\n\\udcff"
        write_bytes(tmp_path / "x.bin", b"\r\n")
        assert (tmp_path / "x.bin").read_bytes() == b"\r\n"

    @pytest.mark.parametrize("name", ["n" * 251 + ".txt", "\N{GRINNING FACE}" * 60, "..x", "line\nbreak.txt", ".hidden"])
    def test_odd_names(self, tmp_path: Path, name: str) -> None:
        write_text(tmp_path / name, "x")
        assert [path.name for path in tmp_path.iterdir()] == [name]


class TestCheckWritable:
    def test_a_missing_folder_is_made_and_left_empty(self, tmp_path: Path) -> None:
        check_writable(tmp_path / "a" / "b")
        assert list((tmp_path / "a" / "b").iterdir()) == []

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for folder in (tmp_path / "file", tmp_path / "file" / "sub"):
            with pytest.raises(EnvironmentFault, match=str(folder)):
                check_writable(folder)

    def test_a_folder_that_cannot_be_written(self) -> None:
        if not Path("/proc/self").is_dir():
            pytest.skip("this system has no /proc, where nobody can make files")
        with pytest.raises(EnvironmentFault, match="/proc"):
            check_writable(Path("/proc/terrazzo"))


class TestMapWriter:
    def test_a_map_reads_back_with_place_legend_and_colours(self, tmp_path: Path) -> None:
        path = tmp_path / "map.tif"
        values = classes(PLACE.shape)
        with MapWriter(path, PLACE, STYLE) as writer:
            for top in range(0, 700, 123):
                writer.write(values[top : top + 123])
            assert not path.exists()
        assert list(tmp_path.iterdir()) == [path]
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read(1), values)
            assert (dataset.crs, dataset.transform, dataset.nodata) == (PLACE.crs, PLACE.transform, 255)
            assert dataset.tags()[LEGEND_TAG] == STYLE.legend_json
            assert dataset.block_shapes == [(512, 512)]
            assert dataset.colormap(1)[2] == (0, 0, 255, 255)
        raster = open_raster(path)
        np.testing.assert_array_equal(raster.read().valid, values != NODATA)
        assert raster.grid == PLACE
        assert raster.tags[LEGEND_TAG] == STYLE.legend_json

    def test_a_palette_png_holds_the_class_values(self, tmp_path: Path) -> None:
        path = tmp_path / "map.png"
        values = classes((37, 51))
        with MapWriter(path, Grid(shape=(37, 51)), STYLE) as writer:
            writer.write(values[:10])
            writer.write(values[10:])
        with Image.open(path) as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), values)
            assert image.info["terrazzo_legend"] == STYLE.legend_json
        raster = open_raster(path)
        np.testing.assert_array_equal(raster.read().values[0], values)
        assert raster.palette is not None
        assert raster.palette[1] == (250, 0, 0)
        assert raster.tags[LEGEND_TAG] == STYLE.legend_json
        assert list(tmp_path.iterdir()) == [path]

    def test_no_place_is_written_where_there_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "map.tif"
        with MapWriter(path, Grid(shape=(3, 4)), STYLE) as writer:
            writer.write(classes((3, 4)))
        assert open_raster(path).grid == Grid(shape=(3, 4))

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(cuts=st.lists(st.integers(0, 600), max_size=6), suffix=st.sampled_from([".tif", ".png"]))
    def test_rows_may_come_in_blocks_of_any_height(self, tmp_path: Path, cuts: list[int], suffix: str) -> None:
        values = classes((600, 9))
        edges = [0, *sorted(cuts), 600]
        path = tmp_path / f"map{suffix}"
        with MapWriter(path, Grid(shape=(600, 9)), STYLE) as writer:
            for top, bottom in pairwise(edges):
                writer.write(values[top:bottom])
        np.testing.assert_array_equal(open_raster(path).read().values[0], values)

    @pytest.mark.parametrize("suffix", [".tif", ".png"])
    def test_missing_rows_leave_nothing(self, tmp_path: Path, suffix: str) -> None:
        with (
            pytest.raises(WindowError, match="got 10 of its 37 rows"),
            MapWriter(tmp_path / f"m{suffix}", Grid(shape=(37, 51)), STYLE) as writer,
        ):
            writer.write(classes((10, 51)))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("rows", [np.zeros((38, 51), np.uint8), np.zeros((3, 50), np.uint8), np.zeros((3, 51), np.int64)])
    def test_rows_that_do_not_fit_leave_nothing(self, tmp_path: Path, rows: NDArray[np.uint8]) -> None:
        with pytest.raises(WindowError, match="do not fit"):
            write_map(tmp_path / "m.tif", rows)
        assert list(tmp_path.iterdir()) == []

    def test_a_failure_keeps_the_map_that_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "map.tif"
        path.write_bytes(b"before")

        def interrupted() -> None:
            with MapWriter(path, Grid(shape=(37, 51)), STYLE) as writer:
                writer.write(classes((37, 51)))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert path.read_bytes() == b"before"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_png_that_the_disk_swallowed_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def save_another(self: Image.Image, path: Path, **options: Any) -> None:
            save(Image.new("P", self.size), path, **options)

        save = Image.Image.save
        monkeypatch.setattr(Image.Image, "save", save_another)
        with pytest.raises(EnvironmentFault, match="does not read back"):
            write_map(tmp_path / "m.png", classes((37, 51)))
        assert list(tmp_path.iterdir()) == []


class TestBands:
    def test_read_back_with_their_names_and_scale(self, tmp_path: Path) -> None:
        path = tmp_path / "probabilities.tif"
        values = np.random.default_rng(0).integers(0, 65536, (4, 300, 270), np.uint16)
        grid = Grid(shape=(300, 270), crs=PLACE.crs, transform=PLACE.transform)
        layout = TiffLayout(dtype=values.dtype, band_names=("background", "é", "=cmd()", "<b>"), scale=1 / 65535)
        with writing_bands(path, grid, layout) as rows:
            for top in range(0, 300, 77):
                rows.add(values[:, top : top + 77])
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read(), values)
            assert dataset.descriptions == ("background", "é", "=cmd()", "<b>")
            assert dataset.scales == pytest.approx((1 / 65535,) * 4)
            assert dataset.transform == PLACE.transform
        raster = open_raster(path)
        # four bands are no colours with alpha
        assert raster.bands == 4
        assert raster.band_names == ("background", "é", "=cmd()", "<b>")
        assert raster.read().valid.all()

    def test_a_band_too_few(self, tmp_path: Path) -> None:
        layout = TiffLayout(dtype=np.dtype(np.uint16), band_names=("a", "b"))
        with pytest.raises(WindowError, match="2 bands"), writing_bands(tmp_path / "p.tif", Grid(shape=(5, 6)), layout) as rows:
            rows.add(np.zeros((1, 5, 6), np.uint16))
        assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.write import MapStyle, MapWriter, writing_bands
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
shape = (600, 600)
path = Path(sys.argv[1])
rng = np.random.default_rng(0)
if "map" in path.name:
    file = MapWriter(path, Grid(shape=shape), MapStyle(colors={0: (0, 0, 0)}, legend_json="{}"))
    values = rng.integers(0, 255, shape, np.uint8)
else:
    file = writing_bands(path, Grid(shape=shape), TiffLayout(dtype=np.dtype(np.uint16), band_names=("a",)))
    values = rng.integers(0, 65536, (1, *shape), np.uint16)
try:
    with file as rows:
        (rows.write if "map" in path.name else rows.add)(values)
except EnvironmentFault as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes cannot be limited there")
@pytest.mark.parametrize("name", ["map.tif", "map.png", "probabilities.tif"])
def test_a_disk_that_is_full_leaves_no_half_file(tmp_path: Path, name: str) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_table_holds_what_was_given_exactly(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [("name", "value"), ('a "b", c', 0.1 + 0.2), ("é", None), ("", 3)])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == '"name","value"\n"a ""b"", c",0.30000000000000004\n"é",""\n"",3\n'


def test_sweep_takes_what_is_half_written_alone(tmp_path: Path) -> None:
    sweep(tmp_path / "missing")
    left = [".last-0123abcd.safetensors", ".a-0123abcd", ".writable-00000000", ".tmpa1B2c3", ".a.b-c-0123abcd.tif"]
    others = ["last-0123abcd.safetensors", ".a-0123abc.tif", ".DS_Store", ".tmp", ".a-0123abcd.part.json"]
    for name in (*left, *others):
        (tmp_path / name).touch()
    (tmp_path / ".folder-0123abcd").mkdir()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, ".folder-0123abcd"])


def test_sweep_knows_what_a_killed_writer_leaves(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from terrazzo.rasters.write import writing\n"
    script += "with writing(Path(sys.argv[1])) as path: path.touch(); os._exit(9)"
    subprocess.run([sys.executable, "-c", script, tmp_path / "map.tif"], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".tif"]
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
