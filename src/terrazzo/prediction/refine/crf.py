"""Dense-CRF refinement of a map of any size: borders follow the image. In windows on one grid from the raster's origin.

|<-------- size -------->|         each pixel from the window in whose middle it lies: what is a margin
|          |    :    |             further off has nothing to say to it, so that no window's border is seen
            [    :                 ]
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from terrazzo.prediction.blend import PROBABILITY_ONE, BlendBand, BlendedRows
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.crf_inference import Field, infer
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.stream import Job, Predictor
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.scaling import Scaling

LEAST_MARGIN_PX = 64
MARGIN = 5
"""Pixels so many standard deviations of the wider kernel away have nothing to say."""
LEAST_SIZE_PX = 768
COLORS = 3
"""Bands that count as colours, from the first on."""
WHITE = 255.0


@dataclass(frozen=True, kw_only=True)
class CrfStage:
    """Refines the probabilities of a map by the image under it."""

    field: Field
    scaling: Scaling
    """Of the image's bands."""
    device: torch.device

    @classmethod
    def of(cls, predictor: Predictor) -> "CrfStage":
        """The stage that the options ask for: on the GPU if the model is on one, else on the processor."""
        device = predictor.device
        return cls(
            field=_field(predictor.options),
            scaling=predictor.bundle.scaling,
            device=device if device.type == "cuda" else torch.device("cpu"),
        )

    def needed(self, wanted: range, height: int) -> range:
        """The rows of the windows that touch others."""
        grid = self._grid((height, 1))
        starts = grid.row_starts_touching(wanted)
        return range(starts[0], min(starts[-1] + grid.size[0], height))

    def run(self, rows: Iterator[BlendedRows], job: Job, wanted: range) -> Iterator[BlendedRows]:
        """The wanted rows of a map, refined; rows: those that are `needed`."""
        grid = self._grid(job.mapped.shape)
        band: BlendBand | None = None
        seen: BlendedRows | None = None
        for start in grid.row_starts_touching(wanted):
            seen = _until(seen, rows, start, min(start + grid.size[0], grid.shape[0]))
            band = band or BlendBand(grid, len(seen.sums), "crop")
            for window in grid.row(start):
                part = _columns(seen, window)
                band.add(window, _known(part), self._refined(part, job, window))
            for piece in band.take(start, grid.untouched_to(start) - start):
                if piece.touches(wanted):
                    yield _finished(piece, seen.between(piece.row_off, piece.row_end)).between(wanted.start, wanted.stop)
        # it was opened again if all windows were predicted already
        job.mapped.close()

    def _grid(self, shape: Shape) -> SlidingGrid:
        margin = max(LEAST_MARGIN_PX, round(MARGIN * max(self.field.appearance_px, self.field.smoothness_px)))
        size = max(LEAST_SIZE_PX, 4 * margin)
        return SlidingGrid(shape=shape, size=(size, size), stride=(size - 2 * margin, size - 2 * margin))

    def _refined(self, rows: BlendedRows, job: Job, window: Window) -> NDArray[np.uint16] | None:
        """The probabilities (classes, height, width) of a window, 65535 = 1; None where none is known."""
        known = _known(rows)
        if not known.any():
            return None
        colors = to_colors(job.read(job.mapped, window), self.scaling)
        shares = rows.probabilities().astype(np.float32) / PROBABILITY_ONE
        with torch.inference_mode():
            found = infer(
                torch.from_numpy(shares).to(self.device),
                torch.from_numpy(colors).to(self.device),
                torch.from_numpy(known).to(self.device),
                (window.row_off, window.col_off),
                self.field,
            )
        return np.asarray(np.rint(found.cpu().numpy() * PROBABILITY_ONE), np.uint16)


def to_colors(pixels: Pixels, scaling: Scaling) -> NDArray[np.float64]:
    """(bands, height, width): the first bands in units of 255 grey values, holes in the band's mean.

    Bytes are grey values as they are. Of other types black and white are the percentiles that were measured in training.
    """
    colors = np.empty((min(COLORS, len(pixels.values)), *pixels.valid.shape))
    for number, band in enumerate(scaling.bands[: len(colors)]):
        values = pixels.values[number].astype(np.float64)
        missing = ~np.isfinite(values)
        if pixels.holes is not None:
            missing |= pixels.holes[number]
        values[missing] = band.statistics.mean
        if pixels.values.dtype != np.uint8:
            low, high = band.statistics.low, band.statistics.high
            values = np.clip((values - low) * (WHITE / ((high - low) or 1.0)), 0, WHITE)
        colors[number] = values
    return colors


def _field(options: PredictionOptions) -> Field:
    return Field(
        iterations=options.crf_iterations,
        smoothness=options.crf_smooth,
        smoothness_px=options.crf_sxy,
        appearance=options.crf_compat,
        appearance_px=options.crf_theta_px,
        appearance_color=options.crf_theta_col,
    )


def _until(seen: BlendedRows | None, rows: Iterator[BlendedRows], start: int, end: int) -> BlendedRows:
    """Rows from `start` to `end` at least, of those seen before and those that come."""
    parts = [] if seen is None or seen.row_end <= start else [seen.between(start, seen.row_end)]
    while not parts or parts[-1].row_end < end:
        piece = next(rows)
        if piece.row_end > start:
            parts.append(piece.between(start, piece.row_end))
    return BlendedRows(
        row_off=start,
        sums=np.concatenate([part.sums for part in parts], axis=1),
        totals=np.concatenate([part.totals for part in parts]),
        valid=np.concatenate([part.valid for part in parts]),
    )


def _columns(rows: BlendedRows, window: Window) -> BlendedRows:
    """The part of rows that a window, which begins with them, holds."""
    part = slice(0, window.height), slice(window.col_off, window.col_end)
    return BlendedRows(row_off=rows.row_off, sums=rows.sums[:, *part], totals=rows.totals[part], valid=rows.valid[part])


def _known(rows: BlendedRows) -> NDArray[np.bool_]:
    return (rows.totals > 0) & rows.valid


def _finished(refined: BlendedRows, before: BlendedRows) -> BlendedRows:
    """Where nothing was predicted before, nothing is known now."""
    totals = np.where(_known(before), refined.totals, 0).astype(np.uint32)
    return BlendedRows(row_off=refined.row_off, sums=refined.sums, totals=totals, valid=before.valid)
