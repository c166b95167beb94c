"""split: a samples table, or a folder of pairs, into training, validation and test."""

from pathlib import Path

from terrazzo.rasters.write import check_writable
from terrazzo.samples.split import assign_split
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.sample_facts import sample_facts, sample_lines
from terrazzo.workflows.split_folder import split_folder


def split(samples: str | Path, *, out: str | Path | None = None, link: bool = False, context: Context | None = None) -> Result:
    """Split by [split], and refuse a split that leaks.

    A samples table gets its column `split` anew. A folder of images and labels is divided into OUT/train_frames, train_masks,
    val_frames, val_masks (and test_frames, test_masks): copies, or with `link` symbolic links; nothing is moved or deleted.

    out: of a folder only; default: FOLDER/split.
    Raises DataError if there is no such table, SplitError if the split cannot be made or leaks, PairingError, LabelError or
    RasterError naming all files of a folder that do not fit, ConflictError if OUT holds other files, EnvironmentFault.
    """
    context, path = context or open_context(), Path(samples)
    if path.is_dir():
        return split_folder(path, Path(out) if out is not None else path / "split", context, link=link)
    table = load(path)
    check_writable(path.absolute().parent)
    divided = assign_split(table, context.recipe.split)
    divided.save(path)
    return Result(text="\n".join(sample_lines(divided)), written={"samples": path}, facts=sample_facts(divided))
