"""What tensors hold while something computes: bytes now, and at most."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Used as a context: counts the memory of all tensors that are made in it, each storage once, until it is freed.

    Tensors may be fake: then nothing is computed, and what they would hold counts. Memory that libraries take inside an operation, and give
    back before it ends, is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        """Bytes held now."""
        self.peak = 0
        """The most that was held at once since `mark`."""
        self._held: dict[int, weakref.ref[Any]] = {}

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors that were made before."""
        for tensor in tensors:
            self._hold(tensor)

    def mark(self) -> None:
        """Forget the peak so far."""
        self.peak = self.live

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        self.hold(leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor))
        return made

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()  # noqa: SLF001 - the one thing that tells storages apart, fake ones too
        if key in self._held:
            return
        self.live += size
        self.peak = max(self.peak, self.live)
        self._held[key] = weakref.ref(storage, lambda _: self._free(key, size))

    def _free(self, key: int, size: int) -> None:
        self.live -= size
        del self._held[key]
