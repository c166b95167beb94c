"""Requests over http and https with Python's own client: it needs nothing installed, and every step of it can be checked.

Each connection, also after a redirect, leads to no private address but those of hosts that the user typed.
"""

import base64
import errno
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import cache
from typing import BinaryIO, cast
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.sources import Interruption
from terrazzo.rasters.hosts import check_host, host_of, is_private
from terrazzo.rasters.location import shown

TIMEOUT_S = 30.0
"""Seconds without any data after which a server counts as hung."""
MOST_REDIRECTS = 8

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_REASONS = {
    401: "may not be read: the server refuses access",
    403: "may not be read: the server refuses access",
    404: "does not exist: the server says so",
    407: "may not be read: the proxy refuses access",
    410: "does not exist any more: the server says so",
}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.ETIMEDOUT}
_SAFE = "%/:=&?~+!$,;'@()*[]"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server sent: its head, and its body as a stream."""

    status: int
    headers: Message
    body: BinaryIO


@dataclass(frozen=True, kw_only=True)
class Http:
    """Asks servers."""

    typed: frozenset[str]
    """Hosts that the user typed, as `host_of` gives them: they may be private."""
    timeout_s: float = TIMEOUT_S

    @contextmanager
    def ask(self, address: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Iterator[Answer]:
        """The answer of the server that an address leads to in the end; the body can be read inside the block.

        Raises Interruption if it cannot be reached, hangs or is busy; DataError if it says that there is nothing, refuses, or sends on to
        where one does not go; EnvironmentFault if its certificate is not trusted.
        """
        place = address
        for _ in range(MOST_REDIRECTS):
            with self._exchange(place, headers or {}, method) as answer:
                if answer.status not in _REDIRECTS:
                    _check_status(address, answer.status)
                    yield answer
                    return
                place = self._next(place, answer.headers.get("Location", ""))
        raise DataError(f"{shown(address)} sends on and on; after {MOST_REDIRECTS} steps it was given up.")

    def head(self, address: str) -> Message:
        """The head of a server's first answer, whatever its status. Raises Interruption, EnvironmentFault."""
        with self._exchange(address, {}, "HEAD") as answer:
            return answer.headers

    @contextmanager
    def _exchange(self, place: str, headers: Mapping[str, str], method: str) -> Iterator[Answer]:
        """One request and its answer."""
        parts = _split(place)
        with _faults(self.timeout_s), closing(self._connect(parts)) as connection:
            connection.request(method, _target(connection, parts), headers={**_own_headers(connection, parts), **headers})
            response = connection.getresponse()
            yield Answer(status=response.status, headers=response.headers, body=cast("BinaryIO", response))

    def _next(self, place: str, location: str) -> str:
        """Where a redirect leads, if one may go there."""
        following = urljoin(place, location)
        story = f"{shown(place)} sends on to {shown(location) or 'nowhere'}"
        scheme = urlsplit(following).scheme
        if not location or scheme not in ("http", "https") or (scheme == "http" and urlsplit(place).scheme == "https"):
            raise DataError(f"{story}, which is not followed: only http:// and https:// are, and none that is less safe.")
        check_host(host_of(following), self.typed, story)
        return following

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        proxy = getproxies().get(parts.scheme)
        if proxy and not proxy_bypass(host):
            # where a proxy connects to is its matter
            return _through(urlsplit(proxy if "://" in proxy else f"http://{proxy}"), parts, self.timeout_s)
        connection = _connection(parts.scheme, host, parts.port, self.timeout_s)
        connection.connect()
        # a name may lead elsewhere now than when it was looked up
        peer = cast("socket.socket", connection.sock).getpeername()[0]
        if host not in self.typed and is_private(peer):
            connection.close()
            raise DataError(f"{host} is on this machine or in a private network ({peer}), and you did not name it: it is not asked.")
        return connection


class _ProxiedHttp(http.client.HTTPConnection):
    """A connection to a proxy that is asked for whole addresses."""


def _split(address: str) -> SplitResult:
    """The parts of an http or https address, the host in the letters that the network knows. Raises DataError if it is none."""
    try:
        parts = urlsplit(address)
        # reading the port checks it
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts._replace(netloc=parts.netloc.encode("idna").decode())
    except ValueError as error:
        raise DataError(f"{shown(address)} is no address: {error}.") from error
    raise DataError(f"{shown(address)} is no http:// or https:// address.")


def _connection(scheme: str, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=_tls())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _through(proxy: SplitResult, parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    if parts.scheme == "http":
        return _ProxiedHttp(proxy.hostname or "", proxy.port, timeout=timeout_s)
    connection = http.client.HTTPSConnection(proxy.hostname or "", proxy.port, timeout=timeout_s, context=_tls())
    connection.set_tunnel(parts.hostname or "", parts.port or 443, headers=_credentials("Proxy-Authorization", proxy))
    return connection


def _target(connection: http.client.HTTPConnection, parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return f"http://{parts.netloc.rpartition('@')[2]}{path}" if isinstance(connection, _ProxiedHttp) else path


def _own_headers(connection: http.client.HTTPConnection, parts: SplitResult) -> dict[str, str]:
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "terrazzo",
        # as it is: parts and checksums are of the bytes that are stored
        "Accept-Encoding": "identity",
        **_credentials("Authorization", parts),
    }
    if isinstance(connection, _ProxiedHttp):
        headers |= _credentials("Proxy-Authorization", urlsplit(getproxies()["http"]))
    return headers


def _credentials(name: str, parts: SplitResult) -> dict[str, str]:
    """User and password of an address, which go to its own host and to none that it sends on to."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {name: f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _check_status(address: str, status: int) -> None:
    if status in _BUSY:
        raise Interruption(f"the server answers with the code {status}")
    if status >= 400 and status != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise DataError(f"{shown(address)} {_REASONS.get(status, f'cannot be fetched: the server answers with the code {status}')}.")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def _faults(timeout_s: float) -> Iterator[None]:
    """Faults of the network, told apart by whether trying again may help."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise EnvironmentFault(
            f"The server's certificate is not trusted ({error.verify_message}). Is the clock right, and the address?"
        ) from error
    except TimeoutError as error:
        raise Interruption(f"the server does not answer (for {timeout_s:g} s)") from error
    except socket.gaierror as error:
        raise Interruption("the host's name is unknown; is there a network?") from error
    except http.client.IncompleteRead as error:
        raise Interruption("the connection was cut") from error
    except (http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
        raise Interruption(f"the connection failed ({str(error) or type(error).__name__})") from error
    except OSError as error:
        # all others are of the disk that the body of the block writes to
        if error.errno not in _UNREACHABLE:
            raise
        raise Interruption(f"the server cannot be reached ({error.strerror})") from error
