"""``ctckit train --devices N``: the same command in N processes, and what is said when they end before their time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from ctckit.cli.signals import SIGNALED
from ctckit.errors import CTCKitError


@dataclass(frozen=True)
class Advice:
    """What to do after a run that did not end.

    Attributes:
        out: The model folder.
        overwrite: Whether the command replaces what is in it.
    """

    out: Path
    overwrite: bool

    unsaved = "Nothing was saved; start again with the same command."

    @property
    def saved(self) -> str:
        """The advice if there is a checkpoint."""
        return f"Continue: the same command with --resume{' instead of --overwrite' if self.overwrite else ''}."

    @property
    def checkpoint(self) -> Path:
        """The file of the checkpoint."""
        from ctckit.ocr.fit import CHECKPOINT_FILE

        return self.out / CHECKPOINT_FILE

    @property
    def is_saved(self) -> bool:
        """Whether there is a checkpoint."""
        return self.checkpoint.exists()

    def after_failure(self) -> str:
        """Return what is saved, and the advice."""
        if not self.is_saved:
            return self.unsaved
        from ctckit.ocr.training.checkpoint import saved_step

        return f"The state after step {saved_step(self.checkpoint)} is in {self.checkpoint}. {self.saved}"


def train_in_processes(devices: int, advice: Advice) -> None:
    """Run this command in several processes, and wait for them.

    Raises:
        typer.Exit: If one fails or is killed, or a signal stops them.
    """
    from ctckit.ocr.training.launching import LaunchInterrupted, ProcessFailedError, launch

    try:
        launch(("-m", "ctckit", *sys.argv[1:]), devices)
    except LaunchInterrupted as stop:
        raise typer.Exit(SIGNALED + stop.signal) from None
    except ProcessFailedError as error:
        typer.echo(f"ctckit: {error}{f' {advice.after_failure()}' if error.is_killed else ''}", err=True)
        raise typer.Exit(error.code) from None


def record_error(error: CTCKitError, *, first: bool) -> None:
    """Let the launcher know why this process fails, if one has started it; the caller raises the error.

    Raises:
        typer.Exit: If nothing is to be printed here: the launcher tells it, or it was told already.
    """
    from ctckit.ocr.training.devices import is_launched, is_supervised
    from ctckit.ocr.training.launching import record_failure
    from ctckit.ocr.training.team import ProcessLostError

    if not is_launched():
        return
    record_failure(error)
    if isinstance(error, ProcessLostError) or not first or is_supervised():
        raise typer.Exit(_FAILED)


_FAILED = 2
