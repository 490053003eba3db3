"""What commands print: never lost because the terminal, or a pipe, cannot encode a character."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

SECONDS_BETWEEN_LINES = 10.0


def accept_all_characters() -> None:
    r"""Print a character that standard output cannot encode as an escape, such as ``\udce9``, not as an error.

    File names that are not UTF-8 contain such characters, and so do texts where the locale is not UTF-8.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def echo_json(value: Any) -> None:
    """Print a value as JSON; characters that standard output cannot encode are escaped as JSON escapes them."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    typer.echo(text)


def some(names: Sequence[str]) -> str:
    """Return the first few names, for a message."""
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


@contextmanager
def progress_bar(what: str, total: float, *, shown: bool = True) -> Iterator[Callable[[float], None]]:
    """Show on standard error how far the block is: a bar, or without a terminal a line every ten seconds.

    Args:
        what: What runs.
        total: The number at its end.
        shown: Whether to show anything.

    Yields:
        A function to call with the number reached.
    """
    if shown and not sys.stderr.isatty():
        yield _lines_of_progress(what, total)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not shown) as progress:
        task = progress.add_task(what, total=total)
        yield lambda at: progress.update(task, completed=at)


def _lines_of_progress(what: str, total: float) -> Callable[[float], None]:
    last = time.monotonic()

    def show(at: float) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            typer.echo(f"ctckit: {what}: {at / max(total, at):.0%}", err=True)

    return show
