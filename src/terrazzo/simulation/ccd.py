"""A set of simulated CCD frames on disk, ready to train on."""

import io
import logging
from importlib import resources
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError
from terrazzo.labels.colors import default_colors
from terrazzo.progress import Progress
from terrazzo.rasters.write import check_writable, write_bytes, write_text
from terrazzo.simulation.detector import read_noise_sd
from terrazzo.simulation.frame import CLASSES, CLUSTER_SIGMAS, Frame, FrameModel, simulate_frame
from terrazzo.simulation.options import SimulationOptions

__all__ = ["CLASSES", "Frame", "FrameModel", "simulate_ccd", "simulate_frame"]

logger = logging.getLogger(__name__)


def simulate_ccd(out: Path, options: SimulationOptions, progress: Progress) -> list[Path]:
    """Write OUT/images/ccd_0000.fits, OUT/labels/ccd_0000.png (palette PNG) and so on, and OUT/recipe.toml; returns the images.

    The same options write the same bytes; files that are there already, and a recipe, are left alone, so a broken-off
    simulation goes on where it stopped.

    Raises ConflictError, before anything is written, if `out` holds frames of another simulation, and EnvironmentFault if it
    cannot be written.
    """
    names = [f"ccd_{index:04d}" for index in range(options.count)]
    _check_empty_or_same(out, names, options)
    check_writable(out)
    images = []
    with progress.task("simulate", options.count, "frames") as advance:
        for index, name in enumerate(names):
            image, label = out / "images" / f"{name}.fits", out / "labels" / f"{name}.png"
            images.append(image)
            if not (image.exists() and label.exists()):
                frame = simulate_frame(options, index)
                write_bytes(image, fits_bytes(frame, options, index))
                write_bytes(label, label_bytes(frame.labels))
            advance(1)
    recipe = out / "recipe.toml"
    if recipe.exists():
        logger.info("%s is there already and was kept", recipe)
    else:
        write_text(recipe, recipe_text())
    return images


def recipe_text() -> str:
    """The recipe that trains on a set of simulated frames."""
    return resources.files("terrazzo.simulation").joinpath("ccd_recipe.toml").read_text(encoding="utf-8")


def fits_bytes(frame: Frame, options: SimulationOptions, index: int) -> bytes:
    """A frame as a FITS file of uint16 (BZERO 32768) with the facts of its simulation in the header; no date, so it is repeatable."""
    header = fits.Header()
    for key, value, comment in (
        ("BUNIT", "adu", "unit of the pixels"),
        ("SIMSEED", options.seed, "seed of the simulated set"),
        ("SIMINDEX", index, "number of this frame in the set"),
        ("SIMWORLD", options.preset, "preset of the simulated world"),
        ("PEDESTAL", options.pedestal_adu, "[adu] value of a pixel without charge"),
        ("RDNOISE", options.read_noise_e, "[electron] noise of one reading"),
        ("NSAMPLES", options.samples, "readings averaged a pixel"),
        ("DARK", options.dark_e, "[electron] mean dark current a sensor pixel"),
        ("GAIN", options.electrons_per_adu, "[electron/adu]"),
        ("CTI", options.transfer_loss, "share of charge lost a transfer"),
        ("BINROWS", options.bin_rows, "sensor rows a row"),
        ("BINCOLS", options.bin_columns, "sensor columns a column"),
        (
            "CLUSTMIN",
            CLUSTER_SIGMAS * read_noise_sd(options.read_noise_e, options.samples),
            "[electron] smallest track charge of a cluster",
        ),
    ):
        header[key] = (value, comment)
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


def _check_empty_or_same(out: Path, names: list[str], options: SimulationOptions) -> None:
    """Refuse to mix two simulations: other names, or a first frame with other bytes."""
    for folder, suffix in (("images", ".fits"), ("labels", ".png")):
        present = {path.name for path in (out / folder).glob("[!.]*")}
        strange = sorted(present - {name + suffix for name in names})
        if strange:
            raise ConflictError(
                f"{out / folder} holds {len(strange)} files of something else, such as {strange[0]}. Choose an empty folder."
            )
    for index, name in enumerate(names):
        image = out / "images" / f"{name}.fits"
        if image.exists():
            if image.read_bytes() != fits_bytes(simulate_frame(options, index), options, index):
                raise ConflictError(f"{image} was simulated with other options. Choose an empty folder, or the options of its header.")
            return
