"""Train on four folds of the 12-band water tiles and pool the counts of their held-out tiles.

    python examples/water_folds.py DATA OUT

DATA: the folder with images/ and labels/. OUT: a folder for the four runs. Tile i is in fold i mod 4; every tile is
predicted once, by the model that did not see it.
"""

import json
import sys
from pathlib import Path

import numpy as np

import terrazzo as tz
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.evaluation.text import class_table

FOLDS = 4


def main(data: Path, out: Path) -> None:
    recipe = Path(__file__).with_name("water.toml")
    total = Confusion(2)
    for fold in range(FOLDS):
        run = out / f"fold_{fold}"
        context = tz.open_context(recipe, [f"data.root={data.resolve()}", f"split.fold={fold}"])
        tz.train(recipe, run, context=context)
        pixels = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["pixels"]
        total.counts += np.array(pixels["confusion"], np.int64)
        print(f"fold {fold}: water IoU {pixels['classes'][1]['iou']:.3f}")
    print(class_table(pixel_scores(total, [0, 1], ["land", "water"])))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
