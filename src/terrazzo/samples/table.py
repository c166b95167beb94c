"""The samples table: one row for each window to learn from, kept as a GeoParquet file."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from terrazzo.drawing.notebook import panel
from terrazzo.errors import DataError, LabelError
from terrazzo.labels.bits import members
from terrazzo.labels.legend import Legend
from terrazzo.rasters.window import Shape, Window
from terrazzo.rasters.write import writing
from terrazzo.samples.fingerprint import Fingerprint
from terrazzo.samples.soundness import sound_rows

METADATA_KEY = b"terrazzo"
PARTS = ("train", "validation", "test")
COLUMNS = (
    "scene",
    "image",
    "label",
    "image_digest",
    "col_off",
    "row_off",
    "width",
    "height",
    "valid_share",
    "objects",
    "split",
    "geometry",
)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Two images without a place on the ground that show the same ground."""

    a: str
    """image_digest."""
    b: str
    shift: tuple[int, int]
    """The pixel (x, y) of b is the pixel (x, y) + shift of a, give or take a few pixels."""
    kind: str
    """near-identical, or overlapping crops."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Windows of scenes, and what is in them.

    Columns of the frame: scene (name), image and label (paths), image_digest, col_off, row_off, width, height (pixels of the image),
    valid_share (0 to 1; what windows at the edges have beyond the image counts as not valid),
    objects (8-connected components of each class but the first, together), pixels_<value> (pixels of each class; where classes overlap,
    of each set of them, by the number of `labels.bits`),
    split (train, validation, test, or None for windows that no part has), geometry (footprint), and crs where the images have several.
    The index is the sample's id: whole numbers from 0, kept by `part`.
    """

    frame: geopandas.GeoDataFrame
    legend: Legend
    size: Shape
    """(height, width) of the windows that were asked for; windows of smaller images are smaller."""
    stride: Shape
    """(down, across) from one window to the next, in pixels."""
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    """The files and settings that it was made from; empty where nobody said."""
    alike: tuple[Alike, ...] | None = None
    """Images that an audit found alike; None: nobody looked."""

    def __len__(self) -> int:
        return len(self.frame)

    def _repr_html_(self) -> str:
        sizes = self.frame["split"].value_counts() if "split" in self.frame else {}
        facts = {
            "samples": len(self),
            "scenes": self.frame["scene"].nunique(),
            "window": "{} x {} pixels".format(*self.size),
            **{f"in {part}": count for part, count in sizes.items()},
        }
        pixels = self.class_pixels().sum(axis=0)
        notes = {
            value: f"{count:,} pixels, {count / max(1, pixels.sum()):.2%}" for value, count in zip(self.legend.values, pixels, strict=True)
        }
        return panel("Samples", facts, self.legend, notes)

    def windows(self) -> list[Window]:
        """The windows, in the order of the rows."""
        columns = (self.frame[name].to_list() for name in ("col_off", "row_off", "width", "height"))
        return [
            Window(col_off=col_off, row_off=row_off, width=width, height=height)
            for col_off, row_off, width, height in zip(*columns, strict=True)
        ]

    def part(self, name: str) -> "Samples":
        """The samples of one part of the split; their ids stay."""
        return replace(self, frame=self.frame[self.frame["split"] == name])

    def class_pixels(self) -> NDArray[np.int64]:
        """(samples, classes) pixels of each class, in the legend's order; where classes overlap, a pixel counts for each that it has."""
        counts = self.set_pixels()
        return counts @ members(len(self.legend.classes)).T if self.legend.overlapping else counts

    def set_pixels(self) -> NDArray[np.int64]:
        """(samples, sets) pixels of each set of classes that overlap, else of each class: every labelled pixel once."""
        counts: NDArray[np.int64] = self.frame[[pixels_column(value) for value in self.legend.sets.values]].to_numpy(np.int64)
        return counts

    def save(self, path: Path) -> None:
        """Write the table as GeoParquet 1.1; the file appears under its name only when complete.

        Raises EnvironmentFault if it cannot be written.
        """
        buffer = io.BytesIO()
        self.frame.to_parquet(buffer, schema_version="1.1.0", write_covering_bbox=True)
        table = _with_text(parquet.read_table(pa.BufferReader(buffer.getvalue())))
        facts = {
            "legend": json.loads(self.legend.to_json()),
            "size": list(self.size),
            "stride": list(self.stride),
            "settings": dict(self.fingerprint.settings),
            "inputs": {name: list(digests) for name, digests in self.fingerprint.scenes.items()},
            "alike": None if self.alike is None else [[pair.a, pair.b, list(pair.shift), pair.kind] for pair in self.alike],
        }
        table = table.replace_schema_metadata(
            {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(facts, ensure_ascii=False).encode()}
        )
        with writing(path) as temporary:
            parquet.write_table(table, temporary, compression="zstd")


def is_samples(path: Path) -> bool:
    """Whether a file says that it is a samples table."""
    try:
        return METADATA_KEY in (parquet.read_schema(path).metadata or {})
    except (OSError, ValueError, pa.ArrowException):
        return False


def load(path: Path) -> Samples:
    """Read a samples table that `Samples.save` wrote.

    Raises DataError if the file is missing, broken, or another kind of table, or has rows that cannot be.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such samples table. Make one with `terrazzo index IMAGES LABELS OUT.parquet`.")
    try:
        facts = (parquet.read_schema(path).metadata or {}).get(METADATA_KEY)
        frame = geopandas.read_parquet(path) if facts is not None else None
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as a GeoParquet table: {str(error).splitlines()[0]}") from error
    if facts is None or frame is None:
        raise DataError(
            f"{path} is no samples table of Terrazzo, or another program has written it and lost its note of legend and options. "
            "Make one with `terrazzo index IMAGES LABELS OUT.parquet`; what was edited, give to `split` as a list or as areas."
        )
    return _checked(path, frame, facts)


def pixels_column(value: int) -> str:
    """The column that counts the pixels of a class value."""
    return f"pixels_{value}"


def _with_text(table: pa.Table) -> pa.Table:
    """Columns without any entry, such as a split that is not made yet, as text: other programs stumble over columns without type."""
    fields = [
        pa.field(field.name, pa.string(), metadata=field.metadata) if pa.types.is_null(field.type) else field for field in table.schema
    ]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def _checked(path: Path, frame: geopandas.GeoDataFrame, facts: bytes) -> Samples:
    """Put a table together, or say what of it is missing."""
    try:
        read: Mapping[str, Any] = json.loads(facts)
        legend = Legend.from_json(json.dumps(read["legend"]))
        height, width = (int(side) for side in read["size"])
        down, across = (int(step) for step in read["stride"])
        inputs = {str(name): (str(image), str(labels)) for name, (image, labels) in read["inputs"].items()}
        fingerprint = Fingerprint(settings=dict(read["settings"]), scenes=inputs)
        pairs = read["alike"]
        alike = None if pairs is None else tuple(Alike(a=a, b=b, shift=(int(x), int(y)), kind=kind) for a, b, (x, y), kind in pairs)
    except (ValueError, KeyError, TypeError, AttributeError, LabelError) as error:
        raise DataError(
            f"{path}: the table's note on legend and window cannot be read. Make the table anew with `terrazzo index`."
        ) from error
    wanted = [*COLUMNS, *(pixels_column(value) for value in legend.sets.values)]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise DataError(f"{path}: the samples table lacks the columns {', '.join(missing)}. Make it anew with `terrazzo index`.")
    frame = frame.reset_index(drop=True)
    sound_rows(str(path), frame, (height, width), [pixels_column(value) for value in legend.sets.values], PARTS)
    return Samples(frame=frame, legend=legend, size=(height, width), stride=(down, across), fingerprint=fingerprint, alike=alike)
