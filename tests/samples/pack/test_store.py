"""A packed store gives what the images gave, from any thread or process; what is damaged is named."""

import hashlib
import json
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from terrazzo.errors import DataError
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.pack.frame import Codec
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest
from terrazzo.samples.pack.plan import Content
from terrazzo.samples.pack.store import PackedStore

MakeContent = Callable[..., Content]
Pack = Callable[..., Manifest]


@pytest.mark.parametrize("codec", ["zstd", "raw"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_it_gives_what_the_images_gave(tmp_path: Path, content: MakeContent, pack: Pack, codec: Codec, dtype: str) -> None:
    packed = content(codec, dtype)
    pack(packed, tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    frame = packed.samples.frame
    for name, source, window, part in zip(
        store.samples.frame["scene"], frame["scene"], packed.samples.windows(), frame["split"], strict=True
    ):
        assert name == f"{source}_{window.col_off}_{window.row_off}"
        assert store.shape(name) == window.shape
        pixels, labels = store.read(name, whole(window.shape))
        expected, known = packed.source.read(source, window)
        assert pixels.values.dtype == expected.values.dtype
        assert np.array_equal(pixels.values, expected.values)
        assert np.array_equal(pixels.valid, expected.valid)
        assert np.array_equal(
            np.zeros_like(expected.values, bool) if pixels.holes is None else pixels.holes,
            expected.holes if expected.holes is not None else np.zeros_like(expected.values, bool),
        )
        assert np.array_equal(labels, known)
        assert store.samples.frame.loc[store.samples.frame["scene"] == name, "split"].item() == part
    assert store.samples.legend.names == packed.samples.legend.names


def test_a_part_of_a_sample(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    pack(content(), tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    name = store.samples.frame["scene"][4]
    window = Window(col_off=2, row_off=1, width=5, height=7)
    whole_pixels, whole_labels = store.read(name, whole((10, 10)))
    pixels, labels = store.read(name, window)
    assert np.array_equal(pixels.values, whole_pixels.values[:, 1:8, 2:7])
    assert np.array_equal(labels, whole_labels[1:8, 2:7])
    assert np.array_equal(store.image(name, window).valid, whole_pixels.valid[1:8, 2:7])
    assert store.instances(name, window) is None


def test_a_sample_is_a_raster_on_its_own_ground(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed = content()
    pack(packed, tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    row = store.samples.frame.iloc[5]
    raster, source = store.raster(row["scene"]), packed.source.raster(row["source"])
    window = Window(col_off=int(row["source_col_off"]), row_off=int(row["source_row_off"]), width=10, height=10)
    assert raster.grid.crs == source.grid.crs
    assert raster.grid.footprint(whole((10, 10))).equals(source.grid.footprint(window))
    assert raster.grid.footprint(whole((10, 10))).equals_exact(row["geometry"], 1e-6)
    pixels, expected = raster.read(), source.read(window)
    assert np.array_equal(pixels.values, expected.values)
    assert np.array_equal(pixels.valid, expected.valid)
    assert raster.digests() == (row["image_digest"],)
    assert raster.band_names == ("red", None)


def test_membership_is_recorded_and_shards_hold_one_part(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed = content()
    manifest = pack(packed, tmp_path / "out", 4)
    frame = PackedStore.open(tmp_path / "out").samples.frame
    assert frame.groupby("shard")["split"].nunique().eq(1).all()
    assert [facts.part for facts in manifest.shards] == frame.groupby("shard")["split"].first().tolist()
    assert [facts.samples for facts in manifest.shards] == frame.groupby("shard").size().tolist()
    assert all(facts.samples <= 4 for facts in manifest.shards)
    assert manifest.samples == packed.samples.frame["split"].value_counts().to_dict()


@pytest.mark.parametrize("codec", ["zstd", "raw"])
def test_a_flipped_bit_names_shard_and_sample(tmp_path: Path, content: MakeContent, pack: Pack, codec: Codec) -> None:
    pack(content(codec), tmp_path / "out")
    before = PackedStore.open(tmp_path / "out")
    name = before.samples.frame["scene"][before.samples.frame["shard"].eq(1).idxmax()]
    record = before._index(1)[0]
    shard = tmp_path / "out" / "00001.tzs"
    data = bytearray(shard.read_bytes())
    data[record.offset + record.length // 2] ^= 16
    shard.write_bytes(data)
    with pytest.raises(DataError, match=rf"00001\.tzs: sample \d+ \({name}\) is damaged: its checksum differs"):
        PackedStore.open(tmp_path / "out").read(name, whole((10, 10)))


@pytest.mark.parametrize("codec", ["zstd", "raw"])
def test_cut_and_missing_shards_are_named(tmp_path: Path, content: MakeContent, pack: Pack, codec: Codec) -> None:
    pack(content(codec), tmp_path / "out")
    shard = tmp_path / "out" / "00000.tzs"
    whole_shard = shard.read_bytes()
    store = PackedStore.open(tmp_path / "out")
    for broken in (whole_shard[:-7], whole_shard[: len(whole_shard) // 2], b""):
        shard.write_bytes(broken)
        with pytest.raises(DataError, match=r"00000\.tzs"):
            PackedStore.open(tmp_path / "out").sample(store.samples.frame["scene"][0])
    shard.unlink()
    with pytest.raises(DataError, match=r"00000\.tzs cannot be read: No such file"):
        PackedStore.open(tmp_path / "out").sample(store.samples.frame["scene"][0])


def test_a_manifest_that_cannot_be_is_a_sentence(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    pack(content(), tmp_path / "out")
    manifest = tmp_path / "out" / MANIFEST
    good = json.loads(manifest.read_text())
    for change, said in (
        ({"version": 2}, "is of version 2; this Terrazzo reads version 1"),
        ({"format": "else"}, "is no manifest"),
        ({"dtype": "object"}, "is damaged: dtype cannot be"),
        ({"shards": [{**good["shards"][0], "name": "../x.tzs"}]}, "is damaged: shards.0.name"),
        ({"legend": {"classes": []}}, "is damaged: A legend needs classes"),
        ({"legend": {"classes": good["legend"]["classes"][:1]}}, "have different classes"),
        ({"nodata": []}, "is damaged: band_names or nodata cannot be"),
        ({"shards": [{**facts, "part": "test"} for facts in good["shards"]]}, "names samples that the shards do not hold"),
        ({"shards": good["shards"][:1]}, "names samples that the shards do not hold"),
        ({"table_sha256": "0" * 64}, "its checksum differs"),
    ):
        manifest.write_text(json.dumps(good | change))
        with pytest.raises(DataError, match=said):
            PackedStore.open(tmp_path / "out")
    for text in ("{", "[" * 100_000):
        manifest.write_text(text)
        with pytest.raises(DataError, match="is no manifest"):
            PackedStore.open(tmp_path / "out")
    manifest.unlink()
    with pytest.raises(DataError, match=MANIFEST):
        PackedStore.open(tmp_path / "out")


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    pack(content(), tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    store.samples.frame["scene"] = [f"../x{number}" for number in range(len(store.samples))]
    store.samples.save(tmp_path / "out" / TABLE)
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    manifest["table_sha256"] = hashlib.sha256((tmp_path / "out" / TABLE).read_bytes()).hexdigest()
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"lead elsewhere: \.\./x0"):
        PackedStore.open(tmp_path / "out")


def total(store: PackedStore) -> int:
    return sum(int(store.sample(name).pixels.values.astype(np.int64).sum()) for name in store.samples.frame["scene"])


@pytest.mark.parametrize("codec", ["zstd", "raw"])
def test_threads_and_processes_read_the_same(tmp_path: Path, content: MakeContent, pack: Pack, codec: Codec) -> None:
    pack(content(codec), tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    expected = total(store)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(total, [store] * 8)) == {expected}
    assert total(pickle.loads(pickle.dumps(store))) == expected
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as forked:
        assert forked.submit(total, store).result(60) == expected
    assert total(store) == expected


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told by /proc")
@pytest.mark.parametrize("reads", [3000, pytest.param(50_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("codec", ["zstd", "raw"])
def test_memory_stays_flat(tmp_path: Path, content: MakeContent, pack: Pack, codec: Codec, reads: int) -> None:
    pack(content(codec), tmp_path / "out")
    store = PackedStore.open(tmp_path / "out")
    names, window = store.samples.frame["scene"].tolist(), Window(col_off=1, row_off=0, width=8, height=9)

    def read(count: int) -> None:
        for number in range(count):
            name = names[number * 7 % len(names)]
            store.read(name, whole((10, 10)) if number % 3 else window)

    read(500)
    before = resident_mb()
    read(reads)
    assert resident_mb() - before < 8
