"""evaluate: compare maps with labels."""

from collections.abc import Sequence
from pathlib import Path

import geopandas
import pandas as pd

from terrazzo.drawing.panels import SampleView
from terrazzo.errors import ConflictError
from terrazzo.evaluation.text import class_table, object_text
from terrazzo.evaluation.where.by_sample import score_row, score_table
from terrazzo.labels.legend import IGNORE
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.sentences import counted
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.rasters.write import check_writable
from terrazzo.samples.checks import check_shared
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.workflows.account import Account, panels, versions, with_scores, write_account
from terrazzo.workflows.context import Context, Result, Written, open_context
from terrazzo.workflows.map_counts import count_maps, image_of
from terrazzo.workflows.map_pairs import MapHeader, Pair, PairLegends, find_maps, find_pair_legend, map_headers, pair_maps
from terrazzo.workflows.objects import object_columns, scores_by_scene, write_objects
from terrazzo.workflows.where.layers import save_table

LARGEST_VIEW_PX = 2048
"""Of larger maps only a part is shown, for it has to be in memory."""


def evaluate(predictions: str | Path, labels: str | Path, out: str | Path, context: Context | None = None) -> Result:
    """Count how maps agree with labels; writes OUT/evaluation.json, OUT/samples.parquet (a row an image) and OUT/report.html,
    and where objects are asked for OUT/objects.gpkg and OUT/objects.csv (a row an object).

    predictions, labels: a file, a folder or a pattern each; labels of any form but rules. Every map needs a label; labels without a
    map are left out and counted in a notice. The legend is the one the maps carry, unless [legend] is given.
    Raises UsageError for rules, PairingError, LabelError or RasterError naming all files that do not fit, ConflictError if OUT holds an
    evaluation, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if (out / "report.html").exists():
        raise ConflictError(f"{out} holds a report already. Give another OUT.")
    check_writable(out)
    pairs, unused = pair_maps(find_maps(str(predictions)), str(labels), context.recipe.data)
    headers = map_headers(pairs)
    legend = find_pair_legend(pairs, headers, context)
    images = [LabelledImage(name=pair.name, path=pair.prediction, grid=header.grid) for pair, header in zip(pairs, headers, strict=True)]
    check_shared([(image, pair.label) for image, pair in zip(images, pairs, strict=True)], context.recipe.labels)
    tally = count_maps(pairs, legend, context)
    rows = {number: score_row(tally.scenes[pair.name], legend.maps) for number, pair in enumerate(pairs)}
    found = scores_by_scene(tally.objects)
    of_objects = {number: found[pair.name] for number, pair in enumerate(pairs) if pair.name in found}
    frame = with_scores(_table(pairs, headers), object_columns(score_table(rows, legend.maps), of_objects))
    notices = [f"{counted(unused, 'label')} without a map: left out."] if unused else []
    if unpredicted := int(tally.total.confusion.unpredicted.sum()):
        notices.append(f"{counted(unpredicted, 'labelled pixel')} without a prediction: in no score.")
    account = Account(
        title=out.resolve().name,
        legend=legend.maps,
        tally=tally,
        images=len(pairs),
        part=None,
        facts=list(versions().items()),
        notices=notices,
    )
    grids = {pair.name: header.grid for pair, header in zip(pairs, headers, strict=True)}
    outputs = [] if tally.objects is None else write_objects(out, tally.objects, grids)
    save_table(out / "samples.parquet", frame)
    write_account(out, account, panels(frame, lambda number: _view(pairs[number], legend), legend.maps))
    objects = account.objects()
    lines = [class_table(account.scores()), "", *([object_text(objects), ""] if objects else []), *notices]
    written: Written = {"evaluation": out / "evaluation.json", "report": out / "report.html", "samples": out / "samples.parquet"}
    return Result(
        text="\n".join([*lines, f"Report: {out / 'report.html'}"]),
        written={**written, "outputs": outputs} if outputs else written,
        facts={"pixels": account.scores(), **({"objects": objects} if objects else {})},
    )


def _table(pairs: Sequence[Pair], headers: Sequence[MapHeader]) -> geopandas.GeoDataFrame:
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


def _view(pair: Pair, legend: PairLegends) -> SampleView:
    """The map itself stands for the image, which is not at hand; of a large one, the middle is shown."""
    with MaskLabels(pair.prediction, legend.maps) as maps, legend.labels.open(pair.label, image_of(pair, maps)) as masks:
        window = _middle(maps.shape)
        predicted, truth = maps.read(window), masks.read(window)
    return SampleView(values=predicted[None], valid=predicted != IGNORE, truth=truth, predicted=predicted)


def _middle(shape: Shape) -> Window:
    height, width = (min(side, LARGEST_VIEW_PX) for side in shape)
    return Window(col_off=(shape[1] - width) // 2, row_off=(shape[0] - height) // 2, width=width, height=height)
