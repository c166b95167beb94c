"""What predict writes besides the maps where it is asked to: pictures, polygons, single classes, run lengths, all from finished maps."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from terrazzo.drawing.overlay import overlay_classes
from terrazzo.drawing.qgis import palette_style
from terrazzo.drawing.rgb import Picture, to_rgb
from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.carried import carried_legend
from terrazzo.labels.legend import Legend
from terrazzo.labels.run_write import write_runs
from terrazzo.labels.sentences import listed
from terrazzo.prediction.outputs.isolate import isolate
from terrazzo.prediction.outputs.names import MAP_SUFFIX
from terrazzo.prediction.stream import Job
from terrazzo.prediction.vectorize.class_map import write_polygons
from terrazzo.rasters.fits_rows import cards_of
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window, whole
from terrazzo.rasters.write import write_text, writing
from terrazzo.workflows.context import Context

OVERLAY_SUFFIX, POLYGONS_SUFFIX, ISOLATED_SUFFIX, RUNS_NAME = "_segoverlay", "_polygons", "_only", "submission.csv"
LARGEST_PICTURE_PX = 2048
"""The longer side of a picture; of larger images every n-th pixel is shown."""


@dataclass(frozen=True, kw_only=True)
class MapFiles:
    """What to write of each map."""

    legend: Legend
    overlay: bool = False
    polygons: bool = False
    runs: str | None = None
    """The class whose objects go into the table of run lengths."""
    isolate: str | None = None
    """The class that is shown alone."""
    hdu: int | None = None
    """Of FITS images, as they were opened."""

    def of(self, class_map: Path, image: Raster) -> dict[str, Path]:
        """The files of one map, by their kind."""
        stem = class_map.stem.removesuffix(MAP_SUFFIX)
        ending = ".fits" if image.format == "FITS" else ".tif"
        found = {
            "overlay": f"{stem}{OVERLAY_SUFFIX}.png",
            "polygons": f"{stem}{POLYGONS_SUFFIX}.gpkg",
            "isolate": f"{stem}_{_in_names(self.isolate or '')}{ISOLATED_SUFFIX}{ending}",
        }
        return {kind: class_map.with_name(name) for kind, name in found.items() if getattr(self, kind)}

    def check(self, todo: Mapping[Path, Job], out: Path) -> None:
        """Refuse before any work what cannot be. todo: the maps that are not there yet.

        Raises UsageError if the legend has no such class, ConflictError if files are there of maps that are still to be made.
        """
        for flag, name in (("--rle", self.runs), ("--isolate", self.isolate)):
            if name is not None and name not in self.legend.names:
                raise UsageError(f"{flag} names {name!r}; the model's classes are {listed(self.legend.names, 12)}.")
        if self.isolate is not None and self.legend.overlapping:
            raise UsageError("--isolate is for classes that exclude each other. These overlap: the map has a band for each.")
        files = [path for class_map, job in todo.items() for path in self.of(class_map, job.mapped).values()]
        there = [path.name for path in [*files, *([out / RUNS_NAME] if self.runs and todo else [])] if path.exists()]
        if there:
            raise ConflictError(f"{out} holds files of other maps: {listed(there)}. Move them away, or give another OUT.")

    def write(self, jobs: Mapping[Path, Job], out: Path, context: Context) -> list[Path]:
        """Write what is not there yet; returns all of it."""
        written = []
        for class_map, job in jobs.items():
            for kind, path in self.of(class_map, job.mapped).items():
                written.append(path)
                if not path.exists():
                    self._write_one(kind, path, class_map, job.mapped, context)
        if self.runs is not None:
            written.append(out / RUNS_NAME)
            if not written[-1].exists():
                write_runs(written[-1], _masks(jobs, out, self.legend, self.legend.names.index(self.runs)))
        return written

    def _write_one(self, kind: str, path: Path, class_map: Path, image: Raster, context: Context) -> None:
        if kind == "overlay":
            _write_overlay(path, class_map, image, self.legend)
        elif kind == "polygons":
            write_polygons(class_map, path, context.recipe.vectors, context.progress)
        elif self.isolate is not None:
            isolate(class_map, self._value(self.isolate), image, path, cards_of(image, self.hdu))

    def _value(self, name: str) -> int:
        return self.legend.values[self.legend.names.index(name)]


def write_styles(maps: Iterable[Path]) -> None:
    """Beside each GeoTIFF of classes a style that QGIS takes by itself: their names and colours. Styles that are there stay."""
    for class_map in maps:
        style = class_map.with_suffix(".qml")
        if class_map.suffix != ".tif" or style.exists():
            continue
        with open_raster(class_map) as raster:
            legend = carried_legend(raster)
        # bands of classes that overlap are masks, not values of one palette
        if legend is not None and not legend.overlapping:
            write_text(style, palette_style({each.value: (each.name, each.color) for each in legend.shown}))


def _in_names(name: str) -> str:
    """A class as it stands in names of files: spaces are hyphens, and what is no letter, digit, - or _ is replaced by its number."""
    return "".join(each if each.isalnum() or each in "-_" else f"%{ord(each):02X}" for each in name.replace(" ", "-"))


def _masks(jobs: Mapping[Path, Job], out: Path, legend: Legend, number: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The name of each image, with its folder where the map has one in OUT, and where its map has the class."""
    for class_map, job in jobs.items():
        folder = class_map.relative_to(out).parent
        with open_raster(class_map) as raster:
            values = raster.read().values
            yield (
                (folder / job.mapped.path.name).as_posix(),
                values[number] == 1 if legend.overlapping else values[0] == legend.values[number],
            )


def _write_overlay(path: Path, class_map: Path, image: Raster, legend: Legend) -> None:
    """The classes over the image; the first class, mostly the background, shows the image."""
    with open_raster(class_map) as raster:
        values, valid = _thinned(raster)
    indices = legend.plain().encode(values if legend.overlapping else values[0], valid)
    with image:
        picture: Picture = to_rgb(*_thinned(image))
    with writing(path) as temporary:
        Image.fromarray(overlay_classes(picture, indices, legend.sets.colors)).save(temporary, format="PNG")


def _thinned(raster: Raster) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Every n-th pixel, (bands, height, width), and whether it is valid; read row by row where n is above 1."""
    height, width = raster.shape
    step = -(-max(height, width) // LARGEST_PICTURE_PX)
    windows = (
        [whole(raster.shape)] if step == 1 else [Window(col_off=0, row_off=row, width=width, height=1) for row in range(0, height, step)]
    )
    parts = [raster.read(window) for window in windows]
    return (
        np.concatenate([part.values[:, :, ::step] for part in parts], axis=1),
        np.concatenate([part.valid[:, ::step] for part in parts]),
    )
