"""A file of any format, opened by what its first bytes tell."""

from pathlib import Path

from terrazzo.rasters.formats.npy import NpyArray
from terrazzo.rasters.formats.npz import NpzArray
from terrazzo.rasters.formats.pages import open_tiff
from terrazzo.rasters.formats.picture import Picture
from terrazzo.rasters.formats.signature import sniff
from terrazzo.rasters.formats.source import Source
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.options import DataOptions


def open_source(path: Path, options: DataOptions) -> Source:
    """Open a file as its format asks for. Raises RasterError if it is missing, broken or of no readable format."""
    # an address is GDAL's to look at, with the one driver that reads by window
    kind = "GTiff" if isinstance(path, RemotePath) else sniff(path)
    if kind == "GTiff":
        return open_tiff(path, options.page)
    if kind == "FITS":
        # astropy takes half a second to import, which only FITS is worth
        from terrazzo.rasters.formats.fits import FitsImage

        return FitsImage(path, options.hdu)
    if kind == "NPY":
        return NpyArray(path, options.axes)
    if kind == "NPZ":
        return NpzArray(path, options.array, options.axes)
    return Picture(path, kind, options.picture_mpx)
