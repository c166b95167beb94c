"""Where a link may lead that comes out of a table, a catalogue or another server, not from the user."""

import ipaddress
import socket
from urllib.parse import urlsplit

from terrazzo.errors import DataError
from terrazzo.rasters.location import shown

SCHEMES = ("http", "https", "s3", "gs")

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks with IPv6 alone write them."""


def host_of(address: str) -> str:
    """The host of an address, in lower case, without port, user and brackets; of s3:// and gs://, the bucket. Empty if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_private(number: str) -> bool:
    """Whether an IP address is of this machine or a private network, in any of its spellings, and not of the internet."""
    found = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    if isinstance(found, ipaddress.IPv6Address) and found in _TRANSLATED:
        found = ipaddress.IPv4Address(found.packed[-4:])
    return not found.is_global or found.is_multicast


def check_link(address: str, typed: frozenset[str], said_by: str) -> None:
    """Refuse a link that leads to a file of this machine, or to a host of it or of a private network that the user did not type.

    typed: hosts as `host_of` gives them. said_by: where the link is from, for the message.
    Raises DataError.
    """
    scheme = address.partition("://")[0].lower()
    if scheme not in SCHEMES or not host_of(address):
        raise DataError(
            f"{said_by} links to {shown(address)!r}, which is not followed: links may lead to https://, http://, s3:// and gs:// only."
        )
    if scheme in ("http", "https"):
        check_host(host_of(address), typed, f"{said_by} links to {shown(address)}")


def check_host(host: str, typed: frozenset[str], story: str) -> None:
    """Refuse a host that is of this machine or a private network, unless the user typed it. story: how one came to it, for the message.

    Raises DataError.
    """
    if host in typed:
        return
    private = [number for number in _numbers(host) if is_private(number)]
    if private:
        raise DataError(
            f"{story}, which is on this machine or in a private network ({private[0]}) and so is not followed. "
            "If you trust it, give its address yourself."
        )


def _numbers(host: str) -> list[str]:
    """The IP addresses of a host; none if its name is unknown here: then the connection will say so."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []
