"""augment: augmented copies of training samples as files, each on the side of the split that its original is on."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.labels.colors import hex_color
from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.legend import Legend
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted
from terrazzo.rasters.files import digest
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.write import check_writable, write_text
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.index import build_index
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.rows import file_names, rows_of
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.split.tell import audit
from terrazzo.samples.table import Samples
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.copy_writer import CopyFile, CopyWriter
from terrazzo.workflows.course import measure_scaling
from terrazzo.workflows.origin import legend_origin, reading_origin
from terrazzo.workflows.pack_content import of_table
from terrazzo.workflows.sample_facts import sample_facts, sample_lines
from terrazzo.workflows.sample_origin import settings_of

NOTE, TABLE, LIST = "augmented.json", "samples.parquet", "split.csv"
MOST = 1000
MOVES = {"hflip", "vflip", "quarter_turns", "rotate_deg", "zoom", "shift", "shear_deg", "crop_pad"}
"""Options of [augment] that change places."""
CHANGES = MOVES | {"brightness", "band_shift", "contrast", "gamma", "noise", "blur_px", "band_drop"}


def augment(
    samples: str | Path,
    out: str | Path,
    *,
    copies: float | None = None,
    seed: float | None = None,
    instead: bool = False,
    context: Context | None = None,
) -> Result:
    """Write the samples of a table as files, and augmented copies of those for training: never of those that are held out.

    OUT/images/PART/NAME.tif in the type of the image, OUT/labels/PART/NAME.tif, OUT/split.csv and the samples table OUT/samples.parquet.
    Files keep their place on the ground only if [augment] moves nothing. Files of an earlier run by the same options are kept.

    copies: of each training sample; default 1. seed: of the draws; default 0. instead: leave out the originals of the training part.
    Raises UsageError, ConflictError if OUT holds anything else, or the table is stale; SplitError if the split leaks; DataError if
    nothing is for training; RasterError or LabelError naming all files that cannot be read; EnvironmentFault.
    """
    context, out, number = context or open_context(), Path(out), _whole("copies", copies, 1, 1)
    draws, options = _whole("seed", seed, 0, 0), context.recipe.augment.model_copy(update={"probability": 1.0})
    if not any(getattr(options, name) for name in CHANGES):
        raise UsageError("[augment] changes nothing: all copies would be alike. Set an option, such as --set augment.rotate_deg=30.")
    content = of_table(Path(samples), "raw", context)
    table, data = content.samples, content.reading
    if table.legend.overlapping:
        raise UsageError(
            "The classes of this table overlap; augment writes labels of one class a pixel. Let [augment] do it while training."
        )
    if not len(table.part("train")):
        raise DataError("The training part is empty. Split the table with more for training.")
    how = {"copies": number, "seed": draws, "instead": instead, "augment": options.model_dump(mode="json")}
    _claim(out, {**how, "table": digest(Path(samples)), "reading": reading_origin(data), "legend": legend_origin(table.legend)})
    writer = CopyWriter(
        out=out,
        source=content.source,
        data=data,
        legend=table.legend,
        scaling=measure_scaling(table.part("train"), content.source, context.recipe),
        options=options,
        seed=draws,
        placed=not any(getattr(options, name) for name in MOVES),
    )
    files = planned(table, number, instead=instead)
    all_on_threads(writer.write, files, context.progress, "augment", "samples")
    every = [file for group in files for file in group]
    write_text(out / LIST, _list(every))
    made = _indexed(out, every, table, context)
    made.save(out / TABLE)
    return Result(
        text="\n".join(
            [f"{counted(len(every), 'pair')} in {out}, {sum(file.copy > 0 for file in every)} of them copies", *sample_lines(made)]
        ),
        written={"samples": out / TABLE, "outputs": [out / "images", out / "labels", out / LIST]},
        facts={"pairs": len(every), "copies": sum(file.copy > 0 for file in every), **sample_facts(made)},
    )


def planned(table: Samples, copies: int, *, instead: bool) -> list[list[CopyFile]]:
    """The files of each sample: copies only of those for training."""
    plan = []
    rows = rows_of(table)
    for sample, called, part in zip(rows, file_names(rows), table.frame["split"], strict=True):
        numbers = range(1 if instead else 0, copies + 1) if part == "train" else range(1)
        plan.append([CopyFile(sample=sample, called=called, part=str(part), copy=copy) for copy in numbers])
    return plan


def _claim(out: Path, origin: dict[str, object]) -> None:
    """See that a folder may take the files, and note what they are made by."""
    note = out / NOTE
    text = json.dumps(origin, indent=1, sort_keys=True)
    if note.is_file():
        if note.read_text(encoding="utf-8") != text:
            raise ConflictError(f"{out} holds samples that were augmented from another table or with other options. Give another OUT.")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConflictError(f"{out} is not empty, and nothing in it says that augment made it. Give another OUT.")
    check_writable(out)
    write_text(note, text)


def _list(files: Sequence[CopyFile]) -> str:
    """A row a pair: what it is, which side it is on and what it comes from."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "split", "copy", "scene", "col_off", "row_off", "width", "height"])
    for file in files:
        window = file.sample.window
        image, label = (path.as_posix() for path in file.paths(Path()))
        place = [window.col_off, window.row_off, window.width, window.height]
        writer.writerow([image, label, file.part, file.copy, file.sample.scene, *place])
    return text.getvalue()


def _indexed(out: Path, files: Sequence[CopyFile], table: Samples, context: Context) -> Samples:
    """The samples table of what was written, each file on its side, audited anew."""
    data = DataOptions(images="images", labels="labels")
    legend = _legend_options(table.legend)
    recipe = Recipe(data=data, legend=legend, samples=SamplesOptions(size=table.size, min_valid=0.0))
    parts = {file.paths(out.absolute())[0]: file.part for file in files}
    scenes = [scene for scene in find_scenes(data, out.absolute()) if scene.image in parts]
    made = build_index(check_scenes(scenes, data), LabelReader(table.legend, data, LabelOptions()), recipe.samples, context.progress)
    made.frame["split"] = [parts[Path(image)] for image in made.frame["image"]]
    audit(made, SplitOptions())
    return replace(made, fingerprint=replace(made.fingerprint, settings=settings_of(recipe)))


def _legend_options(legend: Legend) -> LegendOptions:
    return LegendOptions(
        classes=list(legend.names), values=list(legend.values), colors=[hex_color(color) for color in legend.colors], ignore=255
    )


def _whole(name: str, value: float | None, default: int, least: int) -> int:
    if value is None:
        return default
    if value < least or value != int(value) or value > MOST:
        raise UsageError(f"{name} is {value:g}; it must be a whole number from {least} to {MOST}.")
    return int(value)
