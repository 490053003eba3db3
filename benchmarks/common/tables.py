"""Tables in Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def number(value: float | None, form: str = ".1f", unit: str = "") -> str:
    """Return a number as text; a dash for None."""
    return "–" if value is None else f"{value:{form}}{unit}"


def percent(share: float | None) -> str:
    """Return a share as text; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def duration(milliseconds: float) -> str:
    """Return a time in seconds, milliseconds or microseconds, depending on its size."""
    if milliseconds >= 1e3:
        return f"{milliseconds / 1e3:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 1 else f"{1e3 * milliseconds:.3g} µs"


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> str:
    """Return a table in Markdown. The first ``left`` columns are words, the others are numbers."""
    names = list(head)
    rule = ["---"] * left + ["---:"] * (len(names) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, rule, *rows))


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1
) -> None:
    """Print a table. The first ``left`` columns are words, the others are numbers."""
    table = Table(title=title)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=place < left)
    for row in rows:
        table.add_row(*row)
    console.print(table)
