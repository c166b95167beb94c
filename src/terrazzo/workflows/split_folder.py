"""A folder of images and labels, divided into folders for training, validation and test."""

import csv
import io
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import ConflictError, RecipeError, UsageError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import ImageFile, digest, output_stems
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.write import check_writable, write_text, writing
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.samples.split.assign import assign_split
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples
from terrazzo.workflows.context import Context, Result
from terrazzo.workflows.index import index_scenes
from terrazzo.workflows.look_alike import with_alike
from terrazzo.workflows.sample_facts import sample_facts, sample_lines

FOLDERS = {"train": "train", "validation": "val", "test": "test"}
"""Part of the split to the beginning of its folders' names."""
BY_SCENE = ("scene", "sequence", "group", "folder", "kfold", "given")
WORLD_FILES = (".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".wld", ".prj")
"""Endings of small files beside an image that say where it lies; they go with it."""
WINDOW_PX = 8192
LIST_NAME = "split.csv"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A file and where its copy is to be."""

    source: Path
    target: Path


def split_folder(folder: Path, out: Path, context: Context, *, link: bool) -> Result:
    """Divide the pairs of a folder into train_frames, train_masks, val_frames, val_masks; see `terrazzo.split`."""
    scenes, data = _pairs(folder, context.recipe.data)
    options = _by_scenes(context.split)
    check_writable(out)
    whole = SamplesOptions(size=WINDOW_PX, min_valid=0)
    recipe = context.recipe.model_copy(update={"data": data, "samples": whole})
    samples = index_scenes(scenes, data, Context(recipe=recipe, folder=folder, progress=context.progress))
    samples = assign_split(with_alike(samples, data, options, context.progress), options)
    parts = dict(zip(samples.frame["scene"], samples.frame["split"], strict=True))
    scenes = _with_labels(scenes, parts)
    above = _folders_above(scenes)
    moves = [move for scene in scenes for move in _moves(scene, FOLDERS[parts[scene.name]], out, above[scene.image])]
    todo = _undone(moves, link=link)
    with context.progress.task("link" if link else "copy", len(todo), "files") as advance:
        for move in todo:
            _place(move, link=link)
            advance(1)
    write_text(out / LIST_NAME, _list(scenes, parts, moves, out))
    return Result(text=_text(samples, parts, out), written={"outputs": _folders(moves, out)}, facts=sample_facts(samples))


def _pairs(folder: Path, given: DataOptions) -> tuple[list[Scene], DataOptions]:
    """The images of a folder with their labels: those of its folders images and labels, unless [data] says otherwise."""
    images, labels = given.images or "images", given.labels or "labels"
    missing = [name for name in (images, labels) if name in ("images", "labels") and not (folder / name).is_dir()]
    if missing:
        raise RecipeError(
            f"{folder} has no folder {' and no folder '.join(map(str, missing))}. "
            "Say where its images and labels are, such as --set data.images='frames/*.tif' --set data.labels='masks/*.png'."
        )
    data = given.model_copy(update={"images": images, "labels": labels, "root": folder.absolute()})
    scenes = find_scenes(data, folder)
    places = Counter(scene.label for scene in scenes)
    if len(scenes) > 1 and len(places) == 1:
        raise UsageError(
            f"All {len(scenes)} images of {folder} have the same labels, {scenes[0].label}. A split needs a label file an image."
        )
    return scenes, data


def _by_scenes(options: SplitOptions) -> SplitOptions:
    """Whole images are split: by scene, unless another way was given that keeps them whole."""
    if "by" not in options.model_fields_set:
        return options.model_copy(update={"by": "scene"})
    if options.by not in BY_SCENE:
        raise UsageError(f"A folder cannot be split by {options.by}, which would cut images. Choose one of {', '.join(BY_SCENE)}.")
    return options


def _with_labels(scenes: Sequence[Scene], parts: Mapping[str, str]) -> list[Scene]:
    """The scenes that have a part: those without a single labelled pixel have none."""
    empty = [scene.name for scene in scenes if scene.name not in parts]
    if empty:
        log.warning("%s without a labelled, valid pixel: left out: %s.", counted(len(empty), "image"), listed(empty))
    return [scene for scene in scenes if scene.name in parts]


def _folders_above(scenes: Sequence[Scene]) -> dict[Path, str]:
    """The sub-folder of each image, where it takes one to tell files of one name apart."""
    stems = output_stems([ImageFile(name=scene.name, path=scene.image) for scene in scenes])
    return {image: stem.rpartition("/")[0] for image, stem in stems.items()}


def _moves(scene: Scene, part: str, out: Path, above: str) -> Iterator[Move]:
    """Where the image of a scene, its label and their world files go."""
    if not isinstance(scene.label, Path):
        raise UsageError(f"{scene.image} has no label file of its own. A split needs a label file an image.")
    for source, kind in ((scene.image, "frames"), (scene.label, "masks")):
        beside = [source.with_suffix(suffix) for suffix in WORLD_FILES] + [source.with_name(f"{source.name}.aux.xml")]
        folder = out / f"{part}_{kind}" / above
        yield from (Move(source=file, target=folder / file.name) for file in (source, *beside) if file == source or file.is_file())


def _undone(moves: Sequence[Move], *, link: bool) -> list[Move]:
    """The copies that are not there yet. Raises ConflictError if another file is."""
    todo, strange = [], []
    for move in moves:
        if not move.target.exists() and not move.target.is_symlink():
            todo.append(move)
        elif not _same(move, link=link):
            strange.append(str(move.target))
    twice = [str(target) for target, count in Counter(move.target for move in moves).items() if count > 1]
    if twice:
        raise ConflictError(f"Several files would be copied to {listed(twice)}. Give them names that tell them apart.")
    if strange:
        raise ConflictError(f"Other files are at {listed(strange)}. Give another --out, or split with the same options as before.")
    return todo


def _same(move: Move, *, link: bool) -> bool:
    if link != move.target.is_symlink() or not move.target.is_file():
        return False
    return move.target.samefile(move.source) if link else digest(move.target) == digest(move.source)


def _place(move: Move, *, link: bool) -> None:
    if link:
        move.target.parent.mkdir(parents=True, exist_ok=True)
        move.target.symlink_to(move.source.absolute())
        return
    with writing(move.target) as temporary:
        shutil.copyfile(move.source, temporary)


def _list(scenes: Sequence[Scene], parts: dict[str, str], moves: Sequence[Move], out: Path) -> str:
    """The split as a table: a row an image."""
    targets = {move.source: move.target.relative_to(out).as_posix() for move in moves}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scene", "split", "image", "label"])
    for scene in scenes:
        label = targets[scene.label] if isinstance(scene.label, Path) else ""
        writer.writerow([scene.name, parts[scene.name], targets[scene.image], label])
    return text.getvalue()


def _folders(moves: Sequence[Move], out: Path) -> list[Path]:
    return [out / name for name in sorted({move.target.relative_to(out).parts[0] for move in moves})] + [out / LIST_NAME]


def _text(samples: Samples, parts: dict[str, str], out: Path) -> str:
    counts = Counter(parts.values())
    shares = ", ".join(f"{counts[part]} {part}" for part in FOLDERS if counts[part])
    return "\n".join([f"{counted(len(parts), 'pair')} in {out}: {shares}", *sample_lines(samples)])
