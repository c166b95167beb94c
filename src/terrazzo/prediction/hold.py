"""Files that one process holds, or several do together: on one machine, and on several that share a disk which knows locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hold(path: Path, *, shared: bool = False) -> int | None:
    """Take hold of a file, which is made if it is missing; whoever dies lets go.

    shared: as others do too; else alone. Returns what it is written through, at its end, until that is closed; None if others hold it
    so that this cannot be. Raises OSError if it cannot be opened, or the disk knows no locks.
    """
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a file alone, once others have let go of it; raises as `hold`."""
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
