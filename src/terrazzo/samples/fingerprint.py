"""What a samples table was made from, so that a table of other files or settings is noticed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.reader import place_digest
from terrazzo.labels.sentences import counted, listed
from terrazzo.progress import Progress
from terrazzo.rasters.files import digest, natural_key
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.scenes import Scene

Digests = tuple[str, str]
"""Of the bytes of a scene's image, and of its labels. Times and places of files do not count."""
Settings = Mapping[str, Any]
"""Options by table and name, such as 'samples.size', as values that JSON can hold; those that have their default may be missing."""

SHOWN = 3

Place = TypeVar("Place")


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The files and the settings that a samples table depends on."""

    settings: Settings = field(default_factory=dict)
    scenes: Mapping[str, Digests] = field(default_factory=dict)
    """Every scene that was indexed, by name, also those of which no window was kept."""

    def changes(self, now: "Fingerprint") -> list[str]:
        """What is different now, in a few words each, such as 'size is 512, was 256'; nothing if all is as it was."""
        names = sorted(set(self.settings) | set(now.settings))
        changed = [_change(name, self.settings.get(name), now.settings.get(name)) for name in names]
        both = sorted(set(self.scenes) & set(now.scenes), key=natural_key)
        return [
            *filter(None, changed),
            *_told([name for name in both if self.scenes[name][0] != now.scenes[name][0]], "changed", "image"),
            *_told([name for name in both if self.scenes[name][1] != now.scenes[name][1]], "changed", "label"),
            *_told(sorted(set(self.scenes) - set(now.scenes), key=natural_key), "gone", "image"),
            *_told(sorted(set(now.scenes) - set(self.scenes), key=natural_key), "new", "image"),
        ]


def digest_scenes(scenes: Sequence[Scene], data: DataOptions, progress: Progress) -> dict[str, Digests]:
    """The digests of all images and their labels, on several threads; files that several scenes share are read once.

    Raises RasterError naming all files that cannot be read.
    """
    images = _each([scene.image for scene in scenes], partial(image_digest, data), progress, "images")
    labels = _each([scene.label for scene in scenes if scene.label is not None], place_digest, progress, "labels")
    return {scene.name: (images[scene.image], labels[scene.label] if scene.label is not None else "") for scene in scenes}


def _each(places: Sequence[Place], function: Callable[[Place], str], progress: Progress, noun: str) -> dict[Place, str]:
    distinct = list(dict.fromkeys(places))
    return dict(zip(distinct, all_on_threads(function, distinct, progress, "read", noun), strict=True))


def image_digest(data: DataOptions, path: Path) -> str:
    """The fingerprint of an image and of the files whose bands join it. Raises RasterError if one cannot be read."""
    if data.extra_bands is None:
        return digest(path)
    with open_raster(path, data) as raster:
        digests = [digest(member) for member in raster.paths]
    return f"blake2b:{hashlib.blake2b(' '.join(digests).encode(), digest_size=20).hexdigest()}"


def _told(names: Sequence[str], what: str, noun: str) -> list[str]:
    return [f"{counted(len(names), noun)} {what}: {listed(names, SHOWN)}"] if names else []


def _change(name: str, before: object, now: object) -> str:
    table, _, option = name.partition(".")
    return f"[{table}] {option} is {_shown(now)}, was {_shown(before)}" if now != before else ""


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)
