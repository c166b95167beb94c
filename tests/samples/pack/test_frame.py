"""A frame gives back every bit, of any type, with anything missing; and says so when it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.samples.pack.frame import Codec, Form, Packed, Sections, decode, encode

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]


def sample(rng: np.random.Generator, shape: tuple[int, int, int], dtype: str) -> Packed:
    bits = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8)
    valid = rng.random(shape[1:]) > rng.choice([-1.0, 0.2])
    holes = ~valid | (rng.random(shape) > 0.7)
    return Packed(
        pixels=Pixels(values=bits.view(dtype)[..., 0], valid=valid, holes=holes if rng.random() > 0.3 else None),
        labels=rng.integers(0, 256, shape[1:], dtype=np.uint8),
        instances=rng.integers(0, 2**32, shape[1:], dtype=np.uint32) if rng.random() > 0.5 else None,
    )


def same(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    """Equal bit for bit: NaN of any kind too."""
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 20) | st.integers(120, 140), st.integers(1, 20)),
    dtype=st.sampled_from(TYPES),
    codec=st.sampled_from(["zstd", "raw"]),
)
def test_every_bit_comes_back(seed: int, shape: tuple[int, int, int], dtype: str, codec: Codec) -> None:
    packed, form = sample(np.random.default_rng(seed), shape, dtype), Form(bands=shape[0], dtype=np.dtype(dtype), codec=codec)
    data, size, sections = encode(packed, form)
    found = decode(data, size, sections, form)
    assert same(found.pixels.values, packed.pixels.values)
    assert same(found.pixels.valid, packed.pixels.valid)
    assert same(found.pixels.holes, packed.pixels.holes if packed.pixels.holes is not None and packed.pixels.holes.any() else None)
    assert same(found.labels, packed.labels)
    assert same(found.instances, packed.instances)


def test_the_same_sample_has_the_same_bytes() -> None:
    form = Form(bands=3, dtype=np.dtype(np.uint16), codec="zstd")
    assert encode(sample(np.random.default_rng(3), (3, 9, 7), "uint16"), form) == encode(
        sample(np.random.default_rng(3), (3, 9, 7), "uint16"), form
    )


def ramp(noise: int) -> Packed:
    """A plane that rises from row to row, with noise."""
    rows = np.arange(64, dtype=np.uint16)[None, :, None] * 500
    values = rows + np.random.default_rng(0).integers(0, noise, (1, 64, 64)).astype(np.uint16)
    return Packed(pixels=Pixels(values=values, valid=np.ones((64, 64), np.bool_), holes=None), labels=np.zeros((64, 64), np.uint8))


def test_rows_are_stored_as_differences_where_that_is_smaller() -> None:
    form = Form(bands=1, dtype=np.dtype(np.uint16), codec="zstd")
    data, _, sections = encode(ramp(4), form)
    assert sections == Sections.DELTA
    assert len(data) < 64 * 64
    noise = Packed(
        pixels=Pixels(
            values=np.random.default_rng(1).integers(0, 40, (1, 64, 64)).astype(np.uint16), valid=np.ones((64, 64), np.bool_), holes=None
        ),
        labels=np.zeros((64, 64), np.uint8),
    )
    assert encode(noise, form)[2] == Sections(0)


def test_raw_frames_are_views(rng: np.random.Generator) -> None:
    form = Form(bands=2, dtype=np.dtype(np.float32), codec="raw")
    data, size, sections = encode(sample(rng, (2, 8, 8), "float32"), form)
    found = decode(data, size, sections, form)
    assert not found.pixels.values.flags.owndata
    assert np.shares_memory(found.pixels.values, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("codec", ["zstd", "raw"])
def test_bytes_of_another_size_are_refused(codec: Codec, rng: np.random.Generator) -> None:
    form = Form(bands=2, dtype=np.dtype(np.uint8), codec=codec)
    data, _, sections = encode(sample(rng, (2, 8, 8), "uint8"), form)
    for wrong in ((8, 9), (7, 8), (1, 1)):
        with pytest.raises((ValueError, OSError, pa.ArrowException)):
            decode(data, wrong, sections, form)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_the_page_on_the_format_tells_how_to_read_it(dtype: str) -> None:
    """The lines of docs/pack-format.md, run as they stand there."""
    form, rows = Form(bands=3, dtype=np.dtype(dtype), codec="zstd"), np.arange(150)[:, None] * 3
    values = np.broadcast_to(rows, (3, 150, 9)).astype(dtype)
    packed = Packed(pixels=Pixels(values=values, valid=np.ones((150, 9), np.bool_), holes=None), labels=np.zeros((150, 9), np.uint8))
    frame, (height, width), sections = encode(packed, form)
    assert sections & 8
    page = (Path(__file__).parents[3] / "docs/pack-format.md").read_text(encoding="utf-8")
    lines = "\n".join(line[4:] for line in page[page.index("In Python:") :].splitlines()[2:])
    content = pa.Codec("zstd").decompress(frame, decompressed_size=form.content_bytes((height, width), sections), asbytes=True)
    lines = lines.replace("content = zstd.decompress(frame)\n", "")
    found: dict[str, Any] = {"np": np, "content": content, "height": height, "width": width, "bands": 3, "size": form.dtype.itemsize}
    exec(lines, found := found | {"sections": int(sections), "dtype": form.stored})
    assert np.array_equal(found["image"], values)
