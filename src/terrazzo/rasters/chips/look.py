"""What a raster is besides its pixels: names, colours, scales, notes; whatever is cut from it or joined with it keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from terrazzo.rasters.chips.tag import CHIP_TAG, VALID_TAG
from terrazzo.rasters.formats.directory import TiffDirectory
from terrazzo.rasters.formats.source import Color
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.validity import find_holes, find_valid, representable

Mask = NDArray[np.bool_]
Rgba = tuple[int, int, int, int]

_FORMAT_TAGS = ("AREA_OR_POINT",)
_STATISTICS = "STATISTICS_"
"""What GDAL notes of a band's pixels: a part has others."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a raster is besides its pixels."""

    dtype: np.dtype[Any]
    crs: CRS | None
    nodata: float | None
    """One for all bands that a pixel can have; None where there is none, or bands differ."""
    names: tuple[str | None, ...]
    """One a band."""
    interpretations: tuple[ColorInterp, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    units: tuple[str | None, ...]
    colormap: Mapping[int, Rgba] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    band_tags: tuple[Mapping[str, str], ...] = ()

    @property
    def bands(self) -> int:
        return len(self.names)

    @property
    def alpha(self) -> int | None:
        """The place, from 0, of the band that holds transparency."""
        return self.interpretations.index(ColorInterp.alpha) if ColorInterp.alpha in self.interpretations and self.bands > 1 else None

    @property
    def fill(self) -> float:
        """What bands other than alpha hold where there is no image."""
        return 0 if self.nodata is None else self.nodata

    def blank(self, shape: tuple[int, int], fill: float | None = None) -> NDArray[Any]:
        """(bands, height, width) without image: transparent, nodata, else 0."""
        values = np.full((self.bands, *shape), self.fill if fill is None else fill, self.dtype)
        if self.alpha is not None:
            values[self.alpha] = 0
        return values

    def shows(self, pixels: Pixels) -> Mask:
        """(height, width), True where there is image: valid, and not transparent."""
        return pixels.valid if self.alpha is None else pixels.valid & (pixels.values[self.alpha] != 0)

    def implied(self, values: NDArray[Any]) -> Mask:
        """What of (bands, height, width) readers take for image by nodata and alpha alone, without a mask."""
        color = [band for band in range(self.bands) if band != self.alpha]
        valid = find_valid(find_holes(values[color], (self.nodata,) * len(color)), None, "all")
        shown = np.ones(values.shape[1:], np.bool_) if valid is None else valid
        return shown if self.alpha is None else shown & (values[self.alpha] != 0)


def open_whole(raster: Raster, options: DataOptions) -> Raster:
    """The raster with its alpha band among the others, where it has one and no bands were chosen."""
    if raster.alpha is None or options.bands is not None:
        return raster
    numbers: list[int | str] = [*range(1, len(raster.all_band_names) + 1)]
    raster.close()
    return open_raster(raster.path, options.model_copy(update={"bands": numbers}))


def look_of(raster: Raster, options: DataOptions = DataOptions()) -> Look:
    """What an opened raster is besides its pixels. Raises RasterError if its header cannot be read."""
    plain = Look(
        dtype=raster.dtype,
        crs=raster.grid.crs,
        nodata=common_nodata(raster.nodata, raster.dtype),
        names=raster.band_names,
        interpretations=(ColorInterp.undefined,) * raster.bands,
        scales=(1.0,) * raster.bands,
        offsets=(0.0,) * raster.bands,
        units=(None,) * raster.bands,
        colormap=None if raster.palette is None else {value: (*color, 255) for value, color in raster.palette.items()},
        tags={name: text for name, text in raster.tags.items() if name not in (CHIP_TAG, VALID_TAG)},
        band_tags=({},) * raster.bands,
    )
    if raster.format == "GTiff" and options.page in (None, 1):
        return _of_tiff(raster, plain, _numbers(raster, options))
    return _of_picture(raster, plain)


def common_nodata(nodata: Sequence[float | None], dtype: np.dtype[Any]) -> float | None:
    """The nodata value of all bands in the type of the pixels, or None."""
    first = nodata[0]
    if first is None or any(other != first and not (other is not None and np.isnan(other) and np.isnan(first)) for other in nodata):
        return None
    if np.isnan(first):
        return first if dtype.kind == "f" else None
    exact = representable(first, dtype)
    return None if exact is None else exact.item()


def _numbers(raster: Raster, options: DataOptions) -> list[int]:
    """The number, from 1, of each band of the raster."""
    if options.bands is None:
        every = range(1, len(raster.all_band_names) + 1)
        return [number for number in every if raster.bands == len(every) or number != raster.alpha]
    return [band if isinstance(band, int) else raster.all_band_names.index(band) + 1 for band in options.bands]


def _of_tiff(raster: Raster, plain: Look, numbers: Sequence[int]) -> Look:
    directory = TiffDirectory(raster.path)
    with directory.borrow("cannot be opened") as dataset:
        own = [number - 1 if number <= dataset.count else None for number in numbers]
        interpretations, scales, offsets, units = dataset.colorinterp, dataset.scales, dataset.offsets, dataset.units
        colormap = None
        if interpretations[0] is ColorInterp.palette and own[0] == 0:
            colormap = {int(value): tuple(color) for value, color in dataset.colormap(1).items()}
        tags = [{} if place is None else dataset.tags(place + 1) for place in own]
    directory.close()
    return Look(
        dtype=plain.dtype,
        crs=plain.crs,
        nodata=plain.nodata,
        names=plain.names,
        interpretations=tuple(ColorInterp.undefined if place is None else interpretations[place] for place in own),
        scales=tuple(1.0 if place is None else scales[place] for place in own),
        offsets=tuple(0.0 if place is None else offsets[place] for place in own),
        units=tuple(None if place is None else units[place] or None for place in own),
        colormap=colormap,
        tags=plain.tags,
        band_tags=tuple({name: text for name, text in found.items() if not name.startswith(_STATISTICS)} for found in tags),
    )


def _of_picture(raster: Raster, plain: Look) -> Look:
    """Colours of formats that have no interpretation of their own."""
    colors = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    uses: tuple[ColorInterp, ...] = plain.interpretations
    if raster.format in ("PNG", "JPEG") and raster.bands in (3, 4):
        uses = (*colors, ColorInterp.alpha)[: raster.bands]
    elif raster.format in ("PNG", "JPEG") and raster.bands == 2 and raster.alpha == 2:
        uses = (ColorInterp.gray, ColorInterp.alpha)
    elif raster.palette is not None and raster.bands == 1:
        uses = (ColorInterp.palette,)
    return Look(**{**plain.__dict__, "interpretations": uses})


def class_look(values: Sequence[int], colors: Sequence[Color], tags: Mapping[str, str], crs: CRS | None) -> Look:
    """That of a class map: bytes with a palette, 255 without data. values, colors: one a class."""
    palette = {value: (*color, 255) for value, color in zip(values, colors, strict=True)}
    return Look(
        dtype=np.dtype(np.uint8),
        crs=crs,
        nodata=255,
        names=("class",),
        interpretations=(ColorInterp.palette,),
        scales=(1.0,),
        offsets=(0.0,),
        units=(None,),
        colormap={**palette, 255: (0, 0, 0, 0)},
        tags=tags,
        band_tags=({},),
    )
