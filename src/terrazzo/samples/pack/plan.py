"""What is to be packed: which samples go into which shard, and what tells them from all others."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Window
from terrazzo.samples.pack.frame import Form
from terrazzo.samples.pack.manifest import VERSION
from terrazzo.samples.pack.store import GRID_CRS, GRID_TRANSFORM, POSITION, SHARD, grid_columns
from terrazzo.samples.rows import file_names, rows_of
from terrazzo.samples.store import Source
from terrazzo.samples.table import PARTS, Samples

SHARD_BYTES = 128 * 2**20
"""About so large are shards before compression: large enough to be few, small enough to be fetched again."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is to be packed."""

    samples: Samples
    """Each with a part; the rows keep their order."""
    source: Source
    form: Form
    band_names: tuple[str | None, ...]
    nodata: tuple[float | None, ...]
    reading: DataOptions
    instances: bool
    origin: str
    """All that the content depends on besides the table, as JSON without paths."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Which samples a shard holds."""

    name: str
    part: str
    rows: NDArray[np.int64]
    """Row numbers of the table."""
    made_from: str


def plan_shards(content: Content, each: int | None) -> list[Shard]:
    """Cut the samples into shards, part by part, in the order of the table.

    each: samples a shard; None: as many as make SHARD_BYTES before compression.
    """
    frame, shards = content.samples.frame, list[Shard]()
    biggest = int((frame["width"] * frame["height"]).max()) * (content.form.bands * content.form.dtype.itemsize + 1)
    each = each or max(1, SHARD_BYTES // biggest)
    for part in PARTS:
        members = np.flatnonzero((frame["split"] == part).to_numpy(bool))
        for start in range(0, len(members), each):
            rows = members[start : start + each]
            shards.append(Shard(name=f"{len(shards):05d}.tzs", part=part, rows=rows, made_from=_made_from(content, rows)))
    return shards


def packed_table(content: Content, shards: Sequence[Shard]) -> Samples:
    """The table of the packed store: each sample is a scene of its own, that begins at its own first pixel."""
    frame = content.samples.frame.reset_index(drop=True)
    places = np.zeros((len(frame), 2), np.int64)
    for number, shard in enumerate(shards):
        places[shard.rows, 0], places[shard.rows, 1] = number, np.arange(len(shard.rows))
    files = np.array([shard.name for shard in shards], object)[places[:, 0]]
    own = {} if SHARD in frame else _own_scenes(content, frame)
    frame = frame.assign(**own, image=files, label=files, **{SHARD: places[:, 0], POSITION: places[:, 1]})
    return replace(content.samples, frame=frame, legend=content.samples.legend.plain())


def _own_scenes(content: Content, frame: pd.DataFrame) -> dict[str, Any]:
    """The columns that make a scene of each window, and keep where it is from."""
    windows, sources = content.samples.windows(), frame["scene"].tolist()
    grids = [grid_columns(content.source.raster(scene).grid, window) for scene, window in zip(sources, windows, strict=True)]
    return {
        "source": sources,
        "source_col_off": frame["col_off"],
        "source_row_off": frame["row_off"],
        "scene": file_names(rows_of(content.samples)),
        "image_digest": [_ground_digest(image, window) for image, window in zip(frame["image_digest"].tolist(), windows, strict=True)],
        "col_off": 0,
        "row_off": 0,
        GRID_CRS: pd.Series([crs for crs, _ in grids], dtype=object),
        GRID_TRANSFORM: pd.Series([transform for _, transform in grids], dtype=object),
    }


def _ground_digest(image: str, window: Window) -> str:
    text = f"{image} {window.col_off} {window.row_off} {window.width} {window.height}"
    return f"blake2b-sample:{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}"


def _made_from(content: Content, rows: NDArray[np.int64]) -> str:
    """What tells the samples of a shard from all others."""
    columns = ["scene", "image_digest", "col_off", "row_off", "width", "height", "split"]
    form = content.form
    head = [VERSION, form.bands, form.dtype.name, form.codec, content.origin]
    text = json.dumps([head, content.samples.frame[columns].iloc[rows].to_numpy().tolist()], ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
