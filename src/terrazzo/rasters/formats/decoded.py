"""Decoded images of formats that cannot be read by window, kept while they are in use."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from terrazzo.rasters.formats.source import Block

KEPT_BYTES = 512 * 2**20
"""All kept images together; beyond, those that were used longest ago are dropped. The newest always stays."""

DECODED_LIMIT_BYTES = 512 * 2**20
"""Larger images of such formats are refused, however small their files."""

_kept: "OrderedDict[DecodedImage, Block]" = OrderedDict()
_lock = threading.Lock()


class DecodedImage:
    """One image that is decoded when its pixels are asked for, and stays in memory while other images do not need the room."""

    def __init__(self, decode: Callable[[], Block]) -> None:
        self._decode = decode
        self._decoding = threading.Lock()

    def whole(self) -> Block:
        """All pixels, not kept if they were not: who asks for all at once is not likely to ask again."""
        return self._find() or self._decode()

    def kept(self) -> Block:
        """All pixels, kept for the windows to come; several threads that ask at once decode only once."""
        with self._decoding:
            block = self._find()
            if block is None:
                block = self._decode()
                self._keep(block)
            return block

    def drop(self) -> None:
        """Free the memory."""
        with _lock:
            _kept.pop(self, None)

    def _find(self) -> Block | None:
        with _lock:
            block = _kept.get(self)
            if block is not None:
                _kept.move_to_end(self)
            return block

    def _keep(self, block: Block) -> None:
        with _lock:
            _kept[self] = block
            while len(_kept) > 1 and sum(other.values.nbytes for other in _kept.values()) > KEPT_BYTES:
                _kept.popitem(last=False)
