"""The batch for which there is memory: a rule, never a timing; a step learns from as many samples, whatever it is."""

import logging
from collections.abc import Callable

from terrazzo.training.finders.memory import MemoryNeed
from terrazzo.training.options import USUAL_BATCH, TrainingOptions
from terrazzo.training.shortage import SMALLER

log = logging.getLogger(__name__)

GB = 10**9
ROOM = 0.8
"""Share of the free memory that a training may take: what it will need is told within a quarter."""


def choose_batch(options: TrainingOptions, need_of: Callable[[int], MemoryNeed], free: int | None) -> TrainingOptions:
    """The options with numbers for batch_size 'auto' and what goes with it, accumulate; others are given back.

    The batch is the largest power of two for which there is room that goes into the samples of a step without a rest; if there is room for
    none, it is a single sample. need_of: what a batch of so many samples takes. free: bytes; None: unknown, and the usual batch is taken.
    """
    if options.batch_size != "auto":
        return options
    samples = USUAL_BATCH * options.accumulate
    sizes = [2**power for power in reversed(range(samples.bit_length())) if samples % 2**power == 0]
    if free is None:
        log.info("This system does not say how much memory is free: a batch is %d samples.", USUAL_BATCH)
        return _settled(options, USUAL_BATCH, samples)
    for size in sizes:
        need = need_of(size).total
        if need <= ROOM * free:
            log.info("A batch is %d samples, a step %d; takes %.1f of %.1f GB that are free.", size, samples, need / GB, free / GB)
            return _settled(options, size, samples)
    log.warning("Even single samples may be too much for the %.1f GB of memory that are free. Lower %s.", free / GB, SMALLER)
    return _settled(options, 1, samples)


def _settled(options: TrainingOptions, batch: int, samples: int) -> TrainingOptions:
    return options.model_copy(update={"batch_size": batch, "accumulate": samples // batch})
