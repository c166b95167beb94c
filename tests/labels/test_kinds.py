"""Which form labels have, told by their files."""

from pathlib import Path

import pytest

from terrazzo.errors import LabelError, RasterError
from terrazzo.labels.kinds import find_labels, fingerprint, kind_of, one_kind


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.png", "", "masks"),
        ("a.npz", "", "masks"),
        ("a.gpkg", "", "vectors"),
        ("a.SHP", "", "vectors"),
        ("a.geojson", "", "vectors"),
        ("a.csv", "", "runs"),
        ("a.json", '{"name": "x", "type": "FeatureCollection", "features": []}', "vectors"),
        ("a.json", '{"info": {"type": "Polygon"}, "images": [], "annotations": []}', "coco"),
        ("a.json", "", "coco"),
    ],
)
def test_the_ending_tells_and_of_json_the_beginning(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    assert kind_of(tmp_path / name) == kind


def test_a_folder_stands_for_its_masks_else_for_its_tables(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "_classes.csv", "areas.geojson", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in find_labels(str(tmp_path), tmp_path)] == ["a", "b"]
    for name in ("a.png", "b.png", "_classes.csv"):
        (tmp_path / name).unlink()
    assert [file.path.name for file in find_labels(str(tmp_path), tmp_path)] == ["areas.geojson"]
    (tmp_path / "areas.geojson").unlink()
    with pytest.raises(RasterError):
        find_labels(str(tmp_path), tmp_path)


def test_forms_are_not_mixed(tmp_path: Path) -> None:
    for name in ("a.png", "b.csv"):
        (tmp_path / name).touch()
    with pytest.raises(LabelError, match=r"masks: .*a\.png; runs: .*b\.csv"):
        one_kind(find_labels(str(tmp_path / "*"), tmp_path))


def test_a_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"gone\.json cannot be read"):
        kind_of(tmp_path / "gone.json")


def test_all_files_of_a_shapefile_and_of_a_geodatabase_count(tmp_path: Path) -> None:
    for name in ("a.shp", "a.dbf", "x.gdb/a00000001.gdbtable", "one.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    places = [tmp_path / "a.shp", tmp_path / "x.gdb", tmp_path / "one.csv"]
    assert [file.path for file in find_labels(str(tmp_path / "x.gdb"), tmp_path)] == [tmp_path / "x.gdb"]
    before = [fingerprint(place) for place in places]
    for name in ("a.dbf", "x.gdb/a00000001.gdbtable", "one.csv"):
        (tmp_path / name).write_text("2")
    assert all(new != old for new, old in zip(map(fingerprint, places), before, strict=True))
