import pytest
from tests.reporting.evaluations import evaluation, legend

from terrazzo.evaluation.scores import PixelScores
from terrazzo.reporting.figures import DASH, score_text
from terrazzo.reporting.tables import Table, area_table, class_table, edge_table, object_table, size_table, threshold_table

NAMES = ("sea", "land", "ice")
FOUND = evaluation(NAMES)
LEGEND = legend(*NAMES)
PIXELS: PixelScores = FOUND["pixels"]


@pytest.mark.parametrize(
    "table",
    [
        class_table(PIXELS, FOUND["intervals"], LEGEND),
        class_table(PIXELS, None, LEGEND),
        edge_table(FOUND["boundary"], LEGEND),
        threshold_table(FOUND["thresholds"], PIXELS, LEGEND),
        area_table(FOUND["area"], LEGEND),
        object_table(FOUND["objects"]),
        size_table(FOUND["objects"]),
    ],
    ids=lambda table: table.caption,
)
def test_rows_fill_the_columns(table: Table) -> None:
    assert table.rows
    assert {len(row.cells) + 1 for row in [*table.rows, *table.foot]} == {len(table.headings)}


def test_classes_have_their_scores_colours_and_intervals() -> None:
    row = class_table(PIXELS, FOUND["intervals"], LEGEND).rows[1]
    entry, ends = PIXELS["classes"][1], FOUND["intervals"]["classes"][1]
    assert (row.name, row.color) == ("land", "#285a00")
    assert [cell.text for cell in row.cells] == [
        *(score_text(entry[name]) for name in ("precision", "recall", "f1", "iou", "f2")),
        f"{entry['support']:,}",
    ]
    assert (row.cells[2].bar, row.cells[2].ends) == (entry["f1"], tuple(ends["f1"]))
    assert row.cells[2].small == f"{score_text(ends['f1'][0])} to {score_text(ends['f1'][1])}"


def test_an_undefined_score_is_a_dash_without_bar() -> None:
    none = evaluation(NAMES, errors=0.0)
    none["pixels"]["classes"][2] |= {"precision": None, "recall": None, "f1": None, "iou": None, "f2": None, "support": 0}
    cells = class_table(none["pixels"], None, legend("sea", "land")).rows[2].cells
    assert [cell.text for cell in cells[:5]] == [DASH] * 5
    assert all(cell.bar is None for cell in cells)


def test_sizes_do_not_overlap() -> None:
    fates = {"matched": 1, "missed": 1, "false": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    table = size_table({"sizes": [{"from_px": low, "to_px": high, **fates} for low, high in [(0, 10), (10, 1000), (1000, None)]]})
    assert [row.name for row in table.rows] == ["below 10", "10 to 999", "1,000 and more"]
