"""Tables of runs: what is read, what is refused, the labels they give, and tables written from masks."""

import csv
import os
import string
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import DataError, EnvironmentFault, LabelError, PairingError
from terrazzo.labels import run_rows
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.rle import decode, encode
from terrazzo.labels.run_cells import MOST_DIGITS, fault, read_cells
from terrazzo.labels.run_write import write_runs
from terrazzo.labels.runs import RunLabels, RunTable
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, whole

SHARED = Path(__file__).parents[3] / "shared" / "data"
RNG = np.random.default_rng(11)
SHAPE = (7, 5)

Table = Callable[..., Path]


def legend(*names: str, ignore: int | None = 255) -> Legend:
    classes = tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(names))
    return Legend(classes=classes, ignore=ignore)


SHIPS = legend("background", "ship")


def image(name: str = "a.png", shape: tuple[int, int] = SHAPE, folder: str = "images") -> LabelledImage:
    path = Path("/data") / folder / name
    return LabelledImage(name=path.stem, path=path, grid=Grid(shape=shape))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Write rows below a header to a CSV file."""

    def write(*rows: str, header: str = "ImageId,EncodedPixels", encoding: str = "utf-8", end: str = "\n") -> Path:
        path = tmp_path / "runs.csv"
        path.write_bytes(end.join([header, *rows, ""]).encode(encoding))
        return path

    return write


def mask_of(labels: Labels) -> NDArray[np.uint8]:
    return labels.read(whole(labels.shape))


class TestCells:
    def test_reads_many_at_once(self) -> None:
        cells = ["1 2 5 1", "", " 10\t3\n", "7 1 8 1"]
        found = read_cells(cells)
        assert found.counts.tolist() == [2, 0, 1, 2]
        assert (found.starts + 1).tolist() == [1, 5, 10, 7, 8]
        assert (found.ends - found.starts).tolist() == [2, 1, 3, 1, 1]
        assert not len(found.wrong)

    def test_no_cells_have_no_runs(self) -> None:
        assert not len(read_cells([]).starts)

    WRONG = (
        ("1 2 3", "odd (3)"),
        ("0 3", "starts at 0; tables count pixels from 1"),
        ("5 0", "length 0"),
        ("-5 3", "'-5' is no whole number"),
        ("5 1.5", "'1.5' is no whole number"),
        ("1 a", "'a' is no whole number"),
        ("1 \u0662", "is no whole number"),
        ("1 1234567890123456", "too large"),
        ("8 2 3 1", "start 3 comes after 8"),
        ("3 4 5 2", "at 5 overlaps the run before it, which ends with pixel 6"),
        ("3 1 3 1", "at 3 overlaps"),
        ("1 2\x1f3 4", "other characters"),
        ("<script>", "'<script>' is no whole number"),
    )

    @pytest.mark.parametrize(("cell", "reason"), WRONG)
    def test_wrong_cells_are_explained_and_leave_the_others_alone(self, cell: str, reason: str) -> None:
        found = read_cells(["4 2", cell, "9 9 20 1"])
        assert found.wrong.tolist() == [1]
        assert found.counts.tolist() == [1, 0, 2]
        assert found.starts.tolist() == [3, 8, 19]
        assert reason in fault(cell)

    @given(st.lists(st.text("0123456789 \t-.a", max_size=12), max_size=5))
    def test_agrees_with_a_plain_parser(self, cells: list[str]) -> None:
        found = read_cells(cells)
        plain = [plain_runs(cell) for cell in cells]
        assert found.wrong.tolist() == [place for place, runs in enumerate(plain) if runs is None]
        assert found.counts.tolist() == [len(runs or []) for runs in plain]
        assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == [run for runs in plain for run in runs or []]
        assert all(fault(cells[place]) for place in found.wrong.tolist())


@contextmanager
def refusal_of(name: str) -> Iterator[None]:
    """The block succeeds, or fails with a sentence that names the file."""
    message = name
    try:
        yield
    except DataError as error:
        message = str(error)
    assert name in message


def plain_runs(cell: str) -> list[tuple[int, int]] | None:
    """The runs of a cell, from 0, as a person would read them; None if it is wrong."""
    words = cell.split()
    if len(words) % 2 or not all(word.isdecimal() and len(word) <= MOST_DIGITS for word in words):
        return None
    pairs = [(int(start) - 1, int(start) - 1 + int(length)) for start, length in zip(words[::2], words[1::2], strict=True)]
    in_order = all(one[1] <= two[0] for one, two in pairwise(pairs))
    return pairs if in_order and all(0 <= start < end for start, end in pairs) else None


class TestLoad:
    def test_a_table_of_kaggle(self, table: Table) -> None:
        found = RunTable.load(table("a.png,1 2", "b.png,", "a.png,9 3 12 1", "c.png,nan"))
        assert found.names == ("a.png", "b.png", "c.png")
        assert found.object_count == 2
        assert found.class_keys() == {}

    @pytest.mark.parametrize(
        ("header", "row"),
        [
            ("imageid,encodedpixels", "a.png,1 2"),
            ("image_id,rle", "a.png,1 2"),
            ("ID; Encoding", "a.png;1 2"),
            ("EncodedPixels\tfile name", "1 2\ta.png"),
            (",Unnamed: 0,ImageId,EncodedPixels,number_of_ships", "3,4,a.png,1 2,1"),
            ('"ImageId","EncodedPixels"', '"a.png","1 2"'),
            ("\ufeffImageId,EncodedPixels", "a.png,1 2"),
            ("ImageId,EncodedPixels", "a.png,1 2,,"),
        ],
    )
    def test_headers_and_separators(self, table: Table, header: str, row: str) -> None:
        found = RunTable.load(table(row, header=header))
        assert found.names == ("a.png",)
        assert np.array_equal(mask_of(RunLabels(image(), found, SHIPS)), decode(np.array([1]), np.array([2]), SHAPE))

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends(self, table: Table, end: str) -> None:
        assert RunTable.load(table("a.png,1 2", "b.png,", end=end)).names == ("a.png", "b.png")

    def test_classes_by_number_or_name_with_their_objects(self, table: Table) -> None:
        rows = ("a.png,1 2,3", "a.png,5 1,1", "b.png,,4", "b.png,1 1,3.0")
        assert RunTable.load(table(*rows, header="ImageId,EncodedPixels,ClassId")).class_keys() == {3: 2, 1: 1}
        named = ("a.png,wood land,5 1", "b.png,water,", "c.png,,")
        assert RunTable.load(table(*named, header="ImageId,class,rle")).class_keys() == {"wood land": 1}

    def test_image_and_class_in_one_column(self, table: Table) -> None:
        found = RunTable.load(table("a_1.png_1,", "a_1.png_4,1 3", header="ImageId_ClassId,EncodedPixels"))
        assert found.names == ("a_1.png",)
        assert found.class_keys() == {4: 1}

    def test_reads_in_batches(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        path = table(*(f"{name}.png,{1 + name} 2 30 {name + 1}" for name in range(9)))
        expected = RunTable.load(path)
        monkeypatch.setattr(run_rows, "BATCH", 10)
        found = RunTable.load(path)
        for field in ("lines", "image", "key", "offsets", "starts", "ends"):
            assert np.array_equal(getattr(found.rows, field), getattr(expected.rows, field))


class TestBadRows:
    """Torture row 23: every bad row is told by its line."""

    def refuse(self, path: Path) -> str:
        with pytest.raises(LabelError) as caught:
            RunTable.load(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize(("cell", "reason"), TestCells.WRONG)
    def test_one_bad_row(self, table: Table, cell: str, reason: str) -> None:
        message = self.refuse(table("a.png,1 2", f'b.png,"{cell}"'))
        assert "line 3: b.png: " in message
        assert reason in message
        assert "\n" not in message

    def test_all_bad_rows_are_listed(self, table: Table) -> None:
        message = self.refuse(table("a.png,1 2 3", "b.png,1 2", "c.png,0 1", "d.png", ",4 2", "b.png,2 2"))
        assert "5 of 6 rows cannot be used" in message
        for part in ("line 2: a.png: ", "line 4: c.png: ", "line 5: it has 1 value", "line 6: it names no image", "line 7: b.png: "):
            assert part in message

    def test_no_more_than_twenty_are_listed_in_order(self, table: Table) -> None:
        message = self.refuse(table(*(f"{number}.png,0 1" for number in range(3000))))
        assert message.count("starts at 0") == 20
        assert "line 2: " in message
        assert "line 21: " in message
        assert "and 2980 more" in message

    def test_lines_are_those_of_an_editor(self, table: Table) -> None:
        message = self.refuse(table("", '"two\nlines.png",1 2', "", "b.png,1"))
        assert "line 6: b.png" in message

    def test_rows_of_one_image_that_share_pixels(self, table: Table) -> None:
        message = self.refuse(table("a.png,10 5", "b.png,10 5", "a.png,1 3 14 2", "a.png,20 1", "b.png,15 1"))
        assert "line 4: a.png: it shares pixels with line 2" in message
        assert "\n" not in message
        message = self.refuse(table("a.png,5 5", "a.png,5 5", "a.png,30 2", "a.png,1 31"))
        assert "line 3: a.png: it shares pixels with line 2" in message
        assert "line 5: a.png: it shares pixels with line" in message

    def test_rows_outside_the_image(self, table: Table) -> None:
        found = RunTable.load(table("a.png,35 1", "a.png,30 1 36 1", "b.png,999 1", "a.png,40 5"))
        with pytest.raises(LabelError) as caught:
            RunLabels(image(), found, SHIPS)
        for part in ("line 3: a run reaches pixel 36", "line 5: a run reaches pixel 44", "7 x 5 = 35 pixels", "2 of 3 rows", "runs.csv"):
            assert part in str(caught.value)

    def test_a_class_is_missing(self, table: Table) -> None:
        message = self.refuse(table("a.png,1 2,", header="ImageId,EncodedPixels,ClassId"))
        assert "line 2: it names no class" in message

    @pytest.mark.parametrize("header", ["", "a,b", "ImageId", "EncodedPixels", "\x89PNG\r\n\x1a\n", "x" * 5000])
    def test_other_files(self, table: Table, header: str) -> None:
        message = self.refuse(table("a.png,1 2", header=header))
        assert "ImageId and EncodedPixels" in message
        assert len(message) < 500

    def test_a_folder_and_a_missing_file(self, tmp_path: Path) -> None:
        assert "cannot be read" in self.refuse(tmp_path)
        assert "cannot be read" in self.refuse(tmp_path / "gone.csv")

    def test_a_missing_quotation_mark_names_its_line(self, table: Table) -> None:
        assert "line 3" in self.refuse(table("a.png,1 2", '"b.png,1 2', *["c.png,1 2"] * 50))
        assert "line 2" in self.refuse(table('"a"x.png,1 2'))

    @pytest.mark.parametrize("row", ["a.png," + "1 1 " * 10_000, '"' + "a\n" * 20_000 + '",1 2', "x" * 40_000])
    def test_endless_lines_and_cells(self, table: Table, monkeypatch: pytest.MonkeyPatch, row: str) -> None:
        monkeypatch.setattr(run_rows, "LONGEST", 10_000)
        before = csv.field_size_limit(10_000)
        try:
            assert "line 2" in self.refuse(table(row))
        finally:
            assert csv.field_size_limit(before) == 10_000

    def test_a_bomb_takes_little_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.csv"
        with path.open("wb") as file:
            file.write(b"ImageId,EncodedPixels\na.png,")
            file.truncate(200 * 2**20)
        tracemalloc.start()
        message = self.refuse(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "longer than" in message
        assert peak < 300 * 2**20

    def test_long_cells_are_fine(self, table: Table) -> None:
        limit = csv.field_size_limit()
        cell = " ".join(f"{start} 1" for start in range(1, 100_000, 2))
        found = RunTable.load(table(f'a.png,"{cell}"'))
        assert len(found.rows.starts) == 50_000
        assert csv.field_size_limit() == limit


class TestNames:
    """Torture row 11: an image's row is found by its exact name, never by a part of it."""

    def find(self, table: Table, names: list[str], wanted: LabelledImage) -> str | None:
        return RunTable.load(table(*(f'"{name}",1 1' for name in names))).find(wanted)

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            (["b.png", "a.png"], "a.png"),
            (["a"], "a"),
            (["a.jpg"], "a.jpg"),
            (["a.jpg", "a.png"], "a.png"),
            (["images/a.png", "other/a.png"], "images/a.png"),
            (["images/a", "other/a"], "images/a"),
            (["a.png", "images/a.png"], "images/a.png"),
            (["images\\a.jpg"], "images\\a.jpg"),
            (["ba.png", "a.png.png", "A.png", "a.1", "aa"], None),
            (["../a.png", "other/a.png"], None),
            ([], None),
        ],
    )
    def test_by_name_then_without_extension(self, table: Table, names: list[str], found: str | None) -> None:
        assert self.find(table, names, image("a.png")) == found

    def test_dots_in_names(self, table: Table) -> None:
        assert self.find(table, ["scene.1", "scene.2.tif"], image("scene.1.tif")) == "scene.1"
        assert self.find(table, ["scene.1", "scene.2.tif"], image("scene.tif")) is None

    def test_the_name_within_the_set(self, table: Table) -> None:
        deep = LabelledImage(name="train/x", path=Path("/data/train/images/x.fits"), grid=Grid(shape=SHAPE))
        assert self.find(table, ["x.fits", "train/x.fits"], deep) == "train/x.fits"
        assert self.find(table, ["val/x", "train/x"], deep) == "train/x"

    def test_several_that_could_be_meant_are_named(self, table: Table) -> None:
        with pytest.raises(PairingError, match=r"a\.tif could be: a\.png, a\.jpg"):
            self.find(table, ["a.png", "a.jpg"], image("a.tif"))

    def test_an_image_without_row_is_told(self, table: Table) -> None:
        found = RunTable.load(table("a.png,"))
        with pytest.raises(LabelError, match=r"runs\.csv has no row of c\.png"):
            RunLabels(image("c.png"), found, SHIPS)

    @pytest.mark.parametrize("name", ["a b.png", " a.png", "a,b.png", 'a"b.png', "a\nb.png", "a\r\nb.png", "..", "\u202eb.png", "n" * 251])
    def test_any_name_comes_back(self, tmp_path: Path, name: str) -> None:
        assert_round_trip(tmp_path, name)


class TestLabels:
    def test_touching_objects_stay_two(self, table: Table) -> None:
        """Parity S2: the rows are the objects, though their pixels touch."""
        found = RunTable.load(table("a.png,8 7", "b.png,", "a.png,", "a.png,1 7", "a.png,30 2"))
        labels = RunLabels(image(), found, SHIPS)
        expected = np.zeros(SHAPE, np.uint32)
        expected[:, 1], expected[:, 0], expected[1:3, 4] = 1, 2, 3
        assert labels.has_instances
        assert np.array_equal(labels.instances(whole(SHAPE)), expected)
        assert np.array_equal(mask_of(labels), expected > 0)
        assert cv2.connectedComponents(mask_of(labels), connectivity=8)[0] - 1 == 2

    def test_windows_reach_beyond_the_image(self, table: Table) -> None:
        mask = RNG.random(SHAPE) < 0.4
        labels = RunLabels(image(), RunTable.load(table(f"a.png,{encode(mask)}")), SHIPS)
        padded, numbers = np.pad(mask.astype(np.uint8), 20, constant_values=255), np.pad(mask.astype(np.uint32), 20)
        for row_off, col_off, height, width in [(-3, -2, 20, 20), (2, 1, 3, 3), (0, 0, 7, 5), (5, -4, 9, 5), (-8, 0, 8, 5), (7, 0, 1, 1)]:
            window = Window(col_off=col_off, row_off=row_off, width=width, height=height)
            place = np.s_[row_off + 20 : row_off + 20 + height, col_off + 20 : col_off + 20 + width]
            assert np.array_equal(labels.read(window), padded[place])
            assert np.array_equal(labels.instances(window), numbers[place])
            assert labels.read(window).dtype == np.uint8

    def test_blank_images_are_background(self, table: Table) -> None:
        labels = RunLabels(image(), RunTable.load(table("a.png,")), SHIPS)
        assert not mask_of(labels).any()
        assert not labels.instances(whole(SHAPE)).any()

    def test_classes_go_by_the_legend(self, table: Table) -> None:
        path = table("a.png,1 7,crack", "a.png,8 7,2", "a.png,15 7,255", header="ImageId,EncodedPixels,ClassId")
        labels = RunLabels(image(), RunTable.load(path), legend("whole", "Crack", "hole"))
        assert mask_of(labels)[0].tolist() == [1, 2, 255, 0, 0]
        assert labels.instances(whole(SHAPE))[0].tolist() == [1, 2, 0, 0, 0]

    def test_an_object_of_the_background_is_none(self, table: Table) -> None:
        path = table("a.png,1 7,0", "a.png,8 7,1", header="ImageId,EncodedPixels,ClassId")
        assert RunLabels(image(), RunTable.load(path), SHIPS).instances(whole(SHAPE))[0].tolist() == [0, 2, 0, 0, 0]

    def test_the_background_may_be_another_class(self, table: Table) -> None:
        classes = (LegendClass(value=1, name="ship", color=(0, 0, 0)), LegendClass(value=0, name="sea", color=(0, 0, 9)))
        labels = RunLabels(image(), RunTable.load(table("a.png,1 7")), Legend(classes=classes))
        assert mask_of(labels)[0].tolist() == [0, 1, 1, 1, 1]

    def test_classes_that_the_legend_lacks(self, table: Table) -> None:
        path = table("a.png,1 7,5", header="ImageId,EncodedPixels,ClassId")
        with pytest.raises(LabelError, match=r"class 5.0, which the legend lacks; it has background, ship"):
            RunLabels(image(), RunTable.load(path), SHIPS)
        path = table(f"a.png,1 7,{'9' * 30}", header="ImageId,EncodedPixels,ClassId")
        with pytest.raises(LabelError, match=r"class '9{30}', which the legend lacks"):
            RunLabels(image(), RunTable.load(path), SHIPS)
        with pytest.raises(LabelError, match=r"tells no classes apart, but the legend has 3: a, b, c"):
            RunLabels(image(), RunTable.load(table("a.png,1 7")), legend("a", "b", "c"))

    def test_threads_share_one_table(self, table: Table) -> None:
        masks = {f"{number}.png": RNG.random((40, 30)) < 0.3 for number in range(12)}
        found = RunTable.load(table(*(f"{name},{encode(mask)}" for name, mask in masks.items())))
        barrier = threading.Barrier(4)

        def read(thread: int) -> bool:
            barrier.wait()
            return all(np.array_equal(mask_of(RunLabels(image(name, (40, 30)), found, SHIPS)), mask) for name, mask in masks.items())

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(4)))


class TestWrite:
    def test_masks_become_rows(self, tmp_path: Path) -> None:
        """Parity S1: a row an object, 8-connected where only a mask is known; a blank row where there is none."""
        mask = np.zeros(SHAPE, np.bool_)
        mask[0, 0] = mask[1, 1] = mask[5:, 3] = True
        numbers = np.where(mask, np.arange(35).reshape(SHAPE) + 1, 0)
        path = tmp_path / "new" / "submission.csv"
        assert write_runs(path, iter([("a.png", mask), ("none.png", np.zeros(SHAPE, np.bool_)), ("n.png", numbers)])) == 6
        rows = ["a.png,1 1 9 1", "a.png,27 2", "none.png,", "n.png,1 1", "n.png,9 1", "n.png,27 1", "n.png,28 1"]
        assert path.read_text() == "\n".join(["ImageId,EncodedPixels", *rows, ""])

    def test_instances_come_back(self, tmp_path: Path) -> None:
        numbers = RNG.integers(0, 6, SHAPE).astype(np.uint16)
        write_runs(tmp_path / "t.csv", [("a.png", numbers)])
        labels = RunLabels(image(), RunTable.load(tmp_path / "t.csv"), SHIPS)
        assert np.array_equal(labels.instances(whole(SHAPE)), numbers)

    @pytest.mark.parametrize("name", ["=cmd()|'/C calc'!A0.png", "+1.png", "-1.png", "@SUM(A1).png", "\t=1.png", "=1,2"])
    def test_names_like_formulas_are_quoted_and_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
        """Torture row 32: the name is exact for every reader of CSV, and a warning says what a spreadsheet may do with it."""
        caplog.set_level("WARNING")
        assert_round_trip(tmp_path, name)
        assert f'\n"{name}",' in (tmp_path / "t.csv").read_text()
        assert "formulas" in caplog.text

    @pytest.mark.parametrize(
        "name", ["a\nb.png", "\N{SAILBOAT}\ufe0f.png", "\u202egnp.exe", "..", os.fsdecode(b"\xff\xfe.png"), " ", "\ud800"]
    )
    def test_strange_names_come_back_or_are_refused(self, tmp_path: Path, name: str) -> None:
        """Torture row 33."""
        if name in (" ", "\ud800"):
            with pytest.raises(LabelError, match="cannot hold"):
                assert_round_trip(tmp_path, name)
            assert not list(tmp_path.iterdir())
        else:
            assert_round_trip(tmp_path, name)

    @given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_any_text_comes_back(self, tmp_path: Path, name: str) -> None:
        assert_round_trip(tmp_path, name)

    def test_a_failure_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("old")

        def items() -> Iterator[tuple[str, NDArray[np.bool_]]]:
            yield "a.png", np.ones(SHAPE, np.bool_)
            raise LabelError("no more")

        with pytest.raises(LabelError, match="no more"):
            write_runs(path, items())
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_folder_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(EnvironmentFault, match="cannot be written"):
            write_runs(tmp_path / "file" / "t.csv", [])


def assert_round_trip(folder: Path, name: str) -> None:
    """A name comes back from our own reader, and from that of pandas where that knows such names."""
    path = folder / "t.csv"
    write_runs(path, [(name, np.ones((2, 2), np.bool_))])
    found = RunTable.load(path)
    assert found.names == (name,)
    assert found.rows.ends.tolist() == [4]
    if "\0" not in name and "\udcff" not in name:
        assert pd.read_csv(path, keep_default_na=False, dtype=str)["ImageId"].tolist() == [name]


class TestFuzz:
    SOUND = b'ImageId,EncodedPixels,ClassId\na.png,1 2 9 3,1\n"b,b.png",,2\n"c\nc.png",4 1,ship\r\na.png,12 1,1\n'

    @given(st.data())
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_damaged_tables_give_labels_or_a_sentence(self, tmp_path: Path, data: st.DataObject) -> None:
        text = bytearray(self.SOUND)
        for _ in range(data.draw(st.integers(1, 6))):
            place = data.draw(st.integers(0, len(text) - 1))
            change = data.draw(st.sampled_from(["set", "cut", "repeat", "insert"]))
            if change == "set":
                text[place] = data.draw(st.integers(0, 255))
            elif change == "cut":
                del text[place : place + data.draw(st.integers(1, 8))]
            elif change == "repeat":
                text[place:place] = text[place : place + data.draw(st.integers(1, 40))]
            else:
                text[place:place] = data.draw(st.sampled_from([b'"', b"\n", b",", b"\0", b"0 ", b"9" * 30, b"\xff", b" 5 1", b";"]))
            text = text or bytearray(b"\0")
        path = tmp_path / "fuzz.csv"
        path.write_bytes(bytes(text))
        with refusal_of("fuzz.csv"):
            found = RunTable.load(path)
            for name in found.names:
                labels = RunLabels(image(Path(name).name or "a.png"), found, legend("sea", "ship", "land", "rock"))
                assert mask_of(labels).shape == SHAPE

    @given(st.binary(max_size=200))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_bytes(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "fuzz.csv"
        for start in (b"", b"ImageId,rle\n"):
            path.write_bytes(start + data)
            with refusal_of("fuzz.csv"):
                RunTable.load(path)

    @given(cell=st.text(string.digits + " ", max_size=30))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_digits(self, tmp_path: Path, cell: str) -> None:
        path = tmp_path / "fuzz.csv"
        path.write_text(f"id,rle\na.png,{cell}\n")
        expected = plain_runs(cell)
        try:
            found: Any = RunTable.load(path)
        except LabelError:
            found = None
        assert (found is None) == (expected is None)


@pytest.mark.skipif(not (SHARED / "airbus_ships").is_dir(), reason="the data set airbus_ships is not beside the project (../shared/data)")
class TestAirbus:
    """The masks of this data set were decoded as if tables counted from 0."""

    def test_one_ship_images_lie_one_pixel_on(self) -> None:
        folder = SHARED / "airbus_ships"
        rows = pd.read_csv(folder / "first_ship_rle.csv")
        names = rows["ImageId"][rows["number_of_ships"] == 1].tolist()
        found = RunTable.load(folder / "first_ship_rle.csv")
        assert len(names) == 8
        for name in names:
            with Image.open(folder / "masks" / f"{Path(name).stem}_train_mask.jpg") as file:
                theirs = np.asarray(file) > 127
            mask = mask_of(RunLabels(image(name, theirs.shape), found, SHIPS)) == 1
            assert not np.array_equal(mask, theirs)
            assert np.array_equal(np.roll(mask.T.ravel(), 1), theirs.T.ravel())
            assert encode(mask) == rows["EncodedPixels"][rows["ImageId"] == name].item()

    def test_all_images_without_ship_are_blank(self) -> None:
        found = RunTable.load(SHARED / "airbus_ships" / "first_ship_rle.csv")
        assert len(found.names) == 128
        assert 0 < found.object_count < 128
