"""mosaic: tiles as one raster, every pixel as it was."""

import os
from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import ConflictError, RasterError, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.chips.cut import mask_of
from terrazzo.rasters.files import find_images
from terrazzo.rasters.mosaic.cog import BLOCK_PX, writing_cog
from terrazzo.rasters.mosaic.compose import Composer
from terrazzo.rasters.mosaic.overlap import OVERLAPS, Overlap
from terrazzo.rasters.mosaic.tiles import Plan, Tile, open_tile, plan
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.write import check_writable
from terrazzo.workflows.context import Context, Result, open_context

MOSAIC_TAG = "TERRAZZO_MOSAIC"
"""The tag of a mosaic, with the number of its tiles."""


def mosaic(
    tiles: Sequence[str | Path],
    out: str | Path,
    *,
    overlap: str | None = None,
    nodata: float | None = None,
    crop: bool = False,
    context: Context | None = None,
) -> Result:
    """Put tiles together into one cloud-optimised GeoTIFF, every pixel as it was; nothing is resampled.

    Chips are cropped to the part that is image. Those of one image give the whole of it, whichever chips were left out.

    tiles: images, folders, or patterns; where they have no place on the ground, chips or names that end in _COLUMN_ROW.
    overlap: which value counts where tiles overlap: first (the default), last, min, max, mean, or error where they differ.
    nodata: of the mosaic, if not that of the tiles. crop: no larger than the tiles, though they are chips of one image.
    Raises UsageError, RasterError or DataError naming all tiles that do not go together, ConflictError if OUT is another file,
    EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    rule = _rule(overlap)
    _check_out(out)
    check_writable(out.absolute().parent)
    made = plan(_open(tiles, out, context), nodata=nodata, crop=crop)
    threads = context.threads or os.cpu_count() or 1
    shown = _write(made, out, rule, threads, context)
    height, width = made.grid.shape
    share = shown / (height * width)
    lines = [f"{counted(len(made.placed), 'tile')} as {out}: {height} x {width} pixels (height x width)"]
    if share < 1:
        lines.append(f"{share:.2%} of it hold image")
    return Result(
        text="\n".join(lines),
        written={"outputs": [out.absolute()]},
        facts={"tiles": len(made.placed), "height": height, "width": width, "valid": share},
    )


def _rule(overlap: str | None) -> Overlap:
    found = next((rule for rule in OVERLAPS if rule == (overlap or "first")), None)
    if found is None:
        raise UsageError(f"overlap is {overlap!r}; allowed are {', '.join(OVERLAPS)}.")
    return found


def _check_out(out: Path) -> None:
    """Refuse to write over anything but an earlier mosaic. Raises ConflictError, or UsageError if OUT is no GeoTIFF's name."""
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise UsageError(f"{out} is to be a GeoTIFF: give a name that ends in .tif.")
    if not out.exists():
        return
    try:
        with open_raster(out) as raster:
            ours = MOSAIC_TAG in raster.tags
    except RasterError:
        ours = False
    if not ours:
        raise ConflictError(f"{out} is there already, and is no mosaic. Give another name, or move it away.")


def _open(tiles: Sequence[str | Path], out: Path, context: Context) -> list[Tile]:
    """The headers of all tiles, in their order. Raises one error for all that cannot be read."""
    files = {file.path: None for given in tiles for file in find_images(given, Path.cwd())}
    paths = [path for path in files if path != out.absolute()]
    if not paths:
        raise RasterError(f"There are no tiles but {out} itself. Give those that it is to be made of.")
    failures, opened = Failures(), []
    with context.progress.task("read headers", len(paths), "tiles") as advance:
        for path in paths:
            with failures.collect():
                opened.append(open_tile(path))
            advance(1)
    failures.check(len(paths), "tiles")
    return opened


def _write(made: Plan, out: Path, rule: Overlap, threads: int, context: Context) -> int:
    """Write the mosaic; returns how many of its pixels hold image."""
    composer, shown = Composer(made, rule, BLOCK_PX), 0
    height, width = made.grid.shape
    with (
        writing_cog(out, made.grid, made.look, {MOSAIC_TAG: f"tiles={len(made.placed)}"}, "zstd") as file,
        context.progress.task("mosaic", height * width, "pixels") as advance,
    ):
        for part in ahead(composer.compose, composer.windows(), threads):
            mask = mask_of(made.look, part.values, part.shown)
            file.put(part.window, part.values, mask)
            shown += int(part.shown.sum())
            advance(part.window.width * part.window.height)
    return shown
