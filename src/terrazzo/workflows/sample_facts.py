"""What a samples table holds, for people and for programs."""

from terrazzo.labels.sentences import counted
from terrazzo.samples.table import PARTS, Samples


def sample_facts(samples: Samples) -> dict[str, object]:
    """Windows, their parts and the pixels of each class, as plain values."""
    frame = samples.frame
    pixels = samples.class_pixels().sum(axis=0)
    return {
        "windows": len(samples),
        "scenes": int(frame["scene"].nunique()),
        "size": list(samples.size),
        "overlap_px": samples.overlap_px,
        "crs": str(frame.crs) if frame.crs is not None else None,
        "parts": {part: int((frame["split"] == part).sum()) for part in (*PARTS,)},
        "classes": [
            {"value": entry.value, "name": entry.name, "pixels": int(count)}
            for entry, count in zip(samples.legend.classes, pixels, strict=True)
        ],
    }


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


def _class_line(samples: Samples, of_part: str) -> str:
    pixels = samples.class_pixels().sum(axis=0)
    total = max(int(pixels.sum()), 1)
    shares = ", ".join(f"{entry.name} {count / total:.2%}" for entry, count in zip(samples.legend.classes, pixels, strict=True))
    return f"pixels{of_part}: {shares}"
