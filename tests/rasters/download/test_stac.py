"""Searching a small STAC API on a loopback port."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download import stac
from terrazzo.rasters.download.stac import Link, Search, find_links

LOCAL = frozenset({"127.0.0.1"})
CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#query",
]
SHA = "ab" * 32

Api = Callable[..., list[dict[str, Any]]]


def item(name: str, assets: dict[str, dict[str, Any]], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "sentinel",
        "geometry": {"type": "Point", "coordinates": [8.5, 54.0]},
        "bbox": [8.5, 54.0, 8.5, 54.0],
        "properties": {"datetime": "2024-05-01T10:00:00Z", **properties},
        "links": [],
        "assets": assets,
    }


def tiff(href: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {"href": href, "type": "image/tiff; application=geotiff", "roles": list(roles), **more}


@pytest.fixture
def api(web: Any) -> Api:
    """Serve pages of items at /stac; returns the bodies of the searches."""

    def serve(*pages: list[dict[str, Any]], conforms: list[str] = CONFORMS, **links: str) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []
        root = f"{web.address}/stac"
        landing = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "small",
            "description": "A small one.",
            "conformsTo": conforms,
            "links": [
                {"rel": "self", "href": root},
                {"rel": "root", "href": root},
                {"rel": "search", "type": "application/geo+json", "href": links.get("search", f"{root}/search"), "method": "POST"},
            ],
        }

        def search(number: int) -> Callable[[bytes], bytes]:
            def answer(request: bytes) -> bytes:
                asked.append(json.loads(request or b"{}"))
                following = links.get("next", f"{root}/page{number + 1}")
                more = [{"rel": "next", "href": following}] if number + 1 < len(pages) or "next" in links else []
                return json.dumps({"type": "FeatureCollection", "features": pages[number], "links": more}).encode()

            return answer

        web.answers["/stac"] = lambda _: json.dumps(landing).encode()
        web.answers["/stac/search"] = search(0)
        for number in range(1, len(pages)):
            web.answers[f"/stac/page{number}"] = search(number)
        return asked

    return serve


def test_items_of_all_pages(web: Any, api: Api) -> None:
    asked = api(
        [item("one", {"red": tiff("https://host.example/x/B04.tif", "data", **{"file:checksum": f"1220{SHA}"})})],
        [item("two", {"red": tiff("s3://bucket/two/B04.tiff?x=1", "data"), "preview": tiff("https://host.example/p.tif", "thumbnail")})],
    )
    search = Search(address=f"{web.address}/stac", collections=("sentinel",), box=(8, 53.5, 9, 54.5), start="2024-05-01", end="2024-05-31")
    one, two = find_links(search, LOCAL)
    assert (one.address, one.name) == ("https://host.example/x/B04.tif", "sentinel/one/red.tif")
    assert one.checksum is not None
    assert (one.checksum.algorithm, one.checksum.digits) == ("sha256", SHA)
    assert (two.name, two.checksum) == ("sentinel/two/red.tiff", None)
    assert asked[0]["collections"] == ["sentinel"]
    assert asked[0]["bbox"] == [8, 53.5, 9, 54.5]
    assert asked[0]["datetime"] == "2024-05-01T00:00:00Z/2024-05-31T23:59:59Z"


def test_clouds_are_asked_for_and_looked_at(web: Any, api: Api) -> None:
    asset = {"red": tiff("https://host.example/B04.tif", "data")}
    clouds: dict[str, dict[str, Any]] = {
        "clear": {"eo:cloud_cover": 3},
        "edge": {"eo:cloud_cover": 20.0},
        "dull": {"eo:cloud_cover": 21},
        "unknown": {},
    }
    asked = api([item(name, asset, **properties) for name, properties in clouds.items()])
    links = find_links(Search(address=f"{web.address}/stac", collections=("a",), clouds=20), LOCAL)
    assert [link.name for link in links] == ["sentinel/clear/red.tif", "sentinel/edge/red.tif"]
    assert asked[0]["query"] == {"eo:cloud_cover": {"lte": 20}}
    asked = api([item(name, asset, **properties) for name, properties in clouds.items()], conforms=CONFORMS[:2])
    assert find_links(Search(address=f"{web.address}/stac", collections=("a",), clouds=20), LOCAL) == links
    assert "query" not in asked[0]


ASSETS = {
    "red": tiff("https://host.example/B04.tif", "data", "reflectance"),
    "visual": tiff("https://host.example/TCI.tif", "visual"),
    "thumbnail": {"href": "https://host.example/t.png", "type": "image/png", "roles": ["thumbnail"]},
    "plain": tiff("https://host.example/plain.tif"),
}


@pytest.mark.parametrize(
    ("assets", "wanted", "names"),
    [
        (ASSETS, (), ["red"]),
        (ASSETS, ("visual", "red"), ["red", "visual"]),
        ({name: ASSETS[name] for name in ("plain", "visual", "thumbnail")}, (), ["plain"]),
    ],
)
def test_which_files_of_an_image(web: Any, api: Api, assets: dict[str, Any], wanted: tuple[str, ...], names: list[str]) -> None:
    api([item("one", assets)])
    links = find_links(Search(address=f"{web.address}/stac", collections=("a",), assets=wanted), LOCAL)
    assert [link.name for link in links] == [f"sentinel/one/{name}.tif" for name in names]


def test_no_such_files(web: Any, api: Api) -> None:
    api([item("one", ASSETS)])
    with pytest.raises(DataError, match=r"None of the 1 images has such files \(B4\).*there are red, visual, thumbnail, plain"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",), assets=("B4",)), LOCAL)


def test_nothing_fits(web: Any, api: Api) -> None:
    api([])
    with pytest.raises(DataError, match="has no image that fits"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "/etc/passwd", "http://10.0.0.5/a.tif", "http://169.254.169.254/x", "http://localhost/a.tif"]
)
def test_links_to_private_places_are_refused(web: Any, api: Api, href: str) -> None:
    api([item("good", {"red": tiff("https://host.example/a.tif", "data")}), item("bad", {"red": tiff(href, "data")})])
    with pytest.raises(DataError, match=r"sentinel/bad/red.* links to .*not followed"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


def test_links_to_the_host_that_was_typed(web: Any, api: Api) -> None:
    api([item("own", {"red": tiff(f"{web.address}/files/a.tif", "data")})])
    (link,) = find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)
    assert link == Link(address=f"{web.address}/files/a.tif", name="sentinel/own/red.tif")


@pytest.mark.parametrize("place", ["search", "next"])
@pytest.mark.parametrize("href", ["http://10.0.0.5/search", "file:///etc/passwd", "/etc/passwd"])
def test_the_catalogue_itself_is_led_nowhere(web: Any, api: Api, place: str, href: str) -> None:
    api([item("one", ASSETS)], **{place: href})
    with pytest.raises((DataError, EnvironmentFault)) as caught:
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)
    assert "root:" not in str(caught.value)


def test_redirects_of_the_catalogue_are_checked(web: Any, api: Api) -> None:
    api([item("one", ASSETS)])
    web.answers.pop("/stac/search")
    web.add("/stac/search", b"", location="http://localhost:1/search")
    with pytest.raises(DataError, match=r"sends on to http://localhost:1/search"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


def test_a_catalogue_without_search(web: Any, api: Api) -> None:
    api([], conforms=CONFORMS[:1])
    with pytest.raises(DataError, match="cannot be searched"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"type": "Catalog"}', b"\xff\xfe"])
def test_what_is_no_catalogue(web: Any, body: bytes) -> None:
    web.answers["/stac"] = lambda _: body
    with pytest.raises((DataError, EnvironmentFault), match=r"/stac (does not answer as a STAC API|cannot be)"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


@pytest.mark.parametrize("feature", [{}, {"type": "Feature"}, item("x", {"red": {}}), {**item("x", {}), "assets": 3}, "no item"])
def test_broken_items(web: Any, api: Api, feature: Any) -> None:
    api([feature])
    with pytest.raises(DataError, match="does not answer as a STAC API"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


@pytest.mark.parametrize(("status", "kind"), [(400, DataError), (404, DataError), (503, EnvironmentFault)])
def test_what_the_catalogue_refuses(web: Any, status: int, kind: type[Exception]) -> None:
    web.add("/stac", b"", status=status)
    with pytest.raises(kind, match="/stac"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


def test_a_catalogue_that_sends_on_and_on(web: Any, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stac, "MOST_ITEMS", 3)
    api([item("one", ASSETS), item("two", ASSETS)], next=f"{web.address}/stac/search")
    with pytest.raises(DataError, match="has more than 3 images that fit"):
        find_links(Search(address=f"{web.address}/stac", collections=("a",)), LOCAL)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'terrazzo\[cloud\]'"):
        find_links(Search(address="https://host/stac"), LOCAL)
