"""Which track a cluster pixel is of, and the truth about each track."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape, Window
from terrazzo.simulation.detector import DELAYS, Charges, Detector, delays
from terrazzo.simulation.tracks import Track


@dataclass(frozen=True, kw_only=True)
class TrackTruth:
    """One track that owns cluster pixels."""

    number: int
    """From 1; its pixels hold it in the instances."""
    kind: str
    """muon, electron, alpha or library."""
    box: Window
    """The smallest that holds its pixels."""
    pixels: int
    charge_e: int
    """Electrons that it left in the frame, in all pixels."""


def cluster_objects(
    tracks: list[Track], charges: Charges, clusters: NDArray[np.bool_], detector: Detector, sensor: Shape
) -> tuple[NDArray[np.uint32], tuple[TrackTruth, ...]]:
    """The number of the track that each cluster pixel is of, and the tracks that own any, numbered from 1 in the order of drawing.

    A pixel is of the track that is expected to have brought most of its charge. charges: of the frame. clusters: which of its pixels
    are cluster pixels. sensor: (height, width) in pixels.
    """
    if not clusters.any():
        return np.empty(0, np.uint32), ()
    width = sensor[1] // detector.bin_columns
    wanted = charges.rows[clusters] * width + charges.columns[clusters]
    pixels, track, share_e = _expected(tracks, detector, sensor)
    order = np.lexsort((share_e, pixels))
    pixels, track = pixels[order], track[order]
    # the last entry of a pixel is its largest
    owner = track[np.searchsorted(pixels, wanted, side="right") - 1]
    owning, objects = np.unique(owner, return_inverse=True)
    rows, columns = charges.rows[clusters], charges.columns[clusters]
    truth = []
    for number, (at, owned) in enumerate(zip(owning, _grouped(objects, len(owning)), strict=True), 1):
        truth.append(_truth(number, tracks[at], rows[owned], columns[owned]))
    return (objects + 1).astype(np.uint32), tuple(truth)


def _expected(tracks: list[Track], detector: Detector, sensor: Shape) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pixel of the frame, track and mean electrons after transfer and binning, an entry for each pixel that a track reaches."""
    probability = delays(sensor[0], detector.transfer_loss)
    width = sensor[1] // detector.bin_columns
    late = range(DELAYS if detector.transfer_loss > 0 else 1)
    keys, shares = [], []
    for number, track in enumerate(tracks):
        rows, columns = np.nonzero(track.electrons)
        electrons, rows, columns = track.electrons[rows, columns], rows + track.row_off, (columns + track.col_off) // detector.bin_columns
        for delay in late:
            inside = rows + delay < sensor[0]
            pixel = (rows[inside] + delay) // detector.bin_rows * width + columns[inside]
            keys.append(pixel * len(tracks) + number)
            shares.append(electrons[inside] * probability[delay][rows[inside]])
    found, entry = np.unique(np.concatenate(keys), return_inverse=True)
    return found // len(tracks), found % len(tracks), np.bincount(entry, np.concatenate(shares), len(found)).astype(np.float64)


def _grouped(objects: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """The positions of each object's pixels."""
    order = np.argsort(objects, kind="stable")
    return np.split(order, np.searchsorted(objects[order], np.arange(1, count)))


def _truth(number: int, track: Track, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> TrackTruth:
    top, left = int(rows.min()), int(columns.min())
    box = Window(col_off=left, row_off=top, width=int(columns.max()) - left + 1, height=int(rows.max()) - top + 1)
    return TrackTruth(number=number, kind=track.kind, box=box, pixels=len(rows), charge_e=int(track.electrons.sum()))
