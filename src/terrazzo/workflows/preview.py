"""preview: a sheet of samples as the network will see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from terrazzo.drawing.canvas import SOFTWARE
from terrazzo.drawing.overlay import overlay_classes
from terrazzo.drawing.rgb import HATCH, Picture, hatched, to_rgb
from terrazzo.drawing.sheet import Sheet, SheetKey, SheetRow, sheet_png
from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.labels.sentences import counted
from terrazzo.rasters.write import check_writable, write_bytes
from terrazzo.samples.draw.epoch import Draw, Drawn
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.rows import Sample, rows_of
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.table import PARTS
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.course import measure_scaling, preparation
from terrazzo.workflows.lesson import Lesson, chosen_lesson
from terrazzo.workflows.sample_origin import with_table

MADE_BY = "terrazzo preview"
COUNT = 12
MOST = 200
BESIDE = 3
"""Samples in a line of the sheet."""
HEADINGS = ("As the network sees it", "With its labels")
OPACITY = 0.45


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Chips to show."""

    windows: Sequence[Sample]
    images: NDArray[np.float32]
    """(count, bands, height, width), scaled."""
    labels: NDArray[np.uint8]
    """(count, height, width), 255 ignored."""


def preview(
    recipe: str | Path,
    out: str | Path,
    *,
    count: float | None = None,
    epoch: float | None = None,
    part: str | None = None,
    context: Context | None = None,
) -> Result:
    """Draw a sheet of the samples that a training by this recipe sees first, by the loader's own means.

    count: how many. epoch: from 0, of the training part. part: train, validation or test; the last two are shown as they are.
    Raises UsageError if a number or the part is none there is, ConflictError if OUT is another file than an earlier preview, DataError
    if the part is empty, and what `train` raises of a recipe and data that do not fit.
    """
    wanted, number, side = _whole("count", count, COUNT, 1), _whole("epoch", epoch, 0, 0), part or "train"
    if side not in PARTS:
        raise UsageError(f"part is {side!r}; it must be {', '.join(PARTS[:-1])} or {PARTS[-1]}.")
    if wanted > MOST:
        raise UsageError(f"count is {wanted}; a sheet holds at most {MOST}.")
    path = Path(out)
    _check_out(path)
    context, table = with_table(context or open_context(recipe))
    lesson = chosen_lesson(table, context)
    making, shown, total = _drawn(lesson, side, wanted, number, context)
    title = f"{Path(recipe).stem}: {_told(side, number, len(shown.windows), total)}, {making.size[0]} x {making.size[1]} pixels"
    dtype = lesson.store.raster(shown.windows[0].scene).dtype
    write_bytes(path, sheet_png(pairs_sheet(title, shown, making.scaling, lesson.legend, dtype), MADE_BY))
    return Result(text=f"{counted(len(shown.windows), 'sample')} of {total} in {path}", written={"outputs": [path]})


def pairs_sheet(title: str, shown: Shown, scaling: Scaling, legend: Legend, dtype: np.dtype[np.generic]) -> Sheet:
    """Chips, each beside itself with its labels laid over. dtype: of the images' files."""
    pictures = _pictures(shown, scaling, dtype)
    pairs = [
        (picture, hatched(overlay_classes(picture, labels, legend.sets.colors, OPACITY), labels == IGNORE))
        for picture, labels in zip(pictures, shown.labels, strict=True)
    ]
    captions = [f"{sample.scene}   column {sample.window.col_off}, row {sample.window.row_off}" for sample in shown.windows]
    beside = min(BESIDE, len(pairs))
    rows = [
        SheetRow(
            caption=captions[first],
            more=captions[first + 1 : first + beside],
            pictures=[picture for pair in pairs[first : first + beside] for picture in pair],
        )
        for first in range(0, len(pairs), beside)
    ]
    return Sheet(title=title, headings=HEADINGS * beside, rows=rows, keys=_keys(legend, shown.labels))


def _drawn(lesson: Lesson, part: str, count: int, epoch: int, context: Context) -> tuple[Preparation, Shown, int]:
    """What makes chips, the first chips of a part, and how many there are of it."""
    recipe, train_part = context.recipe, lesson.samples.part("train")
    if not len(lesson.samples.part(part)):
        raise DataError(f"The {part} part is empty. Choose another part, or change [split].")
    making = preparation(lesson, train_part, measure_scaling(train_part, lesson.store, recipe), recipe)
    every: Sequence[Drawn]
    if part == "train":
        every, number = Draw.of(train_part, recipe.draw).epoch(epoch, recipe.training.seed), epoch
    else:
        every, number = [Drawn(sample=sample) for sample in rows_of(lesson.samples.part(part))], None
    return making, chips(making, list(islice(every, count)), number), len(every)


def chips(making: Preparation, chosen: Sequence[Drawn], epoch: int | None) -> Shown:
    """What the network is given of these. epoch: from 0; None: as they are."""
    images = np.empty((len(chosen), making.bands, *making.size), np.float32)
    labels = np.empty((len(chosen), *making.size), np.uint8)
    windows = [making.chip(drawn, epoch, images[place], labels[place]) for place, drawn in enumerate(chosen)]
    return Shown(windows=windows, images=images, labels=labels)


def _pictures(shown: Shown, scaling: Scaling, dtype: np.dtype[np.generic]) -> list[Picture]:
    """Chips as the eye sees values of the file's own type, all stretched alike: what augmentation made brighter is brighter."""
    count, _, height, width = shown.images.shape
    below = shown.images[:, : 3 if len(scaling.bands) >= 3 else 1].swapaxes(0, 1).reshape(-1, count * height, width)
    values = np.stack([band.undo(plane.astype(np.float64)) for band, plane in zip(scaling.bands, below, strict=False)])
    if dtype == np.uint8:
        values = values.round().clip(0, 255).astype(np.uint8)
    whole = to_rgb(values, np.ones(values.shape[1:], np.bool_))
    return list(whole.reshape(count, height, width, 3))


def _keys(legend: Legend, labels: NDArray[np.uint8]) -> list[SheetKey]:
    entries = legend.sets.classes if not legend.overlapping else _present(legend, labels)
    keys = [SheetKey(color=entry.color, name=entry.name) for entry in entries[1:]]
    return [*keys, SheetKey(color=HATCH[0], name="left out of the loss")] if (labels == IGNORE).any() else keys


def _present(legend: Legend, labels: NDArray[np.uint8]) -> list[LegendClass]:
    """Of all sets of classes that overlap no class, and those that are shown."""
    held = set(np.unique(labels).tolist()) | {0}
    return [entry for entry in legend.sets.classes if entry.value in held]


def _told(part: str, epoch: int, count: int, total: int) -> str:
    if part == "train":
        return f"epoch {epoch}, the first {count} of {counted(total, 'training sample')}"
    return f"{count} of {counted(total, f'{part} sample')}, as they are"


def _whole(name: str, value: float | None, default: int, least: int) -> int:
    if value is None:
        return default
    if value < least or value != int(value):
        raise UsageError(f"{name} is {value:g}; it must be a whole number, {least} or more.")
    return int(value)


def _check_out(path: Path) -> None:
    """Refuse to overwrite what is no preview."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path} must end in .png.")
    if path.exists() and not _is_preview(path):
        raise ConflictError(f"{path} is no earlier preview: it is not overwritten. Give another OUT.")
    check_writable(path.absolute().parent)


def _is_preview(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return image.info.get(SOFTWARE) == MADE_BY
    except (OSError, UnidentifiedImageError):
        return False
