"""summarize: statistics and histograms of bands and classes, from images or from the tables that flatten makes."""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import listed
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.files import digest
from terrazzo.rasters.tables.columns import look_at
from terrazzo.rasters.tables.images import ImageSize, ImageSource
from terrazzo.rasters.tables.measure import Means, PixelSource, measure
from terrazzo.rasters.tables.table_source import TableSource
from terrazzo.rasters.write import check_writable, write_bytes, write_text
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.flatten import SUFFIXES
from terrazzo.workflows.labelled_images import given_images
from terrazzo.workflows.summary import Content, Summary, file_names, summary_lines
from terrazzo.workflows.summary_charts import charts

SUMMARY_NAME = "summary.json"


def summarize(inputs: Sequence[str | Path], out: str | Path, *, labels: str | None = None, context: Context | None = None) -> Result:
    """Write statistics and histograms of each band: OUT/summary.json, OUT/overview.png, OUT/BAND.png and, with classes, BAND_by_class.png.

    inputs: images, folders of images or patterns; or tables, CSV or Parquet, as flatten makes them, long or wide.
    labels: of images: masks, vector files, a run-length table, COCO, or rules; tables bring their classes along.
    In constant memory, of any size; whole numbers of up to 16 bits are read once, all others twice.
    A summary that is there already, of the same inputs and options, is kept.
    Raises UsageError, RasterError, PairingError, LabelError or DataError naming all files that do not fit, ConflictError if OUT holds
    files of these names made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    check_writable(out)
    content, source, made_from = _from_tables(inputs, labels) if _are_tables(inputs) else _from_images(inputs, labels, context)
    names = file_names(content)
    outputs = [out / SUMMARY_NAME, out / names.overview, *(out / name for name in names.all)]
    if _kept(outputs, made_from):
        return Result(text=f"{out} kept: it holds this summary already.", written={"outputs": outputs})
    means = Means(threads=context.threads or os.cpu_count() or 1, progress=context.progress)
    summary = Summary(
        content=content, made_from=made_from, bands=measure(source, len(content.bands), content.groups, content.targets, means)
    )
    write_text(out / SUMMARY_NAME, json.dumps(summary.plain(), ensure_ascii=False, allow_nan=False) + "\n")
    with context.progress.task("draw", 1 + len(names.all), "charts") as advance:
        for _ in ahead(lambda drawn: write_bytes(out / drawn[0], drawn[1]()), charts(summary, names), means.threads):
            advance(1)
    return Result(text="\n".join(summary_lines(summary, out)), written={"outputs": outputs}, facts={"summary": summary.brief()})


def _are_tables(inputs: Sequence[str | Path]) -> bool:
    """Raises UsageError if some inputs are tables and others are not."""
    tables = [Path(given).suffix.lower() in SUFFIXES for given in inputs]
    if any(tables) and not all(tables):
        raise UsageError(f"The inputs mix tables and images: {listed(map(str, inputs))}. Summarize them apart.")
    return all(tables)


def _from_images(inputs: Sequence[str | Path], labels: str | None, context: Context) -> tuple[Content, PixelSource, str]:
    given, data = given_images(inputs, labels, context), context.recipe.data
    given.check_bands("A summary has one account a band")
    shapes = [image.grid.shape for image in given.images]
    content = Content(
        source="images",
        files=len(given.images),
        images=len(given.images),
        pixels=sum(height * width for height, width in shapes),
        dtype=given.dtype,
        bands=given.band_names,
        classes=given.classes,
    )
    sizes = [ImageSize(shape=image.grid.shape, pixel_bytes=image.dtype.itemsize * len(image.band_names)) for image in given.images]
    source = ImageSource(sizes, partial(given.open, data=data), content.dtype, len(content.classes or ()))
    return content, source, given.fingerprint(data)


def _from_tables(inputs: Sequence[str | Path], labels: str | None) -> tuple[Content, PixelSource, str]:
    if labels is not None:
        raise UsageError("Tables bring their own classes; --labels goes with images. Give it to flatten.")
    failures, tables = Failures(), []
    for given in inputs:
        with failures.collect():
            tables.append((look_at(Path(given)), digest(Path(given))))
    failures.check(len(inputs), "tables")
    facts = [table for table, _ in tables]
    source = TableSource(facts)
    pixels = [table.pixels for table in facts]
    content = Content(
        source="tables",
        files=len(facts),
        images=sum(table.images for table in facts),
        pixels=None if None in pixels else sum(count for count in pixels if count is not None),
        dtype=source.dtype,
        bands=facts[0].bands,
        classes=source.classes,
    )
    return content, source, hashlib.blake2b(json.dumps([made for _, made in tables]).encode(), digest_size=20).hexdigest()


def _kept(outputs: Sequence[Path], made_from: str) -> bool:
    """Whether all is there already. Raises ConflictError if some of it is, and was made otherwise."""
    there = [path for path in outputs if path.exists()]
    if not there:
        return False
    if _made_from(outputs[0]) != made_from:
        raise ConflictError(
            f"{outputs[0].parent} holds files that these inputs and options did not make: {listed(path.name for path in there)}. "
            "Give another OUT."
        )
    return len(there) == len(outputs)


def _made_from(summary: Path) -> str | None:
    try:
        found: object = json.loads(summary.read_text(encoding="utf-8")).get("made_from")
    except (OSError, ValueError, AttributeError):
        # it is not there, or no summary
        return None
    return found if isinstance(found, str) else None
