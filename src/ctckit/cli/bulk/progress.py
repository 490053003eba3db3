"""How far a job is: done, rate, errors, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer

from ctckit.cli.output import SECONDS_BETWEEN_LINES


@dataclass
class Pace:
    """Counts of a job.

    Attributes:
        total: The inputs.
        skipped: Those that an earlier run did, or that were given twice.
        computed: Those that this run did.
        errors: Those of this run that have errors.
        started: When the first was begun, by the monotonic clock.
    """

    total: int
    skipped: int = 0
    computed: int = 0
    errors: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def passed(self) -> int:
        """The inputs that are done."""
        return self.skipped + self.computed

    def __str__(self) -> str:
        rate = self.computed / max(time.monotonic() - self.started, 1e-9)
        if not self.computed:
            return f"{self.passed:,} of {self.total:,}"
        speed = f"{rate:,.1f} a second" if rate >= 1 else f"{60 * rate:,.1f} a minute"
        minutes, seconds = divmod(round(max(0, self.total - self.passed) / rate), 60)
        left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"
        errors = f"{self.errors:,} error{'' if self.errors == 1 else 's'}"
        return f"{self.passed:,} of {self.total:,}, {speed}, {errors}, {left}"


@contextmanager
def shown(what: str, pace: Pace) -> Iterator[Callable[[], None]]:
    """Show a pace from now on, on standard error: a bar, or without a terminal a line every ten seconds.

    Yields:
        A function to call after each change.
    """
    pace.started = time.monotonic()
    if not sys.stderr.isatty():
        yield _lines(what, pace)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=pace.total, pace=pace)
        yield lambda: progress.update(task, completed=pace.passed)


def _lines(what: str, pace: Pace) -> Callable[[], None]:
    last = time.monotonic()

    def show() -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            typer.echo(f"ctckit: {what}: {pace}", err=True)

    return show
