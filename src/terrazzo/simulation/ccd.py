"""A set of simulated CCD frames on disk, ready to train on."""

import csv
import io
import logging
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.colors import default_colors
from terrazzo.progress import Progress
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.write import check_writable, write_bytes, write_text, writing_bands
from terrazzo.simulation.detector import detector_of
from terrazzo.simulation.frame import CLASSES, CLUSTER_SIGMAS, SIDE, Frame, simulate_frame
from terrazzo.simulation.library import TrackLibrary, load_library
from terrazzo.simulation.options import SimulationOptions

__all__ = ["CLASSES", "Frame", "simulate_ccd", "simulate_frame"]

logger = logging.getLogger(__name__)

COUNT = 60
LARGEST_SIDE = 16_384
SUFFIXES = {"images": ".fits", "labels": ".png", "instances": ".tif", "tracks": ".csv"}
"""What is written of a frame, by folder."""


def simulate_ccd(out: Path, options: SimulationOptions, progress: Progress) -> list[Path]:
    """Write a set of frames and OUT/recipe.toml; returns the images.

    Of each frame: OUT/images/ccd_0000.fits; OUT/labels/ccd_0000.png, a palette PNG; OUT/instances/ccd_0000.tif, the number of the
    track of each cluster pixel; OUT/tracks/ccd_0000.csv, a row a track.

    The same options write the same bytes; files that are there already, and a recipe, are left alone, so a broken-off
    simulation goes on where it stopped.

    Raises ConflictError, before anything is written, if `out` holds frames of another simulation, UsageError if the size is beyond a
    detector's, DataError if the track library is not usable, and EnvironmentFault if `out` cannot be written.
    """
    if max(options.shape_or(SIDE)) > LARGEST_SIDE:
        raise UsageError(f"size is {options.size}; a frame has at most {LARGEST_SIDE} pixels a side.")
    library = None if options.tracks is None else load_library(options.tracks, options.track_unit_e)
    names = [f"ccd_{index:04d}" for index in range(COUNT if options.count is None else options.count)]
    _check_empty_or_same(out, names, options, library)
    check_writable(out)
    with progress.task("simulate", len(names), "frames") as advance:
        for index, name in enumerate(names):
            if not all(path.exists() for path in _files(out, name).values()):
                _write_frame(_files(out, name), simulate_frame(options, index, library), fits_header(options, index, library))
            advance(1)
    recipe = out / "recipe.toml"
    if recipe.exists():
        logger.info("%s is there already and was kept", recipe)
    else:
        write_text(recipe, recipe_text())
    return [_files(out, name)["images"] for name in names]


def recipe_text() -> str:
    """The recipe that trains on a set of simulated frames."""
    return resources.files("terrazzo.simulation").joinpath("ccd_recipe.toml").read_text(encoding="utf-8")


def fits_header(options: SimulationOptions, index: int, library: TrackLibrary | None = None) -> fits.Header:
    """The facts of a frame's simulation; no date, so it is repeatable."""
    detector = detector_of(options)
    header = fits.Header()
    for key, value, comment in (
        ("BUNIT", "adu", "unit of the pixels"),
        ("SIMSEED", options.seed, "seed of the simulated set"),
        ("SIMINDEX", index, "number of this frame in the set"),
        ("SIMWORLD", "default" if options.preset == "normal" else options.preset, "preset of the simulated world"),
        ("PEDESTAL", detector.pedestal_adu, "[adu] value of a pixel without charge"),
        ("RDNOISE", detector.read_noise_e, "[electron] noise of one reading"),
        ("NSAMPLES", detector.samples, "readings averaged a pixel"),
        ("DARK", detector.dark_e, "[electron] mean dark current a sensor pixel"),
        ("GAIN", detector.electrons_per_adu, "[electron/adu]"),
        ("CTI", detector.transfer_loss, "share of charge lost a transfer"),
        ("BINROWS", detector.bin_rows, "sensor rows a row"),
        ("BINCOLS", detector.bin_columns, "sensor columns a column"),
        ("CLUSTMIN", CLUSTER_SIGMAS * detector.noise_e, "[electron] smallest track charge of a cluster"),
    ):
        header[key] = (value, comment)
    if library is not None:
        header["TRACKLIB"] = (library.digest, "digest of the track library")
        if library.unit_e is not None:
            header["TRACKUNT"] = (library.unit_e, "[electron] a unit of the library's values")
    return header


def fits_bytes(frame: Frame, header: fits.Header) -> bytes:
    """A frame as a FITS file of uint16 (BZERO 32768)."""
    buffer = io.BytesIO()
    fits.PrimaryHDU(frame.values, header=header).writeto(buffer)
    return buffer.getvalue()


def label_bytes(labels: NDArray[np.uint8]) -> bytes:
    """Labels (height, width) as a palette PNG whose index is the class."""
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([part for color in default_colors(len(CLASSES)) for part in color])
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def truth_text(name: str, frame: Frame) -> str:
    """The tracks of a frame as CSV: its number in the instances, what it is, its box in pixels, its pixels and electrons."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("frame", "track", "kind", "col_off", "row_off", "width", "height", "pixels", "charge_e"))
    for track in frame.tracks:
        box = track.box
        table.writerow((name, track.number, track.kind, box.col_off, box.row_off, box.width, box.height, track.pixels, track.charge_e))
    return text.getvalue()


def _files(out: Path, name: str) -> dict[str, Path]:
    return {folder: out / folder / f"{name}{suffix}" for folder, suffix in SUFFIXES.items()}


def _write_frame(files: dict[str, Path], frame: Frame, header: fits.Header) -> None:
    write_bytes(files["images"], fits_bytes(frame, header))
    write_bytes(files["labels"], label_bytes(frame.labels))
    instances = frame.instances
    layout = TiffLayout(dtype=instances.dtype, band_names=("track",))
    with writing_bands(files["instances"], Grid(shape=(instances.shape[0], instances.shape[1])), layout) as rows:
        rows.add(instances[None])
    write_text(files["tracks"], truth_text(files["images"].stem, frame))


def _check_empty_or_same(out: Path, names: list[str], options: SimulationOptions, library: TrackLibrary | None) -> None:
    """Refuse to mix two simulations: other names, or a first frame with other bytes."""
    for folder, suffix in SUFFIXES.items():
        present = {path.name for path in (out / folder).glob("[!.]*")}
        strange = sorted(present - {name + suffix for name in names})
        if strange:
            raise ConflictError(
                f"{out / folder} holds {len(strange)} files of something else, such as {strange[0]}. Choose an empty folder."
            )
    for index, image in enumerate(_images(out, names)):
        if image.exists():
            if image.read_bytes() != fits_bytes(simulate_frame(options, index, library), fits_header(options, index, library)):
                raise ConflictError(f"{image} was simulated with other options. Choose an empty folder, or the options of its header.")
            return


def _images(out: Path, names: list[str]) -> Iterator[Path]:
    return (_files(out, name)["images"] for name in names)
