"""Rasters at addresses on the network, read by window: how GDAL is told to, and what its errors mean."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from terrazzo.errors import RasterError
from terrazzo.rasters.location import RemotePath

CONNECT_S = 10
"""Seconds to reach a server."""
STALLED_S = 15
"""Seconds without any data after which a server counts as hung."""
REQUEST_S = 300
"""Seconds for one request, however slowly data come; one asks for a few blocks."""
RETRIES = 2
"""Of a request, after a fault that may pass, such as the code 503."""
READ_AGAIN_S = (0.5, 2.0)
"""How long to wait before a window that could not be read, such as of a cut connection, is read again."""

T = TypeVar("T")

log = logging.getLogger(__name__)

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
_FAULTS = (
    (r"response code[^:]*: (?:404|410)|(?:key|bucket) does not exist|NoSuch", "does not exist: the server says so. Check the address."),
    (
        r"response code[^:]*: (?:401|403)|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch",
        "may not be read: the server refuses access. Check the credentials.",
    ),
    (
        r"not recognized",
        "is no GeoTIFF that can be read by window: it is of another format, or its server sends no parts of files. {fetch}",
    ),
)
"""What GDAL's messages hold, and what is told of them; the first that fits counts."""
_PASSING_FAULTS = (
    (r"response code[^:]*: (\d{3})", "cannot be read: the server answers with the code {0}. Try again later."),
    (r"timed out|too slow", f"cannot be read: the server does not answer (for {STALLED_S} s). Try again later. {{fetch}}"),
    (r"CURL error: (.*?)(?: after \d+ ms|$)", "cannot be read: {0}. Check the address and the network."),
    (r"(.*)", "cannot be read ({0}). It is broken, or the connection was cut. {fetch}"),
)
"""Likewise, where trying again may help."""
_UNFIT = frozenset(' "<>^`{|}') | {chr(code) for code in (*range(33), 127)}


class PassingFault(RasterError):
    """A fault of the network: trying again may help."""


def gdal_name(path: Path) -> str:
    """What GDAL calls a file. Names of its network systems are made here only, from addresses that GeoTIFFs can be read from.

    Raises RasterError for other addresses.
    """
    if not isinstance(path, RemotePath):
        return str(path)
    if not path.host or not path.name or path.scheme not in ("http", "https", "s3"):
        raise RasterError(f"{path} cannot be read by window: give the https:// or s3:// address of one GeoTIFF. {_fetch(path)}")
    if path.scheme == "s3":
        return f"/vsis3/{path.host}{path.place}"
    # what was typed with escapes keeps them
    return "/vsicurl/" + "".join(quote(sign) if sign in _UNFIT or not sign.isascii() else sign for sign in path.address.partition("#")[0])


def remote_options(path: Path) -> dict[str, object]:
    """Settings of GDAL with which a file at an address is opened and read; none for a file on disk."""
    if not isinstance(path, RemotePath):
        return {}
    return {
        "GDAL_HTTP_CONNECTTIMEOUT": CONNECT_S,
        "GDAL_HTTP_LOW_SPEED_TIME": STALLED_S,
        "GDAL_HTTP_LOW_SPEED_LIMIT": 1024,
        "GDAL_HTTP_TIMEOUT": REQUEST_S,
        "GDAL_HTTP_MAX_RETRY": RETRIES,
        "GDAL_HTTP_RETRY_DELAY": 0.5,
        # only this file: nothing beside it is looked for
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_FILENAME": gdal_name(path),
        # GDAL would keep what a cut connection brought for the whole, as long as the process lives; a closed handle forgets
        "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/http:/vsis3/",
        **_bucket_options(os.environ),
    }


def patiently(path: Path, read: Callable[[], T]) -> T:
    """Read; at an address, a few times more if the fault may pass, for GDAL does not repeat a request that was cut half-way.

    Raises RasterError as `read` does.
    """
    for wait_s in READ_AGAIN_S if isinstance(path, RemotePath) else ():
        try:
            return read()
        except PassingFault as error:
            log.debug("%s; trying again", error)
        time.sleep(wait_s)
    return read()


def unreachable(path: RemotePath, error: BaseException) -> RasterError:
    """What a fault of GDAL at an address means, in a sentence."""
    text = " ".join(_causes(error)).replace(gdal_name(path), str(path)).replace(path.address, str(path))
    for kind, faults in ((RasterError, _FAULTS), (PassingFault, _PASSING_FAULTS)):
        for pattern, sentence in faults:
            match = re.search(pattern, text)
            if match is not None:
                return kind(f"{path} {sentence.format(*match.groups(), fetch=_fetch(path))}")
    return PassingFault(f"{path} cannot be read. {_fetch(path)}")


def _causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield " ".join(str(error).split())
        error = error.__cause__


def _fetch(path: RemotePath) -> str:
    return f"Fetch it first: terrazzo download '{path}' FOLDER"


def _bucket_options(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings for s3:// from the variables that other programs obey too; without credentials, requests are not signed."""
    options: dict[str, str] = {}
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        parts = urlsplit(endpoint)
        options |= {
            "AWS_S3_ENDPOINT": parts.netloc + parts.path.rstrip("/"),
            "AWS_HTTPS": "NO" if parts.scheme == "http" else "YES",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }
    file = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    if not any(environ.get(name) for name in _CREDENTIALS) and not file.is_file():
        options["AWS_NO_SIGN_REQUEST"] = environ.get("AWS_NO_SIGN_REQUEST", "YES")
    return options
