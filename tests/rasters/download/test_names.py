"""Names of servers and archives: always under their folder, or refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import DataError
from terrazzo.rasters.download.names import LONGEST_BYTES, find_clashes, is_inside, place_under, short_name


@pytest.mark.parametrize(
    "name", ["a.tif", "a/b/c.tif", "\u00fc \u2603.tif", "new\nline.tif", "-rf", "\u202egnp.tif", "a\\b.tif", "C:x", "..a/b..", "x" * 255]
)
def test_names_come_back_letter_for_letter(name: str, tmp_path: Path) -> None:
    place = place_under(tmp_path, name, "it")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x")
    assert str(place.relative_to(tmp_path)) == name
    assert place.read_bytes() == b"x"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "",
        "zero\0byte",
        "x" * 256,
        "\u00fc" * 128,
        "a/" + "y" * 300,
        "\ud800",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"^its archive: .* cannot be the name of a file under out: "):
        place_under(Path("out"), name, "its archive")


@given(st.text(alphabet=st.sampled_from("ab./\\~\0\n\u00fc:"), max_size=12))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/data/out")
    try:
        place = place_under(folder, name, "it")
    except DataError:
        return
    assert Path(os.path.normpath(place)).is_relative_to(folder)
    assert os.path.normpath(place) == str(place)
    assert str(place) != str(folder)


def test_clashes() -> None:
    places = [Path("/o/a"), Path("/o/b/c"), Path("/o/a"), Path("/o/b")]
    assert find_clashes(places) == ["/o/a would be written from several sources", "/o/b would be a file and a folder"]
    assert not find_clashes([Path("/o/a"), Path("/o/A"), Path("/o/b/a")])


def test_links_that_lead_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "inner").symlink_to(tmp_path / "out")
    assert not is_inside(tmp_path / "out" / "link" / "a", tmp_path / "out")
    assert is_inside(tmp_path / "out" / "inner" / "a", tmp_path / "out")
    assert is_inside(tmp_path / "out" / "new" / "a", tmp_path / "out")


@given(
    st.text(min_size=1, max_size=255).filter(
        lambda name: "/" not in name and "\0" not in name and len(name.encode(errors="replace")) <= 255
    )
)
def test_short_names_are_short_hidden_and_the_same_each_time(name: str) -> None:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return
    place = short_name(Path("/o") / name, ".part.json")
    assert place.parent == (Path("/o") / name).parent
    assert place.name.startswith(".")
    assert len(os.fsencode(place.name)) <= LONGEST_BYTES
    assert place == short_name(Path("/o") / name, ".part.json")
