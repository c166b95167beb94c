"""[data]: where images and labels are, and how their pixels are to be read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from terrazzo.options import Options

ScalingMethod = Literal["standard", "robust", "asinh", "range", "none"]

NodataValue = Annotated[float, Field(allow_inf_nan=True)]
"""NaN is never data, so as a nodata value it says "none for this band", which TOML has no other word for."""


WorkingSide = Annotated[int, Field(ge=8, le=65_536)]


class DataOptions(Options):
    root: Path | None = Field(None, description="Folder that images and labels are relative to; default: the recipe's folder.")
    images: str | None = Field(None, description="Images: a file, a folder, or a pattern such as 'images/*.tif'.")
    labels: str | list[str] | None = Field(
        None,
        description="Masks, polygons or lines, a run-length table, COCO: a file, a folder, or a pattern such as '*/labels/*.png'. "
        "Or rules, such as ['hot: b1 >= 5000', 'glow: 900 <= b1 < 5000'].",
    )
    pair_suffix: str = Field("", description="What a label's stem has after its image's stem, such as '_train_mask'.")
    pair_prefix: str = Field("", description="What a label's stem has before its image's stem, such as 'mask_'.")
    pair_table: str | None = Field(None, description="CSV with the columns image and label: the pairs, where no rule of names gives them.")
    nodata: NodataValue | list[NodataValue | None] | None = Field(
        None, description="Value of pixels without data where the file does not say; one for all bands or one a band (nan: none)."
    )
    invalid: Literal["all", "any"] = Field(
        "all", description="A pixel is invalid when 'all' its bands are nodata, or when 'any' is. Single nodata bands get the band's mean."
    )
    bands: list[int | str] | None = Field(
        None, min_length=1, description="Bands to use, by number from 1 or by name, in the network's order; default: all."
    )
    extra_bands: list[str] | None = Field(
        None,
        min_length=1,
        description="Files whose bands join each image, such as ['../nir'] or ['../dem/{stem}_dem.tif']: folders relative to the image's "
        "own folder, with a file of its stem, or patterns with {stem}.",
    )
    crs: str | None = Field(
        None, description="Work in this CRS, such as 'EPSG:32633': images in another are resampled, labels to the nearest."
    )
    cell_size: float | None = Field(None, gt=0, description="Work at this cell size, in units of the CRS: images of another are resampled.")
    resize: tuple[WorkingSide, WorkingSide] | None = Field(
        None,
        description="Work at this size, [height, width] in pixels, whatever the images': they are resampled to it, labels to the nearest, "
        "and maps come back at each image's own size. Not with crs or cell_size.",
    )
    resampling: Literal["nearest", "bilinear", "cubic", "average"] = Field(
        "bilinear", description="How images are resampled to crs and cell_size, or to the size of resize; labels always take the nearest."
    )
    hdu: int | None = Field(None, ge=0, description="FITS: which HDU holds the image, from 0.")
    page: int | Literal["bands"] | None = Field(
        None, description="TIFF of several pages: which one is the image, from 1 (the default), or 'bands': every page is a band."
    )
    array: str | None = Field(None, description="NPZ: the name of the array that is the image, where there are several.")
    picture_mpx: int = Field(
        400,
        ge=1,
        description="PNG and JPEG are decoded whole; larger ones, in megapixels of one 8-bit band (RGB counts thrice), are refused.",
    )
    axes: Literal["auto", "bands_first", "bands_last"] = Field("auto", description="NPY: where the bands are; auto is bands first.")
    scaling: ScalingMethod | list[ScalingMethod] = Field(
        "standard",
        description="Measured on the training part, one for all bands or one a band: standard (mean, sd), robust (median, spread), "
        "asinh (robust, then compressed: for values over decades), range (1 % to 99 % onto 0 to 1), none.",
    )
    cache_mb: int = Field(2048, ge=0, description="Decoded images are kept in memory up to this many megabytes; beyond, windows are read.")

    @model_validator(mode="after")
    def _check(self) -> "DataOptions":
        if self.resize is not None and (self.crs is not None or self.cell_size is not None):
            raise ValueError("resize says how many pixels an image has, crs and cell_size say it too; leave one of them out")
        return self
