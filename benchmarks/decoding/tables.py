"""Results as tables for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.decoding.figures import Results, error_rate, gap, microseconds
from benchmarks.decoding.goals import judged
from benchmarks.loss.tables import number


def cells(row: Results, name: str) -> tuple[str, ...]:
    """A decoder's figures, as they are printed."""
    figures = row["peers"][name]
    memory = figures.get("memory") or {}
    return (
        name,
        number(figures["ms"]["median"], ".3g"),
        number(microseconds(row, name), ".3g"),
        number(figures.get("ratio"), ".3g", "×"),
        number(gap(row, name), ".4f"),
        percent(error_rate(figures, "token")),
        percent(error_rate(figures, "word")),
        number(memory.get("one"), ".1f"),
    )


def percent(share: float | None) -> str:
    """A cell."""
    return "–" if share is None else f"{100 * share:.1f} %"


HEAD = ("", "ms an item", "µs a frame", "ctckit's time", "gap", "tokens wrong", "words wrong", "MB")


def print_tables(console: Console, results: Results) -> None:
    """One table for each row, then the goals."""
    for row in results["rows"]:
        table = Table(title=f"{row['about']}: {row['items']} items, C = {row['classes']}, beam {row['beam']}")
        for column in HEAD:
            table.add_column(column, justify="right" if column else "left")
        for name in row["peers"]:
            table.add_row(*cells(row, name))
        console.print(table)
    if results["loading"]:
        loads = (f"{name} {1e3 * each['seconds']:.4g} ms" for name, each in results["loading"].items())
        console.print("A word 3-gram of 943,120 n-grams is loaded in: " + ", ".join(loads))
    table = Table(title="Goals")
    for column in ("", "reached", "must reach", "moonshot", ""):
        table.add_column(column)
    for each in judged(results):
        table.add_row(each.name, each.shown, each.goal, each.moonshot, each.verdict)
    console.print(table)
