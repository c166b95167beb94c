"""chip: windows of images as files, with their labels alongside."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import RecipeError
from terrazzo.labels.failures import Failures
from terrazzo.labels.reader import LabelPlace, LabelReader, place_digest
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.chips.journal import Entry, Journal
from terrazzo.rasters.chips.layout import ChipPlace, chip_count, chip_runs
from terrazzo.rasters.chips.look import look_of, open_whole
from terrazzo.rasters.chips.options import ChipOptions
from terrazzo.rasters.files import ImageFile, digest, find_images, output_stems
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Shape
from terrazzo.rasters.write import check_writable
from terrazzo.samples.checks import check_labels
from terrazzo.samples.scenes import find_scenes
from terrazzo.workflows.chip_account import chip_lines, chip_shares, write_index
from terrazzo.workflows.chip_origin import check_free, check_origin, on_disk, remove_leftovers
from terrazzo.workflows.chip_writer import ChipFolder, ImageChips
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.index import label_reader
from terrazzo.workflows.origin import legend_origin, reading_origin

WAITING = 4
"""Threads beyond those that compute: they wait for the disk."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The chips of one image."""

    path: Path
    stem: str
    """What its chips are called by."""
    made_from: str
    """What they depend on besides the options, as JSON."""
    shape: Shape
    labels: tuple[LabelPlace, LabelledImage] | None


def chip(images: Sequence[str | Path], out: str | Path, *, labels: str | None = None, context: Context | None = None) -> Result:
    """Cut images into chips of one size, OUT/STEM_COL_ROW.tif, that keep all that the images say of themselves; OUT/chips.csv lists them.

    images: images, folders of images, or patterns. labels: masks, vector files, a run-length table, COCO, or rules; the chips are then
    in OUT/images, and their class masks in OUT/labels under the same names.
    Chips that are there already, of the same images and options, are kept.
    Raises RecipeError, WindowError, PairingError, LabelError, RasterError or DataError naming all files that do not fit, ConflictError
    if OUT holds chips made otherwise, or other files of their names; EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    options = context.recipe.chip
    if labels is None and options.keep_empty < 1:
        raise RecipeError("[chip] keep_empty drops chips that hold no class but the first: give --labels too, or leave it out.")
    check_writable(out)
    found = _find(images, out, context.root)
    reader, jobs = (None, _plain(found, context)) if labels is None else _labelled(found, images, labels, context)
    folder = ChipFolder(out=out, labelled=labels is not None)
    with Journal.load(out) as journal:
        check_origin(journal, {job.stem: job.made_from for job in jobs}, _made_by(context, reader), out)
        done = on_disk(journal, folder)
        undone = [name for job in jobs for name in _names(job, options) if name not in done]
        check_free([name for name in undone if name not in journal.entries], folder)
        remove_leftovers(undone, folder)
        _cut(jobs, done, _Cutter(context=context, reader=reader, folder=folder, journal=journal))
    legend = None if reader is None else reader.legend
    entries = sorted(journal.entries.values(), key=lambda entry: (entry.image, entry.row, entry.col))
    write_index(out, entries, legend)
    kept = [entry for entry in entries if entry.kept == "yes"]
    return Result(
        text="\n".join(chip_lines(entries, legend, out, len(done))),
        written={"outputs": [path.absolute() for entry in kept for path in folder.paths(entry.chip)]},
        facts={"chips": len(kept), "left_out": dict(Counter(entry.kept for entry in entries if entry.kept != "yes"))}
        | ({} if legend is None else {"classes": chip_shares(kept, legend)}),
    )


@dataclass(frozen=True, kw_only=True)
class _Cutter:
    """What cutting any image needs."""

    context: Context
    reader: LabelReader | None
    folder: ChipFolder
    journal: Journal


def _find(images: Sequence[str | Path], out: Path, root: Path) -> list[ImageFile]:
    """The images that are meant; where OUT is in their folder, without the chips that it holds from before."""
    found = {file.path: file for given in images for file in find_images(given, root)}
    return [file for file in found.values() if not file.path.is_relative_to(out.absolute())] or list(found.values())


def _plain(images: Sequence[ImageFile], context: Context) -> list[Job]:
    """Jobs without labels; all images that cannot be cut are named at once."""
    failures, jobs, stems = Failures(), [], output_stems(images)
    for image in images:
        with failures.collect(), open_raster(image.path, context.recipe.data) as raster:
            jobs.append(
                Job(
                    path=image.path,
                    stem=stems[image.path],
                    made_from=json.dumps({"image": digest(image.path)}),
                    shape=raster.shape,
                    labels=None,
                )
            )
    failures.check(len(images), "images")
    return jobs


def _labelled(found: Sequence[ImageFile], images: Sequence[str | Path], labels: str, context: Context) -> tuple[LabelReader, list[Job]]:
    data = context.recipe.data.model_copy(update={"images": str(images[0]), "labels": labels})
    scenes = find_scenes(data, context.folder) if len(images) == 1 else find_scenes(data, context.folder, list(found))
    taken = {file.path for file in found}
    scenes = [scene for scene in scenes if scene.image in taken]
    checked = check_labels(scenes, data, context.recipe.labels)
    reader = label_reader(scenes, data, context)
    stems = output_stems([ImageFile(name=fact.scene.name, path=fact.scene.image) for fact in checked])
    jobs = []
    for fact in checked:
        place = fact.scene.label
        assert place is not None, "find_scenes pairs every image where labels are given"
        jobs.append(
            Job(
                path=fact.scene.image,
                stem=stems[fact.scene.image],
                made_from=json.dumps({"image": digest(fact.scene.image), "labels": place_digest(place)}),
                shape=fact.grid.shape,
                labels=(place, fact.labelled),
            )
        )
    return reader, jobs


def _made_by(context: Context, reader: LabelReader | None) -> str:
    """The options that chips depend on, as JSON."""
    recipe = context.recipe
    by: dict[str, object] = {
        "chip": recipe.chip.model_dump(mode="json"),
        "reading": reading_origin(recipe.data),
    }
    if reader is not None:
        by |= {"legend": legend_origin(reader.legend), "labels": reader.options.model_dump(mode="json")}
    return json.dumps(by, ensure_ascii=False)


def _cut(jobs: Sequence[Job], done: frozenset[str], cutter: _Cutter) -> None:
    threads = (cutter.context.threads or os.cpu_count() or 1) + WAITING
    with cutter.context.progress.task("chip", sum(chip_count(job.shape, cutter.context.recipe.chip) for job in jobs), "chips") as advance:
        for job in jobs:
            advance(sum(1 for name in done if cutter.journal.entries[name].image == job.stem))
            for entries in _write(job, done, cutter, threads):
                for entry in entries:
                    cutter.journal.note(entry)
                advance(len(entries))


def _write(job: Job, done: frozenset[str], cutter: _Cutter, threads: int) -> Iterator[list[Entry]]:
    """Write the chips of an image that are not done; yields what became of them, in their order."""
    options, data = cutter.context.recipe.chip, cutter.context.recipe.data
    with ExitStack() as stack:
        raster = stack.enter_context(open_whole(open_raster(job.path, data), data))
        source = stack.enter_context(cutter.reader.open(*job.labels)) if cutter.reader is not None and job.labels is not None else None
        chips = ImageChips(
            raster=raster,
            look=look_of(raster, data),
            stem=job.stem,
            made=fingerprint(cutter.journal.options or "", job.made_from),
            options=options,
            folder=cutter.folder,
            labels=source,
            legend=None if cutter.reader is None else cutter.reader.legend,
        )
        yield from ahead(chips.write, _undone(raster.shape, job.stem, done, options, raster.bands * raster.dtype.itemsize), threads)


def _undone(shape: Shape, stem: str, done: frozenset[str], options: ChipOptions, pixel_bytes: int) -> Iterator[list[ChipPlace]]:
    for run in chip_runs(shape, options, pixel_bytes):
        left = [place for place in run if f"{stem}{place.suffix}" not in done]
        if left:
            yield left


def _names(job: Job, options: ChipOptions) -> Iterator[str]:
    return (f"{job.stem}{place.suffix}" for run in chip_runs(job.shape, options, 1) for place in run)


def fingerprint(options: str, made_from: str) -> str:
    """What tells chips of one image and options from all others."""
    return hashlib.blake2b(f"{options}\n{made_from}".encode(), digest_size=10).hexdigest()
