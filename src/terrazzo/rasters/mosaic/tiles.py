"""Tiles of a mosaic: opened, compared, and placed on one lattice of pixels."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from terrazzo.errors import DataError
from terrazzo.rasters.chips.look import Look, look_of, open_whole
from terrazzo.rasters.chips.tag import ChipNote, inside_of, name_offsets
from terrazzo.rasters.grid import Grid, crs_name, cut_transform, same_crs, to_ground
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.validity import representable
from terrazzo.rasters.window import Shape, Window

LATTICE_PX = 1e-3
"""Tiles whose pixels are no further than this from those of the others lie on one lattice."""
SHOWN = 5

LEGEND_TAG = "TERRAZZO_LEGEND"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """An opened tile; its file is open only while it is read."""

    path: Path
    raster: Raster
    look: Look
    note: ChipNote | None
    """Of a chip, where it comes from."""
    shape: Shape
    """(height, width) of the part that is image, which begins with its first pixel."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A tile and its place in the mosaic."""

    tile: Tile
    window: Window


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a mosaic is made of."""

    placed: tuple[Placed, ...]
    """In the order in which tiles were given."""
    grid: Grid
    look: Look


def open_tile(path: Path) -> Tile:
    """Open a tile and read its header. Raises RasterError if it cannot be read."""
    with open_whole(open_raster(path), DataOptions()) as raster:
        inside = inside_of(raster.tags)
        height, width = raster.shape
        shape = raster.shape if inside is None else (min(height, inside[0]), min(width, inside[1]))
        return Tile(path=path, raster=raster, look=look_of(raster), note=ChipNote.of(raster.tags), shape=shape)


def plan(tiles: Sequence[Tile], *, nodata: float | None = None, crop: bool = False) -> Plan:
    """Place tiles on one lattice.

    The mosaic is as large as its tiles together; of chips that are all of one image it is as large as the image, so that chips which
    were left out make no difference, unless `crop`.

    nodata: of the mosaic, if not that of the tiles.
    Raises DataError naming tiles that do not go with the others.
    """
    look = _common_look(tiles, nodata)
    places = _places(tiles)
    left, top = min(col for col, _ in places), min(row for _, row in places)
    right = max(col + tile.shape[1] for tile, (col, _) in zip(tiles, places, strict=True))
    bottom = max(row + tile.shape[0] for tile, (_, row) in zip(tiles, places, strict=True))
    image = None if crop else _image(tiles, places)
    if image is not None:
        left, top, right, bottom = image.col_off, image.row_off, image.col_end, image.row_end
    placed = tuple(
        Placed(tile=tile, window=Window(col_off=col - left, row_off=row - top, width=tile.shape[1], height=tile.shape[0]))
        for tile, (col, row) in zip(tiles, places, strict=True)
    )
    grid = Grid(shape=(bottom - top, right - left), crs=look.crs, transform=_transform(tiles, places, (left, top)))
    return Plan(placed=placed, grid=grid, look=look)


def _common_look(tiles: Sequence[Tile], nodata: float | None) -> Look:
    """The look of all tiles. Raises DataError if they differ in what their pixels mean."""
    _alike(tiles, lambda tile: tile.look.bands, "numbers of bands", "Mosaic each group for itself.")
    _alike(tiles, lambda tile: tile.look.dtype.name, "types of values", "Convert them to one type.")
    _alike(tiles, lambda tile: tile.look.names, "bands, or other orders of them", "Mosaic each group for itself.")
    _alike(tiles, lambda tile: (tile.look.scales, tile.look.offsets), "scales of values", "Mosaic each group for itself.")
    _alike(tiles, lambda tile: _frozen(tile.look.colormap), "palettes", "Their values may mean different classes; map them to one legend.")
    _alike(tiles, lambda tile: tile.look.tags.get(LEGEND_TAG), "legends", "Map them to one legend first.")
    _alike(tiles, lambda tile: tile.look.alpha, "alpha bands", "Mosaic each group for itself.")
    if nodata is None:
        _alike(tiles, lambda tile: str(tile.look.nodata), "nodata values", "Give the mosaic's with --nodata.")
    first = tiles[0].look
    if nodata is not None:
        first = replace(first, nodata=_exact(nodata, first.dtype))
    shared = {name: text for name, text in first.tags.items() if all(tile.look.tags.get(name) == text for tile in tiles)}
    same_uses = all(tile.look.interpretations == first.interpretations for tile in tiles)
    same_units = all(tile.look.units == first.units for tile in tiles)
    return replace(
        first,
        tags=shared,
        interpretations=first.interpretations if same_uses else _plain_uses(first),
        units=first.units if same_units else (None,) * first.bands,
        band_tags=tuple(
            {name: text for name, text in own.items() if all(tile.look.band_tags[band].get(name) == text for tile in tiles)}
            for band, own in enumerate(first.band_tags)
        ),
    )


def _plain_uses(look: Look) -> tuple[Any, ...]:
    """Interpretations of bands that tiles do not agree on: none, but for alpha."""
    from rasterio.enums import ColorInterp

    return tuple(ColorInterp.alpha if band == look.alpha else ColorInterp.undefined for band in range(look.bands))


def _exact(nodata: float, dtype: np.dtype[Any]) -> float:
    if np.isnan(nodata) and dtype.kind == "f":
        return nodata
    exact = representable(nodata, dtype)
    if exact is None:
        raise DataError(f"nodata is {nodata:g}, which no pixel of type {dtype} can have. Give another.")
    value: float = exact.item()
    return value


def _frozen(colormap: object) -> str:
    return "none" if colormap is None else str(colormap)


def _alike(tiles: Sequence[Tile], fact: Callable[[Tile], Hashable], what: str, advice: str) -> None:
    groups: defaultdict[Hashable, list[str]] = defaultdict(list)
    for tile in tiles:
        groups[fact(tile)].append(str(tile.path))
    if len(groups) > 1:
        long = any(len(str(found)) > 40 for found in groups)
        parts = "; ".join(f"{'' if long else f'{found}: '}{len(paths)} ({_listed(paths)})" for found, paths in groups.items())
        raise DataError(f"The tiles have different {what}: {parts}. {advice}")


def _places(tiles: Sequence[Tile]) -> list[tuple[int, int]]:
    """(column, row) of each tile on the lattice of the first. Raises DataError naming those that lie on no lattice."""
    without = [str(tile.path) for tile in tiles if tile.raster.grid.transform is None]
    if without and len(without) < len(tiles):
        raise DataError(
            f"{len(without)} of {len(tiles)} tiles have no place on the ground: {_listed(without)}. "
            "Mosaic them by themselves, or give them one."
        )
    return _noted_places(tiles) if without else _ground_places(tiles)


def _ground_places(tiles: Sequence[Tile]) -> list[tuple[int, int]]:
    _same_crs(tiles)
    first = tiles[0].raster.grid.transform
    assert first is not None, "tiles without a place are placed otherwise"
    back = ~first
    places, apart = [], []
    for tile in tiles:
        transform = tile.raster.grid.transform
        place = None if transform is None else _lattice_place(back, transform, tile.raster.shape)
        places.append(place or (0, 0))
        if place is None:
            apart.append(str(tile.path))
    if apart:
        raise DataError(
            f"{len(apart)} of {len(tiles)} tiles do not lie on the pixels of {tiles[0].path}, by cell size, turn or fractions of a pixel: "
            f"{_listed(apart)}. A mosaic does not resample: warp them to one grid first."
        )
    return places


def _lattice_place(back: Affine, transform: Affine, shape: Shape) -> tuple[int, int] | None:
    """(column, row) of a tile's first pixel on the lattice that `back` leads to; None if its pixels are not those of the lattice."""
    corners = [to_ground(back, to_ground(transform, corner)) for corner in ((0, 0), (shape[1], 0), (0, shape[0]))]
    column, row = round(corners[0][0]), round(corners[0][1])
    wanted = [(column, row), (column + shape[1], row), (column, row + shape[0])]
    apart = max(abs(got - want) for corner, goal in zip(corners, wanted, strict=True) for got, want in zip(corner, goal, strict=True))
    return (column, row) if apart <= LATTICE_PX else None


def _same_crs(tiles: Sequence[Tile]) -> None:
    groups: list[list[Tile]] = []
    for tile in tiles:
        crs = tile.raster.grid.crs
        for group in groups:
            other = group[0].raster.grid.crs
            if crs is other or (crs is not None and other is not None and same_crs(crs, other)):
                group.append(tile)
                break
        else:
            groups.append([tile])
    if len(groups) > 1:
        named = [("none" if group[0].raster.grid.crs is None else crs_name(group[0].raster.grid.crs), group) for group in groups]
        parts = "; ".join(f"{name}: {len(group)} ({_listed(str(tile.path) for tile in group)})" for name, group in named)
        raise DataError(f"The tiles are in different CRS: {parts}. A mosaic does not resample: warp them to one grid first.")


def _noted_places(tiles: Sequence[Tile]) -> list[tuple[int, int]]:
    """Places of tiles without one on the ground: by the notes of chips, else by names such as frame_0_512."""
    found = [(tile.note.image, tile.note.col_off, tile.note.row_off) if tile.note else name_offsets(tile.path.stem) for tile in tiles]
    unknown = [str(tile.path) for tile, place in zip(tiles, found, strict=True) if place is None]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(tiles)} tiles have no place on the ground, nor names that end in _COLUMN_ROW in pixels: "
            f"{_listed(unknown)}. Rename them, or give them a place."
        )
    known = [place for place in found if place is not None]
    images = dict.fromkeys(image for image, _, _ in known)
    if len(images) > 1:
        raise DataError(
            f"The tiles are of {len(images)} images without a place on the ground: {_listed(images)}. "
            "Mosaic those of each image by themselves."
        )
    return [(col, row) for _, col, row in known]


def _image(tiles: Sequence[Tile], places: Sequence[tuple[int, int]]) -> Window | None:
    """The image that all tiles are chips of, on their lattice; None if they are not."""
    notes = [tile.note for tile in tiles if tile.note is not None]
    if len(notes) < len(tiles) or len({(note.image, note.made, note.shape) for note in notes}) > 1:
        return None
    origins = {(col - note.col_off, row - note.row_off) for note, (col, row) in zip(notes, places, strict=True)}
    if len(origins) > 1:
        return None
    ((left, top),) = origins
    return Window(col_off=left, row_off=top, width=notes[0].shape[1], height=notes[0].shape[0])


def _transform(tiles: Sequence[Tile], places: Sequence[tuple[int, int]], origin: tuple[int, int]) -> Affine | None:
    """The transform of the mosaic: exactly that of the tile in its corner, if there is one."""
    for tile, place in zip(tiles, places, strict=True):
        if place == origin:
            return tile.raster.grid.transform
    first = tiles[0].raster.grid.transform
    return None if first is None else cut_transform(first, (origin[0] - places[0][0], origin[1] - places[0][1]))


def _listed(names: "Sequence[str] | Any") -> str:
    everything = list(names)
    shown = ", ".join(everything[:SHOWN])
    return shown if len(everything) <= SHOWN else f"{shown} and {len(everything) - SHOWN} more"
