"""From what the user typed to the files to look at."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from terrazzo.errors import RasterError, TerrazzoError
from terrazzo.labels.kinds import RUN_SUFFIXES
from terrazzo.labels.run_rows import Columns
from terrazzo.labels.vector_formats import VECTOR_SUFFIXES
from terrazzo.rasters.files import IMAGE_SUFFIXES, find_images
from terrazzo.workflows.inspection.run_folder import is_model, is_packed_folder, is_run

OTHER_SUFFIXES = VECTOR_SUFFIXES | RUN_SUFFIXES | {".parquet", ".toml", ".json"}
"""Which files that are given by name are no rasters, lower case."""
FOLDER_SUFFIXES = (VECTOR_SUFFIXES - {".json", ".parquet", ".gdb"}) | RUN_SUFFIXES
"""Which files of a folder are looked at besides images; what may be anything is not, unless it is named."""
WILDCARDS = "*?["
HEADER_CHARACTERS = 10_000
"""Of the first line of a table."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What there is to look at, in the order in which it was given."""

    rasters: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """Vectors, tables, recipes; folders of models and runs."""
    problems: list[str] = field(default_factory=list)
    """A sentence for each path that stands for nothing."""


def gather(given: Sequence[Path]) -> Gathered:
    """Find the files that paths stand for: folders for the images and vectors in them, patterns for what they match."""
    found = Gathered()
    for path in given:
        try:
            _add(path, found)
        except TerrazzoError as error:
            found.problems.append(naming(path, error))
    return found


def naming(path: Path, error: TerrazzoError) -> str:
    """The error's sentence, with the path in front where it does not name it."""
    text = str(error)
    return text if str(path) in text or str(path.absolute()) in text else f"{path}: {text}"


def _add(path: Path, found: Gathered) -> None:
    if path.is_dir() and path.suffix.lower() != ".gdb":
        if is_run(path) or is_model(path) or is_packed_folder(path):
            found.others.append(path)
        else:
            _add_folder(path, found)
    elif any(sign in str(path) for sign in WILDCARDS) and not path.exists():
        base = Path.cwd()
        for match in find_images(str(path), base):
            _add_file(match.path if path.is_absolute() else match.path.relative_to(base), found)
    else:
        _add_file(path, found)


def _add_folder(folder: Path, found: Gathered) -> None:
    rasters, labels = (_in_folder(folder, suffixes) for suffixes in (IMAGE_SUFFIXES, FOLDER_SUFFIXES))
    labels = [path for path in labels if path.suffix.lower() not in RUN_SUFFIXES or is_run_table(path)]
    if not rasters and not labels:
        raise RasterError(f"{folder} holds no image and no labels. Name the files themselves, or another folder.")
    found.rasters.extend(rasters)
    found.others.extend(labels)


def is_run_table(path: Path) -> bool:
    """Whether the header of a table names images and runs; any other table beside images is none of ours."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(HEADER_CHARACTERS)
        return any(Columns.find(next(csv.reader([header], delimiter=sign), [])) is not None for sign in ",;\t")
    except (OSError, csv.Error):
        return False


def _in_folder(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """The files of a folder with these endings, called as the folder was given."""
    try:
        files = find_images(str(folder), Path(), suffixes)
    except RasterError:
        return []
    return [folder / file.path.relative_to(folder.absolute()) for file in files]


def _add_file(path: Path, found: Gathered) -> None:
    if path.name in ("model.json", "model.safetensors"):
        found.others.append(path.parent)
    elif path.suffix.lower() in OTHER_SUFFIXES:
        found.others.append(path)
    else:
        found.rasters.append(path)
