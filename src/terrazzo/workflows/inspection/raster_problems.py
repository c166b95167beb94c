"""From the facts of a raster to what is wrong with it."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from terrazzo.labels.sentences import counted, number
from terrazzo.workflows.inspection.band_facts import BandFacts
from terrazzo.workflows.inspection.band_problems import band_problems, bands_named, equal_bands
from terrazzo.workflows.inspection.mask_problems import mask_problems
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.raster_facts import WHOLE_BYTES, RasterFacts
from terrazzo.workflows.inspection.sentences import percent
from terrazzo.workflows.inspection.suspects import FAR, Suspect

APART = 0.05
"""How far a suspected nodata value lies from all others, as a share of their range, at least."""
SATURATED = 0.01
"""Share of the largest value that is more than a few saturated pixels."""
COLLAR_SHARE, COLLAR_EDGE, COLLAR_NEAR = 0.005, 0.05, 0.02
"""An empty border has at least this share of all pixels, at least this share of the edge, and at most this share of nearly equal ones."""
MANY_BANDS = 12
"""With more bands than these, nodata is told for all of them."""
SMALL_STRIP = 16 * 2**20
"""A strip of more bytes than this is costly to read for a window."""


def raster_problems(facts: RasterFacts) -> list[Problem]:
    """All that is wrong with a raster, the worst first."""
    checks: tuple[Callable[[RasterFacts], Iterator[Problem]], ...] = (
        _nothing_there,
        _constant,
        _suspected_nodata,
        _empty_border,
        _not_finite,
        mask_problems,
        _equal,
        _place,
        _ranges,
        _storage,
    )
    return [problem for check in checks for problem in check(facts)]


def _nothing_there(facts: RasterFacts) -> Iterator[Problem]:
    empty = [place for place, band in enumerate(facts.bands, start=1) if not band.count]
    part = " that were read" if facts.read_share < 1 else ""
    if len(empty) == len(facts.bands):
        yield Problem(kind="all-invalid", what=f"No pixel is valid: all{part} are nodata, masked or NaN", advice="Leave the file out.")
    elif empty:
        yield Problem(
            kind="empty-band",
            what=f"{bands_named(empty)} {'holds' if len(empty) == 1 else 'hold'} no value",
            advice="Choose the others with [data] bands.",
        )


def _constant(facts: RasterFacts) -> Iterator[Problem]:
    seen = [band for band in facts.bands if band.count]
    # of a mask, nodata may well be a class
    if facts.kind == "classes" and facts.valid_share < 1:
        return
    valid = " valid" if facts.valid_share < 1 else ""
    if seen and all(band.low == band.high for band in seen):
        yield Problem(
            kind="constant",
            what=f"Every{valid} pixel is {number(seen[0].low or 0.0) if len(facts.bands) == 1 else 'the same'}",
            advice="An image like this teaches nothing; a mask like this is fine if its image shows nothing else.",
        )


def _suspected_nodata(facts: RasterFacts) -> Iterator[Problem]:
    if facts.kind not in ("image", "classes"):
        return
    for value, places in _suspects(facts).items():
        bands = [place for place, _ in places]
        where = "" if len(facts.bands) == 1 else f" in {bands_named(bands).lower()}"
        share = max(share for _, share in places)
        yield Problem(
            kind="suspected-nodata",
            what=f"{value:.7g}{where} looks like missing data, but the file does not say so",
            advice=f"Set [data] nodata = {_nodata_setting(value, bands, len(facts.bands))}.",
            figure=f"{percent(share)} of the pixels",
        )


def _suspects(facts: RasterFacts) -> dict[float, list[tuple[int, float]]]:
    """Values that look like missing data: the bands, from 1, and the share of the band."""
    found: dict[float, list[tuple[int, float]]] = {}
    for place, band in enumerate(facts.bands, start=1):
        for suspect in band.suspects:
            if _is_suspicious(suspect, band, facts.dtype):
                found.setdefault(suspect.value, []).append((place, suspect.share))
    return found


def _is_suspicious(suspect: Suspect, band: BandFacts, dtype: str) -> bool:
    if band.nodata == suspect.value:
        return False
    if suspect.nearest is None or abs(suspect.value) >= FAR:
        return True
    low, high = (suspect.nearest, band.high) if suspect.value == band.low else (band.low, suspect.nearest)
    gap = abs(suspect.value - suspect.nearest)
    # beside whole numbers that may be classes only what is below zero is no class
    apart = (suspect.value < 0 or band.values is None) and gap > 1 and gap > APART * abs((high or 0.0) - (low or 0.0))
    # a detector saturates in single pixels, which are no missing data
    saturated = np.dtype(dtype).kind == "u" and suspect.share < SATURATED
    return apart and not saturated


def _nodata_setting(value: float, bands: list[int], count: int) -> str:
    """The value of [data] nodata that says so: for all bands, or a list with nan for those without."""
    text = f"{value:.9g}"
    # a value of one band only may be data in another: water at -9999 is not likely, 65535 is
    if len(bands) == count or value < 0 or count > MANY_BANDS:
        return text
    return f"[{', '.join(text if place in bands else 'nan' for place in range(1, count + 1))}]"


def _empty_border(facts: RasterFacts) -> Iterator[Problem]:
    if facts.kind != "image":
        return
    for collar in facts.content.collars:
        # a bright sky reaches the edge of a picture too
        if (collar.value != 0 and facts.place.crs is None) or collar.value in _suspects(facts):
            continue
        if COLLAR_SHARE <= collar.share < 1 and collar.edge_share >= COLLAR_EDGE and collar.near_share <= COLLAR_NEAR:
            color = "black" if collar.value == 0 else "white"
            yield Problem(
                kind="suspected-nodata",
                what=f"A {color} border ({number(collar.value)} in all bands) that the file does not call nodata",
                advice=f"If nothing is there, set [data] nodata = {number(collar.value)}.",
                figure=f"{percent(collar.share)} of the pixels, {percent(collar.edge_share)} of the edge",
            )


def _not_finite(facts: RasterFacts) -> Iterator[Problem]:
    shares = [band.not_finite_share for band in facts.bands]
    declared = all(band.nodata is not None and math.isnan(band.nodata) for band in facts.bands)
    if max(shares) > 0 and not declared:
        yield Problem(
            kind="not-finite",
            what="NaN or infinite values, which the file does not call nodata",
            advice="They are left out everywhere; nothing is to be done, unless they should hold values.",
            figure=f"{percent(max(shares))} of the pixels",
        )


def _equal(facts: RasterFacts) -> Iterator[Problem]:
    varied = any(band.low != band.high for band in facts.bands)
    if facts.kind == "image" and facts.content.equal_bands and varied:
        yield equal_bands(len(facts.bands))


def _place(facts: RasterFacts) -> Iterator[Problem]:
    storage, place = facts.storage, facts.place
    if place.lonlat is not None and not _on_earth(facts):
        yield Problem(
            kind="impossible-place",
            what=f"Its bounds cannot be in {place.crs}",
            advice="The file names a wrong coordinate reference system: set the right one with gdal_edit.py -a_srs.",
        )
    if storage is None or (place.crs is not None and place.cell is not None):
        return
    if storage.control_points:
        what, advice = "It has control points, but no transform", "Set [data] crs, and it is placed on the ground by them."
    elif storage.crs_alone:
        what, advice = (
            "It has a coordinate reference system, but nothing says where its pixels are",
            "Set its bounds with gdal_edit.py -a_ullr.",
        )
    elif place.cell is not None:
        what, advice = "It says where its pixels are, but not in which coordinate reference system", "Set it with gdal_edit.py -a_srs."
    else:
        return
    yield Problem(kind="not-georeferenced", what=what, advice=f"{advice} Until then it is read in pixels.")


def _on_earth(facts: RasterFacts) -> bool:
    west, south, east, north = facts.place.lonlat or (0, 0, 0, 0)
    return -361 <= west <= 361 and -361 <= east <= 361 and -90.01 <= south <= north <= 90.01


def _ranges(facts: RasterFacts) -> Iterator[Problem]:
    if facts.kind == "image":
        yield from band_problems(facts.bands, facts.dtype)


def _storage(facts: RasterFacts) -> Iterator[Problem]:
    storage = facts.storage
    if storage is None:
        return
    if storage.pages > 1:
        yield Problem(
            kind="several-pages",
            what=f"It holds {storage.pages} pages, of which one is read",
            advice='Choose with [data] page = N, or page = "bands" where every page is a band.',
        )
    if storage.scaled:
        yield Problem(
            kind="scaled",
            what="It declares a scale and an offset, which are not applied",
            advice="Scaling is measured anyway; give rules and thresholds in stored values.",
        )
    height, width = storage.block
    strip = height * width * facts.pixel_bytes // (facts.shape[0] * facts.shape[1])
    if facts.pixel_bytes > WHOLE_BYTES and not storage.tiled and (strip > SMALL_STRIP or storage.compression is not None):
        yield Problem(
            kind="untiled",
            what=f"A large file stored in strips of {counted(height, 'row')} in full width: reading windows is slow",
            advice="Convert it once: gdal_translate -of COG -co COMPRESS=ZSTD IN OUT.",
        )
