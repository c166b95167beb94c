"""Pairing: which label belongs to which image."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from terrazzo.errors import PairingError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import ImageFile
from terrazzo.rasters.options import DataOptions

WILDCARDS = "*?["
SHOWN = 10

Key = Callable[[ImageFile], str | None]


class Pairing:
    """Finds the label of each image."""

    def __init__(self, options: DataOptions, images: Sequence[ImageFile], labels: Sequence[ImageFile]) -> None:
        self._images = list(by_name(images, "images").values())
        self._labels = list(labels)
        self._prefix, self._suffix = options.pair_prefix, options.pair_suffix
        self._specs = (options.images or "", options.labels if isinstance(options.labels, str) else "")

    def pairs(self) -> Mapping[Path, Path]:
        """Image to label; raises PairingError if one is left over on either side."""
        found: dict[Path, Path] = {}
        for image_key, label_key in self._keys():
            images = _unique(image_key, (image for image in self._images if image.path not in found))
            taken = set(found.values())
            labels = _unique(label_key, (label for label in self._labels if label.path not in taken))
            found |= {images[key]: labels[key] for key in images.keys() & labels.keys()}
        self._check(found)
        return found

    def _keys(self) -> list[tuple[Key, Key]]:
        """What must be equal for an image and a label to belong together, strictest first."""
        keys: list[tuple[Key, Key]] = [
            (lambda image: image.name, self._bare),
            (lambda image: _stem(image.name), lambda label: _last(self._bare(label))),
        ]
        if not self._prefix and not self._suffix and all(any(sign in spec for sign in WILDCARDS) for spec in self._specs):
            keys.append((_wildcard_key(self._specs[0]), _wildcard_key(self._specs[1])))
        return keys

    def _bare(self, label: ImageFile) -> str | None:
        """A label's name without prefix and suffix of its stem; None if it lacks them."""
        folder, slash, stem = label.name.rpartition("/")
        if not (stem.startswith(self._prefix) and stem.endswith(self._suffix) and len(stem) > len(self._prefix) + len(self._suffix)):
            return None
        return f"{folder}{slash}{stem[len(self._prefix) : len(stem) - len(self._suffix)]}"

    def _check(self, found: Mapping[Path, Path]) -> None:
        used = set(found.values())
        images = [image for image in self._images if image.path not in found]
        labels = [label for label in self._labels if label.path not in used]
        if not images and not labels:
            return
        stems = Counter(_stem(image.name) for image in images)
        label_stems = Counter(_last(self._bare(label)) for label in labels)
        twice = sorted(stem for stem in stems if label_stems[stem] and (stems[stem] > 1 or label_stems[stem] > 1))
        sentences = []
        if images:
            sentences.append(
                f"{len(images)} of {counted(len(self._images), 'image')} without label: {listed((image.name for image in images), SHOWN)}."
            )
        if labels:
            sentences.append(
                f"{len(labels)} of {counted(len(self._labels), 'label')} without image: {listed((label.name for label in labels), SHOWN)}."
            )
        if twice:
            sentences.append(f"Ambiguous, because several files are called so: {listed(twice, SHOWN)}.")
        raise PairingError(f"{' '.join(sentences)}\n{self._advice(images, labels)}")

    def _advice(self, images: Sequence[ImageFile], labels: Sequence[ImageFile]) -> str:
        stems, label_stems = [_stem(image.name) for image in images], [_stem(label.name) for label in labels]
        suffix = common_suffix(stems, label_stems)
        if suffix:
            return f"The labels end in {suffix!r}: set [data] pair_suffix = {suffix!r}."
        prefix = common_suffix([stem[::-1] for stem in stems], [stem[::-1] for stem in label_stems])
        if prefix:
            return f"The labels begin with {prefix[::-1]!r}: set [data] pair_prefix = {prefix[::-1]!r}."
        around = " and ".join(f"the {what} {text!r}" for what, text in (("prefix", self._prefix), ("suffix", self._suffix)) if text)
        with_these = f" with {around}" if around else ""
        return (
            f"A label must have its image's name{with_these}; see [data] pair_prefix, pair_suffix and pair_table, "
            "or narrow the patterns of images and labels."
        )


def by_name(files: Sequence[ImageFile], what: str) -> dict[str, ImageFile]:
    """Name to file; a name must be unique, for everything is told by it."""
    found: dict[str, ImageFile] = {}
    twice: list[str] = []
    for file in files:
        if found.setdefault(file.name, file) is not file:
            twice += [found[file.name].path.name, file.path.name]
    if twice:
        raise PairingError(
            f"Several {what} have the same name but for their ending: {listed(twice, SHOWN)}. Narrow the pattern, such as '*.tif'."
        )
    return found


def common_suffix(images: Sequence[str], labels: Sequence[str]) -> str | None:
    """What all label stems have after an image's stem, or None if there is no such text."""
    known = set(images)
    found: Counter[str] = Counter()
    for label in labels:
        found.update({label[end:] for end in range(1, len(label)) if label[:end] in known})
    return next((suffix for suffix, count in found.most_common(1) if count == len(labels)), None)


def _unique(key: Key, files: Iterable[ImageFile]) -> dict[str, Path]:
    """Key to path, for the keys that only one file has."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        value = key(file)
        if value is not None:
            found[value].append(file.path)
    return {value: paths[0] for value, paths in found.items() if len(paths) == 1}


def _wildcard_key(spec: str) -> Key:
    """What the wildcards of a pattern stand for in a file's name."""
    pattern = re.compile("".join(_as_group(piece) for piece in re.findall(r"\*+|\?|\[[^\]]*\]|[^*?\[]+|\[", PurePath(spec).name)))

    def key(file: ImageFile) -> str | None:
        match = pattern.fullmatch(file.path.name)
        if match is None:
            return None
        above = file.name.rpartition("/")[0]
        return "/".join(part for part in (above, *match.groups()) if part)

    return key


def _as_group(piece: str) -> str:
    if piece.startswith("*"):
        return "(.*)"
    if piece == "?":
        return "(.)"
    if piece.startswith("[") and len(piece) > 1:
        return f"([{piece[1:-1].replace('!', '^', 1) if piece[1] == '!' else piece[1:-1]}])"
    return re.escape(piece)


def _stem(name: str) -> str:
    return name.rpartition("/")[2]


def _last(name: str | None) -> str | None:
    return None if name is None else _stem(name)
