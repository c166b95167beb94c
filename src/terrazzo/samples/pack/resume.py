"""Going on after a broken-off run: what a folder holds already, and whether it may be used."""

import hashlib
import logging
import re
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.labels.sentences import listed
from terrazzo.samples.pack.frame import Form
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest, ShardFacts
from terrazzo.samples.pack.plan import Content, Shard
from terrazzo.samples.pack.shard import Head, index_bytes, parse_index

RECORDS_FOLDER = ".records"
"""Where the contents of TFRecords are for the while."""

_LEFTOVER = re.compile(r"\.(\d{5,9}|samples|manifest)-[0-9a-f]{8}\.(tzs|parquet|json)")

log = logging.getLogger(__name__)


def check_free(folder: Path, made_from: str, shards: Sequence[Shard]) -> Manifest | None:
    """The manifest that a folder holds from before, if it is of the same content; what a killed run was writing is removed.

    Raises ConflictError if the folder holds anything else.
    """
    if (folder / MANIFEST).is_file():
        found = Manifest.parse((folder / MANIFEST).read_text(encoding="utf-8", errors="replace"), str(folder / MANIFEST))
        if found.made_from != made_from:
            raise ConflictError(f"{folder} holds a store of other samples, or packed with other options. Give another OUT.")
        return found
    present = sorted(path.name for path in folder.iterdir() if path.name != RECORDS_FOLDER)
    begun = [name for name in present if _LEFTOVER.fullmatch(name)]
    ours = {shard.name for shard in shards} | {*begun}
    # the table comes after all shards
    ours |= {TABLE} if ours <= {*present} else set()
    strange = [name for name in present if name not in ours]
    if strange:
        raise ConflictError(f"{folder} holds other files: {listed(strange)}. Give an OUT that is empty, or not there yet.")
    for name in begun:
        (folder / name).unlink(missing_ok=True)
    return None


def check_room(folder: Path, content: Content) -> None:
    """Raises EnvironmentFault if pixels that are not compressed cannot fit."""
    frame, form = content.samples.frame, content.form
    needed = int((frame["width"] * frame["height"]).sum()) * (form.bands * form.dtype.itemsize + 1)
    free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in folder.glob("*.tzs"))
    if form.codec == "raw" and needed > free:
        raise EnvironmentFault(
            f"{folder}: {needed / 2**30:.1f} GiB of pixels do not fit, {free / 2**30:.1f} GiB are free. "
            "Free the disk, choose another folder, or leave out --raw."
        )


def kept(folder: Path, shard: Shard, form: Form, before: Manifest | None) -> ShardFacts | None:
    """A shard from before, if it is whole; None if it is to be written.

    Raises ConflictError if there is a file of its name that is no shard of these samples.
    """
    path = folder / shard.name
    if not path.exists():
        return None
    noted = next((facts for facts in before.shards if facts.name == shard.name), None) if before is not None else None
    if noted is not None and noted.bytes == path.stat().st_size:
        return noted
    _check_origin(path, shard)
    try:
        return _facts(path, shard, form)
    except ValueError as error:
        log.warning("%s is written anew: %s.", path, error)
        return None


def _check_origin(path: Path, shard: Shard) -> None:
    try:
        with path.open("rb") as file:
            ours = Head.read(file).made_from == shard.made_from
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise ConflictError(f"{path} is of other samples, or packed with other options. Give another OUT.")


def _facts(path: Path, shard: Shard, form: Form) -> ShardFacts:
    """Read all of a shard. Raises ValueError if it is damaged."""
    size, count = path.stat().st_size, len(shard.rows)
    with path.open("rb") as file:
        file.seek(max(0, size - index_bytes(count)))
        for number, record in enumerate(parse_index(file.read(), size, count, form)):
            file.seek(record.offset)
            if zlib.crc32(file.read(record.length)) != record.crc:
                raise ValueError(f"its frame {number} is damaged")
        file.seek(0)
        return ShardFacts(
            name=path.name, part=shard.part, samples=count, bytes=size, sha256=hashlib.file_digest(file, "sha256").hexdigest()
        )
