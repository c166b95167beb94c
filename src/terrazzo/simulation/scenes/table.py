"""Things of one kind, as arrays with an entry each."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Table:
    """What a frozen dataclass of arrays (n, ...) can do."""

    def part(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The things at these places, or where True."""
        return type(self)(**{name: getattr(self, name)[which] for name in self._columns()})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The things of several tables, one after the other; at least one table."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in cls._columns()})

    def __len__(self) -> int:
        return len(getattr(self, self._columns()[0]))

    @classmethod
    def _columns(cls) -> list[str]:
        return [field.name for field in fields(cls)]  # type: ignore[arg-type] # every subclass is a dataclass
