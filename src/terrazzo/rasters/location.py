"""Where a file is: on disk, or at an address on the network."""

import posixpath
import re
from pathlib import Path, PosixPath, PurePosixPath
from typing import Never, Self

from terrazzo.errors import RasterError

HIDDEN = "***"
"""What stands for a secret of an address wherever it is shown or stored."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://([^/?#]*)([^?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_BUCKET = re.compile(r"(s3|gs)://([^/]*)(.*)()", re.IGNORECASE | re.DOTALL)
"""A key of a bucket may hold any character; there is no query."""
_SECRET = re.compile(r"([?&;][^=&;#]*(?:sig|token|key|secret|password|credential|policy|auth)[^=&;#]*=)[^&;#]*", re.IGNORECASE)


class RemotePath(PosixPath):
    """An address on the network, such as https://host/a.tif, as a path among others.

    Nothing of it is on disk: whatever opens files by name is refused with a sentence, only the reader of GeoTIFF takes it. Its text is
    the address as typed without its secrets, for texts get into tables and messages; `address` is exact. It is absolute: joined to any
    folder it stays what it is.
    """

    address: str
    scheme: str
    """Such as https or s3; in lower case."""
    host: str
    """With port and credentials; of s3, the bucket."""
    place: str
    """From the first slash after the host on, without query; of s3, the key with a slash before it."""

    def __new__(cls, address: str) -> Self:
        match = _BUCKET.fullmatch(address) or _ADDRESS.fullmatch(address)
        if match is None:
            raise RasterError(f"{address!r} is not an address; addresses begin with a scheme, such as https://.")
        self = super().__new__(cls, address)
        self.address, self.scheme, self.host, self.place = address, match[1].lower(), match[2], match[3]
        return self

    @property
    def name(self) -> str:
        """The last part of the address, without query."""
        return PurePosixPath(self.place).name

    @property
    def parent(self) -> Self:
        return self._at(posixpath.dirname(self.place))

    def with_name(self, name: str) -> Self:
        return self._at(posixpath.join(posixpath.dirname(self.place), name))

    def with_suffix(self, suffix: str) -> Self:
        return self.with_name(self.stem + suffix)

    def joinpath(self, *parts: object) -> Self:
        return self._at(posixpath.normpath(posixpath.join(self.place or "/", *map(str, parts))))

    def __truediv__(self, part: object) -> Self:
        return part if isinstance(part, type(self)) else self.joinpath(part)

    def __rtruediv__(self, folder: object) -> Self:
        return self

    def absolute(self) -> Self:
        return self

    def expanduser(self) -> Self:
        return self

    def resolve(self, strict: bool = False) -> Self:  # noqa: FBT001, FBT002 - as in pathlib
        del strict
        return self

    def is_absolute(self) -> bool:
        return True

    def is_relative_to(self, *_: object) -> bool:
        return False

    def exists(self, **_: bool) -> bool:
        """Taken for granted: the network is asked when the file is read."""
        return True

    def is_file(self, **_: bool) -> bool:
        return True

    def is_dir(self, **_: bool) -> bool:
        return False

    def __str__(self) -> str:
        return shown(self.address)

    def __fspath__(self) -> Never:
        raise RasterError(
            f"{self} is an address on the network; a file on disk is needed here. Fetch it first: terrazzo download '{self}' FOLDER"
        )

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.address,)

    def _at(self, place: str) -> Self:
        return type(self)(f"{self.scheme}://{self.host}{place if place.startswith('/') or not place else f'/{place}'}")


def to_path(text: str | Path) -> Path:
    """The path that a text of a user or a table stands for: a RemotePath if it is an address ('scheme://...'), else a path on disk."""
    if isinstance(text, Path):
        return text
    return RemotePath(text) if _ADDRESS.match(text) else Path(text)


def shown(address: str) -> str:
    """An address as it may be shown and stored: without its user and password, and without what signs or opens it."""
    head, separator, rest = address.partition("://")
    host, slash, place = rest.partition("/")
    named = f"{HIDDEN}@{host.rpartition('@')[2]}" if "@" in host else host
    return _SECRET.sub(rf"\g<1>{HIDDEN}", f"{head}{separator}{named}{slash}{place}")
