"""The progress of training: a bar with loss, CER, lines per second and the share of time in the CTC loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ctckit.ocr.training.record import TrainingRecord

_ROUNDING = 1e-9  # of ten sums of a tenth


class TrainingProgress:
    """Shows the progress: a live bar in a terminal; elsewhere (a log, a pipe) one line for each tenth of the run.

    Args:
        console: Where to print; standard error by default.
        quiet: Print nothing.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps: int | None = None
        self._share: Callable[[int], float] = float
        self._next_line = 0.0

    @contextmanager
    def running(self, first: int, steps: int | None, *, share: Callable[[int], float] | None = None) -> Iterator[None]:
        """Show the bar while the block runs.

        Args:
            first: The steps that are already done.
            steps: The number of steps; None if it is not known.
            share: Returns the share of the run that is done after a step, 0..1; None if the steps tell.
        """
        self._steps = steps
        self._share = share or (lambda done: done / steps if steps else 0.0)
        self._next_line = self._share(first) + 0.1
        if self._quiet or not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("training"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[step]}"),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console) as self._bar:
            self._task = self._bar.add_task("training", total=1.0, step=self._name(first), figures="")
            self._bar.update(self._task, completed=self._share(first))
            yield
        self._bar = self._task = None

    def _name(self, step: int) -> str:
        return f"{step}" if self._steps is None else f"{step}/{self._steps}"

    def show(self, step: int, record: TrainingRecord) -> None:
        """Show the state of the run after a step, counted from 1."""
        if self._quiet:
            return
        share, name = self._share(step), self._name(step)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=share, step=name, figures=figures(record))
        elif not self._console.is_terminal and share >= self._next_line - _ROUNDING:
            while self._next_line <= share + _ROUNDING:
                self._next_line += 0.1
            self._console.print(
                f"step {name}  {figures(record)}  {record.seconds:.0f} s", highlight=False, soft_wrap=True
            )

    def tell(self, text: str) -> None:
        """Print a text above the bar."""
        if not self._quiet:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def figures(record: TrainingRecord) -> str:
    """Return the latest values of a run as one line.

    Example:
        >>> figures(TrainingRecord(steps=(10,), loss=(0.5,), cer=(0.25,), lines_per_second=640.0, loss_share=0.02))
        'loss 0.500  CER 25.0 %  640 lines/s  CTC 2 % of the time'
    """
    parts = []
    if record.steps:
        parts += [f"loss {record.loss[-1]:.3f}", f"CER {record.cer[-1]:.1%}".replace("%", " %")]
    if record.validation_cer:
        parts.append(f"validation CER {record.validation_cer[-1]:.1%}".replace("%", " %"))
    parts += [f"{record.lines_per_second:.0f} lines/s", f"CTC {record.loss_share:.0%} of the time".replace("%", " %")]
    return "  ".join(parts)
