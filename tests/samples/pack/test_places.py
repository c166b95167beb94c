"""Packed stores at addresses: by parts of files, from buckets and web servers, with faults told as sentences."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.location import RemotePath
from terrazzo.samples.pack import places
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest
from terrazzo.samples.pack.plan import Content
from terrazzo.samples.pack.store import PackedStore, is_packed

pytest.importorskip("obstore")

MakeContent = Callable[..., Content]
Pack = Callable[..., Manifest]


@pytest.fixture
def folder(tmp_path: Path, content: MakeContent, pack: Pack) -> Path:
    pack(content(), tmp_path / "packed")
    return tmp_path / "packed"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "AGAIN_S", (0.0, 0.0))


def check_same(remote: PackedStore, local: PackedStore) -> None:
    for scene in local.samples.frame["scene"]:
        one, other = remote.sample(scene), local.sample(scene)
        assert np.array_equal(one.pixels.values, other.pixels.values)
        assert np.array_equal(one.labels, other.labels)


def test_from_a_bucket(folder: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    for file in folder.iterdir():
        s3.put(f"sets/packed/{file.name}", file.read_bytes())
    store = PackedStore.open(f"{s3.address}/sets/packed")
    check_same(store, PackedStore.open(folder))
    check_same(pickle.loads(pickle.dumps(store)), PackedStore.open(folder))
    assert str(store.raster(store.samples.frame["scene"][0]).path).startswith(f"{s3.address}/sets/packed/")
    with pytest.raises(DataError, match=r"else/manifest\.json does not exist"):
        PackedStore.open(f"{s3.address}/else")


def serve(web: Any, folder: Path, **faults: Any) -> str:
    for file in folder.iterdir():
        web.add(f"/packed/{file.name}", file.read_bytes(), **(faults if file.suffix == ".tzs" else {}))
    return f"{web.address}/packed"


def test_from_a_web_server_by_parts(folder: Path, web: Any) -> None:
    store = PackedStore.open(serve(web, folder))
    check_same(store, PackedStore.open(folder))
    asked = [path for _, path, part in web.asked if path.endswith(".tzs") and part]
    # the index of each shard once, and each sample once
    assert len(asked) == len(store.manifest.shards) + len(store.samples)
    assert [path for _, path, part in web.asked if not part] == [f"/packed/{MANIFEST}", f"/packed/{TABLE}"]


def test_an_address_counts_as_packed_unasked(web: Any) -> None:
    assert is_packed(RemotePath(f"{web.address}/packed"))
    assert not web.asked


def test_a_cut_line_is_tried_again_and_then_told(folder: Path, web: Any) -> None:
    address = serve(web, folder, cuts=1)
    check_same(PackedStore.open(address), PackedStore.open(folder))
    for file in web.files.values():
        file.cuts = 100
    with pytest.raises(EnvironmentFault, match=rf"{address}/manifest\.json cannot be read: the connection"):
        PackedStore.open(address)


def test_what_is_damaged_or_gone_at_an_address(folder: Path, web: Any) -> None:
    address = serve(web, folder)
    store = PackedStore.open(address)
    first = store.samples.frame["scene"][0]
    shard = web.files["/packed/00000.tzs"]
    record = store._index(0)[0]
    shard.body = shard.body[: record.offset] + b"\0" + shard.body[record.offset + 1 :]
    with pytest.raises(DataError, match=r"packed/00000\.tzs: sample 0 \(a_0_0\) is damaged"):
        store.sample(first)
    del web.files["/packed/00000.tzs"]
    with pytest.raises(DataError, match=r"packed/00000\.tzs does not exist"):
        store.sample(first)
    web.files[f"/packed/{MANIFEST}"].status = 403
    with pytest.raises(DataError, match="may not be read"):
        PackedStore.open(address)


def test_without_the_package_a_sentence(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(EnvironmentFault, match=r"terrazzo\[cloud\]"):
        PackedStore.open(f"{web.address}/packed")
