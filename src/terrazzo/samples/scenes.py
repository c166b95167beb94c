"""Scenes: images paired with their labels."""

from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import PairingError, RecipeError
from terrazzo.labels.kinds import find_labels, one_kind
from terrazzo.labels.reader import LabelPlace
from terrazzo.labels.rules import Rules, are_rules
from terrazzo.labels.sentences import counted
from terrazzo.rasters.files import ImageFile, find_images
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.pair_table import table_pairs
from terrazzo.samples.pairing import Pairing, by_name


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One image and the labels that belong to it."""

    name: str
    """What tells it from the other scenes of the set, '/'-joined, without extension."""
    image: Path
    label: LabelPlace | None
    """Its mask; or the vector file, run-length table or COCO file that holds its labels; or rules. None: it has none."""


def find_scenes(options: DataOptions, folder: Path, found: list[ImageFile] | None = None) -> list[Scene]:
    """Find the images of [data] and the labels of each, in natural order of their names.

    Rules, one vector file, one run-length table and one COCO file serve all images. Of several files, one belongs to the image of the
    same name; else to that of the same stem, if only one image and one label have it; else to the image for which the wildcards of
    the two patterns stand for the same text. With pair_prefix and pair_suffix, a label's stem is its image's stem between them;
    with pair_table, a CSV says the pairs. Two single files are a pair whatever they are called. Order in a listing and common
    beginnings never count.

    folder: what data.root is relative to. found: the images, where they are found already. Raises RecipeError if [data] names no images
    or its rules are wrong, RasterError if there are none, PairingError listing all images without label, labels without image, and
    what is ambiguous.
    """
    if options.images is None:
        raise RecipeError("[data] images is missing: give a file, a folder, or a pattern such as 'images/*.tif'.")
    root = folder / options.root if options.root is not None else folder
    images = find_images(options.images, root) if found is None else found
    rules = _rules(options, root)
    if options.labels is None or rules is not None:
        return [Scene(name=name, image=image.path, label=rules) for name, image in by_name(images, "images").items()]
    labels = find_labels(str(options.labels), root)
    taken = {label.path for label in labels}
    apart = [image for image in images if image.path not in taken]
    if not apart:
        raise PairingError(
            f"[data] images and labels name the same {counted(len(images), 'file')} ({options.images!r}). Give one pattern for each."
        )
    return _paired(options, root, apart, labels)


def _rules(options: DataOptions, root: Path) -> Rules | None:
    """The rules that [data] labels holds, if it does; a file of that name comes first."""
    if isinstance(options.labels, list):
        return Rules.parse(options.labels)
    if options.labels is not None and are_rules(options.labels) and not (root / options.labels).exists():
        return Rules.parse(options.labels.split(";"))
    return None


def _paired(options: DataOptions, root: Path, images: list[ImageFile], labels: list[ImageFile]) -> list[Scene]:
    if len(labels) == 1 and one_kind(labels) != "masks":
        return [Scene(name=name, image=image.path, label=labels[0].path) for name, image in by_name(images, "images").items()]
    one_kind(labels)
    if options.pair_table is not None:
        pairs = table_pairs(root / options.pair_table, root, images, labels)
    elif len(images) == len(labels) == 1 and all((root / str(spec)).is_file() for spec in (options.images, options.labels)):
        pairs = {images[0].path: labels[0].path}
    else:
        pairs = dict(Pairing(options, images, labels).pairs())
    return [Scene(name=image.name, image=image.path, label=pairs[image.path]) for image in images]
