"""evaluate: compare maps with labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import pandas as pd

from terrazzo.drawing.panels import SampleView
from terrazzo.errors import ConflictError, LabelError, PairingError, UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.text import class_table
from terrazzo.labels.failures import Failures
from terrazzo.labels.kinds import find_labels, kind_of, one_kind
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.reader import LabelReader, find_legend
from terrazzo.labels.rules import are_rules
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.survey import row_blocks
from terrazzo.prediction.maps import MAP_SUFFIX
from terrazzo.rasters.files import ImageFile, find_images
from terrazzo.rasters.grid import Grid, grids_agree
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.rasters.write import LEGEND_TAG, check_writable, writing
from terrazzo.samples.checks import check_shared
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.workflows.account import Account, panels, score_columns, versions, write_account
from terrazzo.workflows.context import Context, Result, Written, open_context

LARGEST_VIEW_PX = 2048
"""Of larger maps only a part is shown, for it has to be in memory."""


def evaluate(predictions: str | Path, labels: str | Path, out: str | Path, context: Context | None = None) -> Result:
    """Count how maps agree with labels; writes OUT/evaluation.json, OUT/samples.parquet (a row an image) and OUT/report.html.

    predictions, labels: a file, a folder or a pattern each; labels of any form but rules. Every map needs a label; labels without a
    map are left out and counted in a notice. The legend is the one the maps carry, unless [legend] is given.
    Raises UsageError for rules, PairingError, LabelError or RasterError naming all files that do not fit, ConflictError if OUT holds an
    evaluation, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if (out / "report.html").exists():
        raise ConflictError(f"{out} holds a report already. Give another OUT.")
    check_writable(out)
    pairs, unused = _pairs(_maps(str(predictions)), str(labels), context.recipe.data)
    headers = _headers(pairs)
    legend = _legend(pairs, headers, context)
    images = [LabelledImage(name=pair.name, path=pair.prediction, grid=header.grid) for pair, header in zip(pairs, headers, strict=True)]
    check_shared([(image, pair.label) for image, pair in zip(images, pairs, strict=True)], context.recipe.labels)
    counts = _count(pairs, legend, context)
    frame = score_columns(_table(pairs, headers), counts, legend.classes_of_maps)
    total = Confusion(len(legend.classes_of_maps.classes))
    for confusion in counts.values():
        total = total + confusion
    notices = [f"{counted(unused, 'label')} without a map: left out."] if unused else []
    if unpredicted := int(total.unpredicted.sum()):
        notices.append(f"{counted(unpredicted, 'labelled pixel')} without a prediction: in no score.")
    account = Account(
        title=out.resolve().name,
        legend=legend.classes_of_maps,
        total=total,
        images=len(pairs),
        part=None,
        facts=list(versions().items()),
        notices=notices,
    )
    _save(frame, out / "samples.parquet")
    write_account(out, account, panels(frame, lambda number: _view(pairs[number], legend), legend.classes_of_maps))
    text = "\n".join([class_table(account.scores()), "", *notices, f"Report: {out / 'report.html'}"])
    written: Written = {"evaluation": out / "evaluation.json", "report": out / "report.html", "samples": out / "samples.parquet"}
    return Result(text=text, written=written, facts={"pixels": account.scores()})


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A map and its label."""

    name: str
    prediction: Path
    label: Path


@dataclass(frozen=True, kw_only=True)
class _Legends:
    """How maps and labels are read: the same classes, in the same order."""

    classes_of_maps: Legend
    labels: LabelReader


def _maps(spec: str) -> list[ImageFile]:
    """The maps that are meant; where some end in _predseg, only those, and the ending is no part of their names."""
    found = find_images(spec, Path.cwd())
    ours = [file for file in found if file.name.endswith(MAP_SUFFIX)]
    return [ImageFile(name=file.name.removesuffix(MAP_SUFFIX), path=file.path) for file in ours] or found


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What a map says of itself."""

    grid: Grid
    legend: str | None
    """The legend that it carries, as JSON."""


def _headers(pairs: Sequence[Pair]) -> list[_Header]:
    """Raises RasterError naming all maps that cannot be opened."""
    failures, found = Failures(), []
    for pair in pairs:
        with failures.collect(), open_raster(pair.prediction) as raster:
            found.append(_Header(grid=raster.grid, legend=raster.tags.get(LEGEND_TAG)))
    failures.check(len(pairs), "maps")
    return found


def _pairs(maps: Sequence[ImageFile], labels: str, data: DataOptions) -> tuple[list[Pair], int]:
    """Each map with its label, and how many labels are left; one vector file or table serves all maps."""
    if are_rules(labels) and not Path(labels).exists():
        raise UsageError("Rules need the images, which are not at hand here. Make masks of them first: terrazzo mask IMAGES RULES OUT.")
    if data.pair_table is not None:
        raise UsageError("evaluate pairs maps with labels by name, not by [data] pair_table. Leave it out, or name the labels as the maps.")
    found = find_labels(labels, Path.cwd())
    if len(found) == 1 and one_kind(found) != "masks":
        return [Pair(name=file.name, prediction=file.path, label=found[0].path) for file in maps], 0
    one_kind(found)
    return _pair(maps, found, data)


def _pair(maps: Sequence[ImageFile], labels: Sequence[ImageFile], data: DataOptions) -> tuple[list[Pair], int]:
    """Each map with the label of the same name, else of the same stem if only one has it; and how many labels are left."""
    by_name: dict[str, ImageFile] = {}
    twice = [label for label in labels if by_name.setdefault(_bare(label.name, data), label) is not label]
    if twice:
        raise PairingError(
            f"Several labels have the same name but for their ending: {listed(label.path.name for label in twice)}. Narrow the pattern."
        )
    by_stem: dict[str, list[ImageFile]] = {}
    for name, label in by_name.items():
        by_stem.setdefault(name.rpartition("/")[2], []).append(label)
    pairs: list[Pair] = []
    alone: list[str] = []
    for file in maps:
        same_stem = by_stem.get(file.name.rpartition("/")[2], [])
        partner = by_name.get(file.name) or (same_stem[0] if len(same_stem) == 1 else None)
        if partner is None:
            alone.append(file.name)
        else:
            pairs.append(Pair(name=file.name, prediction=file.path, label=partner.path))
    if alone:
        raise PairingError(
            f"{len(alone)} of {counted(len(maps), 'map')} without a label of the same stem: {listed(alone)}. "
            "Check the folders, or set data.pair_suffix or pair_prefix."
        )
    used = [pair.label for pair in pairs]
    if len(set(used)) < len(used):
        raise PairingError("Two maps would share a label. Give maps and labels whose sub-folders tell them apart.")
    return pairs, len(labels) - len(used)


def _bare(name: str, data: DataOptions) -> str:
    """A label's name without the prefix and suffix of its stem, where it has them."""
    folder, slash, stem = name.rpartition("/")
    return f"{folder}{slash}{stem.removeprefix(data.pair_prefix).removesuffix(data.pair_suffix)}"


def _legend(pairs: Sequence[Pair], headers: Sequence[_Header], context: Context) -> _Legends:
    """The legend that the maps carry; [legend], if given, says how the labels are read."""
    carried: dict[str, str] = {}
    for pair, header in zip(pairs, headers, strict=True):
        if header.legend is not None:
            carried.setdefault(header.legend, pair.name)
    if len(carried) > 1:
        raise LabelError(f"The maps carry different legends, such as {listed(carried.values(), 2)}. Evaluate them apart.")
    given = context.recipe.legend
    if carried and given == LegendOptions():
        legend = Legend.from_json(next(iter(carried)))
    else:
        legend = find_legend([pair.label for pair in pairs], given, context.recipe.labels, context.progress)
    maps = Legend.from_json(next(iter(carried))) if carried else legend
    if maps.values != legend.values:
        raise LabelError(f"The maps hold the classes {list(maps.values)}, [legend] gives {list(legend.values)}. They must be the same.")
    # maps of other tools are read like the labels: their 255 may be a class
    reader = LabelReader(legend, options=context.recipe.labels)
    return _Legends(classes_of_maps=maps.plain() if carried else legend, labels=reader)


def _image(pair: Pair, maps: MaskLabels) -> LabelledImage:
    """The map stands for its image: it lies on the image's grid."""
    return LabelledImage(name=pair.name, path=pair.prediction, grid=maps.grid)


def _count(pairs: Sequence[Pair], legend: _Legends, context: Context) -> Mapping[int, Confusion]:
    """Confusion of each pair, by its position; all that cannot be compared are named at once."""
    counts: dict[int, Confusion] = {}
    failures = Failures()
    with context.progress.task("evaluate", len(pairs), "images") as advance:
        for number, pair in enumerate(pairs):
            with failures.collect():
                counts[number] = _confusion(pair, legend)
            advance(1)
    failures.check(len(pairs), "images")
    return counts


def _confusion(pair: Pair, legend: _Legends) -> Confusion:
    confusion = Confusion(len(legend.classes_of_maps.classes))
    with MaskLabels(pair.prediction, legend.classes_of_maps) as maps, legend.labels.open(pair.label, _image(pair, maps)) as masks:
        if maps.shape != masks.shape:
            raise LabelError(
                f"{pair.label} is {masks.shape[0]} x {masks.shape[1]} pixels, its map {pair.prediction} {maps.shape[0]} x {maps.shape[1]}."
            )
        _check_place(pair, maps.grid)
        for window in row_blocks(maps.shape):
            confusion.add(masks.read(window), maps.read(window))
    return confusion


def _check_place(pair: Pair, grid: Grid) -> None:
    """Refuse a mask that lies elsewhere on the ground than its map."""
    if kind_of(pair.label) == "masks":
        with open_raster(pair.label) as mask:
            if not grids_agree(grid, mask.grid):
                raise LabelError(
                    f"{pair.label} lies elsewhere on the ground than its map {pair.prediction}. Give a label on the map's grid."
                )


def _table(pairs: Sequence[Pair], headers: Sequence[_Header]) -> geopandas.GeoDataFrame:
    """A row an image, with its footprint."""
    grids = [header.grid for header in headers]
    windows = [whole(grid.shape) for grid in grids]
    geometry, crs, codes = footprints([SceneWindows(grid=grid, windows=[window]) for grid, window in zip(grids, windows, strict=True)])
    table = pd.DataFrame(
        {
            "scene": [pair.name for pair in pairs],
            "prediction": [str(pair.prediction) for pair in pairs],
            "label": [str(pair.label) for pair in pairs],
            "col_off": 0,
            "row_off": 0,
            "width": [window.width for window in windows],
            "height": [window.height for window in windows],
        }
    )
    if codes is not None:
        table["crs"] = codes
    return geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)


def _save(frame: geopandas.GeoDataFrame, path: Path) -> None:
    with writing(path) as temporary:
        frame.to_parquet(temporary, schema_version="1.1.0", write_covering_bbox=True, compression="zstd")


def _view(pair: Pair, legend: _Legends) -> SampleView:
    """The map itself stands for the image, which is not at hand; of a large one, the middle is shown."""
    with MaskLabels(pair.prediction, legend.classes_of_maps) as maps, legend.labels.open(pair.label, _image(pair, maps)) as masks:
        window = _middle(maps.shape)
        predicted, truth = maps.read(window), masks.read(window)
    return SampleView(values=predicted[None], valid=predicted != IGNORE, truth=truth, predicted=predicted)


def _middle(shape: Shape) -> Window:
    height, width = (min(side, LARGEST_VIEW_PX) for side in shape)
    return Window(col_off=(shape[1] - width) // 2, row_off=(shape[0] - height) // 2, width=width, height=height)
