"""Decoded images of formats that cannot be read by window, kept while they are in use."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from terrazzo.rasters.formats.source import Block

_LIMIT_BYTES = 512 * 2**20
"""Beyond this, the images that were used longest ago are dropped; the newest always stays."""


class DecodedImages:
    """Whole images by ticket, the most recently used ones."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._images: OrderedDict[int, Block] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, number: int, decode: Callable[[], Block]) -> Block:
        """The image of a ticket, decoded if it is not kept; not to be written to."""
        with self._lock:
            if number in self._images:
                self._images.move_to_end(number)
                return self._images[number]
        image = decode()
        with self._lock:
            self._images[number] = image
            self._images.move_to_end(number)
            while len(self._images) > 1 and sum(kept.values.nbytes for kept in self._images.values()) > self._limit_bytes:
                self._images.popitem(last=False)
        return image

    def peek(self, number: int) -> Block | None:
        """The image of a ticket if it is kept."""
        with self._lock:
            return self._images.get(number)

    def drop(self, number: int) -> None:
        with self._lock:
            self._images.pop(number, None)


DECODED = DecodedImages()
