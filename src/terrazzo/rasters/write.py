"""Files that are either whole under their final name or not there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from terrazzo.errors import EnvironmentFault


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file safely: yields a temporary path in the same folder, which becomes `path` if the block succeeds.

    Missing folders are made. If the block or the disk fails, nothing is left and what was at `path` stays.
    Raises EnvironmentFault if the folder cannot be made or written, or the disk is full.
    """
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if isinstance(error, EnvironmentFault) or error.errno is None:
            raise
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror or error}. Free the disk or choose another folder.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; see `writing`."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in UTF-8 with plain line ends; see `writing`."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def check_writable(folder: Path) -> None:
    """Make a folder if it is missing and prove that files can be written to it.

    Raises EnvironmentFault if not.
    """
    probe = folder / f".writable-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"0" * 4096)
    except OSError as error:
        raise EnvironmentFault(f"{folder} cannot be written: {error.strerror or error}. Choose another folder with --out.") from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    # a rename may reach the disk before the bytes do; after a power cut the file would be empty
    with path.open("rb+") as file:
        os.fsync(file.fileno())
