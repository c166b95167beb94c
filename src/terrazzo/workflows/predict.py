"""predict: maps of images with a trained model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import PartialResult, UsageError
from terrazzo.labels.sentences import counted
from terrazzo.prediction.journal_folder import remove_journal
from terrazzo.prediction.keeping import kept_means
from terrazzo.prediction.maps import Watch, layer_paths, write_maps
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.parts import Part, begin_maps, predict_part
from terrazzo.rasters.formats.directory import rows_in_order
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.likeness import tell_unlike
from terrazzo.workflows.map_areas import AREAS, area_lines, check_areas, measure_maps
from terrazzo.workflows.map_failures import FAILURES, MapFailure, failures_of, kept_failures, write_failures
from terrazzo.workflows.map_files import MapFiles, write_styles
from terrazzo.workflows.map_jobs import MapTask, MapWork, plan_maps
from terrazzo.workflows.processes import share_maps


@rows_in_order()
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
    processes: int | None = None,
    part: str | None = None,
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
    processes: so many on this machine predict, of large maps a part each. part: 'K/N', predict only that part of each large map, and
    write none.
    Raises RecipeError, ModelError, RasterError or DataError naming all images that cannot be predicted, ConflictError if OUT
    holds a file of that name made otherwise, EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if aoi is not None and rle is not None:
        raise UsageError("--rle counts the pixels of whole images, --aoi maps a part of them. Leave one of them out.")
    if part is not None and processes is not None:
        raise UsageError("--part is the work of one process, --processes starts several. Leave one of them out.")
    own_part = None if part is None else Part.parse(part)
    task = MapTask(models=[model, *with_], inputs=inputs, out=out, aoi=aoi, match_resolution=match_resolution)
    work = plan_maps(task, context)
    if own_part is not None:
        return _predict_part(own_part, work, context)
    predictor, jobs, todo = work.predictor, work.jobs, work.todo
    tell_unlike(list(todo.values()), predictor.bundles)
    hdu = predictor.bundle.card.reading.hdu
    others = MapFiles(legend=predictor.legend, overlay=overlay, polygons=polygons, runs=rle, isolate=isolate, hdu=hdu)
    others.check(todo, out)
    check_areas(out)
    if todo:
        # of all images: what is left of a folder is predicted with what the others were
        predictor.engine_for(list(jobs.values()), kept_means(todo))
    confidences: dict[Path, float | None] = {}
    total = Tally(predictor.legend)

    def count(path: Path, tally: Tally) -> None:
        confidences[path] = tally.mean_confidence
        total.add_notes(tally.notes())

    if processes is not None and todo:
        share_maps(task, work, processes, context, count)
    left = {path: job for path, job in todo.items() if path not in confidences}
    write_maps(left, predictor, context.progress, Watch(counted=count, quiet=True))
    total.tell()
    for path in set(jobs) - set(todo):
        # broken off between the map and its tidying
        remove_journal(path)
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


def _predict_part(part: Part, work: MapWork, context: Context) -> Result:
    begin_maps(work.shared, work.predictor, list(work.jobs.values()))
    predict_part(work.shared, part, work.predictor, context.progress)
    finished = (
        f"Part {part} of {counted(len(work.shared), 'map')} is finished" if work.shared else f"There is nothing to do for part {part}"
    )
    return Result(text=f"{finished}. Once all parts are, the same command without --part writes the maps.", facts={"part": str(part)})


def _problems(out: Path, failures: Sequence[MapFailure]) -> list[str]:
    """A line for each image that could not be read all over."""
    counts = Counter(failure.image for failure in failures)
    return [
        f"{image}: {counted(count, 'block')} cannot be read; the map has no data there. They are listed in {out / FAILURES}."
        for image, count in counts.items()
    ]
