"""From an exception to what the user is told and the exit code."""

import errno
import os
from dataclasses import dataclass

from terrazzo.errors import TerrazzoError

BUG = 1
ENVIRONMENT = 5
INTERRUPTED = 130
TERMINATED = 143
BROKEN_PIPE = 141

_ENVIRONMENT_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.EIO}


class Terminated(KeyboardInterrupt):
    """SIGTERM: work ends as it does at Ctrl-C, with a checkpoint where there is one."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a verb ended that did not end well."""

    exit_code: int
    message: str


def fault_of(error: BaseException) -> Fault:
    """The exit code and the sentence for an exception; what is not foreseen is a fault of Terrazzo, exit code 1."""
    if isinstance(error, TerrazzoError):
        return Fault(exit_code=error.exit_code, message=f"error: {error}")
    if isinstance(error, KeyboardInterrupt):
        return (
            Fault(exit_code=TERMINATED, message="terminated")
            if isinstance(error, Terminated)
            else Fault(exit_code=INTERRUPTED, message="interrupted")
        )
    return _environment_fault(error) or Fault(
        exit_code=BUG,
        message=f"error: {type(error).__name__}: {_first_line(error)}\n"
        "This is a fault of Terrazzo: please run it again with --debug and report what it shows.",
    )


def _environment_fault(error: BaseException) -> Fault | None:
    if isinstance(error, BrokenPipeError):
        return Fault(exit_code=BROKEN_PIPE, message="")
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRNOS:
        return Fault(exit_code=ENVIRONMENT, message=f"error: {_os_sentence(error)}")
    # torch's OutOfMemoryError is known by its name, for torch is not imported here
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Fault(exit_code=ENVIRONMENT, message=f"error: out of memory ({_first_line(error)}). Lower the batch size or the window.")
    return None


def _os_sentence(error: OSError) -> str:
    where = f"{os.fspath(error.filename)!s}: " if isinstance(error.filename, str | os.PathLike) else ""
    return f"{where}{error.strerror}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or "no message"
