"""Objects of 768 x 768 images scored at ten IoU thresholds on one core, against the loops of public notebooks; and those of one large map.

Run: python benchmarks/bench_objects.py [rounds]
"""

import resource
import sys
import time
from functools import partial
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from timing import in_turn

from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.scores import object_scores
from terrazzo.evaluation.objects.tally import ObjectTally

SIDE = 768
LARGE = 20_000
TILE = 2000
BAND = 256
RULE = ObjectRule(classes=(1,), thresholds=tuple(range(500_000, 1_000_000, 50_000)))

Mask = NDArray[np.uint8]


def ellipses(seed: int, count: int, side: int = SIDE) -> tuple[Mask, Mask]:
    """A mask of ellipses, some of which touch, and the same a little moved, with a tenth left away and a tenth of their number invented."""
    rng = np.random.default_rng(seed)
    truth, predicted = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    for number in range(count):
        center, axes, angle = rng.integers(0, side, 2), rng.integers(3, 14, 2), float(rng.uniform(0, 180))
        cv2.ellipse(truth, center.tolist(), axes.tolist(), angle, 0, 360, 1, -1)
        if number % 10:
            cv2.ellipse(predicted, (center + rng.integers(-2, 3, 2)).tolist(), axes.tolist(), angle, 0, 360, 1, -1)
        else:
            cv2.ellipse(predicted, rng.integers(0, side, 2).tolist(), axes.tolist(), angle, 0, 360, 1, -1)
    return truth, predicted


def ours(pairs: list[tuple[Mask, Mask]]) -> float:
    counts = ObjectCounts(rule=RULE)
    for number, (truth, predicted) in enumerate(pairs):
        tally = ObjectTally(RULE)
        tally.add(0, truth, predicted)
        counts.add(str(number), tally.found())
    return object_scores(counts)["f2"] or 0.0


def notebook(pairs: list[tuple[Mask, Mask]]) -> float:
    """As the notebooks of the ship challenge do it: a mask for each object, and a loop over all pairs. The IoUs at least only once."""
    scores = []
    for truth, predicted in pairs:
        masks = [[labels == number for number in range(1, count)] for count, labels in map(components, (truth, predicted))]
        iou = np.array([[np.sum(one & other) / np.sum(one | other) for other in masks[1]] for one in masks[0]])
        scores.append(f2(iou, len(masks[0]), len(masks[1])))
    return float(np.mean(scores))


def histogram(pairs: list[tuple[Mask, Mask]]) -> float:
    """As the notebooks of the nuclei challenge do it: all IoUs from one two-dimensional histogram."""
    scores = []
    for truth, predicted in pairs:
        (true, one), (guess, other) = components(truth), components(predicted)
        shared = np.histogram2d(one.ravel(), other.ravel(), bins=(true, guess))[0]
        union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None] - shared
        scores.append(f2((shared / union)[1:, 1:], true - 1, guess - 1))
    return float(np.mean(scores))


def components(mask: Mask) -> tuple[int, NDArray[np.int32]]:
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    return count, labels.astype(np.int32, copy=False)


def f2(iou: NDArray[np.float64], true: int, predicted: int) -> float:
    hits = np.array([(iou > threshold).any(axis=1).sum() for threshold in np.arange(50, 100, 5) / 100])
    return float(np.mean(5 * hits / (5 * hits + 4 * (true - hits) + predicted - hits)))


def large(truth: Mask, predicted: Mask) -> None:
    """Match a map of 20,000 x 20,000 pixels with its truth, band by band. truth, predicted: rows that are repeated."""
    tally = ObjectTally(RULE)
    for row in range(0, LARGE, BAND):
        rows = np.arange(row, min(row + BAND, LARGE)) % len(truth)
        tally.add(row, truth[rows], predicted[rows])
    found = tally.found()
    print(f"{LARGE} x {LARGE} pixels in bands of {BAND} rows, {len(found.truth)} true and {len(found.predicted)} predicted objects:")


def time_large() -> None:
    truth, predicted = (np.tile(tile, LARGE // TILE) for tile in ellipses(7, 300, TILE))
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    large(truth, predicted)
    taken, after = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"  {taken:.1f} s of one core, {(after - before) / 1024:.0f} MB of memory")


def per_second(pairs: list[tuple[Mask, Mask]], rounds: int) -> float:
    """Images that one core scores in a second, by the time that it worked on them, whatever else the machine did."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        ours(pairs)
        times.append(time.process_time() - started)
    return len(pairs) / median(times)


def main(rounds: int) -> None:
    cv2.setNumThreads(1)
    time_large()
    print(f"{SIDE} x {SIDE} pixels, {rounds} rounds: ours, the other, ratio (spread)")
    for objects, count, others in ((6, 20, (notebook, histogram)), (60, 2, (notebook, histogram)), (300, 10, (histogram,))):
        pairs = [ellipses(seed, objects) for seed in range(count)]
        for other in others:
            np.testing.assert_allclose(ours(pairs), other(pairs), atol=1e-12)
            found = in_turn(partial(ours, pairs), partial(other, pairs), rounds)
            print(f"{objects:4d} objects  {other.__name__:10s} {found}")
        print(f"{objects:4d} objects  {per_second(pairs, rounds):.0f} images a second of one core")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
