"""pack: the samples of a table as one store, to train from and to share; or as TFRecords, and back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terrazzo.errors import UsageError
from terrazzo.labels.sentences import counted
from terrazzo.rasters.location import to_path
from terrazzo.samples.pack.frame import Codec
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest
from terrazzo.samples.pack.plan import Content, plan_shards
from terrazzo.samples.pack.store import is_packed
from terrazzo.samples.pack.write import write_store
from terrazzo.samples.table import PARTS
from terrazzo.samples.tfrecord.write import write_records
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.pack_content import of_store, of_table
from terrazzo.workflows.pack_records import find_records, of_records


def pack(
    samples: str | Path,
    out: str | Path,
    context: Context | None = None,
    *,
    shard_samples: float | None = None,
    raw: bool = False,
    tfrecord: bool = False,
) -> Result:
    """Write the windows of a samples table, with their pixels, labels and parts, into a folder that needs no other file.

    samples: a samples table; a packed store, to pack it otherwise; or TFRecord files, a folder of them or a pattern.
    shard_samples: samples a shard; None: about 128 MB before compression. raw: not compressed, to be mapped into memory.
    tfrecord: write TFRecords instead.
    Shards that are there already, of the same samples, are kept.
    Raises UsageError, ConflictError if the table is stale or OUT holds anything else, DataError, SplitError, RasterError or LabelError
    for what cannot be packed, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if raw and tfrecord:
        raise UsageError("--raw is for packed stores; TFRecords hold PNG. Leave one of them out.")
    each = _whole_number(shard_samples)
    codec: Codec = "raw" if raw else "zstd"
    threads = context.threads or os.cpu_count() or 1
    with _content(samples, codec, out, context) as content:
        shards = plan_shards(content, each)
        if tfrecord:
            files = write_records(content, shards, out, context.progress, threads)
            text = f"{counted(len(content.samples), 'sample')} in {counted(len(files), 'TFRecord')} in {out}"
            return Result(text=f"{text}: {_parts(content)}", written={"outputs": files}, facts={"samples": len(content.samples)})
        manifest = write_store(content, shards, out, context.progress, threads)
    return Result(
        text=_told(manifest, content, out),
        written={"samples": out / TABLE, "outputs": [out / MANIFEST, *(out / facts.name for facts in manifest.shards)]},
        facts={"samples": manifest.samples, "shards": len(manifest.shards), "bytes": _size(manifest), "raw_bytes": _raw_size(content)},
    )


@contextmanager
def _content(samples: str | Path, codec: Codec, out: Path, context: Context) -> Iterator[Content]:
    path = to_path(samples)
    records = find_records(path)
    if records:
        with of_records(records, codec, out, context) as content:
            yield content
    elif is_packed(path):
        yield of_store(path, codec)
    else:
        yield of_table(path, codec, context)


def _whole_number(given: float | None) -> int | None:
    if given is not None and (given < 1 or given != int(given)):
        raise UsageError(f"--shard-samples is {given:g}; it must be a whole number from 1.")
    return None if given is None else int(given)


def _told(manifest: Manifest, content: Content, out: Path) -> str:
    size, raw = _size(manifest), _raw_size(content)
    return (
        f"{counted(sum(manifest.samples.values()), 'sample')} in {counted(len(manifest.shards), 'shard')} in {out}: {_parts(content)}\n"
        f"{size / 10**6:.1f} MB, {size / raw:.0%} of their pixels and labels"
    )


def _parts(content: Content) -> str:
    counts = content.samples.frame["split"].value_counts()
    return ", ".join(f"{part} {counts[part]}" for part in PARTS if part in counts)


def _size(manifest: Manifest) -> int:
    return sum(facts.bytes for facts in manifest.shards)


def _raw_size(content: Content) -> int:
    frame, form = content.samples.frame, content.form
    return int((frame["width"] * frame["height"]).sum()) * (form.bands * form.dtype.itemsize + 1)
