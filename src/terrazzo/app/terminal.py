"""What a terminal shows while a verb works: bars on a terminal, a plain line now and then elsewhere; both on stderr."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from terrazzo.progress import Advance, Progress

PLAIN_EVERY_S = 10.0
"""Seconds between two lines of progress where there is no terminal."""


def open_progress(stream: TextIO) -> Progress:
    """Bars if the stream is a terminal, plain lines otherwise."""
    return Bars(stream) if stream.isatty() else Lines(stream)


class Bars:
    """Bars with rate and time left; tasks may be opened inside each other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: RichProgress | None = None

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        outermost = self._live is None
        bars = self._live or RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        if outermost:
            bars.start()
            self._live = bars
        row = bars.add_task(label, total=total, unit=unit)
        try:
            yield lambda done: bars.advance(row, done)
        finally:
            bars.remove_task(row)
            if outermost:
                bars.stop()
                self._live = None


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['unit']}, {three_digits(task.speed or 0.0)}/s")


class Lines:
    """Now and then a plain line, with rate and time left, and one at the end of what took long."""

    def __init__(self, stream: TextIO, every_s: float = PLAIN_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        state = _Running(label=label, total=total, unit=unit)
        shown = state.started

        def advance(done: float) -> None:
            nonlocal shown
            state.done += done
            now = time.monotonic()
            if now - shown >= self._every_s:
                shown = now
                self._write(state.line(now))

        yield advance
        if shown != state.started:
            self._write(f"{label}: done, {duration(time.monotonic() - state.started)}")

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


@dataclass(kw_only=True)
class _Running:
    label: str
    total: float
    unit: str
    done: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def line(self, now: float) -> str:
        """Such as 'fit: 120 of 400 batches, 3.1 batches/s, 1:30 left'."""
        rate = self.done / max(now - self.started, 1e-9)
        left = f", {duration((self.total - self.done) / rate)} left" if rate > 0 else ""
        return f"{self.label}: {self.done:.0f} of {self.total:.0f} {self.unit}, {three_digits(rate)} {self.unit}/s{left}"


def three_digits(rate: float) -> str:
    """Such as 0.0312, 3.12 or 31234."""
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"


def duration(seconds: float) -> str:
    """Such as 1:05 or 2:00:01."""
    whole = max(round(seconds), 0)
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: while bars are shown, lines go above them."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        del value  # the base class sets it; ours is always the current one


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno != logging.INFO else text


@contextmanager
def logging_to_stderr(*, debug: bool) -> Iterator[None]:
    """Show Terrazzo's notices and warnings on stderr; with debug also its details and what libraries warn of."""
    handler = _ToStderr()
    handler.setFormatter(_Lines())
    names = ("terrazzo", "py.warnings") if debug else ("terrazzo",)
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    # without a handler of their own, warnings of libraries go nowhere
    logging.captureWarnings(capture=True)
    silent = logging.NullHandler()
    logging.getLogger("py.warnings").addHandler(silent)
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if debug else logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        logging.getLogger("py.warnings").removeHandler(silent)
        logging.captureWarnings(capture=False)
