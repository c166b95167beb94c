"""Terrazzo: images and labels in, maps out.

    import terrazzo as tz

    tz.simulate("ccd", "frames")
    tz.train("frames/recipe.toml", out="run")
    tz.predict("run", ["frames/images"], "maps")

Verbs are imported when they are first used: `import terrazzo` is instant and brings no torch.
"""

import importlib
from typing import TYPE_CHECKING

from terrazzo.errors import (
    ConflictError,
    DataError,
    DivergedError,
    EnvironmentFault,
    LabelError,
    ModelError,
    PairingError,
    PartialResult,
    RasterError,
    RecipeError,
    SplitError,
    TerrazzoError,
    UsageError,
    WindowError,
)
from terrazzo.rasters.window import Window

if TYPE_CHECKING:
    from terrazzo.app.doctor import doctor
    from terrazzo.rasters.raster import open_raster
    from terrazzo.recipes.recipe import Recipe
    from terrazzo.workflows.augment import augment
    from terrazzo.workflows.chip import chip
    from terrazzo.workflows.compare import compare
    from terrazzo.workflows.context import Context, Result, open_context
    from terrazzo.workflows.demo import demo
    from terrazzo.workflows.download import download
    from terrazzo.workflows.evaluate import evaluate
    from terrazzo.workflows.flatten import flatten
    from terrazzo.workflows.index import index
    from terrazzo.workflows.inspect import inspect
    from terrazzo.workflows.mask import mask
    from terrazzo.workflows.model import load
    from terrazzo.workflows.mosaic import mosaic
    from terrazzo.workflows.networks import resunet, unet, vgg_unet
    from terrazzo.workflows.pack import pack
    from terrazzo.workflows.predict import predict
    from terrazzo.workflows.preview import preview
    from terrazzo.workflows.rank import rank
    from terrazzo.workflows.simulate import simulate
    from terrazzo.workflows.split import split
    from terrazzo.workflows.summarize import summarize
    from terrazzo.workflows.train import train
    from terrazzo.workflows.vectorize import vectorize

__all__ = [
    "ConflictError",
    "Context",
    "DataError",
    "DivergedError",
    "EnvironmentFault",
    "LabelError",
    "ModelError",
    "PairingError",
    "PartialResult",
    "RasterError",
    "Recipe",
    "RecipeError",
    "Result",
    "SplitError",
    "TerrazzoError",
    "UsageError",
    "Window",
    "WindowError",
    "augment",
    "chip",
    "compare",
    "demo",
    "doctor",
    "download",
    "evaluate",
    "flatten",
    "index",
    "inspect",
    "load",
    "mask",
    "mosaic",
    "open_context",
    "open_raster",
    "pack",
    "predict",
    "preview",
    "rank",
    "resunet",
    "simulate",
    "split",
    "summarize",
    "train",
    "unet",
    "vectorize",
    "vgg_unet",
]

_HOMES = {
    "Context": "workflows.context",
    "Recipe": "recipes.recipe",
    "Result": "workflows.context",
    "augment": "workflows.augment",
    "chip": "workflows.chip",
    "compare": "workflows.compare",
    "demo": "workflows.demo",
    "doctor": "app.doctor",
    "download": "workflows.download",
    "evaluate": "workflows.evaluate",
    "flatten": "workflows.flatten",
    "index": "workflows.index",
    "inspect": "workflows.inspect",
    "load": "workflows.model",
    "mask": "workflows.mask",
    "mosaic": "workflows.mosaic",
    "open_context": "workflows.context",
    "open_raster": "rasters.raster",
    "pack": "workflows.pack",
    "predict": "workflows.predict",
    "preview": "workflows.preview",
    "rank": "workflows.rank",
    "resunet": "workflows.networks",
    "simulate": "workflows.simulate",
    "split": "workflows.split",
    "summarize": "workflows.summarize",
    "train": "workflows.train",
    "unet": "workflows.networks",
    "vectorize": "workflows.vectorize",
    "vgg_unet": "workflows.networks",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("terrazzo")
    if name not in _HOMES:
        raise AttributeError(f"module 'terrazzo' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"terrazzo.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
