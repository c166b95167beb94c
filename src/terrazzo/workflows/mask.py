"""mask: labels of any form as class masks on each image's grid."""

import filecmp
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, LabelError, RasterError, UsageError
from terrazzo.labels.bits import members
from terrazzo.labels.class_files import map_style, writing_classes
from terrazzo.labels.failures import Failures
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.reader import LabelPlace, LabelReader, place_digest
from terrazzo.labels.run_write import write_runs
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import Labels
from terrazzo.labels.survey import row_blocks
from terrazzo.rasters.files import ImageFile, digest, output_stems
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.window import whole
from terrazzo.rasters.write import PROVENANCE_TAG, check_writable, writing_bands
from terrazzo.samples.checks import CheckedScene, check_labels
from terrazzo.samples.scenes import find_scenes
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.index import label_reader
from terrazzo.workflows.origin import legend_origin, reading_origin

INSTANCES_SUFFIX = "_instances"
RUNS_NAME = "rle.csv"
INSTANCES = TiffLayout(dtype=np.dtype(np.uint32), band_names=("object",))


@dataclass(frozen=True, kw_only=True)
class Job:
    """The mask of one image."""

    checked: CheckedScene
    place: LabelPlace
    path: Path
    """The mask to write."""
    provenance: str
    """What it is made from, as JSON."""

    @property
    def instances_path(self) -> Path:
        return self.path.with_name(f"{self.path.stem}{INSTANCES_SUFFIX}.tif")


def mask(
    images: str | Path, labels: str | Path, out: str | Path, *, instances: bool = False, rle: bool = False, context: Context | None = None
) -> Result:
    """Write a class mask for each image, OUT/STEM.tif, on the image's own grid, 255 where the image has no data.

    Of classes that overlap it has a band each, 1 where the class is and 0 elsewhere.

    images: a file, a folder or a pattern. labels: masks, vector files, a run-length table, COCO, or rules such as 'hot: b1 > 5000'.
    instances: also write OUT/STEM_instances.tif, object numbers as uint32; the labels must tell objects apart.
    rle: also write OUT/rle.csv, a row an object of any class but the first: one-based, column-major; not where classes overlap.
    Masks that are there already, of the same labels and options, are kept.
    Raises PairingError, LabelError, RasterError or DataError naming all files that do not fit, ConflictError if OUT holds a file of
    that name made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    check_writable(out)
    data = context.recipe.data.model_copy(update={"images": str(images), "labels": str(labels)})
    scenes = find_scenes(data, context.folder)
    checked = check_labels(scenes, data, context.recipe.labels)
    reader = label_reader(scenes, data, context, overlapping=True)
    if reader.legend.overlapping and (instances or rle):
        raise UsageError(f"--{'instances' if instances else 'rle'} gives a pixel one object, and these classes overlap. Leave it out.")
    jobs = _jobs(checked, reader, out)
    _check_places(jobs, out, instances=instances)
    todo = [job for job in jobs if not _done(job, instances=instances)]
    kept = [job for job in jobs if _done(job, instances=instances)]
    pixels = sum((_held(job.path, reader.legend) for job in kept), np.zeros(IGNORE + 1, np.int64))
    failures = Failures()
    with context.progress.task("mask", len(todo), "images") as advance:
        for job in todo:
            with failures.collect():
                pixels += _write(job, reader, instances=instances)
            advance(1)
    failures.check(len(jobs), "images")
    outputs = [job.path for job in jobs] + [job.instances_path for job in jobs if instances]
    if rle:
        _write_table(out / RUNS_NAME, jobs, reader)
        outputs.append(out / RUNS_NAME)
    from_before = f", {len(kept)} of them kept from before" if kept else ""
    shares = _shares(pixels, reader.legend)
    lines = [f"{counted(len(jobs), 'mask')} in {out}{from_before}"]
    lines += [", ".join(f"{name} {share:.2%}" for name, share in shares.items())] if shares else []
    return Result(text="\n".join(lines), written={"outputs": outputs}, facts={"classes": shares})


def _jobs(checked: list[CheckedScene], reader: LabelReader, out: Path) -> list[Job]:
    """A job for each image."""
    stems = output_stems([ImageFile(name=fact.scene.name, path=fact.scene.image) for fact in checked])
    origins: dict[LabelPlace, str] = {}
    jobs = []
    for fact in checked:
        if fact.scene.label is None:
            raise LabelError(f"{fact.scene.image} has no labels. Give masks, a vector file, a table or rules.")
        path = out / f"{stems[fact.scene.image]}.tif"
        place = fact.scene.label
        if place not in origins:
            origins[place] = place_digest(place)
        jobs.append(Job(checked=fact, place=place, path=path, provenance=_provenance(fact, origins[place], reader)))
    return jobs


def _check_places(jobs: list[Job], out: Path, *, instances: bool) -> None:
    """Raises ConflictError if a file of another origin would be written over, or two files to one place."""
    places = [(path, job) for job in jobs for path in ([job.path, job.instances_path] if instances else [job.path])]
    counts = Counter(str(path).casefold() for path, _ in places)
    twice = sorted({path.relative_to(out).as_posix() for path, _ in places if counts[str(path).casefold()] > 1})
    if twice:
        raise ConflictError(f"Of these images two would be written to {listed(twice)}. Rename one, or leave --instances out.")
    strange = [path.relative_to(out).as_posix() for path, job in places if path.exists() and _provenance_of(path) != job.provenance]
    if strange:
        raise ConflictError(f"{out} holds files that these labels and options did not make: {listed(strange)}. Give another OUT.")


def _provenance(fact: CheckedScene, origin: str, reader: LabelReader) -> str:
    """Everything that the mask depends on, without the paths. origin: what tells the labels from others."""
    made_from = {
        "image": digest(fact.scene.image),
        "labels": origin,
        "legend": legend_origin(reader.legend),
        "options": reader.options.model_dump(mode="json"),
        "reading": reading_origin(reader.data),
    }
    return json.dumps(made_from, ensure_ascii=False)


def _provenance_of(path: Path) -> str | None:
    """What a file says that it is made from; None: it was not made here, as one that cannot be read was not."""
    try:
        with open_raster(path) as raster:
            return raster.tags.get(PROVENANCE_TAG)
    except RasterError:
        return None


def _done(job: Job, *, instances: bool) -> bool:
    return job.path.exists() and (not instances or job.instances_path.exists())


def _held(path: Path, legend: Legend) -> NDArray[np.int64]:
    """Pixels by class index (256,) of a mask that is there already."""
    pixels = np.zeros(IGNORE + 1, np.int64)
    with MaskLabels(path, legend.plain()) as held:
        for window in row_blocks(held.shape):
            pixels += np.bincount(held.read(window).ravel(), minlength=IGNORE + 1)
    return pixels


def _write(job: Job, reader: LabelReader, *, instances: bool) -> NDArray[np.int64]:
    """Pixels by class index (256,), 255 left out."""
    legend = reader.legend
    style = map_style(legend.plain(), job.provenance)
    numbered = replace(INSTANCES, tags={PROVENANCE_TAG: job.provenance})
    pixels = np.zeros(IGNORE + 1, np.int64)
    with ExitStack() as stack:
        raster = stack.enter_context(open_raster(job.checked.scene.image, reader.data))
        source = stack.enter_context(reader.open(job.place, job.checked.labelled))
        if instances and not source.has_instances:
            raise LabelError(f"{job.place} tells no objects apart, so there are no instances to write. Leave --instances out.")
        put = stack.enter_context(writing_classes(job.path, raster.grid, legend, style))
        numbers = stack.enter_context(writing_bands(job.instances_path, raster.grid, numbered)) if instances else None
        for indices, found in _rows(raster, source, wanted=numbers is not None):
            put(indices)
            pixels += np.bincount(indices.ravel(), minlength=IGNORE + 1)
            if numbers is not None and found is not None:
                numbers.add(found[None])
    return pixels


def _rows(raster: Raster, source: Labels, *, wanted: bool) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint32] | None]]:
    """Class indices and, where wanted, object numbers, from top to bottom; what the image does not show is left out of both."""
    for window in row_blocks(raster.shape):
        valid = raster.read(window).valid
        indices = np.where(valid, source.read(window), np.uint8(IGNORE))
        yield indices, np.where(valid, source.instances(window), np.uint32(0)) if wanted else None


def _write_table(path: Path, jobs: list[Job], reader: LabelReader) -> None:
    """Write the table of runs; one that is there already has to be the same, and stays."""
    if not path.exists():
        write_runs(path, _objects(jobs, reader))
        return
    with TemporaryDirectory() as folder:
        write_runs(Path(folder) / RUNS_NAME, _objects(jobs, reader))
        if not path.is_file() or not filecmp.cmp(path, Path(folder) / RUNS_NAME, shallow=False):
            raise ConflictError(f"{path} holds other runs than those of these masks. Remove it, or give another OUT.")


def _objects(jobs: list[Job], reader: LabelReader) -> Iterator[tuple[str, NDArray[np.bool_] | NDArray[np.uint32]]]:
    """The file name of each image, with its object numbers, or with the mask of what is not background."""
    names = [job.checked.scene.image.name for job in jobs]
    counts = Counter(names)
    for job, name in zip(jobs, names, strict=True):
        called = name if counts[name] == 1 else f"{job.checked.scene.name}{job.checked.scene.image.suffix}"
        with open_raster(job.checked.scene.image, reader.data) as raster, reader.open(job.place, job.checked.labelled) as source:
            window = whole(raster.shape)
            indices = source.read(window)
            shown = raster.read(window).valid & (indices != IGNORE) & (indices != reader.legend.background)
            yield called, np.where(shown, source.instances(window), np.uint32(0)) if source.has_instances else shown


def _shares(pixels: NDArray[np.int64], legend: Legend) -> Mapping[str, float]:
    """The share of each class of the masks among the pixels that are not left out; nothing where all are."""
    counts = pixels[: len(legend.sets.classes)]
    total = int(counts.sum())
    if legend.overlapping:
        counts = members(len(legend.classes)) @ counts
    return {name: int(count) / total for name, count in zip(legend.names, counts, strict=True)} if total else {}
