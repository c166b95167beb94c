"""The catalogue: entries that users add, by name."""

from pathlib import Path

import pytest

from terrazzo.errors import DataError, UsageError
from terrazzo.rasters.download.catalogue import SHIPPED, find_entry, load_catalogue, user_file
from terrazzo.rasters.download.stac import Link

SHA = "0123456789abcdef" * 4
PONDS = f"""
[ponds]
about = "Ponds from the air."
address = "https://host.example/dir/ponds.zip?download=1"
sha256 = "{SHA.upper()}"
licence = "CC-BY-4.0"
classes = ["land", "pond"]
"""
MODEL = f"""
["roof model"]
kind = "model"
licence = "MIT"
files = [
  {{ address = "s3://bucket/model.safetensors", sha256 = "{SHA}" }},
  {{ address = "https://host.example/model.json", sha256 = "{SHA}", name = "model/model.json" }},
]
"""


@pytest.fixture
def mine(tmp_path: Path, no_cloud: None) -> Path:
    """The user's own file."""
    file = tmp_path / "config" / "terrazzo" / "catalogue.toml"
    file.parent.mkdir(parents=True)
    file.write_text(PONDS, encoding="utf-8")
    return file


def test_the_shipped_catalogue_is_empty() -> None:
    assert load_catalogue(SHIPPED) == {}


def test_an_entry_of_one_file(mine: Path) -> None:
    found = find_entry("ponds", None)
    assert (found.name, found.file, found.entry.kind) == ("ponds", mine, "data")
    assert (found.entry.licence, found.entry.classes) == ("CC-BY-4.0", ["land", "pond"])
    (link,) = found.links()
    assert (link.address, link.name) == ("https://host.example/dir/ponds.zip?download=1", "ponds.zip")
    assert link.checksum is not None
    assert (link.checksum.algorithm, link.checksum.digits) == ("sha256", SHA)


def test_an_entry_of_several_files(mine: Path, tmp_path: Path) -> None:
    given = tmp_path / "mine.toml"
    given.write_text(MODEL, encoding="utf-8")
    links = find_entry("roof model", given).links()
    assert [link.name for link in links] == ["model.safetensors", "model/model.json"]
    assert all(isinstance(link, Link) for link in links)


def test_the_file_that_is_given_counts_first(mine: Path, tmp_path: Path) -> None:
    given = tmp_path / "mine.toml"
    given.write_text(PONDS.replace("CC-BY-4.0", "MIT"), encoding="utf-8")
    assert find_entry("ponds", given).entry.licence == "MIT"


def test_names_that_are_not_there(mine: Path) -> None:
    with pytest.raises(UsageError, match=r"'pond' is no address .* did you mean 'ponds'\?"):
        find_entry("pond", None)
    with pytest.raises(UsageError, match=f"known are ponds. Add entries to {mine}"):
        find_entry("images/a.tif", None)
    mine.unlink()
    with pytest.raises(UsageError, match="the catalogue is empty"):
        find_entry("ponds", None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[a]\nlicence = ''\naddress = 'https://h/a'\nsha256 = '" + SHA + "'", r"\[a\] licence: "),
        ("[a]\naddress = 'https://h/a'\nsha256 = '" + SHA + "'", r"\[a\] licence: Field required"),
        ("[a]\nlicence = 'MIT'\naddress = 'https://h/a'", r"\[a\] files.0.sha256: Field required"),
        ("[a]\nlicence = 'MIT'\naddress = 'https://h/a'\nsha256 = 'abc'", r"\[a\] files.0.sha256: "),
        ("[a]\nlicence = 'MIT'\naddress = 'file:///etc/passwd'\nsha256 = '" + SHA + "'", "'file:///etc/passwd' is no address"),
        ("[a]\nlicence = 'MIT'\nfiles = []", r"\[a\] files: "),
        ("[a]\nlicence = 'MIT'\nfiles = []\naddress = 'x'", "one or the other"),
        ("[a]\nlicence = 'MIT'\nurl = 'x'", r"\[a\] url: Extra inputs are not permitted"),
        ("a = 1", "must be a table"),
        ("[a", "cannot be read as a catalogue"),
    ],
)
def test_broken_catalogues(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence) as caught:
        load_catalogue(file)
    assert str(file) in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("a = 1\nb = 2\n[c]\nlicence = 'MIT'\nfiles = []\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_catalogue(file)
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_catalogue(tmp_path / "none.toml")


def test_where_the_own_file_is() -> None:
    assert user_file({"XDG_CONFIG_HOME": "/c"}, "linux") == Path("/c/terrazzo/catalogue.toml")
    assert user_file({}, "linux") == Path("~/.config/terrazzo/catalogue.toml").expanduser()
    assert user_file({}, "darwin") == Path("~/Library/Application Support/terrazzo/catalogue.toml").expanduser()
