"""Every number of evaluation.json as CSV, for spreadsheets and scripts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from terrazzo.evaluation.scores import pixel_scores
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.rasters.write import write_csv

Row = Sequence[object]

TABLES = ("summary.csv", "classes.csv", "scenes.csv", "confusion.csv", "calibration.csv", "thresholds.csv", "area.csv", "object_scores.csv")
"""What may lie beside evaluation.json; those of parts that are missing are not written."""


def write_tables(folder: Path, evaluation: Mapping[str, Any], tally: SetTally) -> list[Path]:
    """Write the tables of what is there; returns their paths."""
    makers = (_summary, _classes, None, _confusion, _calibration, _thresholds, _area, _objects)
    written = []
    for name, maker in zip(TABLES, makers, strict=True):
        rows = list(maker(evaluation) if maker is not None else _scenes(tally, evaluation))
        if len(rows) > 1:
            write_csv(folder / name, rows)
            written.append(folder / name)
    return written


def _summary(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """Single figures, a row each."""
    yield "score", "value", "low", "high"
    intervals = evaluation["intervals"] or {}
    for name in ("accuracy", "mean_iou", "mean_dice", "frequency_weighted_iou", "mcc", "kappa", "unpredicted"):
        yield name, evaluation["pixels"][name], *_ends(intervals.get(name))
    for kind in ("macro", "weighted"):
        yield from ((f"{kind}_{name}", value, None, None) for name, value in evaluation["pixels"][kind].items())
    for part, names in (
        ("boundary", ("distance", "mean_f1", "mean_iou")),
        ("calibration", ("pixels", "mean_confidence", "accuracy", "ece", "brier", "nll")),
        ("intervals", ("level", "number", "resamples", "seed")),
        ("area", ("pixel_area", "mapped_pixels", "labelled_pixels", "overall_accuracy", "overall_accuracy_se")),
    ):
        if evaluation[part] is not None:
            yield from ((f"{part}_{name}", evaluation[part][name], None, None) for name in names)
    yield from ((name, evaluation[name], None, None) for name in ("images", "valid_pixels"))
    objects = evaluation.get("objects", {})
    yield from ((f"objects_{name}", value, None, None) for name, value in objects.items() if not isinstance(value, Mapping | list))
    yield from ((f"objects_count_{name}", value, None, None) for name, value in objects.get("count_error", {}).items())


def _classes(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row a class: its scores, the ends of their intervals, and those of its boundary."""
    scores = ("precision", "recall", "f1", "f2", "iou", "support")
    intervals, boundary = evaluation["intervals"], evaluation["boundary"]
    ends = ("f1_low", "f1_high", "iou_low", "iou_high")
    edges = ("boundary_precision", "boundary_recall", "boundary_f1", "boundary_iou")
    yield "value", "class", *scores, *ends, *edges
    for number, entry in enumerate(evaluation["pixels"]["classes"]):
        of_class = intervals["classes"][number] if intervals else {}
        edge = boundary["classes"][number] if boundary else {}
        yield (
            entry["value"],
            entry["name"],
            *(entry[name] for name in scores),
            *_ends(of_class.get("f1")),
            *_ends(of_class.get("iou")),
            *(edge.get(name.removeprefix("boundary_")) for name in edges),
        )


def _scenes(tally: SetTally, evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row a scene."""
    classes = evaluation["pixels"]["classes"]
    values, names = [entry["value"] for entry in classes], [entry["name"] for entry in classes]
    means = ("accuracy", "mean_iou", "mean_dice", "mcc", "kappa", "unpredicted")
    yield "scene", "pixels", *means, "mean_confidence", "brier", "nll", *(f"iou_{name}" for name in names)
    for scene, kept in tally.scenes.items():
        scores = pixel_scores(kept.confusion, values, names)
        yield (
            scene,
            kept.confusion.pixels,
            *(scores[name] for name in means),  # type: ignore[literal-required]
            kept.mean_confidence,
            kept.brier,
            kept.nll,
            *(entry["iou"] for entry in scores["classes"]),
        )


def _confusion(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """Rows are the truth, columns the prediction; where classes overlap, sets of them."""
    names = evaluation["pixels"].get("sets") or [entry["name"] for entry in evaluation["pixels"]["classes"]]
    yield "truth", *names
    yield from ((name, *counts) for name, counts in zip(names, evaluation["pixels"]["confusion"], strict=True))


def _calibration(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row a bin: of what the map shows (without a class), then of each class."""
    yield "value", "class", "bin_low", "bin_high", "pixels", "probability", "right", "ece"
    calibration = evaluation["calibration"]
    if calibration is None:
        return
    curves = [(None, None, calibration["shown"]), *((curve["value"], curve["name"], curve) for curve in calibration["classes"])]
    for value, name, curve in curves:
        bins = len(curve["pixels"])
        for number, row in enumerate(zip(curve["pixels"], curve["probability"], curve["right"], strict=True)):
            yield value, name, number / bins, (number + 1) / bins, *row, curve["ece"]


def _thresholds(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row a class and threshold."""
    scores = ("precision", "recall", "f1", "iou")
    yield "value", "class", "threshold", *scores, "average_precision", "best_threshold", "best_f1"
    thresholds = evaluation["thresholds"]
    for curve in thresholds["classes"] if thresholds else ():
        best = curve["average_precision"], curve["best_threshold"], curve["best_f1"]
        for row in zip(thresholds["at"], *(curve[name] for name in scores), strict=True):
            yield curve["value"], curve["name"], *row, *best


def _area(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row a class."""
    area = evaluation["area"]
    if area is None:
        yield ()
        return
    columns = [name for name in area["classes"][0] if name not in ("value", "name")]
    header = [column for name in columns for column in ([f"{name}_low", f"{name}_high"] if "interval" in name else [name])]
    yield "value", "class", "unit", *header
    for entry in area["classes"]:
        figures = [figure for name in columns for figure in (_ends(entry[name]) if "interval" in name else [entry[name]])]
        yield entry["value"], entry["name"], area["unit"], *figures


def _objects(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    """A row an IoU threshold, with the means over images too; then a row a size, at the lowest threshold."""
    columns = ("matched", "false", "missed", "precision", "recall", "f1", "f2")
    yield "iou", "size", "from_px", "to_px", *columns, "mean_f2", "mean_ap"
    objects = evaluation.get("objects")
    if objects is None:
        return
    for iou, figures in objects["by_iou"].items():
        yield float(iou), None, None, None, *(figures[name] for name in columns), objects["f2_by_iou"][iou], objects["ap_by_iou"][iou]
    lowest = float(next(iter(objects["by_iou"])))
    for size in objects["sizes"]:
        yield lowest, size["name"], size["from_px"], size["to_px"], *(size[name] for name in columns), None, None


def _ends(interval: Sequence[float] | None) -> Sequence[float | None]:
    return (None, None) if interval is None else interval
