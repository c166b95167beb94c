"""The labels of a data set, whatever their form: their legend, and how those of one image are opened."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.coco import CocoFile, CocoLabels
from terrazzo.labels.failures import Failures
from terrazzo.labels.keys import resolve_keys
from terrazzo.labels.kinds import Kind, fingerprint, kind_of, members
from terrazzo.labels.legend import Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.median import MedianLabels
from terrazzo.labels.options import LabelOptions, LegendOptions
from terrazzo.labels.overlapping import OverlappingLabels, check_keys, overlapping_legend, survey_bands
from terrazzo.labels.resized import ResizedLabels
from terrazzo.labels.resolve import resolve_legend
from terrazzo.labels.rules import RuleLabels, Rules
from terrazzo.labels.runs import RunLabels, RunTable
from terrazzo.labels.source import LabelledImage, Labels
from terrazzo.labels.survey import survey
from terrazzo.labels.vectors import VectorFile, VectorLabels
from terrazzo.progress import Progress, Silent
from terrazzo.rasters.options import DataOptions

LabelPlace = Path | Rules
"""Where the labels of an image are: a mask of its own, a file that may hold those of many images, or rules."""

Stamp = tuple[tuple[int, int], ...]
"""Time of change and size of the files that a label file consists of."""

FILES_KEPT = 8
"""Vector files and tables that stay in memory."""

OVERLAPPING_VERBS = "index, split, preview, mask, train, predict and evaluate"
"""What can do with classes that overlap."""

NOUNS: Mapping[Kind, str] = {"masks": "masks", "vectors": "polygons", "runs": "runs", "coco": "annotations"}

_loading = threading.Lock()


class LabelReader:
    """Opens the labels of images, in the classes of one legend; from several threads if need be."""

    def __init__(self, legend: Legend, data: DataOptions = DataOptions(), options: LabelOptions = LabelOptions()) -> None:
        self.legend = legend
        self.data = data
        self.options = options
        if legend.overlapping and options.median > 1:
            raise RecipeError(
                "[labels] median is for classes that exclude each other; with overlapping = true it means nothing. Remove it."
            )

    @contextmanager
    def open(self, place: LabelPlace, image: LabelledImage) -> Iterator[Labels]:
        """The labels of an image, closed at the end of the block; see `take`."""
        labels = self.take(place, image)
        try:
            yield labels
        finally:
            labels.close()

    def take(self, place: LabelPlace, image: LabelledImage) -> Labels:
        """The labels of an image; who takes them closes them.

        Raises LabelError or RasterError if they cannot be read, or do not fit the image.
        """
        own = image if self.data.resize is None or image.own_grid is None else replace(image, grid=image.own_grid)
        labels = self._take(place, own)
        labels = MedianLabels(labels, self.options.median) if self.options.median > 1 else labels
        return labels if own is image else ResizedLabels(labels, image.grid.shape)

    def _take(self, place: LabelPlace, image: LabelledImage) -> Labels:
        if isinstance(place, Path) and kind_of(place) == "masks":
            reading = DataOptions(picture_mpx=self.data.picture_mpx)
            onto = image.grid if resampled(self.data) else None
            return MaskLabels(place, self.legend, reading, onto, image.place)
        if self.legend.overlapping:
            return OverlappingLabels([self._named(place, image, self.legend.alone(name), alone=True) for name in self.legend.names])
        return self._named(place, image, self.legend, alone=False)

    def _named(self, place: LabelPlace, image: LabelledImage, legend: Legend, *, alone: bool) -> Labels:
        """Labels that name their classes. alone: what is of the legend's background covers nothing."""
        if isinstance(place, Rules):
            return RuleLabels(image, place, legend, self.data.model_copy(update={"resize": None}), alone=alone)
        kind = kind_of(place)
        if kind == "vectors":
            return VectorLabels(image, load_vectors(place, self.options), legend, self.options, alone=alone)
        if resampled(self.data):
            raise LabelError(
                f"{place} tells pixels of the images as they are, which [data] crs and cell_size resample. "
                "Make masks first: terrazzo mask IMAGES LABELS OUT."
            )
        if kind == "runs":
            return RunLabels(image, load_runs(place), legend, alone=alone)
        return CocoLabels(image, load_coco(place), legend, alone=alone)


def place_digest(place: LabelPlace) -> str:
    """What tells labels from others: the rules, or a digest of the bytes of their files."""
    return str(place) if isinstance(place, Rules) else fingerprint(place)


def resampled(data: DataOptions) -> bool:
    """Whether images and masks are brought to a grid of their own choice."""
    return data.crs is not None or data.cell_size is not None


def find_legend(
    places: Sequence[LabelPlace],
    legend: LegendOptions,
    options: LabelOptions,
    progress: Progress = Silent(),
    *,
    to_learn: bool = True,
    overlapping: bool = False,
) -> Legend:
    """The legend of a set of labels: the one that [legend] gives, else what the labels hold.

    to_learn: masks without anything but the first class are refused; to judge a map they will do.
    overlapping: whether the caller can do with classes that overlap; else they are refused.

    Raises RecipeError if the options contradict each other. LabelError or RasterError naming all files that cannot be used, or if
    the labels hold classes that the legend does not know, grey values, or nothing but background.
    """
    distinct = list(dict.fromkeys(places))
    files = [place for place in distinct if isinstance(place, Path)]
    if legend.overlapping:
        if not overlapping:
            raise RecipeError(f"[legend] overlapping = true goes with {OVERLAPPING_VERBS} only. Leave it out here.")
        return _find_overlapping(distinct, files, legend, options, progress)
    if len(files) < len(distinct):
        keys = Counter({key: count for place in distinct if isinstance(place, Rules) for key, count in place.keys.items()})
        return resolve_keys(legend, keys, "rules")
    kind = kind_of(files[0])
    if kind == "masks":
        return resolve_legend(legend, survey(files, progress, legend), to_learn=to_learn)
    if kind == "runs":
        _check_exclusive(files)
    return resolve_keys(legend, _keys(files, kind, options), NOUNS[kind])


def _find_overlapping(
    places: Sequence[LabelPlace], files: Sequence[Path], options: LegendOptions, labels: LabelOptions, progress: Progress
) -> Legend:
    """The legend of classes that overlap. Raises as `find_legend` does."""
    legend = overlapping_legend(options)
    if len(files) < len(places):
        keys = Counter({key: count for place in places if isinstance(place, Rules) for key, count in place.keys.items()})
        check_keys(legend, keys, "rules")
        return legend
    kind = kind_of(files[0])
    if kind == "masks":
        return survey_bands(files, legend, options, progress)
    check_keys(legend, _keys(files, kind, labels), NOUNS[kind])
    return legend


def _check_exclusive(files: Sequence[Path]) -> None:
    """Refuse tables of runs in which a pixel is of several classes."""
    failures = Failures()
    for path in files:
        with failures.collect():
            load_runs(path).check_exclusive()
    failures.check(len(files), "label files")


def _keys(files: Sequence[Path], kind: Kind, options: LabelOptions) -> Counter[str | float]:
    """The classes that vector files or tables hold, and of how many objects."""
    failures = Failures()
    found: Counter[str | float] = Counter()
    for path in files:
        with failures.collect():
            loaded = load_vectors(path, options) if kind == "vectors" else load_runs(path) if kind == "runs" else load_coco(path)
            found.update(loaded.class_keys())
    failures.check(len(files), "label files")
    return found


def load_vectors(path: Path, options: LabelOptions) -> VectorFile:
    """Read a vector file, once as long as it does not change."""
    with _loading:
        return _vectors(path, options.model_copy(update={"median": 0}), _stamp(path))


def load_runs(path: Path) -> RunTable:
    """Read a run-length table, once as long as it does not change."""
    with _loading:
        return _runs(path, _stamp(path))


def load_coco(path: Path) -> CocoFile:
    """Read a COCO file, once as long as it does not change."""
    with _loading:
        return _coco(path, _stamp(path))


def _stamp(path: Path) -> Stamp:
    """What changes when a file does."""
    try:
        found = [file.stat() for file in members(path)]
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror or error}.") from error
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in found)


@lru_cache(FILES_KEPT)
def _vectors(path: Path, options: LabelOptions, stamp: Stamp) -> VectorFile:  # noqa: ARG001 - tells versions of a file apart
    return VectorFile.load(path, options)


@lru_cache(FILES_KEPT)
def _runs(path: Path, stamp: Stamp) -> RunTable:  # noqa: ARG001 - tells versions of a file apart
    return RunTable.load(path)


@lru_cache(FILES_KEPT)
def _coco(path: Path, stamp: Stamp) -> CocoFile:  # noqa: ARG001 - tells versions of a file apart
    return CocoFile.load(path)
