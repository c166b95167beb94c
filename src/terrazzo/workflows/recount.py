"""Counting what windows of a samples table hold, again or for the first time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from terrazzo.errors import LabelError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.reader import LabelPlace, LabelReader
from terrazzo.labels.rules import Rules, are_rules
from terrazzo.labels.sentences import counted, listed
from terrazzo.progress import Progress
from terrazzo.rasters.location import to_path
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Window
from terrazzo.samples.checks import check_scene
from terrazzo.samples.count import Counts, count_windows
from terrazzo.samples.scenes import Scene
from terrazzo.samples.split.pieces import Recount
from terrazzo.samples.table import Samples
from terrazzo.workflows.sample_origin import TableOptions


def recount_in(scenes: Sequence[Scene], reader: LabelReader, progress: Progress) -> Recount:
    """What counts windows of these scenes."""
    by_name = {scene.name: scene for scene in scenes}

    def recount(windows: Mapping[str, Sequence[Window]]) -> Mapping[str, Counts]:
        checked = [check_scene(by_name[name], reader.data) for name in windows]
        return dict(zip(windows, count_windows(checked, list(windows.values()), reader, progress), strict=True))

    return recount


def recount_of(path: Path, samples: Samples, progress: Progress) -> Recount:
    """What counts windows of a table's own images and labels, read by the options that the table was made with."""

    def recount(windows: Mapping[str, Sequence[Window]]) -> Mapping[str, Counts]:
        known = TableOptions(path=path, settings=samples.fingerprint.settings)
        reader = LabelReader(samples.legend, known.take(DataOptions, "data"), known.take(LabelOptions, "labels"))
        return recount_in(scenes_in(samples), reader, progress)(windows)

    return recount


def scenes_in(samples: Samples) -> list[Scene]:
    """The images of a table with their labels, where the table says they are."""
    rows = samples.frame.drop_duplicates("scene")
    scenes = [
        Scene(name=str(name), image=to_path(image), label=_label(label))
        for name, image, label in zip(rows["scene"], rows["image"], rows["label"], strict=True)
    ]
    bare = [scene.name for scene in scenes if scene.label is None]
    if bare:
        raise LabelError(f"{counted(len(bare), 'image')} of the table without labels: {listed(bare)}. Index them with labels.")
    return scenes


def _label(place: object) -> LabelPlace | None:
    if not isinstance(place, str):
        return None
    return Rules.parse(place.split(";")) if are_rules(place) and not Path(place).exists() else to_path(place)
