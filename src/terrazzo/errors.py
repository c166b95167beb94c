"""The exception tree. Every class knows its exit code, and children inherit the builtin a caller expects.

    TerrazzoError
      UsageError (ValueError)          2   a wrong argument
        RecipeError                    2   a wrong or missing recipe
        WindowError                    2   a window that cannot be
      DataError (ValueError)           3   data that cannot be used as it is
        RasterError (OSError)          3   an image that cannot be read
        LabelError                     3   labels that do not fit their image or legend
        PairingError                   3   images without labels, labels without images
        SplitError                     3   a split that cannot be made, or leaks
      ModelError (ValueError)          4   an unsafe, broken or incompatible model
      EnvironmentFault (OSError)       5   disk, memory, permission, device
      ConflictError                    6   another run, another recipe, an unfinished run
      PartialResult                    7   some inputs failed; the rest is done
      DivergedError (ArithmeticError)  8   the loss is NaN or infinite

Messages are one or two lines: what was given, where, what is allowed, what to do next.
"""

from typing import ClassVar


class TerrazzoError(Exception):
    """Root of all errors that Terrazzo raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(TerrazzoError, ValueError):
    exit_code = 2


class RecipeError(UsageError):
    pass


class WindowError(UsageError):
    pass


class DataError(TerrazzoError, ValueError):
    exit_code = 3


class RasterError(DataError, OSError):
    pass


class LabelError(DataError):
    pass


class PairingError(DataError):
    pass


class SplitError(DataError):
    pass


class ModelError(TerrazzoError, ValueError):
    exit_code = 4


class EnvironmentFault(TerrazzoError, OSError):
    exit_code = 5


class ConflictError(TerrazzoError):
    exit_code = 6


class PartialResult(TerrazzoError):
    exit_code = 7


class DivergedError(TerrazzoError, ArithmeticError):
    exit_code = 8
