"""compare: maps of several runs, models or tools on the same truth."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, DataError, UsageError
from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.objects.scores import image_ap, image_f2
from terrazzo.evaluation.paired import Difference, compare_means, score_names, scores_of
from terrazzo.evaluation.paired import compare as compare_pair
from terrazzo.evaluation.text import aligned
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import ImageFile
from terrazzo.rasters.write import check_writable, write_bytes, write_text
from terrazzo.reporting.comparison import ComparisonPage, Rivals, ScoreRow, chance_text, interval_text, render, signed
from terrazzo.reporting.figures import score_text
from terrazzo.workflows.comparison.contest import Contest, count_all
from terrazzo.workflows.comparison.contestants import Contestant, common_names, find_contestants, label_reader, map_legends
from terrazzo.workflows.comparison.pictures import difference_sheet, run_charts
from terrazzo.workflows.comparison.shared_rows import Meeting
from terrazzo.workflows.comparison.truth import GivenLabels, RunLabels, Truth
from terrazzo.workflows.context import Context, Result, Written, open_context
from terrazzo.workflows.map_pairs import pair_maps

OBJECT_SCORES = {"object_f2": image_f2, "object_ap": image_ap}
"""Of each scene at each threshold."""
OBJECT_TITLES = {"object_f2": "F2 of objects", "object_ap": "AP of objects"}


def compare(maps: Sequence[str | Path], out: str | Path, labels: str | Path | None = None, context: Context | None = None) -> Result:
    """Compare maps on the pixels that all of them map: scores of each, and how surely each differs from the first.

    Writes OUT/comparison.json, OUT/comparison.csv (a row a scene and map), OUT/comparison.png and OUT/comparison.html.
    maps: runs, whose maps hold what they held out; files, folders or patterns of maps and masks. labels: of any form but rules; default:
    those of the first run. Labels and maps are paired by name.
    Raises UsageError, PairingError, LabelError, RasterError, DataError if no ground is left, ConflictError if OUT holds a comparison.
    """
    context, out = context or open_context(), Path(out)
    if (out / "comparison.html").exists():
        raise ConflictError(f"{out} holds a comparison already. Give another OUT.")
    contestants = find_contestants([str(place) for place in maps])
    _check_held_out(contestants)
    names, notices = common_names(contestants)
    truth, legends, said = _truth(contestants, names, labels, context)
    notices += [*said, *_doubts(contestants)]
    rule = rule_of(context.recipe.evaluation, legends[0])
    meeting = Meeting(contestants=contestants, legends=legends, truth=truth, objects=rule)
    contest = count_all(names, meeting, context.progress)
    if contest.left_out:
        notices.append(f"{counted(contest.left_out, 'labelled pixel')} left out: not mapped by all.")
    outcome = _outcome(meeting, contest, context)
    check_writable(out)
    picture = difference_sheet([place for scene in contest.scenes for place in scene.places], meeting)
    written = _write(out, outcome, notices, picture, run_charts(contestants))
    return Result(text=_text(outcome, notices, out), written=written, facts=_facts(outcome, notices))


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What came of a comparison."""

    names: Sequence[str]
    legend: Legend
    contest: Contest
    scores: Mapping[str, Sequence[float | None]]
    """One for each of the maps, by the score's name."""
    differences: Mapping[str, Sequence[Difference]]
    """Of each of the other maps, by its name, from the first."""

    @property
    def units(self) -> str:
        """Such as '12 scenes'."""
        number = self.contest.counts.shape[1]
        return counted(number, self.contest.unit.removesuffix("s"))

    def title(self, score: str) -> str:
        """A score as people call it."""
        kind, _, value = score.rpartition("_")
        names = dict(zip(map(str, self.legend.values), self.legend.names, strict=True))
        plain = {"accuracy": "accuracy", "mean_iou": "mean IoU", "mean_dice": "mean Dice"} | OBJECT_TITLES
        return plain[score] if score in plain else f"{'IoU' if kind == 'iou' else 'Dice'} of {names[value]}"


def _check_held_out(contestants: Sequence[Contestant]) -> None:
    """Refuse runs whose maps are of their training ground."""
    for each in contestants:
        if each.run is not None and json.loads(each.run.folder.evaluation.read_text(encoding="utf-8")).get("part") == "train":
            raise DataError(
                f"{each.run.folder.path} held nothing out: its maps are of its training ground. Compare runs with a held-out part."
            )


def _doubts(contestants: Sequence[Contestant]) -> list[str]:
    unknown = [each.name for each in contestants if each.run is None]
    return (
        [f"What {listed(unknown)} learned from is not known; on its own training ground a map looks better than it is."] if unknown else []
    )


def _truth(
    contestants: Sequence[Contestant], names: Sequence[str], labels: str | Path | None, context: Context
) -> tuple[Truth, list[Legend], list[str]]:
    """What is true, how the maps are read, and what is to be said of it."""
    if labels is not None:
        files = [ImageFile(name=name, path=contestants[0].maps[name].path) for name in names]
        pairs, unused = pair_maps(files, str(labels), context.recipe.data)
        by_name = {pair.name: pair.label for pair in pairs}
        reader = label_reader(contestants, by_name, context)
        said = [f"{counted(unused, 'label')} without maps of all: left out."] if unused else []
        return GivenLabels(by_name, reader), map_legends(contestants, names, reader.legend, context), said
    first = contestants[0].run
    if first is None:
        raise UsageError(f"{contestants[0].name} is no run, so its labels are not known. Give --labels, or a run first.")
    return RunLabels(first), map_legends(contestants, names, first.samples.legend, context), []


def _outcome(meeting: Meeting, contest: Contest, context: Context) -> _Outcome:
    options, counts, legend, names = context.recipe.evaluation, contest.counts, meeting.legends[0], meeting.names
    totals = scores_of(counts.sum(axis=1))
    plain = [[None if value != value else float(value) for value in row] for row in totals]  # noqa: PLR0124 - NaN is unlike itself
    scores: dict[str, list[float | None]] = {score: [row[number] for row in plain] for number, score in enumerate(score_names(legend))}
    differences = {
        name: compare_pair(counts[0], other, legend, options.resamples, options.seed)
        for name, other in zip(names[1:], counts[1:], strict=True)
    }
    for score, by_scene in _object_scores(meeting, contest).items():
        scores[score] = [float(each.mean()) for each in by_scene]
        for name, other in zip(names[1:], by_scene[1:], strict=True):
            differences[name].append(compare_means(score, by_scene[0], other, options.resamples, options.seed))
    return _Outcome(names=names, legend=legend, contest=contest, scores=scores, differences=differences)


def _object_scores(meeting: Meeting, contest: Contest) -> dict[str, list[NDArray[np.float64]]]:
    """Scores of the objects of each contestant by scene, where they are compared."""
    if meeting.objects is None:
        return {}
    counts = contest.objects(meeting.objects)
    return {score: [function(each).mean(axis=1) for each in counts] for score, function in OBJECT_SCORES.items()}


def _write(out: Path, outcome: _Outcome, notices: Sequence[str], picture: bytes | None, charts: Sequence[str]) -> Written:
    """Write all files; the page last, for it tells that the comparison is done."""
    written = [out / "comparison.json", out / "comparison.csv"]
    write_text(written[0], json.dumps(_facts(outcome, notices), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(written[1], _table(outcome))
    if picture is not None:
        write_bytes(out / "comparison.png", picture)
        written.append(out / "comparison.png")
    page = ComparisonPage(
        title=" and ".join(outcome.names) if len(outcome.names) == 2 else f"{len(outcome.names)} maps compared",
        lead=_lead(outcome),
        notices=notices,
        names=outcome.names,
        rows=[ScoreRow(name=outcome.title(score), scores=scores) for score, scores in outcome.scores.items()],
        rivals=[
            Rivals(first=outcome.names[0], second=name, differences=[(outcome.title(each.score), each) for each in found])
            for name, found in outcome.differences.items()
        ],
        charts=charts,
        picture=picture,
    )
    write_text(out / "comparison.html", render(page))
    return {"report": out / "comparison.html", "outputs": written}


def _lead(outcome: _Outcome) -> str:
    pixels = int(outcome.contest.counts[0].sum())
    images = counted(len(outcome.contest.scenes), "image")
    return f"{pixels:,} labelled pixels of {images} that all have mapped; intervals from {outcome.units}."


def _table(outcome: _Outcome) -> str:
    """A row a scene and map."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(["scene", "maps", "pixels", *score_names(outcome.legend)])
    for scene in outcome.contest.scenes:
        for name, counts in zip(outcome.names, scene.totals, strict=True):
            scores = scores_of(counts).tolist()
            rows.writerow([scene.name, name, int(counts.sum()), *("" if score != score else score for score in scores)])  # noqa: PLR0124
    return text.getvalue()


def _facts(outcome: _Outcome, notices: Sequence[str]) -> dict[str, Any]:
    """What comparison.json holds."""
    return {
        "maps": list(outcome.names),
        "images": len(outcome.contest.scenes),
        "valid_pixels": int(outcome.contest.counts[0].sum()),
        "left_out_pixels": outcome.contest.left_out,
        "units": outcome.contest.unit,
        "number_of_units": int(outcome.contest.counts.shape[1]),
        "classes": [{"value": entry.value, "name": entry.name} for entry in outcome.legend.classes],
        "scores": {name: dict(zip(outcome.scores, column, strict=True)) for name, column in _columns(outcome).items()},
        "differences": [
            {"first": outcome.names[0], "second": name, "scores": {each.score: _plain(each) for each in found}}
            for name, found in outcome.differences.items()
        ],
        "notices": list(notices),
    }


def _columns(outcome: _Outcome) -> dict[str, list[float | None]]:
    return {name: [scores[number] for scores in outcome.scores.values()] for number, name in enumerate(outcome.names)}


def _plain(difference: Difference) -> dict[str, Any]:
    return {name: value for name, value in asdict(difference).items() if name not in ("score", "first", "second")}


def _text(outcome: _Outcome, notices: Sequence[str], out: Path) -> str:
    lines = [aligned([["", *outcome.names], *([outcome.title(name), *map(score_text, row)] for name, row in outcome.scores.items())])]
    for name, found in outcome.differences.items():
        rows = [[f"{name} less {outcome.names[0]}", "difference", "95 % interval", "chance", "better : worse"]]
        rows += [
            [outcome.title(each.score), signed(each.difference), interval_text(each), chance_text(each.p), f"{each.better} : {each.worse}"]
            for each in found
        ]
        lines += ["", aligned(rows)]
    return "\n".join([*lines, "", _lead(outcome), *notices, f"Page: {out / 'comparison.html'}"])
