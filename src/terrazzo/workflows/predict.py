"""predict: maps of images with a trained model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import ConflictError, DataError, PartialResult, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted, listed
from terrazzo.models.network import use_threads
from terrazzo.prediction.ensemble import load_models
from terrazzo.prediction.journal import remove_journal
from terrazzo.prediction.maps import MAP_SUFFIX, Watch, kept_means, layer_paths, map_path, provenance_of, write_maps
from terrazzo.prediction.outputs.layers import LAYER_SUFFIXES
from terrazzo.prediction.stream import Job, Predictor, options_of
from terrazzo.rasters.files import ImageFile, find_images, output_stems
from terrazzo.rasters.write import check_writable
from terrazzo.workflows.area import jobs_within, load_area
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.likeness import check_matching, tell_unlike
from terrazzo.workflows.map_areas import AREAS, area_lines, check_areas, measure_maps
from terrazzo.workflows.map_failures import FAILURES, MapFailure, failures_of, kept_failures, write_failures
from terrazzo.workflows.map_files import ISOLATED_SUFFIX, OVERLAY_SUFFIX, MapFiles, write_styles


def predict(  # noqa: PLR0913 - an argument an option of the verb
    model: str | Path,
    inputs: Sequence[str | Path],
    out: str | Path,
    context: Context | None = None,
    *,
    overlay: bool = False,
    polygons: bool = False,
    rle: str | None = None,
    isolate: str | None = None,
    aoi: str | None = None,
    match_resolution: bool = False,
    with_: Sequence[str | Path] = (),
) -> Result:
    """Write a class map for each image to OUT, on the image's own grid.

    OUT/areas.csv says how much of each map each class is, and how sure the model was of it.

    inputs: images, folders of images, patterns, or addresses (https://, s3://) of GeoTIFFs. Options that were not given are those of
    the model. Maps that are there already, of the same model and options, are kept. A map has no data where blocks of its image cannot
    be read: OUT/failures.csv lists them, and the result says so with exit code 7.
    overlay, polygons: also write these of each map. rle: the class whose objects go into OUT/submission.csv.
    isolate: the class of which the image is written alone, 0 elsewhere.
    aoi: an area of interest, see `terrazzo.workflows.area.load_area`: only that is mapped, and images without ground in it are left out.
    match_resolution: read images of another cell size than the model's at the model's; their maps have their own.
    with_: models whose probabilities are averaged with the model's; see `terrazzo.prediction.ensemble.load_models`.
    Raises RecipeError, ModelError, RasterError or DataError naming all images that cannot be predicted, ConflictError if OUT
    holds a file of that name made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    bundles = load_models([Path(each) for each in (model, *with_)])
    check_writable(out)
    use_threads(context.threads)
    options = options_of(bundles[0], context.recipe.prediction.model_dump(exclude_unset=True))
    predictor = Predictor.of(bundles[0], context.device, options, bundles[1:])
    area = None if aoi is None else load_area(aoi)
    if area is not None and rle is not None:
        raise UsageError("--rle counts the pixels of whole images, --aoi maps a part of them. Leave one of them out.")
    if match_resolution:
        check_matching(predictor.bundle.card)
    jobs = _jobs(_images(inputs, out), out, predictor, match_cells=match_resolution)
    if area is not None:
        jobs = jobs_within(jobs, area)
    todo = _undone(jobs, predictor)
    tell_unlike(list(todo.values()), predictor.bundles)
    hdu = predictor.bundle.card.reading.hdu
    others = MapFiles(legend=predictor.legend, overlay=overlay, polygons=polygons, runs=rle, isolate=isolate, hdu=hdu)
    others.check(todo, out)
    check_areas(out)
    if todo:
        # of all images: what is left of a folder is predicted with what the others were
        predictor.engine_for(list(jobs.values()), kept_means(todo))
    confidences: dict[Path, float | None] = {}
    write_maps(todo, predictor, context.progress, Watch(counted=lambda path, tally: confidences.update({path: tally.mean_confidence})))
    failures = kept_failures(out, set(jobs) - set(todo)) + [each for path, job in todo.items() for each in failures_of(out, path, job)]
    write_failures(out, failures)
    maps = list(jobs)
    written = maps + [layer for path in maps for layer in layer_paths(path, predictor)]
    write_styles(maps)
    written += others.write(jobs, out, context)
    areas = measure_maps(out, {path: str(job.raster.path) for path, job in jobs.items()}, confidences)
    kept = f", {len(jobs) - len(todo)} of them kept from before" if len(todo) < len(jobs) else ""
    return Result(
        text="\n".join([f"{counted(len(maps), 'map')} in {out}{kept}", *area_lines(areas)]),
        written={"outputs": written},
        facts={"areas": str((out / AREAS).absolute()), "maps": [each.facts(out) for each in areas]},
        problems=_problems(out, failures),
        exit_code=PartialResult.exit_code if failures else 0,
    )


def _problems(out: Path, failures: Sequence[MapFailure]) -> list[str]:
    """A line for each image that could not be read all over."""
    counts = Counter(failure.image for failure in failures)
    return [
        f"{image}: {counted(count, 'block')} cannot be read; the map has no data there. They are listed in {out / FAILURES}."
        for image, count in counts.items()
    ]


def _images(inputs: Sequence[str | Path], out: Path) -> list[ImageFile]:
    """The images that are meant; where OUT is the folder of the images, without the maps that it holds from before."""
    found = {file.path: file for given in inputs for file in find_images(given, Path.cwd())}
    endings = (MAP_SUFFIX, *LAYER_SUFFIXES, OVERLAY_SUFFIX, ISOLATED_SUFFIX)
    return [file for file in found.values() if not (file.path.is_relative_to(out.absolute()) and file.path.stem.endswith(endings))]


def _jobs(images: Sequence[ImageFile], out: Path, predictor: Predictor, *, match_cells: bool) -> dict[Path, Job]:
    """A job for each image, by the map it makes; all images that cannot be predicted are named at once."""
    stems = output_stems(images)
    jobs: dict[Path, Job] = {}
    failures = Failures()
    for image in images:
        with failures.collect():
            job = predictor.open_job(image.path, match_cells=match_cells)
            overlapping = predictor.bundle.legend.overlapping
            path = map_path(out, stems[image.path], job.raster, predictor.options.format, overlapping=overlapping)
            if path in jobs:
                raise DataError(f"{image.path} and {jobs[path].raster.path} would both be mapped to {path}. Predict them to different OUT.")
            jobs[path] = job
    failures.check(len(images), "images")
    return jobs


def _undone(jobs: dict[Path, Job], predictor: Predictor) -> dict[Path, Job]:
    """The jobs whose maps are not there yet. Raises ConflictError if another file is."""
    todo: dict[Path, Job] = {}
    strange: list[str] = []
    for path, job in jobs.items():
        if not path.exists():
            todo[path] = job
        elif provenance_of(path) != predictor.provenance(job.raster, job.facts):
            strange.append(path.name)
        elif not all(layer.exists() for layer in layer_paths(path, predictor)):
            todo[path] = job
        else:
            # broken off between the map and its tidying
            remove_journal(path)
    if strange:
        raise ConflictError(
            f"{next(iter(jobs)).parent} holds files that this model and these options did not make: {listed(strange)}. Give another OUT."
        )
    return todo
