"""How a GeoTIFF is stored: blocks, compression, overviews, pages, and what it says of its place that a grid cannot hold."""

from dataclasses import asdict, dataclass
from pathlib import Path

from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from terrazzo.rasters.formats.directory import TiffDirectory


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How the pixels of a GeoTIFF lie in the file."""

    compression: str | None
    """Such as lzw; None: not compressed."""
    tiled: bool
    """Whether blocks are narrower than the image; else they are strips of whole rows."""
    block: tuple[int, int]
    """(height, width) of a block in pixels."""
    interleave: str
    """pixel: the bands of a pixel lie together; band: each band lies on its own."""
    overviews: tuple[int, ...]
    """Factors by which the reduced copies in the file are smaller."""
    pages: int
    """Images in the file, reduced copies and masks not counted."""
    colors: tuple[str, ...]
    """What each band shows, such as red, green, blue, gray, alpha, palette, undefined."""
    mask: bool
    """Whether the file has a mask of its own besides nodata and alpha."""
    control_points: int
    crs_alone: bool
    """Whether there is a CRS but nothing that says where the pixels are."""
    scaled: bool
    """Whether the file declares that its values are to be scaled."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {**asdict(self), "block": list(self.block), "overviews": list(self.overviews), "colors": list(self.colors)}


def storage_of(path: Path) -> Storage:
    """Read how a GeoTIFF is stored; no pixel is read. Raises RasterError if the file is broken."""
    directory = TiffDirectory(path)
    try:
        with directory.borrow("cannot be opened") as dataset:
            return _storage(dataset)
    finally:
        directory.close()


def _storage(dataset: DatasetReader) -> Storage:
    height, width = dataset.block_shapes[0]
    points, _ = dataset.gcps
    flags = dataset.mask_flag_enums[0]
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    return Storage(
        compression=structure["COMPRESSION"].lower() if "COMPRESSION" in structure else None,
        tiled=width != dataset.width,
        block=(height, width),
        interleave=structure.get("INTERLEAVE", "pixel").lower(),
        overviews=tuple(dataset.overviews(1)),
        pages=max(1, len(dataset.subdatasets)),
        colors=tuple(ColorInterp(use).name for use in dataset.colorinterp),
        mask=MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags,
        control_points=len(points),
        crs_alone=dataset.crs is not None and dataset.transform.is_identity and not points,
        scaled=any(scale != 1 for scale in dataset.scales) or any(offset != 0 for offset in dataset.offsets),
    )
