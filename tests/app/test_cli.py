"""The command line: exit codes, streams, --json, --set and flags, with a verb made for the test."""

import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from terrazzo.app import cli
from terrazzo.errors import DataError
from terrazzo.progress import Silent
from terrazzo.rasters.location import to_path
from terrazzo.recipes.verb import Argument, Extra, Verb
from terrazzo.recipes.verbs.table import VERBS
from terrazzo.workflows.context import Context, Result

Run = Callable[..., int]


class Recorder:
    """A verb's function that keeps what it was called with and returns or raises what it was told to."""

    def __init__(self) -> None:
        self.arguments: dict[str, object] = {}
        self.context = Context()
        self.answer: Result | BaseException = Result(text="done")

    def __call__(self, *, context: Context, **arguments: object) -> Result:
        self.arguments, self.context = arguments, context
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The verbs `work INPUTS... OUT` and `learn RECIPE`."""
    recorder = Recorder()
    module = types.ModuleType("stub_verbs")
    module.work = recorder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stub_verbs", module)
    work = Verb(
        name="work",
        function="stub_verbs:work",
        summary="Works.",
        help="Works hard.",
        arguments=(Argument(name="inputs", many=True, help="What."), Argument(name="out", help="Where.")),
        extras=(Extra(name="keep_all", kind="switch", help="Keep."), Extra(name="log", kind="path", default="a.log", help="Log.")),
        tables=("prediction", "split"),
        flags=("prediction", "split"),
    )
    learn = Verb(
        name="learn",
        function="stub_verbs:work",
        summary="Learns.",
        help="Learns by a recipe.",
        arguments=(Argument(name="recipe", help="Recipe."),),
        tables=("training", "data"),
    )
    fetch = Verb(
        name="fetch",
        function="stub_verbs:work",
        summary="Fetches.",
        help="Fetches what is named.",
        arguments=(Argument(name="sources", kind=str, many=True, optional=True, help="What."), Argument(name="out", help="Where.")),
        extras=(
            Extra(name="from_", kind="text", help="First day."),
            Extra(name="most", kind="number", help="How much."),
            Extra(name="also", kind="paths", help="More."),
        ),
    )
    monkeypatch.setattr(cli, "VERBS", (work, learn, fetch))
    return recorder


def test_arguments_extras_and_flags_reach_the_function(verb: Recorder) -> None:
    assert cli.main(["work", "a", "b", "c", "--keep-all", "--overlap", "0.25", "--probabilities", "--device", "cpu", "--threads", "3"]) == 0
    assert verb.arguments == {"inputs": [Path("a"), Path("b")], "out": Path("c"), "keep_all": True, "log": Path("a.log")}
    assert verb.context.recipe.prediction.model_dump(exclude_unset=True) == {"overlap": 0.25, "probabilities": True}
    assert (verb.context.device, verb.context.threads) == ("cpu", 3)
    assert not isinstance(verb.context.progress, Silent)


def test_texts_and_numbers_of_a_verb_alone(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "s3://a/b", "c", "d", "--from", "2024", "--most", "1.5"]) == 0
    assert verb.arguments == {"sources": ["s3://a/b", "c"], "out": Path("d"), "from_": "2024", "most": 1.5, "also": ()}
    assert cli.main(["fetch", "d"]) == 0
    assert verb.arguments == {"sources": [], "out": Path("d"), "from_": None, "most": None, "also": ()}
    assert cli.main(["fetch", "d", "--most", "many"]) == 2
    assert "'many' is not a valid float" in capsys.readouterr().err


def test_paths_that_are_given_once_each(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "c", "d", "--also", "x", "--also", "y"]) == 0
    assert verb.arguments["also"] == (Path("x"), Path("y"))
    assert cli.main(["fetch", "--help"]) == 0
    assert "More. May be repeated." in capsys.readouterr().out


def test_addresses_are_inputs_and_nothing_else(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["work", "https://host/a.tif", "b", "c"]) == 0
    assert verb.arguments["inputs"] == [to_path("https://host/a.tif"), Path("b")]
    for typed in (["work", "a", "https://host/c"], ["learn", "s3://a/r.toml"], ["work", "a", "c", "--log", "https://user:geheim@host/l"]):
        assert cli.main(typed) == 2
        said = capsys.readouterr().err
        assert "is an address on the network; a path on disk is needed here" in said
        assert "geheim" not in said


def test_a_flag_that_is_not_given_is_not_set(verb: Recorder) -> None:
    assert cli.main(["work", "a", "c"]) == 0
    assert verb.context.recipe.model_fields_set == set()


def test_switches_can_be_turned_off_and_lists_repeated(verb: Recorder) -> None:
    assert cli.main(["work", "a", "c", "--no-probabilities", "--train-scenes", "a*", "--train-scenes", "[b]"]) == 0
    assert verb.context.recipe.prediction.model_dump(exclude_unset=True) == {"probabilities": False}
    assert verb.context.recipe.split.train_scenes == ["a*", "[b]"]


def test_set_is_stronger_than_a_flag(verb: Recorder) -> None:
    assert cli.main(["work", "a", "c", "--overlap", "0.1", "--set", "prediction.overlap=0.2"]) == 0
    assert verb.context.recipe.prediction.overlap == 0.2


def test_a_recipe_is_read_with_what_is_set_over_it(verb: Recorder, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('[training]\nepochs = 3\nseed = 1\n[data]\nroot = "d"\n', encoding="utf-8")
    assert cli.main(["learn", str(recipe), "--set", "training.epochs=4"]) == 0
    assert (verb.context.recipe.training.epochs, verb.context.recipe.training.seed) == (4, 1)
    assert verb.context.root == tmp_path / "d"
    assert verb.arguments == {"recipe": recipe}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["work", "a", "c", "--set", "training.epochs=3"], "error: --set: work does not read [training]; the tables that it reads are"),
        (["work", "a", "c", "--set", "training.epoch=3"], "[training] has no key 'epoch'; did you mean 'epochs'?"),
        (["work", "a", "c", "--overlap", "much"], 'error: --overlap: [prediction] overlap is "much"; it must be a number from 0 to 0.75'),
        (["work", "a", "c", "--blend", "x"], 'error: --blend: [prediction] blend is "x"; it must be "hann", "linear", "flat" or "crop"'),
        (["work", "a", "c", "--overlay"], "error: No such option"),
        (["work", "a"], "error: Missing argument 'INPUTS...'"),
        (["work", "a", "c", "--threads", "0"], "error: Invalid value for '--threads'"),
        (["wrok"], "error: there is no verb 'wrok'; did you mean 'work'?"),
        (["xyzzy"], "error: there is no verb 'xyzzy'; verbs are work, learn, fetch."),
        (["learn", "no.toml"], "error: There is no recipe "),
    ],
)
def test_wrong_usage_is_2_and_a_sentence(verb: Recorder, typed: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(typed) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert verb.arguments == {}


def test_an_error_is_its_sentence_and_its_code(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    verb.answer = DataError("the mask is [red] and\ntoo small")
    assert cli.main(["work", "a", "c"]) == 3
    assert capsys.readouterr().err == "error: the mask is [red] and\ntoo small\n"


def test_debug_shows_the_traceback(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    verb.answer = ZeroDivisionError("oh")
    assert cli.main(["work", "a", "c", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert cli.main(["work", "a", "c"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert "--debug" in shown


def test_the_text_is_on_stdout_and_problems_on_stderr(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    verb.answer = Result(text="a [bold]b[/bold]\nc", problems=["x.tif is broken"], exit_code=3)
    assert cli.main(["work", "a", "c"]) == 3
    shown = capsys.readouterr()
    assert shown.out == "a [bold]b[/bold]\nc\n"
    assert shown.err == "error: x.tif is broken\n"


def test_json_is_one_object_with_absolute_paths(
    verb: Recorder, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    verb.answer = Result(text="text", written={"run": Path("r"), "outputs": [Path("a.tif"), tmp_path / "b.tif"]}, facts={"windows": 3})
    assert cli.main(["work", "a", "c", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown == {"run": str(tmp_path / "r"), "outputs": [str(tmp_path / "a.tif"), str(tmp_path / "b.tif")], "windows": 3}


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 5)])
def test_ends_that_are_no_errors_of_ours(verb: Recorder, error: BaseException, code: int) -> None:
    verb.answer = error
    assert cli.main(["work", "a", "c"]) == code


def test_help_lists_arguments_extras_and_flags(verb: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["work", "--help"]) == 0
    shown = capsys.readouterr().out
    for words in (
        "INPUTS...",
        "--keep-all",
        "--log PATH",
        "[default: a.log]",
        "Options of [prediction]",
        "--overlap NUMBER",
        "--set TABLE",
    ):
        assert words in shown
    assert "a number from 0 to 0.75" in shown


@pytest.mark.parametrize("verb_of_ours", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_its_help(verb_of_ours: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb_of_ours.name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert verb_of_ours.help in shown
    assert all(argument.help in shown for argument in verb_of_ours.arguments)
    assert ("--set" in shown) == bool(verb_of_ours.tables)
    for flag in ("--device", "--threads", "--json", "--debug"):
        assert flag in shown


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-m", "terrazzo", *arguments], capture_output=True, text=True, check=False, env=environment, timeout=60
    )


def test_no_arguments_are_wrong_usage_and_show_the_verbs() -> None:
    done = command()
    assert done.returncode == 2
    assert "predict" in done.stderr
    assert done.stdout == ""


def test_help_is_neither_wrapped_nor_coloured_without_a_terminal() -> None:
    done = command("train", "--help", COLUMNS="40", FORCE_COLOR="1")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) > 150


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from terrazzo.app.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    for arguments in (["--help"], ["predict", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=60)
        assert "Usage: terrazzo" in done.stdout
        assert not {"torch", "numpy", "rasterio", "pandas", "matplotlib", "astropy"} & set(done.stderr.split())


STUB = """
import sys, types, time
from terrazzo.app import cli
from terrazzo.recipes.verb import Verb
from terrazzo.workflows.context import Result

def work(context):
    {body}

module = types.ModuleType("stub_verbs")
module.work = work
sys.modules["stub_verbs"] = module
cli.VERBS = (Verb(name="work", function="stub_verbs:work", summary="Works.", help="Works."),)
sys.exit(cli.main(["work"]))
"""


def start(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", STUB.format(body=body)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")])
def test_signals(number: signal.Signals, code: int, word: str) -> None:
    process = start("print('ready', flush=True); time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, shown = process.communicate(timeout=30)
    assert process.returncode == code
    assert shown == f"{word}\n"


def test_a_reader_that_goes_away_is_no_fault() -> None:
    process = start("time.sleep(0.3); return Result(text='x' * 1_000_000)")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_names_are_printed_as_they_are(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/[red] \xff \xf0\x9f\x98\x80.npy"
    Path(os.fsdecode(name)).write_bytes(b"no array")
    done = subprocess.run([sys.executable, "-m", "terrazzo", "inspect", name], capture_output=True, check=False, timeout=60)
    assert done.returncode == 3
    assert name in done.stderr
    assert b"Traceback" not in done.stderr
