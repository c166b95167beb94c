"""vectorize: the classes of a map as polygons, or their borders or centres as lines."""

from pathlib import Path

from terrazzo.errors import ConflictError
from terrazzo.labels.sentences import counted
from terrazzo.prediction.vectorize.class_map import Outlined, write_polygons
from terrazzo.prediction.vectorize.line_map import Lined, write_lines
from terrazzo.rasters.formats.directory import rows_in_order
from terrazzo.rasters.location import to_path
from terrazzo.rasters.write import check_writable
from terrazzo.workflows.context import Context, Result, open_context

MEASURED = {
    "ellipsoid": "Areas are measured on the ellipsoid.",
    "plane": "Areas are those of the map's plane.",
    None: "The map has no coordinates on the ground: there are no areas.",
}
MOST_UNNAMED = 32
"""Values of a map that names none of them; what has more is rather an image."""


@rows_in_order()
def vectorize(classes: str | Path, out: str | Path, *, context: Context | None = None) -> Result:
    """Write a polygon for each 4-connected piece of ground of one class; neighbours share their borders, vertex by vertex.

    Or, as [vectors] geometry says, the lines where classes border on each other, or along their middle.

    classes: a class map. out: .gpkg, .parquet, .fgb or .geojson. Memory does not grow with the height of the map.
    Raises ConflictError if OUT exists, RasterError if the map is broken or no class map, UsageError, DataError, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if out.exists():
        raise ConflictError(f"{out} exists; it is not overwritten. Give another name, or move it away.")
    check_writable(out.absolute().parent)
    options = context.recipe.vectors
    if options.geometry != "polygons":
        return _told_lines(write_lines(to_path(classes), out, options, context.progress), out)
    done = write_polygons(to_path(classes), out, options, context.progress)
    total = sum(each.polygons for each in done.classes.values())
    lines = [f"{counted(total, 'polygon')} of {counted(len(done.classes), 'class', 'classes')} in {out}", *_table(done)]
    lines.append(MEASURED[done.area_kind] + ("" if done.confident else " No probabilities beside the map: there is no confidence."))
    if not done.names and len(done.classes) > MOST_UNNAMED:
        lines.append(
            f"{classes} names no classes and holds {len(done.classes)} values. If it is an image, make a map of it first: terrazzo predict."
        )
    facts = [
        {
            "value": value,
            "name": done.names.get(value),
            "polygons": each.polygons,
            "pixels": each.pixels,
            "area_m2": each.area_m2 if done.area_kind else None,
        }
        for value, each in done.classes.items()
    ]
    return Result(text="\n".join(lines), written={"outputs": [out.absolute()]}, facts={"polygons": total, "classes": facts})


def _told_lines(done: Lined, out: Path) -> Result:
    total = sum(each.lines for each in done.summaries.values())
    lines = [f"{counted(total, 'line')} in {out}"]
    facts: list[dict[str, object]] = []
    for key, each in sorted(done.summaries.items()):
        length = f", {each.length_m:,.1f} m" if done.measured else ""
        lines.append(f"  {' - '.join(str(done.names.get(value, value)) for value in key)}: {counted(each.lines, 'line')}{length}")
        values = dict(zip(("value", "other_value"), key, strict=False))
        facts.append({**values, "lines": each.lines, "length_m": each.length_m if done.measured else None})
    if not done.measured:
        lines.append("The map has no coordinates on the ground: there are no lengths.")
    return Result(text="\n".join(lines), written={"outputs": [out.absolute()]}, facts={"lines": total, done.kind: facts})


def _table(done: Outlined) -> list[str]:
    rows = []
    for value, each in done.classes.items():
        area = f", {each.area_m2:,.1f} m2" if done.area_kind else ""
        rows.append(f"  {done.names.get(value, value)}: {counted(each.polygons, 'polygon')}, {counted(each.pixels, 'pixel')}{area}")
    return rows
