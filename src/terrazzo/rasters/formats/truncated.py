"""Whether a TIFF was cut off: blocks that should lie beyond the end of the file."""

from pathlib import Path

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.directory import TiffDirectory


def check_complete(path: Path) -> None:
    """Raise RasterError if a block of the first image of a TIFF on disk reaches beyond the end of its file."""
    size = path.stat().st_size
    directory = TiffDirectory(path)
    try:
        with directory.borrow("cannot be opened") as dataset:
            for band, (height, width) in enumerate(dataset.block_shapes, start=1):
                for row in range(-(-dataset.height // height)):
                    for column in range(-(-dataset.width // width)):
                        offset = dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
                        # a block that was never written has none
                        if offset is not None and int(offset) + dataset.block_size(band, row, column) > size:
                            raise RasterError(f"{path} is truncated: pixels from row {row * height} on are beyond its end. Copy it again.")
    finally:
        directory.close()
