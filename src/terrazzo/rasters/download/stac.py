"""Searching STAC catalogues for images by place, time and clouds."""

import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from terrazzo.errors import DataError, EnvironmentFault, TerrazzoError
from terrazzo.rasters.download.http import TIMEOUT_S
from terrazzo.rasters.download.sources import Checksum
from terrazzo.rasters.hosts import check_host, check_link, host_of
from terrazzo.rasters.location import shown

if TYPE_CHECKING:
    from pystac import Asset, Item
    from pystac_client import Client

MOST_ITEMS = 20_000
"""Nobody means more; a server could send on and on."""

_CLOUDS = "eo:cloud_cover"
_MULTIHASHES = {"1114": "sha1", "1220": "sha256", "1340": "sha512", "d50110": "md5"}
"""How a checksum of STAC begins: with the code of its algorithm and its length."""
_NOT_DATA = {"thumbnail", "overview", "metadata", "visual"}


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for."""

    address: str
    """Of the catalogue's API."""
    collections: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None
    """(west, south, east, north) in degrees."""
    start: str | None = None
    """A date or a time; the first that counts."""
    end: str | None = None
    """The last that counts."""
    clouds: float | None = None
    """At most so much of an image is under clouds, in percent."""
    assets: tuple[str, ...] = ()
    """Which files of each image; none: those with the role 'data'."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A file that a catalogue points to."""

    address: str
    name: str
    """Under OUT, '/'-joined."""
    checksum: Checksum | None = None


def find_links(search: Search, typed: frozenset[str]) -> list[Link]:
    """The files of all images that fit: COLLECTION/ITEM/ASSET and the ending of each file.

    Raises DataError if nothing fits, or an image links to where one does not go, EnvironmentFault if the catalogue cannot be asked.
    """
    _check_installed()
    items = list(_items(search, typed))
    if not items:
        raise DataError(
            f"{shown(search.address)} has no image that fits. Widen the box, the time, the clouds, or look at the collection's name."
        )
    links = [link for item in items for link in _links(item, search.assets)]
    if not links:
        names = Counter(name for item in items for name in item.assets)
        raise DataError(
            f"None of the {len(items)} images has such files ({', '.join(search.assets) or 'with the role data'}). "
            f"Choose with --assets; there are {', '.join(name for name, _ in names.most_common(20)) or 'none'}."
        )
    for link in links:
        check_link(link.address, typed, f"{shown(search.address)}: {link.name}")
    return links


def _items(search: Search, typed: frozenset[str]) -> Iterator["Item"]:
    with _faults(search.address):
        client = _open(search.address, typed)
        found = client.search(
            collections=list(search.collections) or None,
            bbox=search.box,
            datetime=f"{search.start or '..'}/{search.end or '..'}" if search.start or search.end else None,
            query={_CLOUDS: {"lte": search.clouds}} if search.clouds is not None and _filters(client) else None,
            max_items=MOST_ITEMS + 1,
        )
        for number, item in enumerate(found.items()):
            if number >= MOST_ITEMS:
                raise DataError(f"{shown(search.address)} has more than {MOST_ITEMS} images that fit. Narrow the box or the time.")
            # not every server obeys
            if search.clouds is None or _clouds(item) <= search.clouds:
                yield item


def _check_installed() -> None:
    if importlib.util.find_spec("pystac_client") is None:
        raise EnvironmentFault("--stac needs the package pystac-client, which is not installed: pip install 'terrazzo[cloud]'")


def _open(address: str, typed: frozenset[str]) -> "Client":
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO
    from requests.adapters import HTTPAdapter

    class Checked(HTTPAdapter):
        """Sends requests, those of redirects and of further pages too, to no private address but the user's."""

        def send(self, request, *args, **options):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN003, ANN202 - as in the base class
            check_host(host_of(request.url), typed, f"{shown(address)} sends on to {shown(request.url)}")
            return super().send(request, *args, **options)

    class Network(StacApiIO):
        """Reads from the network alone: by itself the base class opens files of this machine too."""

        def read_text(self, source, *args, **options):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN003, ANN202 - as in the base class
            if isinstance(source, str) and not source.startswith(("http://", "https://")):
                raise DataError(f"{shown(address)} links to {source!r}, which is no http:// or https:// address.")
            return super().read_text(source, *args, **options)

    network = Network(timeout=TIMEOUT_S, max_retries=None)
    for scheme in ("http://", "https://"):
        network.session.mount(scheme, Checked(max_retries=2))
    return Client.open(address, stac_io=network)


def _filters(client: "Client") -> bool:
    from pystac_client import ConformanceClasses

    return bool(client.conforms_to(ConformanceClasses.QUERY))


def _clouds(item: "Item") -> float:
    """The share under clouds in percent; unknown ones count as wholly under clouds."""
    clouds = item.properties.get(_CLOUDS)
    return float(clouds) if isinstance(clouds, int | float) else 100.0


def _links(item: "Item", wanted: Iterable[str]) -> Iterator[Link]:
    for key, asset in _chosen(item.assets, tuple(wanted)).items():
        address = asset.get_absolute_href() or asset.href
        place = f"{item.collection_id or 'items'}/{item.id}/{key}{PurePosixPath(urlsplit(address).path).suffix}"
        yield Link(address=address, name=place, checksum=_checksum(asset))


def _chosen(assets: Mapping[str, "Asset"], wanted: tuple[str, ...]) -> dict[str, "Asset"]:
    if wanted:
        return {key: asset for key, asset in assets.items() if key in wanted}
    data = {key: asset for key, asset in assets.items() if "data" in (asset.roles or ())}
    images = {key: asset for key, asset in assets.items() if (asset.media_type or "").startswith("image/tiff")}
    return data or {key: asset for key, asset in images.items() if not _NOT_DATA & set(asset.roles or ())}


def _checksum(asset: "Asset") -> Checksum | None:
    text = str(asset.extra_fields.get("file:checksum", "")).lower()
    match = re.match("|".join(_MULTIHASHES), text)
    return Checksum(algorithm=_MULTIHASHES[match[0]], digits=text[match.end() :], said_by="the catalogue") if match else None


@contextmanager
def _faults(address: str) -> Iterator[None]:
    """Faults of the catalogue as sentences; what its library passes on of ours stays as it is."""
    from pystac import RequiredPropertyMissing, STACError, STACTypeError
    from pystac_client.errors import ClientTypeError
    from pystac_client.exceptions import APIError
    from pystac_client.warnings import DoesNotConformTo

    try:
        yield
    except TerrazzoError:
        raise
    except (DoesNotConformTo, ClientTypeError) as error:
        raise DataError(
            f"{shown(address)} cannot be searched: it is no STAC API with search, but files. Give the addresses of its files."
        ) from error
    except APIError as error:
        if isinstance(error.__context__, TerrazzoError):
            raise error.__context__ from error
        status = getattr(error, "status_code", None)
        if status is not None and 400 <= status < 500:
            raise DataError(f"{shown(address)} does not take the search (code {status}): {_first_line(error)}") from error
        raise EnvironmentFault(f"{shown(address)} cannot be asked: {_first_line(error)}") from error
    except (STACError, STACTypeError, RequiredPropertyMissing, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{shown(address)} does not answer as a STAC API: {type(error).__name__}, {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
