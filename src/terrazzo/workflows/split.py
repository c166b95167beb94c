"""split: a samples table, or a folder of pairs, into training, validation and test."""

from pathlib import Path

from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.write import check_writable, write_text
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.exact import check_list, list_text
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context, Result, Written, open_context
from terrazzo.workflows.look_alike import with_alike
from terrazzo.workflows.recount import recount_of
from terrazzo.workflows.sample_facts import sample_facts, sample_lines
from terrazzo.workflows.sample_origin import TableOptions
from terrazzo.workflows.split_folder import split_folder


def split(
    samples: str | Path,
    *,
    out: str | Path | None = None,
    link: bool = False,
    lists: str | Path | None = None,
    context: Context | None = None,
) -> Result:
    """Split by [split], and refuse a split that leaks.

    A samples table gets its column `split` anew. A folder of images and labels is divided into OUT/train_frames, train_masks,
    val_frames, val_masks (and test_frames, test_masks): copies, or with `link` symbolic links; nothing is moved or deleted.

    out: of a folder only; default: FOLDER/split. lists: of a table: a CSV to write, every window with its part.
    Raises DataError if there is no such table, SplitError if the split cannot be made or leaks, PairingError, LabelError or
    RasterError naming all files of a folder that do not fit, ConflictError if OUT holds other files, EnvironmentFault.
    """
    context, path = context or open_context(), Path(samples)
    if path.is_dir():
        return split_folder(path, Path(out) if out is not None else path / "split", context, link=link)
    table = load(path)
    check_writable(path.absolute().parent)
    if lists is not None:
        check_list(Path(lists))
    reading = TableOptions(path=path, settings=table.fingerprint.settings).take(DataOptions, "data")
    table = with_alike(table, reading, context.split, context.progress)
    divided = assign_split(table, context.split, recount_of(path, table, context.progress))
    divided.save(path)
    written: Written = {"samples": path}
    if lists is not None:
        write_text(Path(lists), list_text(divided))
        written = {"samples": path, "outputs": [Path(lists)]}
    return Result(text="\n".join(sample_lines(divided)), written=written, facts=sample_facts(divided))
