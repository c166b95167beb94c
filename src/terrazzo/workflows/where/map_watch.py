"""Looking on while maps are counted: their errors as rasters, and where the model was sure and the labels say otherwise."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from terrazzo.errors import ConflictError, RasterError
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.where.by_sample import ScoreRow
from terrazzo.evaluation.where.error_codes import error_legend
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed
from terrazzo.rasters.files import ImageFile, output_stems
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import whole
from terrazzo.workflows.map_pairs import Pair
from terrazzo.workflows.where.follow import Followed, Follower, errors_path
from terrazzo.workflows.where.layers import SceneSuspects


class MapWatch:
    """Follows maps, several at a time; each is one sample, whose id is its position."""

    def __init__(self, pairs: Sequence[Pair], legend: Legend, errors: Path | None) -> None:
        """errors: the folder of error rasters; None: there are none. Raises ConflictError if it holds other files of their names."""
        self._legend = legend
        self._numbers = {pair.name: number for number, pair in enumerate(pairs)}
        stems = output_stems([ImageFile(name=pair.name, path=pair.prediction) for pair in pairs])
        self._errors = {
            pair.name: errors_path(errors, stems[pair.prediction], pair.prediction) if errors is not None else None for pair in pairs
        }
        self._done: dict[str, Follower] = {}
        self._check_free()

    @contextmanager
    def open(self, pair: Pair, grid: Grid) -> Iterator[Callable[[Rows], None]]:
        """What takes the rows of a map from top to bottom."""
        windows = {self._numbers[pair.name]: whole(grid.shape)} if pair.probabilities is not None else {}
        with Follower(self._legend) as follower:
            follower.start(Followed(name=pair.name, grid=grid, windows=windows, errors=self._errors[pair.name]))
            yield follower.add
        self._done[pair.name] = follower

    @property
    def scores(self) -> dict[int, ScoreRow]:
        """Of the maps with probabilities, by their position."""
        return {number: row for follower in self._done.values() for number, row in follower.scores.items()}

    @property
    def suspects(self) -> list[SceneSuspects]:
        """Of the maps with probabilities, in their order."""
        return [each for name in self._numbers if name in self._done for each in self._done[name].suspects]

    def _check_free(self) -> None:
        strange = [str(path) for path in self._errors.values() if path is not None and path.exists() and not self._is_ours(path)]
        if strange:
            raise ConflictError(f"There are files already that are no error rasters of maps with these classes: {listed(strange)}.")

    def _is_ours(self, path: Path) -> bool:
        try:
            with open_raster(path) as raster:
                return error_legend(self._legend.sets).to_json() in raster.tags.values()
        except RasterError:
            return False
