"""Exact lists: what is written is what is taken."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from terrazzo.errors import ConflictError, SplitError
from terrazzo.samples.count import Counts
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.exact import check_list, list_text
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
HEAD = "scene,col_off,row_off,width,height,split\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_makes_the_same_split_again(make_samples: MakeSamples, tmp_path: Path) -> None:
    samples = make_samples({"s10": (60, 60), "s9, odd": (60, 60)}, overlap_px=5)
    done = assign_split(samples, SplitOptions(test=0.1, block_px=20))
    assert done.frame["split"].isna().any()
    path = write(tmp_path / "split.csv", list_text(done))
    assert path.read_text(encoding="utf-8").startswith(f'{HEAD}"s9, odd",0,0,10,10,')
    again = assign_split(samples, SplitOptions(by="given", list_file=path))
    assert again.frame.equals(done.frame)
    assert list_text(again) == list_text(done)


def test_windows_that_are_not_listed_are_in_no_part(make_samples: MakeSamples, tmp_path: Path) -> None:
    path = write(tmp_path / "split.csv", f"{HEAD}a,0,0,10,10,train\na,20,0,10,10,validation\na,30,0,10,10,\n")
    done = assign_split(make_samples({"a": (10, 50)}), SplitOptions(by="given", list_file=path))
    assert done.frame["split"].to_list() == ["train", None, "validation", None, None]


def test_pieces_come_back(make_samples: MakeSamples, tmp_path: Path) -> None:
    samples = make_samples({"a": (60, 60)}, overlap_px=5)

    def count(windows: object) -> dict[str, Counts]:
        assert isinstance(windows, dict)
        areas = np.array([[window.width * window.height, 0] for window in windows["a"]])
        return {"a": Counts(pixels=areas, objects=areas[:, 1])}

    done = assign_split(samples, SplitOptions(border="ignore", block_px=16), count)
    assert len(done) > len(samples)
    again = assign_split(samples, SplitOptions(list_file=write(tmp_path / "split.csv", list_text(done)), by="given"), count)
    assert list_text(again) == list_text(done)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scene,split\na,train\n", "lacks the columns col_off, row_off, width, height"),
        (f"{HEAD}a,0,0,10,x,train\n", r"row 2: a, 0, 0, 10, x, train\. A scene, four whole numbers"),
        (f"{HEAD}a,0,0,10,10,training\n", "row 2"),
        (f"{HEAD}a,0,0\n", "row 2"),
        (f"{HEAD}b,0,0,10,10,train\na,3,900,10,10,test\n", r"names 2 windows that the table does not have: b 0,0 10x10, a 3,900 10x10\."),
        ("\udcff", "cannot be read as a list of windows"),
    ],
)
def test_what_is_no_such_list_is_refused(make_samples: MakeSamples, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SplitError, match=says):
        assign_split(make_samples({"a": (10, 50)}), SplitOptions(by="given", list_file=path))


def test_a_missing_list_is_named(make_samples: MakeSamples, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"gone\.csv cannot be read"):
        assign_split(make_samples({"a": (10, 50)}), SplitOptions(by="given", list_file=tmp_path / "gone.csv"))


def test_only_lists_are_overwritten(tmp_path: Path) -> None:
    check_list(tmp_path / "new.csv")
    check_list(write(tmp_path / "old.csv", f"{HEAD}a,0,0,1,1,\n"))
    with pytest.raises(ConflictError, match="no list of a split: it is not overwritten"):
        check_list(write(tmp_path / "mine.csv", "a,b\n"))
    with pytest.raises(ConflictError):
        check_list(tmp_path)
