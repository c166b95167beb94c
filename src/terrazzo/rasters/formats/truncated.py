"""Whether a TIFF was cut off: blocks that should lie beyond the end of the file, or that were never written."""

from pathlib import Path

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.directory import TiffDirectory


def check_complete(path: Path) -> None:
    """Raise RasterError if a block of the first image of a TIFF on disk reaches beyond the end of its file."""
    if (row := _first_missing(path, sparse=True)) is not None:
        raise RasterError(f"{path} is truncated: pixels from row {row} on are beyond its end. Copy it again.")


def is_written(path: Path) -> bool:
    """Whether every block of the first image of a TIFF on disk was written, and lies in its file. Raises RasterError if it is no TIFF."""
    return _first_missing(path, sparse=False) is None


def _first_missing(path: Path, *, sparse: bool) -> int | None:
    """The first row of pixels that is not in the file; None if all are. sparse: blocks that were never written are none."""
    size = path.stat().st_size
    directory = TiffDirectory(path)
    try:
        with directory.borrow("cannot be opened") as dataset:
            for band, (height, width) in enumerate(dataset.block_shapes, start=1):
                for row in range(-(-dataset.height // height)):
                    for column in range(-(-dataset.width // width)):
                        offset = dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
                        missing = not sparse if offset is None else int(offset) + dataset.block_size(band, row, column) > size
                        if missing:
                            return row * int(height)
    finally:
        directory.close()
    return None
