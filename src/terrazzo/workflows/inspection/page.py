"""The page of an inspection: findings with pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from terrazzo.drawing.histogram import histogram
from terrazzo.drawing.rgb import Picture as Pixels
from terrazzo.labels.colors import hex_color
from terrazzo.labels.sentences import counted, listed
from terrazzo.reporting.inspection import BandLine, ClassLine, FileLine, Inspection, Picture, Sheet
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspection.band_facts import BandFacts
from terrazzo.workflows.inspection.class_shares import ClassShare
from terrazzo.workflows.inspection.finding import Finding
from terrazzo.workflows.inspection.raster_facts import RasterFacts
from terrazzo.workflows.inspection.rasters import RasterSet
from terrazzo.workflows.inspection.sentences import percent
from terrazzo.workflows.inspection.thumbnails import mask_colors, thumbnail
from terrazzo.workflows.inspection.vector_words import attribute_colors, draw_layer

LARGE_PX, SMALL_PX = 320, 160
"""Longest side of the picture of one file, and of those of a set."""
MOST_PICTURES = 60
"""Pictures of a set."""
MOST_BANDS = 64
"""Bands in the table of a sheet."""
QUALITY = 82
"""Of JPEG."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that an inspection tells."""

    given: Sequence[str]
    """What the user asked about."""
    sets: Sequence[RasterSet]
    others: Sequence[Finding]
    unusable: Sequence[str]
    """A sentence for each file that cannot be used."""
    detailed: bool
    """Whether rasters are told one by one, not only their sets."""


def page(told: Told, context: Context) -> Inspection:
    """All that is told, as a page."""
    sets, detailed = told.sets, told.detailed
    pictures = sum(len(found.facts.files) if detailed else min(len(found.facts.files), MOST_PICTURES) for found in sets)
    sheets: list[Sheet] = []
    with context.progress.task("draw", pictures, "pictures") as advance:
        for found in sets:
            shown = found.facts.files if detailed else found.facts.files[:MOST_PICTURES]
            if len(found.facts.files) == 1 or detailed:
                for file in shown:
                    sheets.append(_file_sheet(found, file, context))
                    advance(1)
                if len(found.facts.files) > 1:
                    sheets.append(_set_sheet(found, []))
            else:
                drawn = []
                for file in shown:
                    drawn.append(_draw(found, file, context, SMALL_PX))
                    advance(1)
                sheets.append(_set_sheet(found, drawn))
    sheets += [finding_sheet(finding, _drawn(finding, context)) for finding in told.others]
    files = sum(len(found.facts.files) for found in sets) + len(told.others)
    problems = sum(len(sheet.problems) for sheet in sheets)
    lead = f"{counted(files, 'file')} looked at, {counted(problems, 'problem')} found, {counted(len(told.unusable), 'file')} not usable."
    return Inspection(title=f"Inspection of {listed(told.given, 2)}", lead=lead, unusable=told.unusable, sheets=sheets)


def finding_sheet(finding: Finding, pictures: Sequence[Picture] = (), bands: Sequence[BandFacts] = ()) -> Sheet:
    """A finding without files of its own as a sheet."""
    # bands have a table of their own
    rows = [(name, text) for name, text in finding.rows if not (bands and name.startswith("band"))]
    return Sheet(
        title=finding.name,
        heading=finding.heading,
        rows=rows,
        problems=finding.problems,
        classes=[_class_line(share) for share in finding.shares],
        bands=[_band_line(place, band) for place, band in enumerate(bands[:MOST_BANDS], start=1)],
        pictures=pictures,
    )


def _drawn(finding: Finding, context: Context) -> list[Picture]:
    """The layers of a vector file."""
    if finding.vectors is None:
        return []
    pictures = []
    for layer in finding.vectors.layers[:MOST_PICTURES]:
        attribute = next((known for known in layer.attributes if known.name == context.recipe.labels.attribute), None)
        pixels = draw_layer(layer, LARGE_PX, attribute_colors(attribute))
        several = len(finding.vectors.layers) > 1
        pictures += [encode(pixels, layer.name if several else "", exact=True)] if pixels is not None else []
    return pictures


def encode(pixels: Pixels, caption: str, *, exact: bool) -> Picture:
    """A picture as the page holds it. exact: every pixel keeps its colour, as classes need."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if exact:
        image.save(buffer, format="PNG", optimize=True)
    else:
        image.save(buffer, format="JPEG", quality=QUALITY)
    return Picture(kind="png" if exact else "jpeg", data=buffer.getvalue(), size=(pixels.shape[0], pixels.shape[1]), caption=caption)


def _file_sheet(found: RasterSet, file: RasterFacts, context: Context) -> Sheet:
    picture = _draw(found, file, context, LARGE_PX)
    # under a large picture its name would stand twice
    alone = Picture(kind=picture.kind, data=picture.data, size=picture.size, caption=picture.caption.partition("\n")[2])
    return finding_sheet(found.finding_of(file), [alone], () if file.values else file.bands)


def _set_sheet(found: RasterSet, pictures: Sequence[Picture]) -> Sheet:
    facts = found.facts
    sheet = finding_sheet(found.finding(), pictures, () if facts.is_masks else facts.bands)
    note = f"The first {len(pictures)} of {len(facts.files)} files." if 0 < len(pictures) < len(facts.files) else ""
    return Sheet(
        title=sheet.title,
        heading=sheet.heading,
        rows=sheet.rows,
        problems=sheet.problems,
        classes=sheet.classes,
        bands=sheet.bands,
        pictures=pictures,
        files=[_file_line(found, file) for file in facts.files],
        note=note,
    )


def _draw(found: RasterSet, file: RasterFacts, context: Context, side: int) -> Picture:
    """The picture of a file."""
    colors = mask_colors(list(found.facts.values or file.values or ()), found.reading.legend) if file.values else {}
    # among masks of object numbers, one of few objects looks like a mask of classes
    kind = found.facts.kind if file.kind == "classes" and found.facts.kind == "objects" else file.kind
    drawn = thumbnail(file, context.recipe.data, side, kind, colors)
    caption = "\n".join(part for part in (file.path.name, drawn.part) if part)
    return encode(drawn.picture, caption, exact=file.kind != "image")


def _file_line(found: RasterSet, file: RasterFacts) -> FileLine:
    kinds = {entry.problem.kind for entry in found.problems if file.path in entry.paths}
    cells = (
        f"{file.shape[0]} x {file.shape[1]}",
        f"{counted(len(file.bands), 'band')} of {file.dtype}",
        file.place.crs or "none",
        percent(file.valid_share),
        ", ".join(sorted(kinds)),
    )
    # in a set of one folder the folder need not be said each time
    own = str(file.path.parent) == found.facts.name.removesuffix(" (masks)")
    return FileLine(name=file.path.name if own else str(file.path), cells=cells)


def _band_line(place: int, band: BandFacts) -> BandLine:
    name = f"{place} {band.name}" if band.name else str(place)
    levels = [band.low, band.level(1), band.level(50), band.level(99), band.high, band.mean, band.sd]
    figures = [f"{value:.5g}" if value is not None else "" for value in levels]
    nodata = f"{band.nodata:.7g}" if band.nodata is not None else ""
    drawn = histogram(band.histogram.shares, band.histogram.low, band.histogram.high, f"band {name}") if band.histogram else ""
    return BandLine(name=name, figures=(*figures, percent(band.missing_share) if band.missing_share else "", nodata), histogram=drawn)


def _class_line(share: ClassShare) -> ClassLine:
    return ClassLine(name=share.name, color=hex_color(share.color), share=percent(share.share), percent=100 * share.share)
