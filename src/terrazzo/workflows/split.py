"""split: a samples table into training, validation and test."""

from pathlib import Path

from terrazzo.rasters.write import check_writable
from terrazzo.samples.split import assign_split
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.sample_facts import sample_facts, sample_lines


def split(samples: str | Path, context: Context | None = None) -> Result:
    """Write the column `split` of a samples table anew, by [split], and refuse a split that leaks.

    Raises DataError if there is no such table, SplitError if the split cannot be made or leaks, EnvironmentFault.
    """
    context, path = context or open_context(), Path(samples)
    table = load(path)
    check_writable(path.absolute().parent)
    divided = assign_split(table, context.recipe.split)
    divided.save(path)
    return Result(text="\n".join(sample_lines(divided)), written={"samples": path}, facts=sample_facts(divided))
