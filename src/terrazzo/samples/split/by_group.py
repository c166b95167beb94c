"""Groups of images as units, such as those of one flight, one patient, one site: told by a table, or by names."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted, listed
from terrazzo.samples.overlaps import Overlaps, components
from terrazzo.samples.pair_table import table_rows
from terrazzo.samples.split.division import Division, divide_windows, scenes_of
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples


def by_group(samples: Samples, options: SplitOptions) -> Division:
    """Groups, those that share ground or bytes together.

    Raises SplitError naming the scenes that have no group, PairingError if the table of groups cannot be read.
    """
    codes, names = scenes_of(samples)
    groups = _by_table(samples, names, options.group_table) if options.group_table is not None else _by_name(names, options.group or "")
    if homeless := [name for name in names if name not in groups]:
        source = options.group_table or f"group ({options.group!r})"
        raise SplitError(f"[split] {source} gives {counted(len(homeless), 'scene')} no group: {listed(homeless)}. Give one for each.")
    numbers = {group: place for place, group in enumerate(sorted(set(groups.values())))}
    of_window = np.array([numbers[groups[name]] for name in names], np.int64)[codes]
    rows = np.arange(len(samples))
    pairs = ((of_window[mine], of_window[theirs]) for mine, theirs in Overlaps(samples).pairs(rows, rows))
    units = components(len(numbers), pairs)[of_window]
    return divide_windows(samples, units[:, np.newaxis], options, "group with ground of its own")


def _by_name(names: list[str], pattern: str) -> dict[str, str]:
    """Scene to group, where the pattern is found in the scene's name."""
    found = {name: re.search(pattern, name) for name in names}
    return {name: match.group(1) for name, match in found.items() if match is not None and match.group(1) is not None}


def _by_table(samples: Samples, names: list[str], path: Path) -> Mapping[str, str]:
    """Scene to group, as a CSV says: its images are scenes, or names of their files with or without ending."""
    files = dict(zip(samples.frame["scene"], samples.frame["image"], strict=True))
    known: dict[str, set[str]] = {}
    for name in names:
        file = PurePath(files[name])
        for called in {name, file.name, file.stem, str(file)}:
            known.setdefault(called, set()).add(name)
    found: dict[str, str] = {}
    for line, (image, group) in table_rows(path, ("image", "group")):
        scenes = known.get(image, set())
        if len(scenes) > 1:
            raise SplitError(f"{path}, row {line}: {image!r} may be {listed(sorted(scenes))}. Name it with the folders that tell it apart.")
        for name in scenes:
            if found.setdefault(name, group) != group:
                raise SplitError(f"{path}, row {line}: {image!r} is in the groups {found[name]!r} and {group!r}. Give each image one.")
    return found
