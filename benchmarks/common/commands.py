"""Options of the command lines, progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.common.turns import QUICK, Settings

Quick = Annotated[bool, typer.Option("--quick", help="Few items, two rounds: a rough look.")]
Rounds = Annotated[int, typer.Option(help="Rounds in which all take a turn; 0: the usual number.", min=0)]
Peers = Annotated[str, typer.Option(help="Names between commas, such as ctckit,torchaudio.")]
Cases = Annotated[str, typer.Option(help="Names between commas.")]
Resume = Annotated[bool, typer.Option("--resume", help="Measure only what --out does not have yet.")]
Out = Annotated[Path | None, typer.Option(help="Write the results to this JSON file, case by case.")]


def chosen(names: str, known: tuple[str, ...], option: str) -> list[str]:
    """Return the names between commas, in the order of ``known``; all of them for "all"."""
    wanted = known if names == "all" else tuple(names.split(","))
    if unknown := set(wanted) - set(known):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; known are {', '.join(known)}", param_hint=option)
    return [name for name in known if name in wanted]


def settings_of(quick: bool, rounds: int, usual: Settings) -> Settings:
    """Return how to measure: the quick settings or the usual ones, with another number of rounds if it is not 0."""
    settings = QUICK if quick else usual
    return replace(settings, rounds=rounds or settings.rounds)


def progress_bars(console: Console) -> Progress:
    """Return progress bars that are drawn only when they change: a thread that redraws them would disturb timings."""
    return Progress(console=console, transient=True, auto_refresh=False)


@contextmanager
def progress_bar(progress: Progress, name: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar for a case; the function that it gives advances the bar by one."""
    bar = progress.add_task(name, total=total)
    progress.refresh()
    yield lambda: progress.update(bar, advance=1, refresh=True)
    progress.remove_task(bar)
