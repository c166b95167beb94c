"""One error for all bad files, and lists of names in messages."""

import pytest

from terrazzo.errors import DataError, LabelError, RasterError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted, listed, number


def test_nothing_kept_is_nothing_raised() -> None:
    failures = Failures()
    with failures.collect():
        pass
    failures.check(3, "masks")


def test_one_error_is_raised_as_it_is() -> None:
    failures = Failures()
    with failures.collect():
        raise LabelError("a.png is odd")
    with pytest.raises(LabelError, match=r"^a\.png is odd$"):
        failures.check(3, "masks")


def test_several_keep_their_class_if_they_share_one() -> None:
    failures = Failures()
    for name in range(30):
        failures.add(RasterError(f"{name}.png is broken"))
    with pytest.raises(RasterError, match=r"30 of 40 masks") as caught:
        failures.check(40, "masks")
    assert "19.png" in str(caught.value)
    assert "20.png" not in str(caught.value)
    assert "10 more" in str(caught.value)


def test_what_is_wrong_with_a_file_that_all_share_is_said_once() -> None:
    failures = Failures()
    for text in ["coco.json lacks a class"] * 3 + ["b.png is broken"]:
        failures.add(LabelError(text))
    with pytest.raises(LabelError) as caught:
        failures.check(5, "images")
    assert str(caught.value) == "4 of 5 images cannot be used:\n  coco.json lacks a class\n  b.png is broken"


def test_mixed_errors_are_data_errors_and_others_pass_through() -> None:
    failures = Failures()
    failures.add(RasterError("a"))
    failures.add(LabelError("b"))
    with pytest.raises(DataError) as caught:
        failures.check(2, "masks")
    assert type(caught.value) is DataError
    with pytest.raises(KeyError), failures.collect():
        raise KeyError("not ours")


def test_lists_are_cut_and_control_characters_escaped() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed("abcdefg", 3) == "a, b, c and 4 more"
    assert "\n" not in listed(["two\nlines"])
    assert (counted(1, "class", "classes"), counted(2, "class", "classes"), counted(0, "mask")) == ("1 class", "2 classes", "0 masks")
    assert (number(255.0), number(0.25), number(-1)) == ("255", "0.25", "-1")
