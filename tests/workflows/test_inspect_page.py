"""The page that inspect writes: pictures, tables, hostile names, nothing from elsewhere."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from terrazzo.rasters.options import DataOptions
from terrazzo.workflows.context import open_context
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.inspection import page, thumbnails
from terrazzo.workflows.inspection.raster_facts import raster_facts
from terrazzo.workflows.inspection.thumbnails import mask_colors, thumbnail

HOSTILE = ("<script>alert(1)<", "x\" onerror='y", "a\nb", "=cmd()", "\u202egnp", "&amp;")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "path"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]
        self.references += [value or "" for name, value in attrs if name in ("href", "data", "action", "srcset", "xlink:href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "img", "path"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def pictures(self) -> list[Image.Image]:
        return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in self.sources]


def tif(path: Path, values: np.ndarray, **profile: Any) -> Path:
    bands, height, width = values.shape
    known = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": values.dtype}
    with rasterio.open(path, "w", **{**known, **profile}) as file:
        file.write(values)
    return path


def photo(path: Path, seed: int = 0, shape: tuple[int, int] = (60, 90)) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*shape, 3)).astype(np.uint8)).save(path)
    return path


def shown(path: Path, side: int = 32, **options: Any) -> np.ndarray:
    facts = raster_facts(path, DataOptions(**options))
    values = list(facts.values or ())
    return thumbnail(facts, DataOptions(**options), side, facts.kind, mask_colors(values, None)).picture


def test_a_page_holds_a_picture_and_a_section_for_each_file(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "m.png")
    result = inspect([tmp_path / "a.png", tmp_path / "m.png"], tmp_path / "out" / "page.html")
    assert result.written == {"report": tmp_path / "out" / "page.html"}
    found = Page((tmp_path / "out" / "page.html").read_text(encoding="utf-8"))
    assert not found.open
    assert len(found.sources) == 2
    assert all(source.startswith("data:image/") for source in found.sources)
    assert max(picture.size[0] for picture in found.pictures()) <= page.LARGE_PX
    assert not found.handlers
    assert "script" not in found.tags
    assert all(reference.startswith("#s") for reference in found.references)


def test_a_page_of_many_files_shows_the_first_and_lists_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_PICTURES", 4)
    for number in range(25):
        photo(tmp_path / f"{number}.png", number, (9, 14))
    inspect(tmp_path, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(Page(html).sources) == 4
    assert "The first 4 of 25 files." in html
    assert all(f"<bdi>{number}.png</bdi>" in html for number in range(25))
    assert len(re.findall("<svg[^>]*role=.img", html)) == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(tmp_path: Path, name: str) -> None:
    photo(tmp_path / f"{name}.png")
    photo(tmp_path / f"{name}2.png", 2)
    (tmp_path / f"{name}3.png").write_bytes(b"nothing")
    context = open_context(None, ["legend.classes=['<script>', '=cmd()']"])
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(tmp_path / f"{name}mask.png")
    result = inspect(tmp_path, tmp_path / "page.html", context=context)
    assert result.exit_code == 3
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = Page(html)
    assert "script" not in found.tags
    assert not found.handlers
    assert "\u202e" not in html
    assert len(found.sources) == 3


def test_what_cannot_be_read_is_told_first(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    inspect(tmp_path / "broken.png", tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'role="alert"' in html
    assert "broken.png" in html


def test_other_files_have_sections_too(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[training]\nepochs = 3\n", encoding="utf-8")
    inspect(tmp_path / "recipe.toml", tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "[training]" in html
    assert "epochs" in html


def test_a_thumbnail_is_the_mean_of_the_pixels(tmp_path: Path) -> None:
    values = np.kron(np.arange(6 * 8).reshape(1, 6, 8) * 5, np.ones((1, 8, 8))).astype(np.uint8)
    noisy = values + np.tile([[0, 1], [1, 2]], (24, 32)).astype(np.uint8)
    reduced = shown(tif(tmp_path / "a.tif", noisy), side=8)
    assert reduced.shape == (6, 8, 3)
    ordered = reduced[..., 0].astype(int).ravel()
    assert (np.diff(ordered) >= 0).all()
    assert (ordered[0], ordered[-1]) == (0, 255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (33, 7), (64, 64), (65, 129)])
def test_thumbnails_of_any_shape_keep_to_their_side(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).uniform(0, 1, (1, *shape)).astype(np.float32)
    picture = shown(tif(tmp_path / "a.tif", values), side=64)
    assert max(picture.shape[:2]) <= 64
    assert min(picture.shape[:2]) >= 1


def test_pieces_of_rows_make_the_same_thumbnail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 4000, (3, 130, 70)).astype(np.uint16)
    values[:, 20:30] = 0
    path = tif(tmp_path / "a.tif", values, nodata=0)
    whole = shown(path)
    monkeypatch.setattr(thumbnails, "BLOCK_BYTES", 4000)
    assert (shown(path) == whole).all()


def test_classes_keep_their_colours(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20] = 7
    path = tif(tmp_path / "a.tif", mask[None])
    facts = raster_facts(path, DataOptions())
    picture = thumbnail(facts, DataOptions(), 60, "classes", {0: (1, 2, 3), 7: (250, 0, 9)}).picture
    assert (picture == np.where((mask == 7)[..., None], (250, 0, 9), (1, 2, 3))).all()


def test_red_green_and_blue_are_found_by_their_names(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 3000, (4, 20, 20)).astype(np.uint16)
    path = tif(tmp_path / "a.tif", values)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("nir", "Blue", "Green", "Red")
    named = shown(path)
    assert (named == shown(path, bands=[4, 3, 2])).all()
    assert (named != shown(path, bands=[1, 2, 3])).any()


def test_a_large_file_is_shown_by_its_overviews_or_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "WHOLE_BYTES", 1000)
    ramp = np.add.outer(np.arange(256), np.arange(256)).astype(np.uint16)[None] + 1
    path = tif(tmp_path / "a.tif", ramp, crs="EPSG:32633", transform=from_origin(0, 0, 1, 1))
    facts = raster_facts(path, DataOptions())
    part = thumbnail(facts, DataOptions(), 64, "image", {})
    assert part.part == "the 64 x 64 pixels in the middle"
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    facts = raster_facts(path, DataOptions())
    whole = thumbnail(facts, DataOptions(), 64, "image", {})
    assert whole.part == ""
    assert whole.picture.shape == (64, 64, 3)
    assert whole.picture[0, 0, 0] < 20
    assert whole.picture[-1, -1, 0] > 235
