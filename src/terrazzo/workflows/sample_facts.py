"""What a samples table holds, for people and for programs."""

from terrazzo.labels.sentences import counted, listed
from terrazzo.samples.table import PARTS, Samples


def sample_facts(samples: Samples) -> dict[str, object]:
    """Windows, their parts and the pixels of each class, as plain values."""
    frame = samples.frame
    pixels = samples.class_pixels().sum(axis=0)
    return {
        "windows": len(samples),
        "scenes": int(frame["scene"].nunique()),
        "size": list(samples.size),
        "stride": list(samples.stride),
        "crs": frame.crs.to_string() if frame.crs is not None else None,
        "parts": {part: int((frame["split"] == part).sum()) for part in PARTS},
        "class_pixels": {part: _by_name(samples.part(part)) for part in PARTS if (frame["split"] == part).any()},
        "classes": [
            {"value": entry.value, "name": entry.name, "pixels": int(count)}
            for entry, count in zip(samples.legend.classes, pixels, strict=True)
        ],
    }


def sample_problems(samples: Samples) -> list[str]:
    """What makes a split hard to learn from or to judge by, and what to do about it."""
    parts = {part: _by_name(samples.part(part)) for part in PARTS if len(samples.part(part))}
    held = {name for name, pixels in _by_name(samples).items() if pixels}
    found = []
    for part, pixels in parts.items():
        missing = [name for name in pixels if name in held and not pixels[name]]
        if missing:
            found.append(
                f"No pixel of {listed(missing)} in the part {part}. Split otherwise: [split] seed, validation_scenes, test_scenes."
            )
    empty = [name for name in _by_name(samples) if name not in held]
    if empty and len(samples):
        found.append(f"No pixel of {listed(empty)} at all. Check the labels, or leave the class out of [legend].")
    return found


def sample_lines(samples: Samples) -> list[str]:
    """The same in a few lines: the parts, then a line a class with its share of the labelled pixels in each part."""
    sizes = {part: len(samples.part(part)) for part in PARTS}
    parts = [part for part in PARTS if sizes[part]]
    dropped = len(samples) - sum(sizes.values())
    if not parts:
        return [_class_line(samples, "")]
    counts = ", ".join(f"{part} {sizes[part]}" for part in parts)
    note = f"; {counted(dropped, 'window')} in no part" if dropped else ""
    return [f"windows: {counts}{note}", *(_class_line(samples.part(part), f" of {part}") for part in parts)]


def origin_lines(samples: Samples) -> list[str]:
    """What the table was made from, in a line; none where it does not say."""
    origin = samples.fingerprint
    if not origin.scenes:
        return []
    options = ", ".join(f"{name.partition('.')[2]} {value}" for name, value in origin.settings.items() if name != "samples.size")
    return [f"made from: {counted(len(origin.scenes), 'image')}, {options}"]


def _by_name(samples: Samples) -> dict[str, int]:
    """Class to pixels."""
    return dict(zip(samples.legend.names, samples.class_pixels().sum(axis=0).tolist(), strict=True))


def _class_line(samples: Samples, of_part: str) -> str:
    pixels = samples.class_pixels().sum(axis=0)
    total = max(int(samples.set_pixels().sum()), 1)
    shares = ", ".join(f"{entry.name} {count / total:.2%}" for entry, count in zip(samples.legend.classes, pixels, strict=True))
    return f"pixels{of_part}: {shares}"
