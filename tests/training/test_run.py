"""What a run folder is, and who may use it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.training.fit import LAST
from terrazzo.training.run import RunFolder, RunState

RECIPE = "[training]\nepochs = 2\n"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(path=tmp_path / "runs" / "one")


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_a_missing_folder_is_made_and_an_empty_one_is_fine(run: RunFolder) -> None:
    for _ in range(2):
        assert run.check(RECIPE, resume=False) is RunState.NEW
        assert list(run.path.iterdir()) == []


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_run_of_the_same_recipe_is_left_alone(run: RunFolder, resume: bool) -> None:  # noqa: FBT001
    run.claim(RECIPE)
    put(run.report)
    before = {path: path.stat().st_mtime_ns for path in (run.path, run.recipe, run.report)}
    assert run.check(RECIPE, resume=resume) is RunState.FINISHED
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_an_unfinished_run_goes_on_with_resume_only(run: RunFolder) -> None:
    run.claim(RECIPE)
    with pytest.raises(ConflictError, match=r"unfinished run\. Go on with --resume") as caught:
        run.check(RECIPE, resume=False)
    assert caught.value.exit_code == 6
    assert run.check(RECIPE, resume=True) is RunState.UNFINISHED


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_of_another_recipe_is_never_touched(run: RunFolder, finished: bool) -> None:  # noqa: FBT001
    run.claim(RECIPE)
    if finished:
        put(run.report)
    with pytest.raises(ConflictError, match="another recipe"):
        run.check(RECIPE + "batch_size = 3\n", resume=True)


@pytest.mark.parametrize("name", ["notes.txt", "report.html", "model/model.json"])
def test_a_folder_of_other_things_is_not_taken(run: RunFolder, name: str) -> None:
    put(run.path / name)
    with pytest.raises(ConflictError, match="not empty and holds no run"):
        run.check(RECIPE, resume=True)


@pytest.mark.parametrize("name", [".recipe-1a2b3c4d.toml", ".DS_Store"])
def test_hidden_files_are_nothing(run: RunFolder, name: str) -> None:
    """Such as a temporary file of a run that was killed while it claimed the folder."""
    put(run.path / name)
    assert run.check(RECIPE, resume=False) is RunState.NEW


def test_a_file_is_no_folder(run: RunFolder) -> None:
    put(run.path)
    with pytest.raises(EnvironmentFault) as caught:
        run.check(RECIPE, resume=False)
    assert caught.value.exit_code == 5
    assert run.path.read_bytes() == b"x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(run: RunFolder) -> None:
    run.path.mkdir(parents=True)
    run.path.chmod(0o500)
    with pytest.raises(EnvironmentFault):
        run.check(RECIPE, resume=False)


def test_resumable_with_a_checkpoint(run: RunFolder) -> None:
    assert not run.resumable
    put(run.checkpoints / LAST)
    assert run.resumable


def test_fitted_only_with_weights_and_card(run: RunFolder) -> None:
    """The weights alone are what a full disk or a kill leaves while the model is written."""
    assert not run.fitted
    put(run.model / "model.safetensors")
    assert not run.fitted
    put(run.model / "model.json")
    assert run.fitted


def test_a_run_holds_the_files_that_people_script_against(run: RunFolder) -> None:
    names = [run.recipe, run.samples, run.metrics, run.model, run.evaluation, run.report]
    assert [path.relative_to(run.path).as_posix() for path in names] == [
        "recipe.toml",
        "samples.parquet",
        "metrics.jsonl",
        "model",
        "evaluation.json",
        "report.html",
    ]


class TestHeld:
    def test_the_second_run_is_told_who_is_at_work(self, run: RunFolder) -> None:
        """Whether it was to resume or not: that is not what is wrong."""
        with run.held(RECIPE, resume=False) as state:
            assert state is RunState.NEW
            for claimed in (False, True):
                for resume in (False, True):
                    with pytest.raises(ConflictError, match=f"in use: process {os.getpid()} on"), run.held(RECIPE, resume=resume):
                        pass
                if not claimed:
                    run.claim(RECIPE)
        with pytest.raises(ConflictError, match="unfinished"), run.held(RECIPE, resume=False):
            pass
        with run.held(RECIPE, resume=True) as state:
            assert state is RunState.UNFINISHED

    def test_a_finished_run_is_not_locked(self, run: RunFolder) -> None:
        run.claim(RECIPE)
        put(run.report)
        for _ in range(2):
            with run.held(RECIPE, resume=False) as state, run.held(RECIPE, resume=False) as other:
                assert (state, other) == (RunState.FINISHED, RunState.FINISHED)
                assert sorted(path.name for path in run.path.iterdir()) == ["recipe.toml", "report.html"]

    def test_a_run_that_ended_just_now_is_finished(self, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        """The state that counts is that under the lock."""
        run.claim(RECIPE)

        @contextmanager
        def waiting(_: Path) -> Iterator[None]:
            put(run.report)
            yield

        monkeypatch.setattr("terrazzo.training.run.locked", waiting)
        with run.held(RECIPE, resume=False) as state:
            assert state is RunState.FINISHED

    def test_a_folder_of_other_things_gets_no_lock(self, run: RunFolder) -> None:
        put(run.path / "notes.txt")
        with pytest.raises(ConflictError, match="holds no run"), run.held(RECIPE, resume=True):
            pass
        assert [path.name for path in run.path.iterdir()] == ["notes.txt"]

    def test_what_a_killed_run_left_half_written_goes(self, run: RunFolder) -> None:
        run.claim(RECIPE)
        left = [
            ".recipe-1a2b3c4d.toml",
            ".writable-1a2b3c4d",
            "checkpoints/.last-0123abcd.safetensors",
            "checkpoints/.tmpA1b2C3",
        ]
        others = ["checkpoints/last.safetensors", ".DS_Store", "model/notes-1a2b3c4d.txt", ".tmp", ".notes.txt"]
        for name in (*left, *others):
            put(run.path / name)
        with run.held(RECIPE, resume=True):
            assert [name for name in left if (run.path / name).exists()] == []
            assert [name for name in others if not (run.path / name).exists()] == []
