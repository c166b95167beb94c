"""Exceptions become a sentence and an exit code."""

import errno
from pathlib import Path

import pytest

from terrazzo import errors
from terrazzo.app.faults import Terminated, fault_of

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TerrazzoError)]


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not errors.TerrazzoError], ids=lambda kind: kind.__name__)
def test_errors_of_the_tree_bring_their_own_code(kind: type[errors.TerrazzoError]) -> None:
    fault = fault_of(kind("it is so"))
    assert fault.exit_code == kind.exit_code
    assert fault.message == "error: it is so"
    assert 2 <= fault.exit_code <= 8


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/map.tif"), 5, "/data/map.tif: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", Path("/data")), 5, "/data: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system"), 5, "Read-only file system"),
        (MemoryError(), 5, "out of memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate"), 5, "out of memory (CUDA out of memory."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "terminated"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 1, "FileNotFoundError"),
        (ZeroDivisionError("division by zero\nand more"), 1, "ZeroDivisionError: division by zero\nThis is a fault of Terrazzo"),
        (RuntimeError(), 1, "RuntimeError: no message"),
    ],
)
def test_other_exceptions(error: BaseException, code: int, words: str) -> None:
    fault = fault_of(error)
    assert fault.exit_code == code
    assert words in fault.message
    assert fault.message.count("\n") <= 1


def test_the_tree_inherits_what_callers_expect() -> None:
    assert issubclass(errors.RecipeError, ValueError)
    assert issubclass(errors.RasterError, OSError)
    assert issubclass(errors.EnvironmentFault, OSError)
    assert issubclass(errors.DivergedError, ArithmeticError)
