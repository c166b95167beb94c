import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from terrazzo.rasters.formats import decoded
from terrazzo.rasters.formats.decoded import DecodedImage
from terrazzo.rasters.formats.source import Block


class Decoder:
    """Counts how often it decodes, 100 bytes each time."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Block:
        self.count += 1
        return Block(values=np.zeros((1, 10, 10), np.uint8))


def test_windows_keep_the_image_and_a_whole_read_does_not() -> None:
    decode = Decoder()
    image = DecodedImage(decode)
    image.whole()
    image.whole()
    assert decode.count == 2
    image.kept()
    image.kept()
    image.whole()
    assert decode.count == 3
    image.drop()
    image.kept()
    assert decode.count == 4
    image.drop()


def test_the_images_used_longest_ago_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "KEPT_BYTES", 250)
    decoders = [Decoder() for _ in range(3)]
    images = [DecodedImage(decode) for decode in decoders]
    for number in (0, 1, 0, 2, 0, 1):
        images[number].kept()
    assert [decode.count for decode in decoders] == [1, 2, 1]
    monkeypatch.setattr(decoded, "KEPT_BYTES", 10)
    images[2].kept()
    images[2].kept()
    assert decoders[2].count == 2
    for image in images:
        image.drop()


def test_threads_that_ask_at_once_decode_once() -> None:
    together = threading.Barrier(4)
    decode = Decoder()
    image = DecodedImage(decode)

    def ask() -> Block:
        together.wait()
        return image.kept()

    with ThreadPoolExecutor(4) as pool:
        blocks = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert decode.count == 1
    assert all(block is blocks[0] for block in blocks)
    image.drop()
