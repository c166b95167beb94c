"""Packing is repeatable, resumes, and never touches what is not its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.progress import Silent
from terrazzo.samples.pack import write as write_module
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest
from terrazzo.samples.pack.plan import Content, plan_shards
from terrazzo.samples.pack.shard import ShardWriter
from terrazzo.samples.pack.write import write_store

MakeContent = Callable[..., Content]
Pack = Callable[..., Manifest]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_the_same_samples_give_the_same_bytes(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed = content()
    pack(packed, tmp_path / "one")
    write_store(packed, plan_shards(packed, 5), tmp_path / "two", Silent(), 5)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert str(tmp_path).encode() not in b"".join(contents(tmp_path / "one").values())


def test_a_finished_store_is_left_as_it_is(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed = content()
    first = pack(packed, tmp_path / "out")
    before = stamps(tmp_path / "out")
    assert pack(packed, tmp_path / "out") == first
    assert stamps(tmp_path / "out") == before


def test_a_killed_run_goes_on_and_keeps_whole_shards(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed, out = content(), tmp_path / "out"
    pack(packed, out)
    finished = contents(out)
    for name in (MANIFEST, TABLE, "00002.tzs"):
        (out / name).unlink()
    (out / ".00002-0123abcd.tzs").write_bytes(b"half")
    damaged = bytearray((out / "00001.tzs").read_bytes())
    damaged[300] ^= 1
    (out / "00001.tzs").write_bytes(damaged)
    kept = stamps(out)["00000.tzs"]
    pack(packed, out)
    assert contents(out) == finished
    assert stamps(out)["00000.tzs"] == kept


def test_a_lost_shard_of_a_finished_store_is_made_again(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed, out = content(), tmp_path / "out"
    pack(packed, out)
    finished = contents(out)
    (out / "00001.tzs").unlink()
    pack(packed, out)
    assert contents(out) == finished


def test_other_content_is_a_conflict(tmp_path: Path, content: MakeContent, pack: Pack) -> None:
    packed, out = content(), tmp_path / "out"
    pack(packed, out)
    before = contents(out)
    with pytest.raises(ConflictError, match="other samples"):
        pack(content("raw"), out)
    with pytest.raises(ConflictError, match="other samples"):
        pack(content(origin='{"nodata": 5}'), out)
    (out / MANIFEST).unlink()
    (out / TABLE).unlink()
    with pytest.raises(ConflictError, match=r"00000\.tzs is of other samples"):
        pack(content(origin='{"nodata": 5}'), out)
    assert contents(out) == {name: data for name, data in before.items() if name.endswith(".tzs")}


@pytest.mark.parametrize("name", ["notes.txt", "samples.parquet", "00000.tzs", "00077.tzs"])
def test_files_of_others_are_never_touched(tmp_path: Path, content: MakeContent, pack: Pack, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(b"mine")
    with pytest.raises(ConflictError, match=name):
        pack(content(), out)
    assert contents(out) == {name: b"mine"}


def test_a_full_disk_leaves_whole_shards_only(tmp_path: Path, content: MakeContent, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, out = content(), tmp_path / "out"
    calls: list[Path] = []

    class Full(ShardWriter):
        def finish(self) -> None:
            calls.append(out)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            super().finish()

    monkeypatch.setattr(write_module, "ShardWriter", Full)
    with pytest.raises(EnvironmentFault, match=r"00001\.tzs cannot be written: No space left"):
        pack(packed, out)
    assert sorted(contents(out)) == ["00000.tzs"]
    monkeypatch.undo()
    pack(packed, out)
    pack(packed, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_raw_pixels_that_cannot_fit_are_refused_before(
    tmp_path: Path, content: MakeContent, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(EnvironmentFault, match="leave out --raw"):
        pack(content("raw"), tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_shards_are_of_a_size_by_default(content: MakeContent, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = content()
    assert len(plan_shards(packed, None)) == 2
    monkeypatch.setattr("terrazzo.samples.pack.plan.SHARD_BYTES", 5000)
    # 10 x 10 pixels of two bands of two bytes, and a label: 500 bytes
    assert {len(shard.rows) for shard in plan_shards(packed, None)} <= {10, *(len(shard.rows) for shard in plan_shards(packed, 10))}
    assert max(len(shard.rows) for shard in plan_shards(packed, None)) == 10
