"""What a short training reaches: Terrazzo's defaults against segmentation_models_pytorch's quick start and a plain float32 loop.

Every program trains on the same windows for as many steps as it makes in so many seconds on a quiet machine, and maps the same held-out
windows, of which the counts are added up. The number of steps is measured once, in turns, so that runs may then be made on a busy machine
or resumed. None has pretrained weights. Terrazzo varies what it shows as its defaults say; the others show the windows as they are.

Run: python benchmarks/accuracy.py rates DATA OUT [SET...]   # OUT/rates.csv, on a quiet machine
     python benchmarks/accuracy.py runs DATA OUT             # OUT/runs.csv, a line a run; what is there is not done again
     python benchmarks/accuracy.py table OUT                 # of what is complete
DATA: the folder of the sets, see SETS. `runs` does the sets whose rates are known.
"""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev

from learners import PROGRAMS, Learned, Problem, problem_of, terrazzo

SETS = {"water": "water_12band", "membranes": "isbi2012_em", "ccd": "ccd_damic_sim", "roads": "roads_ethz_epfl", "ships": "airbus_ships"}
"""Recipes under examples/, and the folders of their images."""
SEEDS = (0, 1, 2)
SECONDS = 120
ROUNDS, STEPS, MOST_STEPS = 4, 5, 30
"""The rate of a program is that of the fastest of so many rounds of an epoch, but of no fewer and no more steps."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A line of runs.csv."""

    data: str
    program: str
    seed: int
    steps: int
    mean_iou: float


def rates(data: Path, out: Path, names: Sequence[str]) -> None:
    """Steps a second of every program on some sets, or all."""
    known = {row["data"] for row in _lines(out / "rates.csv")}
    for name in names or SETS:
        if name in known:
            continue
        problem = problem_of(name, data / SETS[name])
        rounds = [{program: _rate(learn, problem) for program, learn in PROGRAMS.items()} for _ in range(ROUNDS)]
        for program in PROGRAMS:
            per_s = max(each[program] for each in rounds)
            _add(out / "rates.csv", {"data": name, "program": program, "steps_per_s": round(per_s, 4)})
            print(f"{name:10} {program:10} {per_s:6.2f} steps/s", flush=True)


def runs(data: Path, out: Path) -> None:
    """All runs that are not in the table yet: seed by seed, set by set."""
    done = {(row["data"], row["program"], int(row["seed"])) for row in _lines(out / "runs.csv")}
    steps = {(row["data"], row["program"]): round(SECONDS * float(row["steps_per_s"])) for row in _lines(out / "rates.csv")}
    for seed, name in product(SEEDS, SETS):
        wanted = [program for program in PROGRAMS if (name, program) in steps and (name, program, seed) not in done]
        if not wanted:
            continue
        problem = problem_of(name, data / SETS[name])
        for program in wanted:
            count = steps[name, program]
            learned = PROGRAMS[program](problem, count, seed)
            run = Run(data=name, program=program, seed=seed, steps=count, mean_iou=round(problem.score(learned.predict), 4))
            _add(out / "runs.csv", asdict(run))
            print(run, flush=True)


def table(out: Path) -> None:
    """Mean and standard deviation over the seeds, of the sets of which all runs are there."""
    rows = _lines(out / "runs.csv")
    print(f"| set | {' | '.join(PROGRAMS)} |\n|{'---|' * (len(PROGRAMS) + 1)}")
    for name in SETS:
        found = {
            program: [float(row["mean_iou"]) for row in rows if row["data"] == name and row["program"] == program] for program in PROGRAMS
        }
        if all(len(values) == len(SEEDS) for values in found.values()):
            print(f"| {name} | {' | '.join(f'{mean(values):.3f} ± {stdev(values):.3f}' for values in found.values())} |")


def _rate(learn: Callable[[Problem, int, int], Learned], problem: Problem) -> float:
    # what ends an epoch counts, which the other programs do not have; the first step sets up memory and kernels
    steps = min(max(len(problem.images) // problem.batch_size, STEPS), MOST_STEPS) if learn is terrazzo else STEPS
    return (steps - 1) / learn(problem, steps, 0).seconds


def _lines(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _add(path: Path, row: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["rates", data, out, *names]:
            rates(Path(data), Path(out), names)
        case ["runs", data, out]:
            runs(Path(data), Path(out))
        case ["table", out]:
            table(Path(out))
        case _:
            sys.exit(__doc__)
