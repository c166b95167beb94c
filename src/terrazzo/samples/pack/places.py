"""Where packed stores are: a folder on disk, or an address, of which parts of files are asked for."""

import logging
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.buckets import faults
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import Interruption
from terrazzo.rasters.download.stores import Access, client_config, obstore_module, open_store, retry_config
from terrazzo.rasters.location import RemotePath

if TYPE_CHECKING:
    from obstore.store import GCSStore, HTTPStore, S3Store

T = TypeVar("T")

log = logging.getLogger(__name__)

AGAIN_S = (0.5, 2.0, 5.0)
"""How long to wait before a part that could not be read is asked for again."""


class Place(Protocol):
    """Files of one folder, read in parts, from several threads."""

    @property
    def path(self) -> Path:
        """What the folder is called."""
        ...

    def whole(self, name: str) -> bytes:
        """A whole file. Raises DataError if it is not there."""
        ...

    def part(self, name: str, start: int, stop: int) -> bytes | memoryview:
        """The bytes of a file from start to before stop; fewer if it ends before. Raises DataError if it is not there."""
        ...


class Folder:
    """A folder on disk. Whoever copies it to another process opens its files there anew."""

    def __init__(self, path: Path, *, mapped: bool) -> None:
        """mapped: parts are views of the files in memory, so that nothing is copied."""
        self.path = path
        self._mapped = mapped
        self._files: dict[str, int | mmap.mmap] = {}

    def whole(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise self._missing(name, error) from error

    def part(self, name: str, start: int, stop: int) -> bytes | memoryview:
        # no lock: two threads that open the same file at once cost a handle that is closed again
        file = self._files.get(name)
        if file is None:
            file = self._keep(name, self._open(name))
        if isinstance(file, mmap.mmap):
            return memoryview(file)[start:stop]
        try:
            return os.pread(file, stop - start, start)
        except OSError as error:
            raise DataError(f"{self.path / name} cannot be read: {error.strerror or error}.") from error

    def __reduce__(self) -> tuple[Callable[..., "Folder"], tuple[Path, bool]]:
        return _folder, (self.path, self._mapped)

    def __del__(self) -> None:
        for file in self._files.values():
            if isinstance(file, int):
                os.close(file)

    def _open(self, name: str) -> int | mmap.mmap:
        try:
            number = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._missing(name, error) from error
        if not self._mapped:
            return number
        try:
            return mmap.mmap(number, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path / name} cannot be read: {error}. Copy the store anew.") from error
        finally:
            os.close(number)

    def _keep(self, name: str, file: int | mmap.mmap) -> int | mmap.mmap:
        kept = self._files.setdefault(name, file)
        if kept is not file and isinstance(file, int):
            os.close(file)
        return kept

    def _missing(self, name: str, error: OSError) -> DataError:
        return DataError(f"{self.path / name} cannot be read: {error.strerror or error}. A packed store needs all its files; copy it anew.")


class Remote:
    """A folder at an address: s3://, gs://, https:// or http://."""

    def __init__(self, path: RemotePath) -> None:
        """Raises EnvironmentFault if the package that reads such addresses is missing."""
        self.path = path
        self._obstore = obstore_module()
        self._bucket = path.scheme in ("s3", "gs")
        self._store: S3Store | GCSStore | HTTPStore = self._open()
        self._prefix = path.place.strip("/") if self._bucket else ""

    def whole(self, name: str) -> bytes:
        return self._patiently(name, lambda key: bytes(self._obstore.get(self._store, key).bytes()))

    def part(self, name: str, start: int, stop: int) -> bytes:
        return self._patiently(name, lambda key: bytes(self._obstore.get_range(self._store, key, start=start, end=stop)))

    def __reduce__(self) -> tuple[type["Remote"], tuple[RemotePath]]:
        return Remote, (self.path,)

    def _open(self) -> "S3Store | GCSStore | HTTPStore":
        if self._bucket:
            # without credentials, buckets that anyone may read can be read
            return open_store(self.path, Access(anonymous=_no_credentials()), Http(typed=frozenset()))
        from obstore.store import HTTPStore

        address = self.path.address.rstrip("/")
        return HTTPStore.from_url(address, client_options=client_config(address), retry_config=retry_config())

    def _patiently(self, name: str, read: Callable[[str], bytes]) -> bytes:
        key, shown = f"{self._prefix}/{name}" if self._prefix else name, f"{self.path}/{name}"
        for wait_s in (*AGAIN_S, None):
            try:
                with faults(shown):
                    return read(key)
            except FileNotFoundError as error:
                raise DataError(
                    f"{shown} does not exist. A packed store needs all its files; is this the address of its folder?"
                ) from error
            except Interruption as error:
                if wait_s is None:
                    raise EnvironmentFault(f"{shown} cannot be read: {error}. Try again later, or fetch the store first.") from error
                log.debug("%s: %s; trying again", shown, error)
                time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")


def _folder(path: Path, mapped: bool) -> Folder:  # noqa: FBT001 - called by unpickling
    return Folder(path, mapped=mapped)


def _no_credentials() -> bool:
    variables = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "GOOGLE_APPLICATION_CREDENTIALS")
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    return not any(os.environ.get(name) for name in variables) and not file.is_file()
