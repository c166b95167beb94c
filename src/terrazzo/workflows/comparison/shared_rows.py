"""The same rows of all maps and of the truth, with what one of them leaves out left out of all."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.survey import row_blocks
from terrazzo.rasters.grid import grids_agree
from terrazzo.rasters.window import Window
from terrazzo.workflows.comparison.contestants import Contestant
from terrazzo.workflows.comparison.truth import Truth, TruthRows


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Who is compared, and with what."""

    contestants: Sequence[Contestant]
    legends: Sequence[Legend]
    """How the maps of each are read; all have the same classes."""
    truth: Truth
    objects: ObjectRule | None = None
    """Which objects are compared too; None: none are."""

    @property
    def names(self) -> list[str]:
        """Of the contestants."""
        return [each.name for each in self.contestants]


@dataclass(frozen=True, kw_only=True)
class SharedRows:
    """Rows of one scene as all contestants map them; what one of them leaves out is 255 in all."""

    row_off: int
    truth: NDArray[np.uint8]
    predicted: Sequence[NDArray[np.uint8]]
    left_out: int
    instances: NDArray[np.uint32] | None = None
    """Object numbers of the truth, where it tells them apart."""


def shared_rows(name: str, meeting: Meeting, window: Window | None = None) -> Iterator[SharedRows]:
    """The rows of a scene, or of a window of it. Raises LabelError if the maps or the truth are of other size or lie elsewhere."""
    with ExitStack() as stack:
        pairs = zip(meeting.contestants, meeting.legends, strict=True)
        maps = [stack.enter_context(MaskLabels(each.maps[name].path, legend)) for each, legend in pairs]
        labels = stack.enter_context(meeting.truth.open(name, maps[0]))
        _check_alike(name, meeting.contestants, maps, labels)
        numbered = meeting.objects is not None and labels.has_instances
        for block in row_blocks(labels.shape) if window is None else (window,):
            known = labels.read(block)
            predicted = [each.read(block) for each in maps]
            mapped = np.logical_and.reduce([each != IGNORE for each in predicted])
            left_out = int(np.count_nonzero((known != IGNORE) & ~mapped))
            judged = mapped & (known != IGNORE)
            yield SharedRows(
                row_off=block.row_off,
                truth=np.where(judged, known, np.uint8(IGNORE)),
                predicted=[np.where(judged, each, np.uint8(IGNORE)) for each in predicted],
                left_out=left_out,
                instances=labels.instances(block) if numbered else None,
            )


def _check_alike(name: str, contestants: Sequence[Contestant], maps: Sequence[MaskLabels], labels: TruthRows) -> None:
    for each, opened in zip(contestants, maps, strict=True):
        if opened.shape != labels.shape:
            raise LabelError(
                f"{name}: the map of {each.name} is {opened.shape[0]} x {opened.shape[1]} pixels, the labels {labels.shape[0]} x "
                f"{labels.shape[1]}. Compare maps at the size of the labels."
            )
        if not grids_agree(maps[0].grid, opened.grid):
            raise LabelError(f"{name}: the map of {each.name} lies elsewhere on the ground than that of {contestants[0].name}.")
