"""What commands print: never lost because the terminal, or a pipe, cannot encode a character."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer


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
def progress_bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error while the block runs, if that is a terminal; yields what moves it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda at: progress.update(task, completed=at)
