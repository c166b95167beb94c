"""Counting what windows of a samples table hold, again or for the first time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from terrazzo.errors import DataError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.rules import Rules, are_rules
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
        return recount_in(_scenes(path, samples), reader, progress)(windows)

    return recount


def _scenes(path: Path, samples: Samples) -> list[Scene]:
    """The scenes that a table names."""
    rows = samples.frame.drop_duplicates("scene")
    found = []
    for name, image, label in zip(rows["scene"], rows["image"], rows["label"], strict=True):
        if not isinstance(label, str):
            raise DataError(f"{path}: the scene {name} has no labels to count. Make the table anew with `terrazzo index`.")
        place = Rules.parse(label.split(";")) if are_rules(label) and not Path(label).exists() else to_path(label)
        found.append(Scene(name=str(name), image=to_path(image), label=place))
    return found
