"""What a finished run shows and names."""

import json

from terrazzo.evaluation.text import class_table, object_text, score_lines
from terrazzo.reporting.notices import score_notices
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Result, Written
from terrazzo.workflows.objects import object_files


def run_result(folder: RunFolder) -> Result:
    """The scores as text and figures, and every file by its kind."""
    evaluation = json.loads(folder.evaluation.read_text(encoding="utf-8"))
    objects = f"{object_text(evaluation['objects'])}\n\n" if "objects" in evaluation else ""
    more = "\n".join(score_lines(evaluation))
    text = f"{class_table(evaluation['pixels'])}\n\n{more}\n{objects}"
    text += f"Evaluated on the {evaluation['part']} part, {evaluation['images']} images.\n"
    text += "".join(f"{notice}\n" for notice in score_notices(evaluation))
    text += f"Report: {folder.report}\nMaps:   {folder.maps}\nErrors: {folder.error_map}\nModel:  {folder.model}"
    written: Written = {
        "run": folder.path,
        "model": folder.model,
        "evaluation": folder.evaluation,
        "report": folder.report,
        "samples": folder.samples,
        "outputs": [
            *sorted(path for path in folder.maps.rglob("*") if path.is_file()),
            folder.error_map,
            folder.suspicious,
            *object_files(folder.path),
        ],
    }
    return Result(text=text, written=written, facts={key: evaluation[key] for key in ("pixels", "objects") if key in evaluation})
