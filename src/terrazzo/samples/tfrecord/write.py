"""Packed samples as TFRecords in the schema of the coastal zoo: image, label and, of four bands, nir, each a PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, DataError, EnvironmentFault
from terrazzo.progress import Progress
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.files import digest
from terrazzo.rasters.write import check_writable, writing
from terrazzo.samples.pack.plan import Content, Shard
from terrazzo.samples.tfrecord.example import write_example
from terrazzo.samples.tfrecord.records import write_record

IMAGE, LABEL, NIR = "image", "label", "nir"
SUFFIX = ".tfrec"


def write_records(content: Content, shards: Sequence[Shard], folder: Path, progress: Progress, threads: int) -> list[Path]:
    """Write a TFRecord a shard, named by its part: train-00000.tfrec. Files that are there already are kept if they are the same.

    Labels are class values, 255 where left out or where the image has no data.
    Raises DataError if the images are not of 1, 3 or 4 bands of 8 bits, or classes overlap, ConflictError if a file of a name is
    another one, EnvironmentFault.
    """
    form = content.form
    if form.bands not in (1, 3, 4) or form.dtype != np.uint8:
        raise DataError(
            f"TFRecords hold images of 1, 3 or 4 bands of 8 bits; these have {form.bands} of type {form.dtype}. "
            "Choose with [data] bands when you index, or pack without --tfrecord, which takes any."
        )
    if content.samples.legend.overlapping:
        raise DataError("TFRecords hold one class a pixel, and the classes of these samples overlap. Pack them without --tfrecord.")
    check_writable(folder)
    written = []
    with progress.task("pack", len(content.samples), "samples") as advance:
        for number, shard in enumerate(shards):
            path = folder / f"{shard.part}-{number:05d}{SUFFIX}"
            _write(path, shard, content, threads)
            written.append(path)
            advance(len(shard.rows))
    return written


def _write(path: Path, shard: Shard, content: Content, threads: int) -> None:
    windows, scenes = content.samples.windows(), content.samples.frame["scene"].tolist()

    def example(row: int) -> bytes:
        pixels, labels = content.source.read(scenes[row], windows[row])
        return write_example(features(pixels.values, content.samples.legend.decode(labels)))

    # beside what is there already, to be compared with it
    with writing(path.with_suffix(".new") if path.exists() else path) as temporary:
        with temporary.open("wb") as file:
            for data in ahead(example, shard.rows.tolist(), threads):
                write_record(file, data)
        if path.exists() and digest(path) != digest(temporary):
            raise ConflictError(f"{path} holds other samples. Give another OUT.")
    path.with_suffix(".new").unlink(missing_ok=True)


def features(values: NDArray[Any], labels: NDArray[np.uint8]) -> dict[str, bytes]:
    """The features of a sample. values: (1, 3 or 4, height, width) uint8, red first. labels: (height, width) class values."""
    image = values[:3].transpose(1, 2, 0)[:, :, ::-1]
    found = {IMAGE: _png(image), LABEL: _png(labels)}
    return found | {NIR: _png(values[3])} if len(values) == 4 else found


def _png(pixels: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    if not done:
        raise EnvironmentFault("A PNG could not be made: is there enough memory?")
    return data.tobytes()
