"""The legend: which values of a mask stand for which class, their names and colours."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.bits import MOST_CLASSES, mixed, set_names, to_bits, to_planes
from terrazzo.labels.colors import Color, hex_color, parse_color
from terrazzo.labels.raw import Encoding, distinct, nearest_color, shown
from terrazzo.labels.sentences import counted, listed

IGNORE = 255
"""Index of pixels that are left out, and their value in maps."""
LARGEST_VALUE = 254
UNSURE, UNSURE_COLOR = "unsure", (128, 128, 128)
"""What pixels are called that a map decides for no class, and how they are shown."""
NOWHERE = -1
"""The class index of raw values that are outside the legend; a remap to this takes one out of it."""


@dataclass(frozen=True, kw_only=True)
class LegendClass:
    """One class of a legend."""

    value: int
    """Value in masks (after remap) and in maps, 0 to 254."""
    name: str
    color: Color
    """Red, green, blue, 0 to 255."""


@dataclass(frozen=True, kw_only=True)
class Legend:
    """The classes of a data set in their order, and how raw mask values become them."""

    classes: tuple[LegendClass, ...]
    remap: Mapping[int, int] = field(default_factory=dict)
    """Raw mask value to class value, all at once; 255 leaves the pixel out. Colours and bands have a class only by this."""
    threshold: float | None = None
    """Two classes of grey masks: raw values above it are the second class, the others the first; a remap maps these as 1 and 0."""
    ignore: int | None = IGNORE
    """Raw mask value that is left out; None: there is no such value."""
    aliases: Mapping[str, int] = field(default_factory=dict)
    """More names that labels may use for a class: name to class value, 255 if it is left out."""
    snap: bool = False
    """Raw values go to the nearest that the legend knows. A class value that a remap leads to counts as a raw value only if it is
    mapped itself."""
    encoding: Encoding = "values"
    """What mask files hold. Instances: every number above 0 counts as 1. Multihot: the classes overlap."""
    unsure: LegendClass | None = None
    """What a map shows where it decides for no class, as index len(classes); read again, such pixels are left out."""

    @property
    def overlapping(self) -> bool:
        """Whether a pixel may be of several classes, or of none: in place of class indices there are bit sets (`labels.bits`)."""
        return self.encoding == "multihot"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.classes)

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(entry.value for entry in self.classes)

    @property
    def colors(self) -> tuple[Color, ...]:
        return tuple(entry.color for entry in self.classes)

    @property
    def shown(self) -> tuple[LegendClass, ...]:
        """All that a map shows: the classes, by their indices, and what is unsure."""
        return self.classes if self.unsure is None else (*self.classes, self.unsure)

    @property
    def background(self) -> int:
        """The class index of what no polygon, run or rule covers: that of the value 0, which may be left out (255); else the first.

        Where classes overlap, the empty set.
        """
        if self.overlapping:
            return 0
        index = self.index(0)
        return 0 if index is None else index

    @property
    def reached(self) -> frozenset[int]:
        """The class indices that some raw mask value leads to."""
        return frozenset(self._known.values()) - {IGNORE}

    def index_of(self, key: str | float) -> int | None:
        """The class index that an attribute of labels means, 255 if it is left out, None if it is outside the legend.

        key: a number is a raw mask value; a text is the name of a class or an alias, exactly, else but for capitals if only one class
        has it so, else the number that it spells if no name of the legend is a number.
        """
        if not isinstance(key, str):
            return self.index(key)
        named = self._named.get(key)
        if named is not None:
            return named
        alike = {index for name, index in self._named.items() if name.casefold() == key.casefold()}
        if alike:
            return alike.pop() if len(alike) == 1 else None
        spelled = key.isascii() and key.isdecimal() and not any(name.isdecimal() for name in self._named)
        return self.index(float(key)) if spelled else None

    def index(self, raw: float) -> int | None:
        """The class index of one raw mask value, 255 if it is left out, None if it is outside the legend."""
        if np.isnan(raw) or (self.ignore is not None and raw == self.ignore):
            return IGNORE
        if self.threshold is not None:
            raw = int(raw > self.threshold)
        elif self.encoding == "instances" and raw > 0 and float(raw).is_integer():
            raw = 1
        elif self.snap:
            raw = self._nearest(raw)
        return self._known.get(raw)

    def knows(self, raw: float) -> bool:
        """Whether a raw mask value is of a class by itself, not as the nearest of others or by a threshold."""
        return self.threshold is None and self._known.get(raw, IGNORE) != IGNORE

    def indices(self, raws: NDArray[Any]) -> NDArray[np.int16]:
        """The class index of each of many raw values, as `index` gives it, but -1 outside the legend.

        raws: (n,).
        """
        if self.snap and self.encoding == "colors" and self._known:
            known = np.array(sorted(self._known))
            return replace(self, snap=False).indices(known)[nearest_color(raws, known.tolist())]
        return np.array([NOWHERE if (index := self.index(raw)) is None else index for raw in raws.tolist()], np.int16)

    def against_rest(self, name: str) -> "Legend":
        """One class as 1 and all others together as 0, from the same labels; what is left out stays so, and all names still count.

        Raises LabelError if no class has the name.
        """
        if name not in self.names:
            raise LabelError(f"The legend has no class {name!r}; classes are {listed(self.names, 12)}.")
        target = self.names.index(name)
        rest = self.classes[0 if target else -1].color
        codes = {int(raw): IGNORE if index == IGNORE else int(index == target) for raw, index in self._known.items()}
        return replace(
            self,
            classes=(
                LegendClass(value=0, name=f"not {name}", color=rest),
                LegendClass(value=1, name=name, color=self.classes[target].color),
            ),
            remap={0: NOWHERE, 1: NOWHERE} | codes,
            aliases={key: IGNORE if index == IGNORE else int(index == target) for key, index in self._named.items()},
        )

    def with_unsure(self) -> "Legend":
        """The same classes, and UNSURE with the highest value that no class has.

        Raises LabelError if there is none, or a class is called so.
        """
        free = sorted({*range(LARGEST_VALUE + 1)} - {*self.values})
        if not free or UNSURE in self.names:
            taken = f"has a class '{UNSURE}' already" if free else f"has all values from 0 to {LARGEST_VALUE}"
            raise LabelError(f"The legend {taken}; what is unsure cannot be told apart in a map. Leave out [prediction] unsure.")
        return replace(self, unsure=LegendClass(value=free[-1], name=UNSURE, color=UNSURE_COLOR))

    def alone(self, name: str) -> "Legend":
        """Of classes that overlap, one as 1 and the rest of the ground as 0, for labels that name their classes."""
        return replace(self.against_rest(name), encoding="values")

    @cached_property
    def sets(self) -> "Legend":
        """Where classes overlap, every set of them as a class whose index is the bit set; else the legend itself."""
        if not self.overlapping:
            return self
        entries = enumerate(zip(set_names(self.names), mixed(self.colors), strict=True))
        return Legend(classes=tuple(LegendClass(value=value, name=name, color=color) for value, (name, color) in entries))

    def encode(self, raw: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Class indices of raw mask values, in the legend's order, 255 where left out.

        raw: (height, width) of any integer, boolean or float type. valid: same shape; pixels that are False are left out unseen.
        Where classes overlap: raw is (classes, height, width), 1 or white where a pixel is of the class, and the result is bit sets.
        Where raw values are the indices already, the result may be `raw` itself.
        Raises LabelError naming values and counts that are outside the legend.
        """
        if self.overlapping:
            return self._encode_bands(raw, valid)
        if raw.dtype == np.bool_:
            raw = raw.view(np.uint8)
        if raw.dtype == np.uint8:
            return self._encode_bytes(raw, valid)
        if self.threshold is not None:
            return self._encode_grey(raw, valid)
        if raw.dtype.kind in "iu" and self.encoding != "colors" and raw.size and raw.min() >= 0 and raw.max() <= np.iinfo(np.uint8).max:
            return self._encode_bytes(raw.astype(np.uint8), valid)
        return self._encode_any(raw, valid)

    def decode(self, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Class values of class indices, that of `unsure` too; 255 stays 255. Indices and values are (height, width).

        Where classes overlap: of bit sets (height, width) the planes (classes, height, width), 1 where a pixel is of the class, else 0.
        """
        if self.overlapping:
            return to_planes(indices, len(self.classes))
        return self._value_table[indices]

    def plain(self) -> "Legend":
        """The same classes for masks that already hold class values, such as our own maps: nothing is mapped, and 255 is left out."""
        encoding: Encoding = "multihot" if self.overlapping else "values"
        return replace(self, remap={}, threshold=None, ignore=IGNORE, snap=False, encoding=encoding)

    def to_json(self) -> str:
        """The legend as one line of JSON; `from_json` gives it back."""
        rest = {
            "remap": {str(raw): value for raw, value in self.remap.items()},
            "threshold": self.threshold,
            "ignore": self.ignore,
            "aliases": dict(self.aliases),
            "snap": self.snap,
            "encoding": self.encoding,
        }
        if self.unsure is not None:
            rest["unsure"] = _plain(self.unsure)
        return json.dumps({"classes": [_plain(entry) for entry in self.classes], **rest}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Legend":
        """Read what `to_json` wrote, also of versions that knew less.

        Raises LabelError if the text is not such a legend.
        """
        try:
            read = json.loads(text)
            classes = tuple(_from_plain(entry) for entry in read["classes"])
            remap = {int(raw): int(value) for raw, value in read.get("remap", {}).items()}
            threshold, ignore = read.get("threshold"), read.get("ignore", IGNORE)
            legend = cls(
                classes=classes,
                remap=remap,
                threshold=None if threshold is None else float(threshold),
                ignore=None if ignore is None else int(ignore),
                aliases={str(name): int(value) for name, value in read.get("aliases", {}).items()},
                snap=bool(read.get("snap", False)),
                encoding=_encoding(read.get("encoding", "values")),
                unsure=_from_plain(read["unsure"]) if "unsure" in read else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabelError(f"The text is not a legend of Terrazzo: {text[:60]!r}.") from error
        if not classes or len(set(legend.values)) < len(classes) or not all(0 <= value <= LARGEST_VALUE for value in legend.values):
            raise LabelError(f"A legend needs classes of different values from 0 to {LARGEST_VALUE}; this one has {list(legend.values)}.")
        if legend.overlapping and (len(classes) > MOST_CLASSES or 0 in legend.values):
            raise LabelError(f"At most {MOST_CLASSES} classes can overlap, of values from 1; this legend has {list(legend.values)}.")
        if not {*legend.aliases.values()} <= {*legend.values, IGNORE}:
            raise LabelError(f"The legend has aliases of values that are no class: {dict(legend.aliases)}.")
        return legend

    @cached_property
    def _named(self) -> dict[str, int]:
        """Class index by name and alias."""
        aliases = {name: IGNORE if value == IGNORE else self._positions[value] for name, value in self.aliases.items()}
        return aliases | {entry.name: position for position, entry in enumerate(self.classes)}

    @cached_property
    def _positions(self) -> dict[float, int]:
        return {entry.value: position for position, entry in enumerate(self.classes)}

    @cached_property
    def _known(self) -> dict[float, int]:
        """Class index, or 255, of every raw value that has one by itself; a threshold's are 0 and 1. Multihot: of names."""
        known: dict[float, int] = {} if self.encoding in ("colors", "onehot") else dict(self._positions)
        if self.threshold is not None:
            known = {0: 0, 1: 1}
        if self.snap:
            known = {raw: index for raw, index in known.items() if raw not in self.remap.values()}
        for raw, value in self.remap.items():
            known.pop(raw, None)
            if value == IGNORE or value in self._positions:
                known[raw] = IGNORE if value == IGNORE else self._positions[value]
        if self.unsure is not None:
            known[self.unsure.value] = IGNORE
        return known if self.ignore is None or self._folds else known | {self.ignore: IGNORE}

    @property
    def _folds(self) -> bool:
        """Whether many raw values count as 0 and 1."""
        return self.threshold is not None or self.encoding == "instances"

    def _nearest(self, raw: float) -> float:
        """The raw value that the legend knows and that is nearest, the lower one of two; itself if there is none."""
        return min(self._known, key=lambda known: (abs(known - raw), known), default=raw)

    @cached_property
    def _byte_table(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Index of every byte value, and whether the legend knows it."""
        found = [self.index(raw) for raw in range(256)]
        return np.array([IGNORE if index is None else index for index in found], np.uint8), np.array([index is not None for index in found])

    @cached_property
    def _as_they_are(self) -> bool:
        """Whether the bytes 0 to classes - 1 and 255 are the class indices already."""
        places = [*range(len(self.classes)), IGNORE]
        table, known = self._byte_table
        return bool(known[places].all() and np.array_equal(table[places], places))

    @cached_property
    def _value_table(self) -> NDArray[np.uint8]:
        table = np.full(256, IGNORE, np.uint8)
        table[: len(self.shown)] = [entry.value for entry in self.shown]
        return table

    def _encode_bytes(self, raw: NDArray[np.uint8], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        table, known = self._byte_table
        if self._as_they_are and (raw.max(initial=0) < len(self.classes) or (raw + np.uint8(1)).max() <= len(self.classes)):
            # 255 + 1 wraps to 0
            return raw if valid is None else np.where(valid, raw, np.uint8(IGNORE))
        indices = _looked_up(raw, table)
        if valid is not None:
            indices[~valid] = IGNORE
        if not known.all():
            outside = _looked_up(raw, (~known).view(np.uint8)).view(np.bool_)
            if (outside if valid is None else outside & valid).any():
                counts = np.bincount((raw if valid is None else raw[valid]).ravel(), minlength=256)
                self._refuse({float(value): int(counts[value]) for value in np.flatnonzero(~known) if counts[value]})
        return indices

    def _encode_bands(self, raw: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """A pixel is left out where any of its bands is, for of a set that is known in part nothing can be learned."""
        if len(raw) != len(self.classes):
            raise LabelError(f"{counted(len(raw), 'band')}; of classes that overlap each has its own, {len(self.classes)} altogether.")
        held = raw == 1
        out = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, np.bool_)
        if self.ignore is not None:
            out |= raw == self.ignore
        if self.ignore != IGNORE:
            held |= raw == IGNORE
        left_out = np.logical_or.reduce(out)
        if valid is not None:
            left_out |= ~valid
        outside = ~(held | out | (raw == 0)) & ~left_out
        if outside.any():
            found, counts = np.unique(raw[outside], return_counts=True)
            told = listed(
                f"{shown(value, 'values')} ({counted(count, 'pixel')})"
                for value, count in zip(found.tolist(), counts.tolist(), strict=True)
            )
            raise LabelError(f"Mask values outside the legend: {told}; bands of classes that overlap hold 0 and 1, or 0 and 255.")
        return to_bits(held, left_out)

    def _encode_grey(self, raw: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """A threshold needs no table, and any number of grey values is fine."""
        below, above = (np.uint8(self._known[code]) for code in (0, 1))
        indices = np.where(raw > self.threshold, above, below)
        out = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, np.bool_)
        if self.ignore is not None:
            out |= raw == self.ignore
        if valid is not None:
            out |= ~valid
        indices[out] = IGNORE
        return indices

    def _encode_any(self, raw: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        if self.encoding == "instances" and self.ignore is None and raw.dtype.kind in "iu":
            raw = np.minimum(raw, 1)
        values, places, counts = distinct(raw if valid is None else raw[valid])
        found = self.indices(values)
        outside = found == NOWHERE
        if outside.any():
            self._refuse(dict(zip(values[outside].tolist(), counts[outside].tolist(), strict=True)))
        table = found.astype(np.uint8)
        if valid is None:
            return table[places].reshape(raw.shape)
        indices = np.full(raw.shape, IGNORE, np.uint8)
        indices[valid] = table[places]
        return indices

    def _refuse(self, outside: Mapping[float, int]) -> None:
        values = listed(f"{shown(value, self.encoding)} ({counted(count, 'pixel')})" for value, count in sorted(outside.items()))
        known = listed((shown(raw, self.encoding) for raw, index in sorted(self._known.items()) if index != IGNORE), 12)
        raise LabelError(f"Mask values outside the legend: {values}; the legend has {known}.")


def _looked_up(raw: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The entry of a table for each byte; several times faster than indexing the table."""
    found: NDArray[np.uint8] = cv2.LUT(raw, table) if raw.size else raw.copy()  # type: ignore[assignment]
    return found.reshape(raw.shape)


def _plain(entry: LegendClass) -> dict[str, Any]:
    return {"value": entry.value, "name": entry.name, "color": hex_color(entry.color)}


def _from_plain(entry: Mapping[str, Any]) -> LegendClass:
    return LegendClass(value=int(entry["value"]), name=str(entry["name"]), color=parse_color(entry["color"]))


def _encoding(text: str) -> Encoding:
    known: tuple[Encoding, ...] = get_args(Encoding)
    if text not in known:
        raise ValueError(f"{text!r} is not an encoding")
    return text
