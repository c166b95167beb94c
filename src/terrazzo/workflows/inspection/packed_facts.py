"""What a packed store holds, and whether its bytes are those that were packed."""

import hashlib
from pathlib import Path

from terrazzo.errors import DataError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted
from terrazzo.samples.pack.manifest import ShardFacts
from terrazzo.samples.pack.store import PackedStore
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.sample_facts import sample_facts, sample_lines, sample_problems


def packed_finding(folder: Path) -> Finding:
    """Look through all of a store. Raises DataError naming every shard that is damaged or missing."""
    store = PackedStore.open(folder)
    manifest, samples, failures = store.manifest, store.samples, Failures()
    for facts in manifest.shards:
        with failures.collect():
            _check(folder / facts.name, facts)
    failures.check(len(manifest.shards), "shards")
    size, found = sum(facts.bytes for facts in manifest.shards), store_finding(store, str(folder))
    return Finding(
        name=found.name,
        heading=f"packed store, {counted(len(samples), 'sample')} of {counted(manifest.bands, 'band')} of type {manifest.dtype}, "
        f"{samples.size[0]} x {samples.size[1]} pixels at most",
        rows=[*found.rows, ("shards", f"{len(manifest.shards)}, {size / 10**6:.1f} MB, every byte as it was packed")],
        plain={
            "kind": "packed",
            "path": str(folder.absolute()),
            **found.plain,
            "bands": manifest.bands,
            "dtype": manifest.dtype,
            "codec": manifest.codec,
            "shards": len(manifest.shards),
            "bytes": size,
            "problems": found.problems,
        },
        problems=found.problems,
    )


def store_finding(store: PackedStore, name: str) -> Finding:
    """What a store's table says of its samples, of which none is read. name: what the user calls what names the store."""
    samples = store.samples
    return Finding(
        name=name,
        heading=f"{counted(len(samples), 'sample')} of the packed store {store.path}",
        rows=[(label, text) for label, _, text in (line.partition(": ") for line in sample_lines(samples))],
        plain=sample_facts(samples),
        problems=sample_problems(samples),
    )


def _check(path: Path, facts: ShardFacts) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Copy the shard anew.") from error
    if found != facts.sha256:
        raise DataError(f"{path} is damaged: its checksum is not that of the manifest. Copy the shard anew, or pack the samples anew.")
