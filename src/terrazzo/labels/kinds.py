"""Where labels are, and which of the forms that they come in."""

import hashlib
import re
from pathlib import Path
from typing import Literal

from terrazzo.errors import LabelError, RasterError
from terrazzo.labels.sentences import listed
from terrazzo.labels.vectors import VECTOR_SUFFIXES
from terrazzo.rasters.files import IMAGE_SUFFIXES, ImageFile, digest, find_images
from terrazzo.rasters.location import RemotePath, to_path

Kind = Literal["masks", "vectors", "runs", "coco"]

RUN_SUFFIXES = frozenset({".csv", ".tsv"})
TABLE_SUFFIXES = VECTOR_SUFFIXES | RUN_SUFFIXES | {".json"}
"""Files that may hold the labels of many images."""

SHAPEFILE_SUFFIXES = (".dbf", ".prj", ".cpg")
"""Of the files beside a Shapefile, those that its labels depend on."""

_HEAD_BYTES = 2**16
_GEOJSON = re.compile(rb'"type"\s*:\s*"(FeatureCollection|Feature|GeometryCollection|(Multi)?(Point|LineString|Polygon))"')
_COCO = re.compile(rb'"(images|annotations|categories|segmentation)"\s*:')


def find_labels(spec: str, root: Path) -> list[ImageFile]:
    """Find the label files that a file name, a folder or a pattern stands for.

    A folder stands for the masks in it; where it holds none, for the vector files and tables in it. A geodatabase is a folder that
    counts as one file.
    Raises RasterError if nothing is found, or an address is not that of one file.
    """
    target = root / Path(spec).expanduser()
    try:
        return _find(spec, root, target)
    except RasterError as error:
        if isinstance(to_path(spec), RemotePath):
            raise
        raise RasterError(
            f"No labels are found at {target}. Give a file of labels, a folder, or a pattern such as 'labels/*.tif'; "
            "rules are written as 'hot: b1 > 5000'."
        ) from error


def _find(spec: str, root: Path, target: Path) -> list[ImageFile]:
    if target.is_dir() and target.suffix.lower() in VECTOR_SUFFIXES:
        return [ImageFile(name=target.stem, path=target.absolute())]
    if target.is_dir():
        try_first = find_images(spec, root, IMAGE_SUFFIXES | TABLE_SUFFIXES)
        return [file for file in try_first if file.path.suffix.lower() in IMAGE_SUFFIXES] or try_first
    return find_images(spec, root, IMAGE_SUFFIXES | TABLE_SUFFIXES)


def kind_of(path: Path) -> Kind:
    """The form of a label file, by its ending, and for .json by how it begins."""
    suffix = path.suffix.lower()
    if suffix in RUN_SUFFIXES:
        return "runs"
    if suffix == ".json":
        return _kind_of_json(path)
    return "vectors" if suffix in VECTOR_SUFFIXES else "masks"


def members(path: Path) -> list[Path]:
    """The files that a label file consists of: those of a Shapefile and of a geodatabase are several."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    if path.suffix.lower() == ".shp":
        return [path, *(file for suffix in SHAPEFILE_SUFFIXES if (file := path.with_suffix(suffix)).is_file())]
    return [path]


def fingerprint(path: Path) -> str:
    """A digest of a label file's bytes; see `terrazzo.rasters.files.digest`."""
    digests = [digest(file) for file in members(path)]
    return digests[0] if len(digests) == 1 else f"blake2b:{hashlib.blake2b(' '.join(digests).encode(), digest_size=20).hexdigest()}"


def _kind_of_json(path: Path) -> Kind:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror or error}.") from error
    # a COCO file may say "type" of many things, a GeoJSON file has none of its keys
    return "vectors" if _GEOJSON.search(head) and not _COCO.search(head) else "coco"


def one_kind(files: list[ImageFile]) -> Kind:
    """The form that all label files of a set share. Raises LabelError if they mix forms."""
    kinds: dict[Kind, list[str]] = {}
    for file in files:
        kinds.setdefault(kind_of(file.path), []).append(str(file.path))
    if len(kinds) > 1:
        groups = "; ".join(f"{kind}: {listed(paths, 3)}" for kind, paths in kinds.items())
        raise LabelError(f"The labels mix several forms: {groups}. Give one form, by a narrower pattern.")
    return next(iter(kinds))
