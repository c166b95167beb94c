"""Blocks and strips of ground as units."""

import logging

import numpy as np

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted
from terrazzo.rasters.window import Shape
from terrazzo.samples.split.blocks import ENDLESS, Along, band, default_block, lay_out
from terrazzo.samples.split.division import Division, divide_windows
from terrazzo.samples.split.metres import cell_m
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

log = logging.getLogger(__name__)


def by_block(samples: Samples, options: SplitOptions) -> Division:
    """Squares of ground, of block_px or block_m, else the largest that leave ten."""
    return _divided(samples, options, None)


def by_strip(samples: Samples, options: SplitOptions) -> Division:
    """Bands of ground, side by side along x or y, of block_px or block_m, else the widest that leave ten."""
    return _divided(samples, options, options.along)


def _divided(samples: Samples, options: SplitOptions, along: Along) -> Division:
    canvas, name = lay_out(samples), "strip" if along else "block"
    blocks = canvas.blocks(_asked(samples, options, along) or default_block(canvas, samples.stride, along))
    size = " x ".join(str(side) for side in blocks.block if side != ENDLESS)
    log.info("%s of %s pixels hold windows.", counted(blocks.fullness, name), size)
    return divide_windows(samples, blocks.units, options, f"{name} of {size} pixels", blocks)


def _asked(samples: Samples, options: SplitOptions, along: Along) -> Shape | None:
    """(height, width) of the block that the options ask for, in pixels. Raises SplitError if it is smaller than a window."""
    if options.block_px is not None:
        side, told = (options.block_px, options.block_px), f"block_px is {options.block_px}"
    elif options.block_m is not None:
        width, height = cell_m(samples, "block_m")
        side = round(options.block_m / height), round(options.block_m / width)
        told = f"block_m is {options.block_m:g}, which is {min(side)} pixels"
    else:
        return None
    block = band(side, along)
    if np.any(np.array(block) < np.array(samples.size)):
        raise SplitError(f"[split] {told}; it must be at least the window ({max(samples.size)} px).")
    return block
