"""The command `terrazzo`: one subcommand a verb. Results go to stdout, everything else to stderr."""

import difflib
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from terrazzo.app.faults import BROKEN_PIPE, Terminated, fault_of
from terrazzo.errors import RecipeError
from terrazzo.recipes.verbs.table import VERBS

if TYPE_CHECKING:
    from terrazzo.app.command import Call
    from terrazzo.workflows.context import Context, Result

USAGE = 2
UNWRAPPED = 100_000
"""Columns of help that is not for a terminal: it is never wrapped."""


class _Verbs(click.Group):
    """The verbs, in the order of the table; a verb's command is built when it is called, so that --help needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [verb.name for verb in VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from terrazzo.app.command import build_command

        del ctx
        verb = next((verb for verb in VERBS if verb.name == cmd_name), None)
        return build_command(verb, run) if verb is not None else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in names:
            near = difflib.get_close_matches(args[0], names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"verbs are {', '.join(names)}."
            raise click.UsageError(f"there is no verb {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name, verb.summary) for verb in VERBS])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    _print_names_as_they_are()
    try:
        with _sigterm_like_ctrl_c():
            code = _group().main(args=arguments, prog_name="terrazzo", standalone_mode=False)
            sys.stdout.flush()
    except click.ClickException as error:
        sys.stderr.write(_usage_sentence(error) + "\n")
        return USAGE
    except click.Abort:
        return _report(KeyboardInterrupt(), debug=False)
    except BrokenPipeError as error:
        return _report(error, debug=False)
    return code if isinstance(code, int) else 0


def run(call: "Call") -> int:
    """Run a verb as it was typed, show what came of it, and return the exit code."""
    from terrazzo.app.terminal import logging_to_stderr

    with logging_to_stderr(debug=call.debug):
        try:
            result = _result(call)
            _show(result, as_json=call.json)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop: every exception ends as a sentence and an exit code
            return _report(error, debug=call.debug)
    return result.exit_code


def _result(call: "Call") -> "Result":
    context = _context(call)
    function = call.verb.load()
    result: Result = function(**call.arguments, context=context)  # type: ignore[assignment] # verbs return a Result; a test pins it
    return result


def _context(call: "Call") -> "Context":
    from terrazzo.app.terminal import open_progress
    from terrazzo.recipes.recipe import TABLES, make_recipe
    from terrazzo.recipes.settings import parse_set
    from terrazzo.workflows.context import Context, open_context

    settings = [parse_set(text, TABLES) for text in call.sets]
    unread = sorted({setting.table for setting in settings} - set(call.verb.tables))
    if unread:
        readable = ", ".join(call.verb.tables)
        raise RecipeError(f"--set: {call.verb.name} does not read [{'], ['.join(unread)}]; the tables that it reads are {readable}.")
    recipe = call.verb.recipe_argument
    if recipe is not None:
        context = open_context(str(call.arguments[recipe]), call.sets)
    else:
        context = Context(recipe=make_recipe([*call.settings, *settings]))
    return replace(context, progress=open_progress(sys.stderr), device=call.device, threads=call.threads)


def _show(result: "Result", *, as_json: bool) -> None:
    text = json.dumps(as_object(result)) if as_json else result.text
    if text:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    for problem in result.problems:
        sys.stderr.write(f"error: {problem}\n")


def as_object(result: "Result") -> dict[str, object]:
    """What --json prints: absolute paths by kind, then the facts, then the inputs that failed."""
    shown: dict[str, object] = {}
    for kind, written in result.written.items():
        shown[kind] = str(written.absolute()) if isinstance(written, Path) else [str(path.absolute()) for path in written]
    shown.update(result.facts)
    if result.problems:
        shown["problems"] = list(result.problems)
    return shown


def _usage_sentence(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx is not None else "terrazzo"
    return f"error: {error.format_message()}\n'{path} --help' tells what it takes."


def _report(error: BaseException, *, debug: bool) -> int:
    fault = fault_of(error)
    if fault.exit_code == BROKEN_PIPE:
        # nobody reads stdout any more: the interpreter must not try to flush it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif debug:
        traceback.print_exception(error)
    if fault.message:
        sys.stderr.write(fault.message + "\n")
    return fault.exit_code


def _group() -> click.Group:
    width = {} if sys.stdout.isatty() else {"terminal_width": UNWRAPPED, "max_content_width": UNWRAPPED}
    group = _Verbs(help="Images and labels in, maps out. 'terrazzo VERB --help' tells more of a verb.", context_settings=width)
    version = click.version_option(package_name="terrazzo", prog_name="terrazzo", message="%(prog)s %(version)s")
    version(group)
    return group


def _print_names_as_they_are() -> None:
    """File names may hold bytes that are no UTF-8: print them as they came."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
