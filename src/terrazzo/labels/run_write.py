"""Writing a run-length table, such as a submission, from masks."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.rle import Runs, objects
from terrazzo.labels.sentences import listed
from terrazzo.rasters.write import writing

HEADER = "ImageId,EncodedPixels"
FORMULA = frozenset("=+-@\t\r")
"""How a cell begins that a spreadsheet may compute."""

log = logging.getLogger(__name__)


def write_runs(path: Path, items: Iterable[tuple[str, NDArray[np.bool_] | NDArray[np.integer]]]) -> int:
    """Write a table of runs, a row an object and a row with a blank cell for an image without any; returns the number of objects.

    Rows are written as the items come. Any reader of CSV gets the exact names back: they are never changed, only quoted. A name that
    begins like a formula is told in a warning, for a spreadsheet would compute it all the same.

    items: names of images, each with its mask (height, width) of bool, whose 8-connected parts are the objects, or of object
    numbers, 0 being none.
    Raises EnvironmentFault if the file cannot be written, LabelError if an image has no name that could be written; in either case
    what was at `path` stays.
    """
    total = 0
    formulas = []
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(HEADER + "\n")
        for name, pixels in items:
            cell = _quoted(path, name)
            formulas += [name] if name[0] in FORMULA else []
            texts = [runs.text() for runs in _objects(pixels)]
            total += len(texts)
            file.writelines(f"{cell},{text}\n" for text in texts or [""])
    if formulas:
        log.warning("%s has names that a spreadsheet may take for formulas: %s. Open it there as text.", path, listed(formulas))
    return total


def _objects(pixels: NDArray[np.bool_] | NDArray[np.integer]) -> Iterator[Runs]:
    apart = pixels.dtype != np.bool_
    numbers = pixels if apart else cv2.connectedComponents(np.ascontiguousarray(pixels).view(np.uint8), connectivity=8)[1]
    for _, runs in objects(numbers):
        yield runs


def _quoted(path: Path, name: str) -> str:
    """A name as a cell."""
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise LabelError(f"{path} cannot hold the image name {name!a}, which is no text. Rename the image.") from error
    if not name.strip():
        raise LabelError(f"{path} cannot hold an image without a name ({name!r}).")
    if name[0] in FORMULA or name != name.strip() or any(sign in name for sign in ',;"\t\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
