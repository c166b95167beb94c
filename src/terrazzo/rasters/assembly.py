"""From files to the layer of a raster: bands chosen, siblings joined, all on one grid."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from affine import Affine

from terrazzo.errors import RasterError
from terrazzo.rasters.bands import Nodata, nodata_of, select
from terrazzo.rasters.formats.opening import open_source
from terrazzo.rasters.formats.source import BAND_LIMIT, Facts, Source
from terrazzo.rasters.grid import Grid, grids_agree
from terrazzo.rasters.layers import FileLayer, JoinedLayer, Layer, join_types
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import Place
from terrazzo.rasters.siblings import find_siblings, sibling_names
from terrazzo.rasters.target import target_grid
from terrazzo.rasters.warped import WarpedLayer, resized_layer
from terrazzo.rasters.window import Shape

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The layer of a raster and what is to be told of it."""

    paths: tuple[Path, ...]
    """The image and the files that join it."""
    facts: Facts
    """The image's own."""
    layer: Layer
    grid: Grid
    own_grid: Grid
    """Of the image's own pixels, before any resampling."""
    place: Place | None
    """Where the image's own pixels lie, before any resampling."""
    band_names: tuple[str | None, ...]
    """Of the chosen bands."""
    all_band_names: tuple[str | None, ...]
    """Of all bands that there are, by number from 1."""
    nodata: Nodata
    """Of the chosen bands."""
    digests: tuple[str, ...] | None = None
    """Fingerprints of `paths`, where they are known; None: to be made from the files."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A file and the bands that it offers."""

    path: Path
    source: Source
    bands: tuple[int, ...]
    """Numbers in the file: all of the image, those of a sibling without its alpha."""
    place: Place | None

    @property
    def facts(self) -> Facts:
        return self.source.facts


def assemble(path: Path, options: DataOptions, onto: Grid | None, place: Place | None) -> Assembly:
    """Open an image with its siblings.

    onto: the grid to read it on, if not its own or that of the options. place: of its pixels, where the file itself has none.
    Raises RasterError.
    """
    image = _image(path, options, place)
    siblings = find_siblings(path, options.extra_bands or [])
    extras = [_sibling(image, sibling.path, options) for sibling in siblings]
    parts = [image, *extras]
    defaults = [sibling.name for sibling in siblings]
    names = sibling_names(
        image.facts.band_names,
        [(name, [part.facts.band_names[band - 1] for band in part.bands]) for name, part in zip(defaults, extras, strict=True)],
    )
    joining = range(image.facts.count + 1, len(names) + 1)
    selected = select(path, options.bands, names, (*image.facts.color_bands, *joining))
    stored = [part.facts.nodata[band - 1] for part in parts for band in part.bands]
    nodata = nodata_of(path, options.nodata, tuple(stored), selected)
    own = image.facts.grid
    grid = onto or (own.resized(options.resize) if options.resize is not None else target_grid(path, image.place, options) or own)
    if image.facts.control is not None and not grid.georeferenced:
        log.info("%s has control points only; it is read in pixels, without a place on the ground. To use them, set [data] crs.", path)
    return Assembly(
        paths=tuple(part.path for part in parts),
        facts=image.facts,
        layer=_join(parts, selected, nodata, grid, options),
        grid=grid,
        own_grid=own,
        place=image.place,
        band_names=tuple(names[number - 1] for number in selected),
        all_band_names=tuple(names),
        nodata=nodata,
    )


def _image(path: Path, options: DataOptions, place: Place | None) -> _Part:
    source = open_source(path, options)
    facts = source.facts
    if 0 in facts.grid.shape:
        raise RasterError(f"{path} holds no pixels: it is {facts.grid.shape[0]} x {facts.grid.shape[1]}.")
    if facts.count > BAND_LIMIT:
        raise RasterError(
            f"{path} declares {facts.count} bands; at most {BAND_LIMIT} are read. Is the file damaged, or (NPY) data.axes wrong?"
        )
    own = Place.of(facts.grid, facts.control)
    if own is None and place is not None and place.shape == facts.grid.shape:
        own = place
    return _Part(path=path, source=source, bands=tuple(range(1, facts.count + 1)), place=own)


def _sibling(image: _Part, path: Path, options: DataOptions) -> _Part:
    """A file that joins an image, read by the same options.

    Without a place of its own, but with as many rows and columns, it lies where the image does.
    """
    part = _image(path, options, image.place)
    return replace(part, bands=part.facts.color_bands)


def _join(parts: Sequence[_Part], selected: Sequence[int], nodata: Nodata, grid: Grid, options: DataOptions) -> Layer:
    """The layer of the selected bands; a file of which none is selected is not read."""
    owners = [(part, band) for part in parts for band in part.bands]
    chosen = [(*owners[number - 1], place) for place, number in enumerate(selected)]
    layers: list[tuple[_Part, Layer]] = []
    places: list[int] = []
    for part in parts:
        mine = [(band, place) for owner, band, place in chosen if owner is part]
        if mine:
            layer = FileLayer(part.source, [band for band, _ in mine], [nodata[place] for _, place in mine])
            layers.append((part, _on_grid(part, layer, parts[0], grid, options)))
            places += [place for _, place in mine]
    if [part for part, _ in layers] == [parts[0]]:
        return layers[0][1]
    dtype = join_types([layer.dtype for _, layer in layers])
    if dtype is None:
        kinds = ", ".join(f"{part.path} ({layer.dtype})" for part, layer in layers)
        raise RasterError(f"No type holds the values of all these exactly: {kinds}. Convert one, or choose with data.bands.")
    image = next((layer for part, layer in layers if part is parts[0]), None)
    return JoinedLayer(image, [layer for part, layer in layers if part is not parts[0]], places, dtype)


def _on_grid(part: _Part, layer: Layer, image: _Part, grid: Grid, options: DataOptions) -> Layer:
    """A file's layer as it is if it lies on the grid, else resampled to it."""
    if options.resize is not None and layer.shape == image.facts.grid.shape:
        return layer if layer.shape == grid.shape else resized_layer(part.path, layer, grid.shape, options.resampling)
    return _on_ground(part, layer, image.path, grid, options)


def _on_ground(part: _Part, layer: Layer, image: Path, grid: Grid, options: DataOptions) -> Layer:
    target, place = Place.of(grid, None), part.place
    if place is None or target is None:
        if layer.shape == grid.shape:
            return layer
        raise RasterError(
            f"{part.path} is {_size(layer.shape)} pixels (height x width), {f'the grid for {image}' if part.path == image else image} is "
            f"{_size(grid.shape)}. It cannot be resampled: that takes a place on the ground on both sides."
        )
    if isinstance(place.ground, Affine) and grids_agree(Grid(shape=place.shape, crs=place.crs, transform=place.ground), grid):
        return layer
    if part.path != image:
        _tell_resampled(part.path.parent, options.resampling)
    return WarpedLayer(part.path, layer, place, target, options.resampling)


@cache
def _tell_resampled(folder: Path, resampling: str) -> None:
    """Once for all files of a folder."""
    log.info("Files in %s lie on other grids than the images that they join: they are resampled (%s).", folder, resampling)


def _size(shape: Shape) -> str:
    return f"{shape[0]} x {shape[1]}"
