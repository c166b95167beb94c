"""What tables of run lengths and COCO files hold: images, objects, classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terrazzo.labels.coco import CocoFile
from terrazzo.labels.runs import RunTable
from terrazzo.labels.sentences import counted, listed, number
from terrazzo.workflows.inspection.wording import Row

MOST_CLASSES = 20
"""Classes that are told one by one."""


@dataclass(frozen=True, kw_only=True)
class ObjectFacts:
    """Objects of many images in one file."""

    path: Path
    kind: str
    """run-length table or COCO file."""
    images: Sequence[str]
    """Their names, as the file has them."""
    per_image: Sequence[int]
    """Objects of each image."""
    classes: Mapping[str | float, int]
    """Class to objects; empty where the file tells no classes apart."""
    shapeless: int = 0
    """Annotations of a COCO file that have no shape."""

    @property
    def objects(self) -> int:
        return sum(self.per_image)

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        counts, images = np.unique(np.array(self.per_image, np.int64), return_counts=True)
        return {
            "kind": "objects",
            "form": self.kind,
            "path": str(self.path.absolute()),
            "images": len(self.images),
            "objects": self.objects,
            "images_by_objects": {str(count): int(found) for count, found in zip(counts.tolist(), images.tolist(), strict=True)},
            "classes": {_name(key): count for key, count in self.classes.items()},
            "without_shape": self.shapeless,
        }

    def heading(self) -> str:
        return f"{self.kind}, {counted(self.objects, 'object')} in {counted(len(self.images), 'image')}"

    def rows(self) -> list[Row]:
        """The facts, a name and a text each."""
        rows: list[Row] = []
        if self.per_image:
            empty = sum(count == 0 for count in self.per_image)
            middle = float(np.median(self.per_image))
            rows.append(
                (
                    "objects an image",
                    f"{min(self.per_image)} to {max(self.per_image)}, median {middle:g}; {counted(empty, 'image')} without",
                )
            )
            rows.append(("images", listed(self.images, 3)))
        if self.classes:
            rows.append(("classes", listed((f"{_name(key)} ({count})" for key, count in self.classes.items()), MOST_CLASSES)))
        else:
            rows.append(("classes", "not told apart: all objects are of one"))
        if self.shapeless:
            rows.append(("left out", f"{counted(self.shapeless, 'annotation')} without a shape"))
        return rows


def run_table_facts(path: Path) -> ObjectFacts:
    """Read a table of run lengths. Raises LabelError listing the rows that cannot be used."""
    table = RunTable.load(path)
    held = table.rows.image[np.diff(table.rows.offsets) > 0]
    return ObjectFacts(
        path=path,
        kind="run-length table",
        images=table.names,
        per_image=np.bincount(held, minlength=len(table.names)).tolist(),
        classes=table.class_keys(),
    )


def coco_facts(path: Path) -> ObjectFacts:
    """Read a COCO file. Raises LabelError listing the entries that cannot be used."""
    coco = CocoFile.load(path)
    return ObjectFacts(
        path=path,
        kind="COCO file",
        images=coco.names,
        per_image=[sum(not entry.crowd for entry in image.objects) for image in coco.images],
        classes=coco.class_keys(),
        shapeless=coco.empty,
    )


def _name(key: str | float) -> str:
    return key if isinstance(key, str) else number(key)
