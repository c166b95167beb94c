"""Writing a packed store: shards one after another, each whole under its name or not there; then the table, the manifest last."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import cast

from terrazzo.progress import Advance, Progress
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.window import Shape
from terrazzo.rasters.write import check_writable, write_text, writing
from terrazzo.samples.pack.frame import Packed, Sections, encode
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Kind, Manifest, ShardFacts
from terrazzo.samples.pack.plan import Content, Shard, packed_table
from terrazzo.samples.pack.resume import check_free, check_room, kept
from terrazzo.samples.pack.shard import ShardWriter
from terrazzo.samples.table import PARTS


def write_store(content: Content, shards: Sequence[Shard], folder: Path, progress: Progress, threads: int) -> Manifest:
    """Write a store; shards that are there already, of the same samples, are checked and kept.

    Raises ConflictError if the folder holds anything else, DataError if samples cannot be read, EnvironmentFault.
    """
    check_writable(folder)
    made_from = hashlib.blake2b("".join(shard.made_from for shard in shards).encode(), digest_size=20).hexdigest()
    before = check_free(folder, made_from, shards)
    if before is None:
        check_room(folder, content)
    done: list[ShardFacts] = []
    with progress.task("pack", len(content.samples), "samples") as advance:
        for shard in shards:
            found = kept(folder, shard, content.form, before)
            advance(found.samples if found is not None else 0)
            done.append(found or _write(folder / shard.name, shard, content, advance, threads))
    if before is not None and before.shards == done and _table_is(folder, before):
        return before
    packed_table(content, shards).save(folder / TABLE)
    manifest = _manifest(content, done, made_from, _sum(folder / TABLE))
    write_text(folder / MANIFEST, manifest.to_json())
    return manifest


def _write(path: Path, shard: Shard, content: Content, advance: Advance, threads: int) -> ShardFacts:
    windows, scenes = content.samples.windows(), content.samples.frame["scene"].tolist()

    def encoded(row: int) -> tuple[bytes, Shape, Sections]:
        scene, window = scenes[row], windows[row]
        sample = Packed(
            pixels=content.source.image(scene, window),
            labels=content.source.labels(scene, window),
            instances=content.source.instances(scene, window) if content.instances else None,
        )
        return encode(sample, content.form)

    with writing(path) as temporary:
        with temporary.open("wb") as file:
            writer = ShardWriter(file, content.form, shard.made_from)
            for data, shape, sections in ahead(encoded, shard.rows.tolist(), threads):
                writer.add(data, shape, sections)
                advance(1)
            writer.finish()
        size, found = temporary.stat().st_size, _sum(temporary)
    return ShardFacts(name=path.name, part=shard.part, samples=len(shard.rows), bytes=size, sha256=found)


def _manifest(content: Content, shards: list[ShardFacts], made_from: str, table_sha256: str) -> Manifest:
    form, counts = content.form, content.samples.frame["split"].value_counts()
    return Manifest(
        codec=form.codec,
        bands=form.bands,
        dtype=cast("Kind", form.dtype.name),
        band_names=list(content.band_names),
        nodata=list(content.nodata),
        legend=json.loads(content.samples.legend.plain().to_json()),
        reading=content.reading,
        samples={part: int(counts[part]) for part in PARTS if part in counts},
        instances=content.instances,
        table_sha256=table_sha256,
        shards=shards,
        made_from=made_from,
        made_with=version("terrazzo"),
    )


def _table_is(folder: Path, manifest: Manifest) -> bool:
    return (folder / TABLE).is_file() and _sum(folder / TABLE) == manifest.table_sha256


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
