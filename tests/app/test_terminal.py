"""Progress and logging: bars on a terminal, plain lines elsewhere."""

import io
import logging
import sys
import warnings

import pytest

from terrazzo.app.terminal import Bars, Lines, duration, logging_to_stderr, open_progress, three_digits


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_and_a_file_lines() -> None:
    assert isinstance(open_progress(Terminal()), Bars)
    assert isinstance(open_progress(io.StringIO()), Lines)


def test_lines_tell_rate_and_time_left_and_the_end() -> None:
    stream = io.StringIO()
    with Lines(stream, every_s=0).task("fit", 4, "batches") as advance:
        advance(1)
        advance(2)
    first, second, last = stream.getvalue().splitlines()
    assert first.startswith("fit: 1 of 4 batches, ")
    assert " batches/s, " in first
    assert first.endswith(" left")
    assert second.startswith("fit: 3 of 4 batches, ")
    assert last == "fit: done, 0:00"


def test_short_work_is_silent_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Lines(stream).task("fit", 4, "batches") as advance:
        advance(4)
    assert stream.getvalue() == ""


def test_bars_show_label_and_rate_and_may_be_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    bars = Bars(stream)
    with bars.task("train [bold]x", 2, "epochs") as outer:
        with bars.task("fit", 10, "batches") as advance:
            advance(10)
        outer(1)
    shown = stream.getvalue()
    assert "train [bold]x" in shown
    assert "batches" in shown
    assert "/s" in shown
    with bars.task("again", 1, "steps"):
        pass
    assert "again" in stream.getvalue()


def test_bars_end_when_the_work_fails() -> None:
    bars = Bars(Terminal())
    with pytest.raises(ValueError, match="broken"), bars.task("fit", 1, "batches"):
        raise ValueError("broken")
    with bars.task("fit", 1, "batches") as advance:
        advance(1)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (7201, "2:00:01"), (-3, "0:00")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(0.03125, "0.0312"), (3.126, "3.13"), (31234.4, "31234")])
def test_rates(rate: float, text: str) -> None:
    assert three_digits(rate) == text


def test_notices_are_plain_and_warnings_loud(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("terrazzo.somewhere")
    with logging_to_stderr(debug=False):
        logger.info("kept 3 of 4 windows")
        logger.warning("all one class [bold]")
        logger.debug("detail")
        warnings.warn("a library complains", stacklevel=1)
    logger.warning("too late")
    shown = capsys.readouterr()
    assert shown.err == "kept 3 of 4 windows\nwarning: all one class [bold]\n"
    assert shown.out == ""


def test_debug_shows_details_and_what_libraries_warn_of(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(debug=True), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("terrazzo.somewhere").debug("detail")
        warnings.warn("a library complains", stacklevel=1)
    shown = capsys.readouterr().err
    assert "debug: detail\n" in shown
    assert "a library complains" in shown
    assert not logging.getLogger("terrazzo").handlers


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    with logging_to_stderr(debug=False):
        later = io.StringIO()
        monkeypatch.setattr(sys, "stderr", later)
        logging.getLogger("terrazzo").warning("now")
    assert later.getvalue() == "warning: now\n"
