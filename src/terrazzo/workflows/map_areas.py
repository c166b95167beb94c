"""areas.csv beside maps: how much of each map each class is, and how sure the model was of it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from terrazzo.errors import ConflictError
from terrazzo.prediction.outputs.areas import ClassArea, class_areas
from terrazzo.rasters.write import write_csv

AREAS = "areas.csv"
HECTARE_M2 = 10_000
KILOMETRE_M2 = 1_000_000


class AreaRow(NamedTuple):
    """A row of the table: a class of a map."""

    map: str
    """Relative to the folder of the table."""
    image: str
    value: int
    name: str
    pixels: int
    share: float
    """Of the pixels of the map that have a class."""
    area_m2: float | None
    area_ha: float | None
    mean_confidence: float | None
    """Of all pixels of the map."""


@dataclass(frozen=True, kw_only=True)
class MapAreas:
    """What is known of one map."""

    map: str
    """Relative to the folder of the table."""
    image: str
    classes: Sequence[ClassArea]
    mean_confidence: float | None
    """Mean of the largest probability of each pixel; None where it was not kept."""

    @property
    def pixels(self) -> int:
        """That the shares of its classes are of."""
        return next((round(each.pixels / each.share) for each in self.classes if each.pixels), 0)

    @property
    def rows(self) -> list[AreaRow]:
        return [
            AreaRow(
                self.map,
                self.image,
                each.value,
                each.name,
                each.pixels,
                each.share,
                each.area_m2,
                None if each.area_m2 is None else each.area_m2 / HECTARE_M2,
                self.mean_confidence,
            )
            for each in self.classes
        ]

    def facts(self, folder: Path) -> dict[str, Any]:
        """For programs; the map by its absolute path."""
        classes = [asdict(each) for each in self.classes]
        path = str((folder / self.map).absolute())
        return {"map": path, "image": self.image, "mean_confidence": self.mean_confidence, "classes": classes}


def check_areas(folder: Path) -> None:
    """Raises ConflictError if the table would take the place of another file."""
    if (folder / AREAS).exists() and not _ours(folder / AREAS):
        raise ConflictError(f"{folder / AREAS} is no table of areas of maps; it is not overwritten. Move it away, or give another OUT.")


def measure_maps(folder: Path, images: Mapping[Path, str], made: Mapping[Path, float | None]) -> list[MapAreas]:
    """The areas of maps, which are written to the table too, beside those of other maps in the folder.

    images: of each map, what it is made of. made: the mean confidence of the maps that were made now; the others are measured only if
    the table does not know them. Raises RasterError if a map is broken.
    """
    known = _kept(folder)
    found: dict[str, MapAreas] = {}
    for path, image in images.items():
        name = path.relative_to(folder).as_posix()
        if path in made or name not in known:
            found[name] = MapAreas(map=name, image=image, classes=class_areas(path), mean_confidence=made.get(path))
    if found:
        table = {**known, **found}
        write_csv(folder / AREAS, [AreaRow._fields, *(row for each in table.values() for row in each.rows)])
        known = table
    return [known[path.relative_to(folder).as_posix()] for path in images]


def area_lines(found: Sequence[MapAreas]) -> list[str]:
    """A line for each class: of all maps together."""
    total = sum(one.pixels for one in found)
    lines = []
    for value, name in {each.value: each.name for one in found for each in one.classes}.items():
        parts = [each for one in found for each in one.classes if each.value == value]
        pixels = sum(each.pixels for each in parts)
        squares = [each.area_m2 for each in parts if each.area_m2 is not None]
        # the sum of some of the maps would be no area of the class
        area = f", {_readable(sum(squares))}" if len(squares) == len(parts) else ""
        lines.append(f"  {name}: {pixels / total if total else 0:.2%}, {pixels:,} pixels{area}")
    return lines


def _readable(square_metres: float) -> str:
    for unit, size in (("km2", KILOMETRE_M2), ("ha", HECTARE_M2)):
        if square_metres >= size:
            return f"{square_metres / size:,.2f} {unit}"
    return f"{square_metres:,.1f} m2"


def _kept(folder: Path) -> dict[str, MapAreas]:
    """What the table of an earlier run says of the maps that are still there."""
    table = folder / AREAS
    if not _ours(table):
        return {}
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"), newline=""))
    by_map = {name: list(group) for name, group in groupby(rows, itemgetter("map"))}
    return {name: _parsed(group) for name, group in by_map.items() if (folder / name).is_file()}


def _parsed(rows: Sequence[Mapping[str, str]]) -> MapAreas:
    classes = [
        ClassArea(
            value=int(row["value"]),
            name=row["name"],
            pixels=int(row["pixels"]),
            share=float(row["share"]),
            area_m2=float(row["area_m2"]) if row["area_m2"] else None,
        )
        for row in rows
    ]
    sure = rows[0]["mean_confidence"]
    return MapAreas(map=rows[0]["map"], image=rows[0]["image"], classes=classes, mean_confidence=float(sure) if sure else None)


def _ours(table: Path) -> bool:
    head = ",".join(f'"{name}"' for name in AreaRow._fields)
    return table.is_file() and table.read_text(encoding="utf-8", errors="replace").startswith(head)
