"""TFRecords as samples to pack: their images and labels become files for the while, so that they are read and checked as any are."""

import math
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from terrazzo.errors import DataError, EnvironmentFault, RasterError
from terrazzo.rasters.files import ImageFile, find_images
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import check_writable
from terrazzo.samples.pack.frame import Codec
from terrazzo.samples.pack.plan import Content
from terrazzo.samples.pack.resume import RECORDS_FOLDER
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.table import Samples
from terrazzo.samples.tfrecord.example import read_example
from terrazzo.samples.tfrecord.records import read_records
from terrazzo.samples.tfrecord.write import IMAGE, LABEL, NIR
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import index_scenes
from terrazzo.workflows.pack_content import of_samples

SUFFIXES = frozenset({".tfrec", ".tfrecord", ".tfrecords"})
_ENDINGS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
_HELD_OUT = {"validation": re.compile(r"(?<![a-z])(val|valid|validation)(?![a-z])"), "test": re.compile(r"(?<![a-z])test(?![a-z])")}


def find_records(spec: Path) -> list[ImageFile]:
    """The TFRecord files that a file, a folder or a pattern stands for; none if it is something else."""
    if isinstance(spec, RemotePath) or (spec.is_file() and spec.suffix.lower() not in SUFFIXES):
        return []
    try:
        found = find_images(spec, Path.cwd(), SUFFIXES)
    except RasterError:
        return []
    return [file for file in found if file.path.suffix.lower() in SUFFIXES]


@contextmanager
def of_records(files: Sequence[ImageFile], codec: Codec, out: Path, context: Context) -> Iterator[Content]:
    """The samples of TFRecords, each a whole image, split by file: by names that say val or test, else the first share of them.

    Raises DataError naming the record that is damaged, LabelError, RasterError, EnvironmentFault.
    """
    check_writable(out)
    folder = (out / RECORDS_FOLDER).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        nir = _unpack(files, folder, context)
        extra = {"extra_bands": [f"../{NIR}"]} if nir else {}
        given = context.recipe.data.model_dump(exclude_unset=True)
        data = DataOptions.model_validate({**extra, **given, "root": None, "images": f"**/{IMAGE}/*", "labels": f"**/{LABEL}/*"})
        recipe = context.recipe.model_copy(update={"data": data})
        if "size" not in recipe.samples.model_fields_set:
            recipe = recipe.model_copy(update={"samples": recipe.samples.model_copy(update={"size": _largest(data, folder)})})
        inner = replace(context, recipe=recipe, folder=folder)
        scenes = find_scenes(data, folder)
        samples = _split_by_file(index_scenes(scenes, data, inner), recipe.split.validation)
        yield of_samples(samples, scenes, codec, inner)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(files: Sequence[ImageFile], folder: Path, context: Context) -> bool:
    """Write images and labels as they are into FILE/image/NUMBER.png, FILE/label/NUMBER.png; whether there are infrared bands."""
    nir = set[bool]()
    with context.progress.task("read records", len(files), "files") as advance:
        for file in files:
            for number, data in enumerate(read_records(file.path)):
                named = f"{file.path}: record {number}"
                found = _features(data, named)
                nir.add(NIR in found)
                for kind in (IMAGE, LABEL, NIR):
                    if kind in found:
                        _save(folder / file.name / kind, f"{number:06d}", found[kind], f"{named}, {kind},")
            advance(1)
    if len(nir) > 1:
        raise DataError(f"{files[0].path.parent}: some records have the feature {NIR}, others have not. Pack each group by itself.")
    if not nir:
        raise DataError(f"{files[0].path} and the other TFRecords hold no record.")
    return nir.pop()


def _features(data: bytes, named: str) -> dict[str, bytes]:
    try:
        found = read_example(data)
    except ValueError as error:
        raise DataError(f"{named} is no Example of TensorFlow: {error}.") from error
    if missing := [name for name in (IMAGE, LABEL) if name not in found]:
        has = f"it has {', '.join(sorted(found)[:6])}" if found else "it has none that holds bytes"
        raise DataError(f"{named} lacks the feature {' and '.join(missing)}; {has}.")
    return found


def _save(folder: Path, stem: str, data: bytes, named: str) -> None:
    ending = next((ending for magic, ending in _ENDINGS.items() if data.startswith(magic)), None)
    if ending is None:
        raise DataError(f"{named} is neither PNG nor JPEG: it begins with {data[:8].hex(' ')}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}{ending}").write_bytes(data)
    except OSError as error:
        raise EnvironmentFault(f"{folder} cannot be written: {error.strerror or error}. Free the disk or choose another OUT.") from error


def _largest(data: DataOptions, folder: Path) -> tuple[int, int]:
    """(height, width) that hold every image."""
    shapes = []
    for scene in find_scenes(data, folder):
        with open_raster(scene.image, data) as raster:
            shapes.append(raster.shape)
    return max(height for height, _ in shapes), max(width for _, width in shapes)


def _split_by_file(samples: Samples, validation: float) -> Samples:
    """The part of each sample by the file it is from: what the names say, else the first share of the files is for validation."""
    owners = samples.frame["scene"].str.rpartition("/")[0]
    names = list(dict.fromkeys(owners.tolist()))
    parts = {name: next((part for part, word in _HELD_OUT.items() if word.search(name.lower())), "train") for name in names}
    if set(parts.values()) == {"train"} and validation and len(names) > 1:
        first = max(1, math.floor(len(names) * validation))
        parts |= dict.fromkeys(names[:first], "validation")
    split = pd.Series(np.array([parts[name] for name in owners.tolist()], object), index=samples.frame.index, dtype=object)
    return replace(samples, frame=samples.frame.assign(split=split))
