"""Many small files, each whole under its final name or not there."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from terrazzo.errors import EnvironmentFault


class FileBatch:
    """Files that appear under their names together, at the end of the block.

    To wait for the disk after each of many small files takes as long as to make them; here it is waited for once for all. If the block
    or the disk fails, none of them appears that is not whole.
    """

    def __init__(self) -> None:
        self._files: list[tuple[Path, Path]] = []

    def add(self, path: Path, data: bytes) -> None:
        """Write a file, hidden beside `path`; missing folders are made. Raises EnvironmentFault if the disk is full."""
        temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                self._files.append((temporary, path))
                file.write(data)
                file.flush()
                if hasattr(os, "posix_fadvise"):
                    # begins to write to the disk, and does not wait
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise _failed(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for temporary, _ in self._files:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        for temporary, path in self._files:
            try:
                # the first one waits for all, the others find it done
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise _failed(path, error) from error
        for temporary, path in self._files:
            try:
                temporary.replace(path)
            except OSError as error:
                raise _failed(path, error) from error


def _failed(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(f"{path} cannot be written: {error.strerror or error}. Free the disk or choose another folder.")
