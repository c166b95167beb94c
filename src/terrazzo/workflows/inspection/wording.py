"""What was measured of rasters, in words: rows of a name and a text, for terminals and pages alike."""

from collections.abc import Sequence

from terrazzo.labels.sentences import counted, listed, number
from terrazzo.workflows.inspection.band_facts import BandFacts
from terrazzo.workflows.inspection.class_shares import ClassShare
from terrazzo.workflows.inspection.place_facts import Place
from terrazzo.workflows.inspection.raster_facts import RasterFacts
from terrazzo.workflows.inspection.sentences import percent, size
from terrazzo.workflows.inspection.set_facts import Group, SetFacts
from terrazzo.workflows.inspection.tiff_facts import Storage

Row = tuple[str, str]
MOST_BANDS = 16
"""More bands than these are not all told one by one."""
MOST_GROUPS = 8
KINDS = {
    "image": "image",
    "classes": "class mask",
    "grey mask": "grey mask",
    "colour mask": "mask in colours",
    "one-hot mask": "one-hot mask",
    "objects": "mask of object numbers",
}


def raster_heading(facts: RasterFacts) -> str:
    """What a raster is, in a line."""
    height, width = facts.shape
    bands = f"{counted(len(facts.bands), 'band')} of {facts.dtype}"
    stored = "" if facts.file_bytes is None else f", {size(facts.file_bytes)}"
    return f"{KINDS[facts.kind]}, {facts.format}, {height} x {width} pixels, {bands}{stored}"


def raster_rows(facts: RasterFacts, shares: Sequence[ClassShare]) -> list[Row]:
    """The facts of a raster. shares: of its classes, where it is a mask."""
    rows: list[Row] = []
    if facts.storage is not None or facts.place.crs is not None:
        rows.append(("place", place_words(facts.place)))
    if facts.storage is not None:
        rows.append(("stored", storage_words(facts.storage)))
    if (facts.valid_share < 1 and not facts.values) or facts.read_share < 1:
        part = "" if facts.read_share == 1 else f" of the {percent(facts.read_share)} that were read as a sample"
        rows.append(("valid", f"{percent(facts.valid_share)} of the pixels{part}"))
    if facts.palette:
        rows.append(("palette", counted(facts.palette, "colour")))
    if facts.alpha:
        rows.append(("alpha", "a further band says which pixels are shown"))
    if facts.values is None:
        return [*rows, *band_rows(facts.bands), *mask_rows(None, shares)]
    return [*rows, *mask_rows(facts.values, shares), *_nodata_rows(facts.bands[0])]


def _nodata_rows(band: BandFacts) -> list[Row]:
    missing = [f"{band.nodata:.10g}"] if band.nodata is not None else []
    if band.missing_share:
        missing.append(f"{percent(band.missing_share)} of the pixels")
    return [("nodata", ", ".join(missing))] if missing else []


def mask_rows(values: dict[float, int] | None, shares: Sequence[ClassShare]) -> list[Row]:
    """The values of a mask, and its classes where they are called otherwise."""
    rows = []
    if values:
        total = sum(values.values())
        rows.append(("values", ", ".join(f"{number(value)} ({percent(count / total)})" for value, count in values.items())))
    named = {number(value) for value in values or ()}
    if any(share.pixels and share.name not in named for share in shares):
        rows.append(("classes", ", ".join(f"{share.name} {percent(share.share)}" for share in shares)))
    return rows


def band_rows(bands: Sequence[BandFacts]) -> list[Row]:
    """A row a band."""
    rows = [(f"band {place}", band_words(band)) for place, band in enumerate(bands[:MOST_BANDS], start=1)]
    return rows if len(bands) <= MOST_BANDS else [*rows, ("bands", f"and {len(bands) - MOST_BANDS} more; --json tells all")]


def band_words(band: BandFacts) -> str:
    """The figures of a band in a line."""
    name = f"{band.name}, " if band.name else ""
    nodata = f", nodata {band.nodata:.10g}" if band.nodata is not None else ""
    missing = f", {percent(band.missing_share)} missing" if band.missing_share else ""
    if band.mean is None or band.sd is None or not band.levels:
        return f"{name}no valid pixel{nodata}"
    levels = "/".join(f"{band.levels[percent_of]:.5g}" for percent_of in (1, 50, 99))
    return f"{name}{band.low:.7g} to {band.high:.7g}, mean {band.mean:.6g}, sd {band.sd:.6g}, 1/50/99%: {levels}{missing}{nodata}"


def place_words(place: Place) -> str:
    """Where a raster lies, in a line."""
    cell = f", cell {place.cell[0]:.6g} x {place.cell[1]:.6g}" if place.cell else ""
    turned = f", {place.orientation}" if place.orientation not in (None, "north-up") else ""
    bounds = (
        f", x {place.bounds[0]:.10g} to {place.bounds[2]:.10g}, y {place.bounds[1]:.10g} to {place.bounds[3]:.10g}" if place.bounds else ""
    )
    return f"{place.crs or 'no coordinate reference system'}{cell}{turned}{bounds}{degrees(place)}"


def degrees(place: Place) -> str:
    """Bounds in degrees, in brackets; nothing where unknown, or where the bounds are degrees themselves."""
    if place.lonlat is None or place.lonlat == place.bounds:
        return ""
    west, south, east, north = place.lonlat
    return f" (lon {west:.5f} to {east:.5f}, lat {south:.5f} to {north:.5f})"


def storage_words(storage: Storage) -> str:
    """How a GeoTIFF is stored, in a line."""
    height, width = storage.block
    blocks = f"tiles of {height} x {width}" if storage.tiled else f"strips of {counted(height, 'row')}"
    overviews = f"overviews 1/{', 1/'.join(map(str, storage.overviews))}" if storage.overviews else "no overviews"
    pages = f", {storage.pages} pages" if storage.pages > 1 else ""
    mask = ", mask inside" if storage.mask else ""
    return f"{blocks}, {storage.compression or 'not compressed'}, {overviews}{pages}{mask}"


def set_heading(facts: SetFacts) -> str:
    """What a set is, in a line."""
    files = sum(file.file_bytes or 0 for file in facts.files)
    kind = KINDS[facts.kind]
    noun = kind if len(facts.files) == 1 else kind.replace("mask", "masks", 1) if "mask" in kind else f"{kind}s"
    return f"{len(facts.files)} {noun}, {size(files)}"


def set_rows(facts: SetFacts, shares: Sequence[ClassShare]) -> list[Row]:
    """The facts of a set. shares: of its classes, where it holds masks."""
    rows = [("files", group_words(group)) for group in facts.groups[:MOST_GROUPS]]
    if len(facts.groups) > MOST_GROUPS:
        rows.append(("files", f"and {counted(len(facts.groups) - MOST_GROUPS, 'more group')}; --json tells all"))
    sampled = sum(file.read_share < 1 for file in facts.files)
    if facts.valid_share < 1 or sampled:
        part = f"; of {counted(sampled, 'large file')} a sample was read" if sampled else ""
        rows.append(("valid", f"{percent(facts.valid_share)} of the pixels{part}"))
    if not facts.is_masks:
        return [*rows, *band_rows(facts.bands)]
    classes = mask_rows(facts.values, shares)
    plain = [file.path.name for file in facts.files if file.values is not None and len(file.values) == 1 and file.valid_share == 1]
    if plain:
        classes.append(("of one value", f"{len(plain)} of {counted(len(facts.files), 'mask')} ({listed(plain, 3)})"))
    return [*rows, *(classes or band_rows(facts.bands))]


def group_words(group: Group) -> str:
    """What the files of a group are, in a line."""
    sizes = f"{group.smallest[0]} x {group.smallest[1]}"
    if group.sizes > 1:
        sizes = f"{group.sizes} sizes from {sizes} to {group.largest[0]} x {group.largest[1]}"
    cell = f", cell {group.cell[0]:g} x {group.cell[1]:g}" if group.cell else ""
    crs = group.crs or "no coordinate reference system"
    return f"{group.count} {group.format}, {sizes} pixels, {counted(group.bands, 'band')} of {group.dtype}, {crs}{cell}"
