"""One run at a time in a folder: a lock that ends with whoever holds it."""

import errno
import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from terrazzo.errors import ConflictError, EnvironmentFault

try:
    import fcntl
except ImportError:  # Windows: told where the lock is taken
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)
NAME = ".lock"
"""Hidden, so that a folder that holds nothing else counts as empty."""
_UNKNOWN = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
"""What file systems without locks answer."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder that exists. The operating system frees it when the holder ends, however it ends: no lock is ever stale.

    Where the file system knows no locks, a warning says so and the work goes on.
    Raises ConflictError naming the holder's machine and process if the folder is held; EnvironmentFault if it cannot be written.
    """
    path = folder / NAME
    try:
        file = _take(path)
    except OSError as error:
        if isinstance(error, EnvironmentFault):
            raise
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror or error}. Choose another folder.") from error
    try:
        yield
    finally:
        # removed while it is held: who waits with the old file open sees that it is no longer the one in the folder
        with suppress(OSError):
            path.unlink()
        file.close()


def _take(path: Path) -> BinaryIO:
    while True:
        file = path.open("a+b")
        try:
            _hold(file, path.parent)
            if _is_at(file, path):
                file.truncate(0)
                file.write(json.dumps({"host": platform.node(), "pid": os.getpid()}).encode())
                file.flush()
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _hold(file: BinaryIO, folder: Path) -> None:
    if fcntl is None:
        logger.warning("This system has no locks of files: take care that no other run writes to %s.", folder)
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise ConflictError(f"{folder} is in use: {_holder(file.read())} writes to it. Wait for its end, or give another --out.") from error
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        logger.warning("%s lies on a file system without locks: take care that no other run writes there.", folder)


def _holder(said: bytes) -> str:
    """Who holds the lock, by what the file says; it is empty for a moment after the lock is taken."""
    try:
        found = json.loads(said)
        return f"process {found['pid']} on {found['host']}"
    except (ValueError, TypeError, LookupError):
        return "another process"


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is the one in the folder, not one that its holder has removed since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
