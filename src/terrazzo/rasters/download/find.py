"""From what the user asks for to the files that there are, each with its size and state; nothing is fetched."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from terrazzo.errors import DataError, EnvironmentFault, TerrazzoError, UsageError
from terrazzo.rasters.download.buckets import Bucket
from terrazzo.rasters.download.catalogue import Found, find_entry
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import Interruption, RemoteFile
from terrazzo.rasters.download.stac import Link, Search, find_links
from terrazzo.rasters.download.stores import Access, open_store
from terrazzo.rasters.download.transfer import Patience
from terrazzo.rasters.download.web import find_web_file
from terrazzo.rasters.hosts import SCHEMES, host_of
from terrazzo.rasters.location import RemotePath, shown

ASKED_AT_ONCE = 8

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be found."""

    sources: tuple[str, ...]
    """Addresses, and names of the catalogue."""
    search: Search | None = None
    access: Access = field(default_factory=Access)
    catalogue: Path | None = None
    """A file with entries, besides the user's own and the shipped one."""
    patience: Patience = field(default_factory=lambda: Patience(tries=3))
    """Shorter than of a transfer: nothing is lost yet."""


@dataclass(kw_only=True)
class Listing:
    """What was found."""

    files: list[RemoteFile] = field(default_factory=list)
    entries: list[Found] = field(default_factory=list)
    failures: dict[str, TerrazzoError] = field(default_factory=dict)
    """What cannot be fetched, by its address as shown."""


def list_files(wish: Wish) -> Listing:
    """Look at every address, at the catalogue and at STAC.

    Raises UsageError for what is neither an address nor an entry; DataError and EnvironmentFault if the catalogue or STAC gives nothing.
    What is wrong with single addresses is in the listing.
    """
    return _Lister(wish).find()


class _Lister:
    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._listing = Listing()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._http = Http(typed=frozenset())

    def find(self) -> Listing:
        addresses: list[str] = []
        links: list[Link] = []
        for source in self._wish.sources:
            if "://" in source:
                addresses.append(_checked(source))
            else:
                found = find_entry(source, self._wish.catalogue)
                self._listing.entries.append(found)
                links += found.links()
        # an entry that the user asks for by name counts like an address that the user typed; what a search finds does not
        typed = [*addresses, *(link.address for link in links), self._wish.access.endpoint or ""]
        typed += [self._wish.search.address] if self._wish.search is not None else []
        hosts = frozenset(filter(None, map(host_of, typed)))
        self._http = Http(typed=hosts)
        if self._wish.search is not None:
            links += find_links(self._wish.search, hosts)
        with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="list") as pool:
            asked = [(address, pool.submit(self._patiently, address, None)) for address in addresses]
            asked += [(link.address, pool.submit(self._patiently, link.address, link)) for link in links]
            for address, future in asked:
                try:
                    self._listing.files += future.result()
                except (DataError, EnvironmentFault) as error:
                    self._listing.failures[shown(address)] = error
        return self._listing

    def _patiently(self, address: str, link: Link | None) -> list[RemoteFile]:
        return patiently(lambda: self._find(address, link), self._wish.patience, shown(address))

    def _find(self, address: str, link: Link | None) -> list[RemoteFile]:
        place = RemotePath(address)
        if place.scheme in ("http", "https"):
            files = [find_web_file(self._http, address, link.name if link else None)]
        else:
            files = self._bucket(place).find(place.place.removeprefix("/"))
        if link is None:
            return files
        if len(files) != 1:
            raise DataError(f"{shown(address)} is a folder; a link must lead to one file.")
        return [replace(files[0], name=link.name, checksum=link.checksum or files[0].checksum)]

    def _bucket(self, place: RemotePath) -> Bucket:
        key = (place.scheme, place.host)
        if key not in self._buckets:
            store = open_store(place, self._wish.access, self._http)
            self._buckets.setdefault(key, Bucket(address=f"{place.scheme}://{place.host}", access=self._wish.access, store=store))
        return self._buckets[key]


def patiently(ask: Callable[[], T], patience: Patience, address: str) -> T:
    """Ask again while the fault may pass. Raises EnvironmentFault if it does not."""
    for attempt in range(1, patience.tries):
        try:
            return ask()
        except Interruption:
            time.sleep(patience.before(attempt))
    try:
        return ask()
    except Interruption as error:
        raise EnvironmentFault(f"{address} cannot be reached: {error}. Check the address and the network.") from error


def _checked(source: str) -> str:
    """An address that can be asked. Raises UsageError if it cannot."""
    place = RemotePath(source)
    if place.scheme not in SCHEMES or not place.host:
        raise UsageError(
            f"{shown(source)} cannot be fetched: addresses begin with https://, http://, s3:// or gs://, and a host or bucket."
        )
    return source
