"""How much memory is free, on the device that computes or in the machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
UNLIMITED = 2**60
"""Limits of groups from here on are none."""
_GROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
"""Of both versions of Linux' control groups: the limit, what is used, and what of that is files that can be dropped."""


def free_bytes(device: torch.device) -> int | None:
    """What may still be taken; None where the system does not say.

    Of the machine's memory on Linux: what is available without dropping programs, within the limit of a container.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    found = [*_available(MEMINFO), *_in_group(GROUPS)]
    return min(found) if found else _unused_pages()


def _available(meminfo: Path) -> Iterator[int]:
    """MemAvailable: <number> kB."""
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _in_group(folder: Path) -> Iterator[int]:
    for limit_name, used_name, stat_name, droppable_name in _GROUP_FILES:
        if not (folder / limit_name).is_file():
            continue
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in (limit_name, used_name))
        if limit != "max" and int(limit) < UNLIMITED:
            stat = dict(line.split() for line in (folder / stat_name).read_text(encoding="ascii").splitlines())
            yield max(0, int(limit) - int(used) + int(stat.get(droppable_name, 0)))


def _unused_pages() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
