"""From what `predict` is told to map to the jobs of its maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from terrazzo.errors import ConflictError, DataError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import listed
from terrazzo.models.network import use_threads
from terrazzo.prediction.ensemble import load_models
from terrazzo.prediction.maps import layer_paths, provenance_of
from terrazzo.prediction.outputs.names import LAYER_SUFFIXES, MAP_SUFFIX, map_path
from terrazzo.prediction.parts import Part, shared_jobs
from terrazzo.prediction.stream import Job, Predictor, options_of
from terrazzo.rasters.files import ImageFile, find_images, output_stems
from terrazzo.rasters.formats.truncated import is_written
from terrazzo.rasters.write import check_writable
from terrazzo.workflows.area import jobs_within, load_area
from terrazzo.workflows.context import Context
from terrazzo.workflows.likeness import check_matching
from terrazzo.workflows.map_files import ISOLATED_SUFFIX, OVERLAY_SUFFIX


@dataclass(frozen=True, kw_only=True)
class MapTask:
    """What `predict` is told to map; see there."""

    models: Sequence[str | Path]
    """That whose maps these are, then those that are averaged with it."""
    inputs: Sequence[str | Path]
    out: Path
    aoi: str | None = None
    match_resolution: bool = False


@dataclass(frozen=True, kw_only=True)
class MapWork:
    """The maps of a task."""

    predictor: Predictor
    jobs: dict[Path, Job]
    """By the maps that they make."""
    todo: dict[Path, Job]
    """Those whose maps were not there yet."""

    @cached_property
    def shared(self) -> dict[Path, Job]:
        """Of these, those that several processes can share."""
        return shared_jobs(self.todo, self.predictor)

    def whole_of(self, part: Part) -> dict[Path, Job]:
        """Of those that they cannot share, the ones that a part makes: they are dealt in turn, done or not."""
        shared = shared_jobs(self.jobs, self.predictor)
        whole = [path for path in self.jobs if path not in shared]
        return {path: self.jobs[path] for path in whole[part.number - 1 :: part.count] if path in self.todo}


def plan_maps(task: MapTask, context: Context) -> MapWork:
    """The model made ready, and a job for each image.

    Raises RecipeError, ModelError, RasterError or DataError naming all images that cannot be predicted, ConflictError if OUT holds a file
    of a map's name made otherwise, EnvironmentFault.
    """
    bundles = load_models([Path(each) for each in task.models])
    check_writable(task.out)
    use_threads(context.threads)
    options = options_of(bundles[0], context.recipe.prediction.model_dump(exclude_unset=True))
    predictor = Predictor.of(bundles[0], context.device, options, bundles[1:])
    area = None if task.aoi is None else load_area(task.aoi)
    if task.match_resolution:
        check_matching(predictor.bundle.card)
    jobs = _jobs(_images(task.inputs, task.out), task.out, predictor, match_cells=task.match_resolution)
    if area is not None:
        jobs = jobs_within(jobs, area)
    return MapWork(predictor=predictor, jobs=jobs, todo=_undone(jobs, predictor))


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
    """The jobs whose maps are not there yet, or not all of them. Raises ConflictError if another file is."""
    todo: dict[Path, Job] = {}
    strange: list[str] = []
    for path, job in jobs.items():
        if not path.exists():
            todo[path] = job
        elif provenance_of(path) != predictor.provenance(job.raster, job.facts):
            strange.append(path.name)
        elif not all(map(_is_whole, (path, *layer_paths(path, predictor)))):
            todo[path] = job
    if strange:
        raise ConflictError(
            f"{next(iter(jobs)).parent} holds files that this model and these options did not make: {listed(strange)}. Give another OUT."
        )
    return todo


def _is_whole(path: Path) -> bool:
    """Whether a map or a layer is there with all its blocks: a copy that was cut off, or a disk that lost some, leaves half a file."""
    return path.exists() and (path.suffix != ".tif" or is_written(path))
