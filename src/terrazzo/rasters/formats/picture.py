"""PNG and JPEG. They are decoded whole; windows of one image share the decoded pixels."""

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.decoded import DecodedImage
from terrazzo.rasters.formats.jpeg import check_jpeg
from terrazzo.rasters.formats.png import check_png, still_image
from terrazzo.rasters.formats.source import Block, Color, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

FAILURES = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, struct.error, zlib.error, cv2.error)
"""What Pillow and OpenCV raise on broken files."""

# a photo without readable EXIF data is taken as it is, and of an animation the still image
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.(TiffImagePlugin|PngImagePlugin)")

_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
_STRIP_PX = 2**20
"""Pixels that are turned into bands at a time."""


class Picture:
    """An opened PNG or JPEG."""

    def __init__(self, path: Path, name: str, limit_mpx: int) -> None:
        """limit_mpx: the largest that is decoded, in megapixels of one 8-bit band."""
        self._path = path
        self._name = name
        self._image = DecodedImage(self._decode)
        try:
            twofold = name == "JPEG" and check_jpeg(path).progressive
            if name == "PNG":
                check_png(path)
            with _open(path, name) as image:
                self.facts = _facts(image, name)
        except FAILURES as error:
            raise _unreadable(path, error) from error
        height, width = self.facts.grid.shape
        # progressive ones keep their coefficients beside their pixels
        mpx = height * width * self.facts.count * self.facts.dtype.itemsize * (2 if twofold else 1) / 10**6
        if mpx > limit_mpx:
            raise RasterError(
                f"{path} is {height} x {width} pixels, which take as much memory as {mpx:.0f} megapixels of one 8-bit band; "
                f"the limit is {limit_mpx}. Raise data.picture_mpx, or convert it to a tiled GeoTIFF."
            )

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        image = self._image.whole() if window.shape == self.facts.grid.shape else self._image.kept()
        rows, columns = window.slices
        masks = image.mask is not None and self.facts.alpha not in bands
        mask = image.mask[rows, columns] if image.mask is not None and masks else None
        if bands == tuple(range(1, len(image.values) + 1)):
            return Block(values=image.values[:, rows, columns], mask=mask)
        return Block(values=image.values[[band - 1 for band in bands], rows, columns], mask=mask)

    def _decode(self) -> Block:
        try:
            with _open(self._path, self._name) as image:
                return _block(self._path, image, self._name)
        except FAILURES as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        self._image.drop()


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How the samples of an image become bands."""

    count: int
    dtype: type[np.generic] = np.uint8
    alpha: int | None = None
    divisor: int = 1
    """Pillow stretches grey of 2 and 4 bits to 255; divided by this, values are the stored ones."""


_LAYOUTS = {
    "1": _Layout(count=1),
    "P": _Layout(count=1),
    "L": _Layout(count=1),
    "L;2": _Layout(count=1, divisor=85),
    "L;4": _Layout(count=1, divisor=17),
    "I;16": _Layout(count=1, dtype=np.uint16),
    "LA": _Layout(count=2, alpha=2),
    "RGB": _Layout(count=3),
    "CMYK": _Layout(count=3),
    "RGBA": _Layout(count=4, alpha=4),
    "LA;16B": _Layout(count=2, dtype=np.uint16, alpha=2),
    "RGB;16B": _Layout(count=3, dtype=np.uint16),
    "RGBA;16B": _Layout(count=4, dtype=np.uint16, alpha=4),
}


def _open(path: Path, name: str) -> ImageFile:
    # not Image.open: it tries other formats too, and warns by a pixel limit that is not ours
    return PngImageFile(path) if name == "PNG" else JpegImageFile(path)


def _stored(image: ImageFile) -> str:
    """The key of the layout: the stored samples where they differ from Pillow's mode."""
    stored = image.tile[0].args if image.tile else ""
    return stored if isinstance(stored, str) and stored in _LAYOUTS else image.mode


def _facts(image: ImageFile, name: str) -> Facts:
    if _stored(image) not in _LAYOUTS:
        raise ValueError(f"its pixels are of the unknown kind {image.mode}")
    layout = _LAYOUTS[_stored(image)]
    width, height = image.size
    if name == "JPEG" and _orientation(image) in _TURNED:
        width, height = height, width
    transparent = image.info.get("transparency") if layout.count == 1 and image.mode != "P" else None
    return Facts(
        format=name,
        count=layout.count,
        dtype=np.dtype(layout.dtype),
        grid=Grid(shape=(height, width)),
        nodata=(float(transparent) if isinstance(transparent, int) else None,) * layout.count,
        band_names=(None,) * layout.count,
        alpha=layout.alpha,
        tags={str(key).upper(): str(text) for key, text in image.info.items() if isinstance(text, str)},
        palette=_palette(image),
    )


def _palette(image: ImageFile) -> dict[int, Color] | None:
    if image.mode != "P" or image.palette is None:
        return None
    levels = bytes(image.palette.palette)
    return {index // 3: (levels[index], levels[index + 1], levels[index + 2]) for index in range(0, len(levels) - 2, 3)}


def _orientation(image: ImageFile) -> int:
    return int(image.getexif().get(_EXIF_ORIENTATION, 1))


def _block(path: Path, image: ImageFile, name: str) -> Block:
    """Decode an image whole: every band of it, and what its alpha or transparent colour masks."""
    layout = _LAYOUTS[_stored(image)]
    deep = layout.dtype is np.uint16 and layout.count > 1
    values = _deep(path, layout.count) if deep else _planes(image, layout, _orientation(image) if name == "JPEG" else 1)
    if layout.divisor > 1:
        values //= np.uint8(layout.divisor)
    if layout.alpha is not None:
        return Block(values=values, mask=values[layout.alpha - 1] != 0)
    transparent = image.info.get("transparency")
    if layout.count == 3 and isinstance(transparent, tuple):
        # one colour is transparent: a pixel that has it in all bands, not a band that has its share of it
        color = (np.array(transparent) & np.iinfo(values.dtype).max).astype(values.dtype)
        return Block(values=values, mask=(values != color[:, None, None]).any(0))
    return Block(values=values)


def _planes(image: ImageFile, layout: _Layout, orientation: int) -> NDArray[Any]:
    """Decode to (bands, height, width), turned upright, bool as 0 and 1; strip by strip, for Pillow has its own copy of the whole."""
    width, height = image.size
    planes = np.empty((layout.count, *((width, height) if orientation in _TURNED else (height, width))), layout.dtype)
    stored = _as_stored(planes, orientation)
    rows = max(1, _STRIP_PX // width)
    for top in range(0, height, rows):
        samples = np.asarray(_colors(image.crop((0, top, width, min(top + rows, height))), adobe="adobe" in image.info))
        if samples.dtype == np.bool_:
            # Pillow's True is the byte 255
            samples = samples.view(np.uint8) & 1
        stored[:, top : top + rows] = samples if samples.ndim == 2 else np.moveaxis(samples, 2, 0)
    return planes


def _colors(image: Image.Image, *, adobe: bool) -> Image.Image:
    """Inks to red, green, blue; other images as they are."""
    if image.mode != "CMYK":
        return image
    # Adobe stores how much light an ink lets through, and Pillow takes all files for Adobe's
    return (image if adobe else ImageChops.invert(image)).convert("RGB")


def _as_stored(planes: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of upright planes in which rows and columns are those of the file, by the EXIF orientation."""
    turned = planes.swapaxes(1, 2) if orientation in _TURNED else planes
    rows = slice(None, None, -1 if orientation in (3, 4, 6, 7) else None)
    columns = slice(None, None, -1 if orientation in (2, 3, 7, 8) else None)
    return turned[:, rows, columns]


def _deep(path: Path, count: int) -> NDArray[Any]:
    """Decode a PNG of 16-bit colours, (bands, height, width), which Pillow would cut down to 8 bits."""
    samples = cv2.imdecode(np.frombuffer(still_image(path.read_bytes()), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16 or samples.ndim != 3:
        raise ValueError("its 16-bit samples cannot be decoded")
    # OpenCV gives blue, green, red, alpha, and grey with alpha as four bands
    order = {2: [0, 3], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[count]
    return np.stack([samples[..., place] for place in order])


def _unreadable(path: Path, error: Exception) -> RasterError:
    return RasterError(f"{path} is broken ({' '.join(str(error).split())}). Copy it again or leave it out.")
