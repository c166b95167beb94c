"""What pack packs: the windows of a samples table, or the samples of a store that is packed already."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from terrazzo.errors import DataError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.layers import join_types
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.fingerprint import Fingerprint
from terrazzo.samples.pack.frame import Codec, Form
from terrazzo.samples.pack.plan import Content
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.scenes import Scene
from terrazzo.samples.split.tell import audit
from terrazzo.samples.store import SceneStore, Source
from terrazzo.samples.table import Samples, load
from terrazzo.workflows.context import Context
from terrazzo.workflows.lesson_samples import split_samples
from terrazzo.workflows.origin import legend_origin, reading_origin
from terrazzo.workflows.recount import scenes_in
from terrazzo.workflows.sample_origin import TableOptions, check_fresh, taken_from

log = logging.getLogger(__name__)


def of_table(path: Path, codec: Codec, context: Context) -> Content:
    """The windows of a samples table, read as they were indexed, by its own split if it has one.

    Raises ConflictError if the table is stale, SplitError if it cannot be split or leaks, RasterError or LabelError.
    """
    samples = load(path)
    recipe = _as_indexed(context.recipe, path, samples)
    scenes = scenes_in(samples)
    found = {name: digests for name, digests in samples.fingerprint.scenes.items() if name in {scene.name for scene in scenes}}
    samples = replace(samples, fingerprint=Fingerprint(settings=samples.fingerprint.settings, scenes=found))
    check_fresh(path, samples, scenes, replace(context, recipe=recipe))
    return of_samples(samples, scenes, codec, replace(context, recipe=recipe))


def of_samples(samples: Samples, scenes: list[Scene], codec: Codec, context: Context) -> Content:
    """Windows of scenes, split if they are not yet; those that no part has are left out."""
    recipe = context.recipe
    if samples.frame["split"].isna().all():
        samples = split_samples(samples, scenes, context)
    else:
        audit(samples, recipe.split)
    kept = samples.frame["split"].notna()
    if not kept.all():
        log.info("%s in no part of the split: left out.", counted(int((~kept).sum()), "window"))
    samples = replace(samples, frame=samples.frame[kept].reset_index(drop=True))
    # each window is read once
    data = recipe.data.model_copy(update={"cache_mb": 0})
    source = SceneStore(scenes, LabelReader(samples.legend, data, recipe.labels))
    rasters = [source.raster(name) for name in dict.fromkeys(samples.frame["scene"].tolist())]
    first = rasters[0]
    origin = {
        "reading": reading_origin(recipe.data),
        "legend": legend_origin(samples.legend),
        "labels": recipe.labels.model_dump(mode="json"),
        "label_files": {name: label for name, (_, label) in samples.fingerprint.scenes.items()},
    }
    return Content(
        samples=samples,
        source=source,
        form=Form(bands=_bands(rasters), dtype=_dtype(rasters), codec=codec),
        band_names=first.band_names,
        nodata=first.nodata,
        reading=DataOptions.model_validate(reading_origin(recipe.data)),
        instances=_has_instances(source, str(samples.frame["scene"].iloc[0])),
        origin=json.dumps(origin, sort_keys=True),
    )


def of_store(path: Path, codec: Codec) -> Content:
    """The samples of a packed store, to be packed otherwise."""
    store = PackedStore.open(path)
    manifest = store.manifest
    return Content(
        samples=store.samples,
        source=store,
        form=replace(manifest.form, codec=codec),
        band_names=tuple(manifest.band_names),
        nodata=tuple(manifest.nodata),
        reading=manifest.reading,
        instances=manifest.instances,
        origin=json.dumps({"packed": manifest.made_from}),
    )


def _as_indexed(recipe: Recipe, path: Path, samples: Samples) -> Recipe:
    """The recipe with all options of reading that it leaves open as in the table. Raises DataError if the table's options are none."""
    known = TableOptions(path=path, settings=samples.fingerprint.settings)
    data = known.take(DataOptions, "data", recipe.data.model_dump(exclude_unset=True))
    labels = known.take(LabelOptions, "labels", recipe.labels.model_dump(exclude_unset=True))
    return taken_from(recipe, path, samples).model_copy(update={"data": data, "labels": labels})


def _bands(rasters: list[Raster]) -> int:
    counts: Mapping[int, str] = {raster.bands: str(raster.path) for raster in rasters}
    if len(counts) > 1:
        found = "; ".join(f"{counted(bands, 'band')}: such as {path}" for bands, path in sorted(counts.items()))
        raise DataError(f"The images have different numbers of bands: {found}. Choose bands with [data] bands.")
    return rasters[0].bands


def _dtype(rasters: list[Raster]) -> np.dtype[np.generic]:
    """The type that holds the values of all images exactly."""
    found = {raster.dtype for raster in rasters}
    joined = join_types(list(found))
    if joined is None:
        names = listed(sorted(dtype.name for dtype in found))
        raise DataError(f"The images hold values of the types {names}, which no one type holds exactly. Convert them to one.")
    return joined


def _has_instances(source: Source, scene: str) -> bool:
    return source.instances(scene, Window(col_off=0, row_off=0, width=1, height=1)) is not None
