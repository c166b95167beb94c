"""The run folder: what a training leaves, and whether another may use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from terrazzo.errors import ConflictError
from terrazzo.models.bundle import CARD
from terrazzo.rasters.write import check_writable, sweep, write_text
from terrazzo.training.fit import LAST
from terrazzo.training.lock import locked
from terrazzo.training.tensorboard import NAME


class RunState(Enum):
    NEW = "new"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The files of a run. The report is written last: a run that has one is finished."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def start(self) -> Path:
        """What is to be known of the model that the run went on from; not there if it began from first weights."""
        return self.path / "start.json"

    @property
    def range_test(self) -> Path:
        """The losses from which the learning rate was found, where the recipe asked for that."""
        return self.path / "learning_rate.svg"

    @property
    def samples(self) -> Path:
        return self.path / "samples.parquet"

    @property
    def split_list(self) -> Path:
        return self.path / "split.csv"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def metrics_table(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard" / NAME

    @property
    def windows(self) -> Path:
        return self.path / "windows.csv"

    @property
    def diverged(self) -> Path:
        """The windows of the batch at which the training ended, where it diverged."""
        return self.path / "diverged.csv"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def maps(self) -> Path:
        return self.path / "maps"

    @property
    def errors(self) -> Path:
        """Rasters of right, missed and false pixels."""
        return self.path / "errors"

    @property
    def error_map(self) -> Path:
        return self.path / "error_map.gpkg"

    @property
    def suspicious(self) -> Path:
        return self.path / "suspicious.parquet"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def state(self) -> RunState:
        if self.report.exists() and self.recipe.exists():
            return RunState.FINISHED
        return RunState.UNFINISHED if self.recipe.exists() else RunState.NEW

    @property
    def resumable(self) -> bool:
        return (self.checkpoints / LAST).exists()

    @property
    def fitted(self) -> bool:
        """Whether the model is there; its card is written last."""
        return (self.model / CARD).exists()

    def check(self, recipe_toml: str, *, resume: bool) -> RunState:
        """See whether the folder may take a run of this recipe; the state found is returned.

        A finished run of the same recipe is FINISHED. An unfinished one goes on with resume.
        Raises ConflictError if the folder holds a run of another recipe, an unfinished run without resume, or files
        that are no run; EnvironmentFault if the folder cannot be made or written.
        """
        state = self.state
        if state is not RunState.NEW and self.recipe.read_text(encoding="utf-8") != recipe_toml:
            raise ConflictError(f"{self.path} holds a run of another recipe. Give another --out.")
        if state is RunState.UNFINISHED and not resume:
            raise ConflictError(f"{self.path} holds an unfinished run. Go on with --resume, or give another --out.")
        if state is RunState.NEW and self.path.is_dir() and any(not entry.name.startswith(".") for entry in self.path.iterdir()):
            raise ConflictError(f"{self.path} is not empty and holds no run. Give an empty or new folder as --out.")
        if state is not RunState.FINISHED:
            check_writable(self.path)
        return state

    @contextmanager
    def held(self, recipe_toml: str, *, resume: bool) -> Iterator[RunState]:
        """See whether the folder may take a run of this recipe, and keep other runs out of it; see `check`.

        A finished run is not locked. Raises ConflictError also if another run holds the folder, naming its machine and process.
        """
        # an unfinished run may be under way: then that is what is wrong, not that it was not to be resumed
        state = None if self.state is RunState.UNFINISHED else self.check(recipe_toml, resume=resume)
        if state is RunState.FINISHED:
            yield state
            return
        with locked(self.path):
            # what there is now: the holder before may have ended a moment ago
            state = self.check(recipe_toml, resume=resume)
            if state is not RunState.FINISHED:
                self._sweep()
            yield state

    def _sweep(self) -> None:
        """Remove what a run that was killed left half written: each may be as large as a checkpoint."""
        for folder in (self.path, self.checkpoints, self.model):
            sweep(folder)

    def claim(self, recipe_toml: str) -> None:
        """Keep the recipe in the folder: from now on it is this recipe's run."""
        write_text(self.recipe, recipe_toml)
