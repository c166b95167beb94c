"""Files at http:// and https:// addresses."""

import base64
import binascii
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.http import Answer, Http
from terrazzo.rasters.download.sources import Checksum, Chunk, Interruption, RemoteFile
from terrazzo.rasters.location import shown

CHUNK_BYTES = 2**18
WHOLE, PARTIAL = 200, 206


def find_web_file(http: Http, address: str, name: str | None = None) -> RemoteFile:
    """Ask a server what it has at an address.

    name: under OUT; by default what the server calls the file, else the end of the address.
    Raises DataError if there is nothing or it has no name, Interruption, EnvironmentFault.
    """
    headers = _head(http, address)
    size = _number(headers.get("Content-Length")) if headers is not None else None
    told = headers.get("Accept-Ranges", "").lower() if headers is not None else ""
    parts = told == "bytes"
    if headers is None or size is None or told not in ("bytes", "none"):
        with http.ask(address, {"Range": "bytes=0-0"}) as answer:
            parts = answer.status == PARTIAL
            size = _number(answer.headers.get("Content-Length")) if answer.status == WHOLE else _total(answer)
            # that of an answer to this is of one byte
            del answer.headers["Content-MD5"]
            headers = headers or answer.headers
    state = headers.get("ETag") or headers.get("Last-Modified")
    return RemoteFile(
        address=address,
        name=name or _name(address, headers),
        size=size,
        state=state,
        source=WebFile(http=http, address=address, size=size, state=state),
        checksum=_checksum(headers),
        parts=parts and size is not None,
    )


def _head(http: Http, address: str) -> Message | None:
    """What a server tells by HEAD; None where it knows none: some do not, and signed addresses are good for GET alone."""
    try:
        with http.ask(address, method="HEAD") as answer:
            return answer.headers
    except DataError:
        return None


@dataclass(frozen=True, kw_only=True)
class WebFile:
    """The source of one file."""

    http: Http
    address: str
    size: int | None
    state: str | None

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        whole = start == 0 and stop in (None, self.size)
        headers = {} if whole else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        with self.http.ask(self.address, headers) as answer:
            self._check_state(answer)
            # some servers send all, whatever they are asked for
            skip = start if answer.status == WHOLE else 0
            if answer.status != WHOLE:
                self._check_range(answer, start)
            yield from _body(answer, skip, None if stop is None else stop - start)

    def _check_state(self, answer: Answer) -> None:
        state = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if state != self.state and None not in (state, self.state):
            raise EnvironmentFault(f"{shown(self.address)} was changed on the server while it was fetched. Run this again.")

    def _check_range(self, answer: Answer, start: int) -> None:
        match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start or (self.size is not None and _total(answer) not in (None, self.size)):
            raise DataError(f"{shown(self.address)}: the server sends other parts of the file than it is asked for.")


def _body(answer: Answer, skip: int, length: int | None) -> Iterator[Chunk]:
    """So many bytes of a body, after some that are passed over. Raises Interruption if it ends before."""
    told = _number(answer.headers.get("Content-Length"))
    # where the server tells the length, the client does not complain if less comes
    left = length if length is not None or told is None else told - skip
    while skip:
        passed = len(answer.body.read(min(skip, CHUNK_BYTES)))
        if not passed:
            raise Interruption("the connection was cut")
        skip -= passed
    buffer = bytearray(CHUNK_BYTES)
    view = memoryview(buffer)
    while left is None or left > 0:
        got = answer.body.readinto(view[: CHUNK_BYTES if left is None else min(left, CHUNK_BYTES)])  # type: ignore[attr-defined]
        if not got:
            break
        yield view[:got]
        left = None if left is None else left - got
    if left:
        raise Interruption("the connection was cut")


def _total(answer: Answer) -> int | None:
    """The size of the whole file that a part is of."""
    match = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _name(address: str, headers: Message) -> str:
    """What the server calls the file, else the end of its address."""
    given = headers.get_filename() if "Content-Disposition" in headers else None
    name = PurePosixPath(given or unquote(urlsplit(address).path)).name
    if not name:
        raise DataError(f"{shown(address)} is the address of no file: it has no name at its end.")
    return name


def _checksum(headers: Message) -> Checksum | None:
    try:
        digits = base64.b64decode(headers.get("Content-MD5", ""), validate=True).hex()
    except binascii.Error:
        return None
    return Checksum(algorithm="md5", digits=digits, said_by="the server") if len(digits) == 32 else None
