"""flatten: a row a pixel and band, as CSV or Parquet."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.labels.sentences import counted
from terrazzo.progress import Advance
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.grid import Grid, crs_name, same_crs
from terrazzo.rasters.tables.flatten import Flattening, Part, Picture, cut_part, make_rows, pixel_count, read_part, read_windows
from terrazzo.rasters.tables.layout import TableLayout, TableNote
from terrazzo.rasters.tables.note import read_note
from terrazzo.rasters.tables.table_write import TableFile, writing_table
from terrazzo.rasters.write import check_writable
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.labelled_images import GivenImage, GivenImages, given_images

SUFFIXES = (".csv", ".parquet")


def flatten(  # noqa: PLR0913 - an argument an option of the verb
    images: Sequence[str | Path],
    out: str | Path,
    *,
    labels: str | None = None,
    wide: bool = False,
    step: float | None = None,
    keep_invalid: bool = False,
    context: Context | None = None,
) -> Result:
    """Write the pixels of images as a table, CSV or Parquet by the name of OUT: a row a pixel and band, in constant memory.

    Columns: image (of several), longitude and latitude or x and y (of the pixel's centre; of images without a place on the ground, in
    pixels with y down), row and column (from 0), band (from 1), band_name (if there are any), value, and with labels class and
    class_name, empty where a pixel has none. Rows go by image, row, column and band.
    labels: masks, vector files, a run-length table, COCO, or rules. wide: a row a pixel, with a column a band instead of band and value.
    step: only every n-th pixel of every n-th row. keep_invalid: also what has no value, with an empty one.
    A table that is there already, of the same images and options, is kept.
    Raises UsageError, RasterError, PairingError, LabelError or DataError naming all files that do not fit, ConflictError if OUT is there
    and was made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    every = _step(step)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"OUT is {out}; give a name that ends in {' or '.join(SUFFIXES)}.")
    check_writable(out.absolute().parent)
    given = given_images(images, labels, context)
    how = Flattening(layout=_layout(given, wide=wide), step=every, keep_invalid=keep_invalid)
    note = _note(given.images, how, given.fingerprint(context.recipe.data, step=every, keep_invalid=keep_invalid))
    kept = _kept(out, note)
    rows = 0 if kept else _write(out, given, how, note, context)
    counts = f"{counted(note.pixels, 'pixel')} of {counted(note.images, 'image')}"
    text = f"{out} kept: it holds {counts} already." if kept else f"{counted(rows, 'row')} in {out}: {counts}"
    facts: dict[str, object] = {"pixels": note.pixels, "columns": how.layout.schema().names} | ({} if kept else {"rows": rows})
    return Result(text=text, written={"outputs": [out]}, facts=facts)


def _step(step: float | None) -> int:
    if step is None:
        return 1
    if step < 1 or step != int(step):
        raise UsageError(f"step is {step:g}; it must be a whole number, 1 or more.")
    return int(step)


def _layout(given: GivenImages, *, wide: bool) -> TableLayout:
    """The columns that hold all images. Raises DataError if they do not go into one table."""
    images = given.images
    _check_crs(images)
    if wide:
        given.check_bands("A wide table has a column a band")
    crs = images[0].grid.crs if images[0].grid.transform is not None else None
    return TableLayout(
        dtype=given.dtype,
        bands=given.band_names,
        named=any(any(image.band_names) for image in images),
        wide=wide,
        degrees=crs is not None and bool(crs.is_geographic),
        images=tuple(image.name for image in images) if len(images) > 1 else None,
        classes=given.classes,
    )


def _check_crs(images: Sequence[GivenImage]) -> None:
    """One pair of columns holds the places of all images, so that they must mean the same."""
    first = images[0]
    for image in images[1:]:
        if not _same_place(first.grid, image.grid):
            raise DataError(
                f"{first.path} is in {_place_name(first.grid)}, {image.path} in {_place_name(image.grid)}: "
                "x and y of one table mean one thing. Flatten them apart, or give data.crs and data.cell_size."
            )


def _same_place(one: Grid, other: Grid) -> bool:
    if (one.transform is None) != (other.transform is None):
        return False
    if one.crs is None or other.crs is None or one.transform is None:
        return one.transform is None or one.crs is other.crs
    return same_crs(one.crs, other.crs)


def _place_name(grid: Grid) -> str:
    if grid.transform is None:
        return "pixels"
    return "no known CRS" if grid.crs is None else crs_name(grid.crs)


def _note(images: Sequence[GivenImage], how: Flattening, made_from: str) -> TableNote:
    grid, layout = images[0].grid, how.layout
    return TableNote(
        dtype=layout.dtype.name,
        bands=layout.bands,
        wide=layout.wide,
        images=len(images),
        pixels=sum(pixel_count(image.grid.shape, how.step) for image in images),
        classes=layout.classes,
        crs=crs_name(grid.crs) if grid.crs is not None and grid.transform is not None else None,
        made_from=made_from,
    )


def _kept(out: Path, note: TableNote) -> bool:
    """Whether OUT holds this table already. Raises ConflictError if it holds something else."""
    if not out.exists():
        return False
    if not out.is_dir() and _same(read_note(out), note):
        return True
    raise ConflictError(f"{out} is there already, and these images and options did not make it. Give another OUT, or remove it.")


def _same(found: TableNote | None, wanted: TableNote) -> bool:
    # as text, for NaN is not equal to itself
    return found is not None and found.to_json() == wanted.to_json()


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What writing any image needs."""

    given: GivenImages
    how: Flattening
    file: TableFile
    context: Context

    @property
    def threads(self) -> int:
        return self.context.threads or os.cpu_count() or 1

    def shape(self, part: Part) -> tuple[int, Any]:
        """How many rows some pixels make, and what the file takes of them."""
        rows = make_rows(part, self.how)
        return rows.num_rows, self.file.shape(rows)


def _write(out: Path, given: GivenImages, how: Flattening, note: TableNote, context: Context) -> int:
    """Write the table; returns how many rows it has."""
    with writing_table(out, how.layout, note) as file, context.progress.task("flatten", note.pixels, "pixels") as advance:
        work = _Work(given=given, how=how, file=file, context=context)
        return sum(_write_image(number, work, advance) for number in range(len(given.images)))


def _write_image(number: int, work: _Work, advance: Advance) -> int:
    total = 0
    with work.given.open(number, work.context.recipe.data) as picture:
        for rows, shaped in ahead(work.shape, _parts(picture, work, advance), work.threads):
            work.file.put(shaped)
            total += rows
    return total


def _parts(picture: Picture, work: _Work, advance: Advance) -> Iterator[Part]:
    """Parts of an image as large as rows are made of at once; the windows they are cut from are read ahead."""
    windows = read_windows(picture.raster.shape, picture.raster.bands * picture.raster.dtype.itemsize)
    read = partial(read_part, picture, step=work.how.step)
    for part in ahead(read, windows, work.threads):
        yield from cut_part(part, wide=work.how.layout.wide)
        advance(len(part.rows) * len(part.columns))
