"""rank: which samples of a run deserve a look, and which labels are suspicious."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas
import pandas as pd

from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.evaluation.where.options import RankOptions
from terrazzo.evaluation.where.ranking import column_of
from terrazzo.evaluation.where.ranking import rank as ranked_first
from terrazzo.labels.sentences import counted
from terrazzo.models.network import use_threads
from terrazzo.rasters.write import check_writable, write_bytes, write_text
from terrazzo.samples.table import PARTS, Samples
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.where.disagreement import disagreement
from terrazzo.workflows.where.finished import FinishedRun, open_run, predictor_of
from terrazzo.workflows.where.layers import save_table
from terrazzo.workflows.where.rank_sheet import MOST_ROWS, rank_sheet

SHOWN = 10
"""Samples that the text names."""


def rank(runs: Sequence[str | Path], out: str | Path | None = None, context: Context | None = None) -> Result:
    """List the samples of a run that deserve a look, worst first, with pictures; and the labels that the model surely disagrees with.

    Writes OUT/rank.csv, OUT/rank.parquet, OUT/rank.png, and of suspicious labels OUT/suspicious.csv and OUT/suspicious.parquet.
    runs: one run; more only to rank its samples by their disagreement. out: default: RUN/rank_BY.
    Raises RecipeError if a folder is no run, UsageError, ConflictError if OUT holds a ranking, DataError if images are gone.
    """
    context = context or open_context()
    options, paths = context.recipe.rank, [Path(run) for run in runs]
    _check_number(paths, options)
    opened = [open_run(path) for path in paths]
    run = opened[0]
    folder = Path(out) if out is not None else run.folder.path / f"rank_{options.by}"
    if (folder / "rank.csv").exists():
        raise ConflictError(f"{folder} holds a ranking already. Give another --out.")
    use_threads(context.threads)
    samples = _part(run, options)
    if options.by == "disagreement":
        samples = replace(samples, frame=samples.frame.assign(disagreement=disagreement(opened, samples, context)))
    table = ranked_first(samples.frame, options.by, options.top, options.audit_share, options.seed)
    check_writable(folder)
    suspicious = _suspicious(run, samples)
    written = [*_write_table(folder, "rank", table), *_write_table(folder, "suspicious", suspicious), folder / "rank.png"]
    title = f"{run.name}: by {options.by}, {min(len(table), MOST_ROWS)} of {counted(len(samples), 'sample')}"
    write_bytes(folder / "rank.png", rank_sheet(run, table, predictor_of(run, context), title))
    return Result(text=_text(table, suspicious, options, folder), written={"outputs": written}, facts=_facts(table, suspicious, options))


def _check_number(runs: Sequence[Path], options: RankOptions) -> None:
    if options.by == "disagreement" and len(runs) < 2:
        raise UsageError("--by disagreement compares the models of several runs. Give two or more.")
    if options.by != "disagreement" and len(runs) > 1:
        raise UsageError(f"--by {options.by} ranks the samples of one run; {len(runs)} were given. Give one, or --by disagreement.")


def _part(run: FinishedRun, options: RankOptions) -> Samples:
    """The samples to rank. Raises DataError if there are none, or none with the figure."""
    wanted = {"held_out": PARTS[1:], "all": PARTS}.get(options.part, (options.part,))
    frame = run.samples.frame
    chosen = frame[frame["split"].isin(wanted)]
    column = column_of(options.by)
    if options.by != "disagreement" and column not in frame:
        raise DataError(f"The samples of {run.folder.path} have no column {column!r}: the run was not scored. Train it anew.")
    if not len(chosen) or (options.by != "disagreement" and chosen[column].isna().all()):
        counts = ", ".join(f"{part} {int((frame['split'] == part).sum())}" for part in PARTS)
        raise DataError(f"{run.folder.path} has no scored sample in --part {options.part} ({counts}). Choose another part.")
    return replace(run.samples, frame=chosen)


def _suspicious(run: FinishedRun, samples: Samples) -> geopandas.GeoDataFrame:
    """The suspicious regions that lie in samples of the ranked part, by their middle."""
    if not run.folder.suspicious.exists():
        raise DataError(f"{run.folder.path} lacks suspicious.parquet: the run was not scored. Train it anew.")
    regions = geopandas.read_parquet(run.folder.suspicious)
    windows = samples.frame[["scene", "col_off", "row_off", "width", "height"]]
    kept = []
    for scene, there in regions.groupby("scene", sort=False):
        mine = windows[windows["scene"] == scene]
        x, y = there["col_off"] + there["width"] / 2, there["row_off"] + there["height"] / 2
        for number in there.index:
            inside = (mine["col_off"] <= x[number]) & (x[number] < mine["col_off"] + mine["width"])
            inside &= (mine["row_off"] <= y[number]) & (y[number] < mine["row_off"] + mine["height"])
            if inside.any():
                kept.append(number)
    return regions.loc[sorted(kept)].reset_index(drop=True)


def _write_table(folder: Path, name: str, frame: geopandas.GeoDataFrame) -> list[Path]:
    """NAME.csv, which spreadsheets cannot take for formulas, and NAME.parquet with the places."""
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    plain.insert(0, "id", frame.index)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(plain.columns)
    for row in plain.itertuples(index=False):
        table.writerow(["" if value is None or value != value else value for value in row])  # noqa: PLR0124 - NaN is unlike itself
    write_text(folder / f"{name}.csv", text.getvalue())
    save_table(folder / f"{name}.parquet", frame)
    return [folder / f"{name}.csv", folder / f"{name}.parquet"]


def _text(table: pd.DataFrame, suspicious: pd.DataFrame, options: RankOptions, folder: Path) -> str:
    column = column_of(options.by)
    lines = [f"{'rank':>5}  {options.by:>12}  sample"]
    for row in table.iloc[:SHOWN].to_dict("records"):
        audit = "  (drawn at random)" if row["chosen"] == "audit" else ""
        lines.append(f"{row['rank']:>5}  {row[column]:>12.4f}  {row['scene']}, column {row['col_off']}, row {row['row_off']}{audit}")
    if len(table) > SHOWN:
        lines.append(f"and {len(table) - SHOWN} more")
    audits = int((table["chosen"] == "audit").sum())
    lines += ["", f"{counted(len(table), 'sample')}, {audits} of them drawn at random: {folder / 'rank.csv'}, {folder / 'rank.png'}"]
    lines.append(f"{counted(len(suspicious), 'region')} of suspicious labels: {folder / 'suspicious.csv'}")
    return "\n".join(lines)


def _facts(table: pd.DataFrame, suspicious: pd.DataFrame, options: RankOptions) -> dict[str, object]:
    return {
        "by": options.by,
        "samples": [int(number) for number in table.index],
        "audit": int((table["chosen"] == "audit").sum()),
        "suspicious": len(suspicious),
    }
