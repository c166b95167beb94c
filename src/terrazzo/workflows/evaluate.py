"""evaluate: compare maps with labels."""

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import geopandas
import pandas as pd

from terrazzo.drawing.panels import SampleView
from terrazzo.errors import ConflictError
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.text import class_table, object_text, score_lines
from terrazzo.evaluation.where.by_sample import score_row, score_table
from terrazzo.labels.legend import IGNORE
from terrazzo.labels.masks import MaskLabels
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.rasters.write import check_writable
from terrazzo.recipes.recipe import Recipe
from terrazzo.reporting.notices import score_notices
from terrazzo.samples.checks import check_shared
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.workflows.account import (
    ACCOUNT_FILES,
    ERROR_MAP,
    EVALUATION,
    REPORT,
    SAMPLES,
    SUSPICIOUS,
    Account,
    Shown,
    made_from_of,
    panels,
    versions_text,
    with_scores,
    write_page,
    write_scores,
)
from terrazzo.workflows.account_tables import TABLES
from terrazzo.workflows.context import Context, Result, Written, open_context
from terrazzo.workflows.map_counts import count_maps, image_of
from terrazzo.workflows.map_pairs import MapHeader, Pair, PairLegends, find_maps, find_pair_legend, map_headers, pair_maps, pairs_origin
from terrazzo.workflows.objects import object_columns, object_files, scores_by_scene, write_objects
from terrazzo.workflows.report_places import ground_map
from terrazzo.workflows.where.layers import save_table, suspicious_table, write_error_map
from terrazzo.workflows.where.map_watch import MapWatch

ERRORS = "errors"
"""Folder of the error rasters."""
LARGEST_VIEW_PX = 2048
"""Of larger maps only a part is shown, for it has to be in memory."""


def evaluate(predictions: str | Path, labels: str | Path, out: str | Path, context: Context | None = None) -> Result:
    """Count how maps agree with labels: OUT/evaluation.json, the same as CSV tables, OUT/samples.parquet (a row an image), OUT/report.html,
    where the map is wrong (OUT/error_map.gpkg, OUT/errors, with probabilities OUT/suspicious.parquet), and where objects are asked for
    OUT/objects.gpkg and OUT/objects.csv (a row an object).

    predictions, labels: a file, a folder or a pattern each; labels of any form but rules. Every map needs a label; labels without a
    map are left out and counted in a notice. The legend is the one the maps carry, unless [legend] is given. Probabilities beside the maps,
    as predict writes them, are scored too. An evaluation that is there already, of the same inputs and options, is kept.
    Raises UsageError for rules, PairingError, LabelError or RasterError naming all files that do not fit, ConflictError if OUT holds
    files of these names made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    check_writable(out)
    pairs, unused = pair_maps(find_maps(str(predictions)), str(labels), context.recipe.data)
    made_from = pairs_origin(pairs, context)
    if _kept(out, made_from):
        return _result(out, [f"{out} kept: it holds this evaluation already."])
    headers = map_headers(pairs)
    legend = find_pair_legend(pairs, headers, context)
    images = [LabelledImage(name=pair.name, path=pair.prediction, grid=header.grid) for pair, header in zip(pairs, headers, strict=True)]
    check_shared([(image, pair.label) for image, pair in zip(images, pairs, strict=True)], context.recipe.labels)
    watch = MapWatch(pairs, legend.maps, out / ERRORS if context.recipe.evaluation.error_maps else None)
    tally = count_maps(pairs, legend, context, watch.open)
    rows = {number: score_row(tally.scenes[pair.name].confusion, legend.maps) for number, pair in enumerate(pairs)} | watch.scores
    found = scores_by_scene(tally.objects)
    of_objects = {number: found[pair.name] for number, pair in enumerate(pairs) if pair.name in found}
    frame = with_scores(_table(pairs, headers), object_columns(score_table(rows, legend.maps), of_objects))
    account = Account(
        title=out.resolve().name,
        legend=legend.maps,
        tally=tally,
        options=context.recipe.evaluation,
        grids=[header.grid for header in headers],
        images=len(pairs),
        part=None,
        facts=[("Images", f"{len(pairs):,}"), ("Versions", versions_text())],
        notices=_notices(unused, tally),
        made_from=made_from,
    )
    write_scores(out, account)
    save_table(out / SAMPLES, frame)
    suspicious = suspicious_table(watch.suspects, legend.maps)
    if watch.suspects:
        save_table(out / SUSPICIOUS, suspicious)
    write_error_map(out / ERROR_MAP, frame, suspicious)
    if tally.objects is not None:
        write_objects(out, tally.objects, {pair.name: header.grid for pair, header in zip(pairs, headers, strict=True)})
    ground = ground_map(frame)
    shown = Shown(
        samples=panels(frame, lambda number: _view(pairs[number], legend), legend.maps),
        scenes=() if ground is None else (ground,),
        suspicious=suspicious,
        commands=[_command(predictions, labels, context.recipe)],
    )
    write_page(out, account, shown)
    return _result(out, account.notices)


def _kept(out: Path, made_from: str) -> bool:
    """Whether the evaluation is there already. Raises ConflictError if files of its names are, and were made otherwise."""
    there = [out / name for name in ACCOUNT_FILES if (out / name).exists()]
    if not there:
        return False
    if made_from_of(out) != made_from:
        raise ConflictError(
            f"{out} holds files that these maps, labels and options did not make: {listed(path.name for path in there)}. Give another OUT."
        )
    return (out / REPORT).exists()


def _result(out: Path, said: Sequence[str]) -> Result:
    """What a finished evaluation shows and names."""
    evaluation = json.loads((out / EVALUATION).read_text(encoding="utf-8"))
    objects = evaluation.get("objects")
    lines = [class_table(evaluation["pixels"]), "", *score_lines(evaluation), *([object_text(objects), ""] if objects else []), *said]
    lines += score_notices(evaluation)
    written: Written = {
        "evaluation": out / EVALUATION,
        "report": out / REPORT,
        "samples": out / SAMPLES,
        "outputs": [*(out / name for name in (*TABLES, ERROR_MAP, SUSPICIOUS) if (out / name).exists()), *object_files(out)],
    }
    return Result(
        text="\n".join([*lines, f"Report: {out / REPORT}"]),
        written=written,
        facts={"pixels": evaluation["pixels"], **({"objects": objects} if objects else {})},
    )


def _command(predictions: str | Path, labels: str | Path, recipe: Recipe) -> str:
    """What makes the same evaluation again, from the same working directory."""
    given = [
        f"--set {quote(f'{table}.{key}={json.dumps(value, ensure_ascii=False)}')}"
        for table in ("data", "legend", "labels", "evaluation")
        for key, value in getattr(recipe, table).model_dump(mode="json", exclude_defaults=True).items()
        if value is not None and not isinstance(value, dict)
    ]
    return " ".join(["terrazzo evaluate", quote(str(predictions)), quote(str(labels)), "OUT", *given])


def _notices(unused: int, tally: SetTally) -> list[str]:
    notices = [f"{counted(unused, 'label')} without a map: left out."] if unused else []
    without = sum(scene.mean_confidence is None for scene in tally.scenes.values())
    if 0 < without < len(tally.scenes):
        notices.append(f"{without} of {len(tally.scenes)} maps without probabilities: they are in no score of those.")
    return notices


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
