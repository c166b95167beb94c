"""Files in buckets: s3:// and gs://, also at servers of one's own."""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download.sources import Checksum, Chunk, Interruption, RemoteFile
from terrazzo.rasters.download.stores import Access, Store, obstore_module

CHUNK_BYTES = 4 * 2**20

_PLAIN_ETAG = re.compile(r'"?([0-9a-f]{32})"?')
"""Of a file that was stored in one piece: its MD5. Those of several pieces have a '-'."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The files of one bucket."""

    address: str
    """Such as s3://name."""
    access: Access
    store: Store

    def find(self, key: str) -> list[RemoteFile]:
        """The file of a key; else all files below it, named by what follows it.

        Raises DataError if there is nothing, or a key cannot be a file's name; Interruption, EnvironmentFault.
        """
        obstore = obstore_module()
        shown = f"{self.address}/{key}"
        if key and not key.endswith("/"):
            try:
                with faults(shown):
                    meta = obstore.head(self.store, key)
            except FileNotFoundError:
                pass  # no file of that name: perhaps a folder
            else:
                return [self._file(meta, key.rpartition("/")[2])]
        with faults(shown):
            found = [meta for metas in obstore.list(self.store, key.strip("/") or None, chunk_size=1000) for meta in metas]
        if not found:
            raise DataError(f"{shown} does not exist: there is neither such a file nor any below it.")
        above = len(key.strip("/")) + 1 if key.strip("/") else 0
        folders = {parent for meta in found for parent in _parents(meta["path"])}
        # consoles mark a folder by an empty file of its name
        return [self._file(meta, meta["path"][above:]) for meta in found if meta["size"] or meta["path"] not in folders]

    def _file(self, meta: Mapping[str, Any], name: str) -> RemoteFile:
        state = meta["e_tag"] or meta["last_modified"].isoformat()
        plain = _PLAIN_ETAG.fullmatch(meta["e_tag"] or "") if self.address.startswith("s3://") and self.access.trust_etags else None
        return RemoteFile(
            address=f"{self.address}/{meta['path']}",
            name=name,
            size=meta["size"],
            state=state,
            source=BucketFile(bucket=self, key=meta["path"], etag=meta["e_tag"]),
            checksum=Checksum(algorithm="md5", digits=plain[1], said_by="its ETag") if plain else None,
        )


@dataclass(frozen=True, kw_only=True)
class BucketFile:
    """The source of one file."""

    bucket: Bucket
    key: str
    etag: str | None

    def read(self, start: int, stop: int | None) -> Generator[Chunk, None, None]:
        obstore = obstore_module()
        options: dict[str, Any] = {"range": {"offset": start} if stop is None else (start, stop)}
        if self.etag is not None:
            options["if_match"] = self.etag
        left = None if stop is None else stop - start
        address = f"{self.bucket.address}/{self.key}"
        try:
            with faults(address):
                for chunk in obstore.get(self.bucket.store, self.key, options=options).stream(CHUNK_BYTES):
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise EnvironmentFault(f"{address} was removed from the server while it was fetched.") from error
        if left:
            raise Interruption("the connection was cut")


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[:count]) for count in range(1, len(parts)))


@contextmanager
def faults(address: str) -> Iterator[None]:
    """Faults of the store, told apart by whether trying again may help; a missing file stays a FileNotFoundError."""
    from obstore.exceptions import BaseError, InvalidPathError, PermissionDeniedError, PreconditionError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise DataError(
            f"{address} may not be read: the server refuses access. Check the credentials; public buckets take --anonymous."
        ) from error
    except PreconditionError as error:
        raise EnvironmentFault(f"{address} was changed on the server while it was fetched. Run this again.") from error
    except InvalidPathError as error:
        raise DataError(
            f"{address}: a key cannot be the name of a file ({_first_line(error)}). Fetch the others by their own addresses."
        ) from error
    except ValueError as error:
        raise DataError(f"{address} cannot be a key ({_first_line(error)}).") from error
    except BaseError as error:
        raise _told(address, str(error)) from error


def _told(address: str, text: str) -> Exception:
    if "NoSuchBucket" in text or "status code: 404" in text:
        return DataError(f"{address} does not exist: there is no such bucket.")
    if "169.254." in text or "metadata.google" in text or "metadata" in text.partition("\n")[0]:
        return DataError(f"{address} cannot be read: no credentials are found. Set them, or add --anonymous for a public bucket.")
    code = re.search(r"status code: (4\d\d)", text)
    if code is not None and code[1] not in ("408", "425", "429"):
        return DataError(f"{address} cannot be read: the server answers with the code {code[1]}.")
    return Interruption(f"the connection failed ({text.partition(chr(10))[0].rpartition(' - ')[2][:120]})")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
