"""What a training computes with, and that it goes on with the same: other means give other weights."""

import logging
from dataclasses import dataclass, replace

import torch

from terrazzo.labels.sentences import counted
from terrazzo.models.network import Precision, Runtime, choose_runtime, use_threads

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the weights depend on besides recipe and data. Every checkpoint tells it."""

    device: str
    """cpu, cuda or mps."""
    precision: Precision
    threads: int
    """Threads that compute on the CPU: sums are made of one part a thread."""
    torch: str
    """Version."""

    @classmethod
    def now(cls, runtime: Runtime) -> "Means":
        """Those of this process."""
        return cls(device=runtime.device.type, precision=runtime.precision, threads=torch.get_num_threads(), torch=str(torch.__version__))


def choose_means(device: str, precision: str, threads: int | None, kept: Means | None) -> Runtime:
    """Where and in which precision to train; the process then computes with the threads that go with it.

    threads: as asked for; None: one a core. kept: of the checkpoint that the training goes on from, whose precision counts, and whose
    threads unless others are asked for. What differs from then, and so makes other weights, is warned of.
    Raises EnvironmentFault if the device is not there.
    """
    use_threads(threads)
    runtime = choose_runtime(device, precision)
    if kept is None:
        return runtime
    if kept.precision != runtime.precision:
        logger.info("Goes on in %s, as it began; begun here it would compute in %s.", kept.precision, runtime.precision)
        runtime = replace(runtime, precision=kept.precision)
    if threads is None and kept.threads != torch.get_num_threads():
        logger.info("Goes on with %s, as it began; --threads takes others.", counted(kept.threads, "thread"))
        use_threads(kept.threads)
    _warn(kept, Means.now(runtime))
    return runtime


def _warn(before: Means, now: Means) -> None:
    changes = []
    if now.device != before.device:
        changes.append(f"on {before.device}, goes on on {now.device}")
    elif now.device == "cpu" and now.threads != before.threads:
        changes.append(f"with {counted(before.threads, 'thread')}, goes on with {now.threads}")
    if now.torch != before.torch:
        changes.append(f"with torch {before.torch}, goes on with {now.torch}")
    for change in changes:
        logger.warning("This run began %s: its weights will not be those of an uninterrupted run, bit for bit.", change)
