"""Out of memory in a training: which settings to lower, and how a step still learns from as many samples."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from terrazzo.errors import EnvironmentFault
from terrazzo.models.shortage import KINDS, is_shortage
from terrazzo.rasters.window import Shape
from terrazzo.training.options import TrainingOptions

SMALLER = "samples.size or the network (model.filters, or a smaller model.encoder)"


@contextmanager
def telling_what_to_lower(options: TrainingOptions, size: Shape, device: torch.device) -> Iterator[None]:
    """Turn running out of memory into an EnvironmentFault that names settings which need less.

    size: of the windows, in pixels.
    """
    try:
        yield
    except KINDS as error:
        if not is_shortage(error):
            raise
        where = "the machine" if device.type == "cpu" else str(device)
        batches = f"batches of {options.batch}" if options.batch > 1 else "single samples"
        raise EnvironmentFault(
            f"out of memory on {where} with {batches}, windows of {size[0]} x {size[1]} pixels. {advice(options)}"
        ) from error


def advice(options: TrainingOptions) -> str:
    """What to lower, as a sentence."""
    if options.batch == 1:
        return f"Lower {SMALLER}."
    samples = options.batch * options.accumulate
    fewer = next(size for size in range(options.batch // 2, 0, -1) if samples % size == 0)
    return (
        f"Set training.batch_size = {fewer} and training.accumulate = {samples // fewer}, which learns from as many samples a step, "
        f"or lower {SMALLER}."
    )
