"""Results as tables for the terminal."""

from __future__ import annotations

from rich.console import Console

from benchmarks.common.results import Results
from benchmarks.common.tables import number, percent, print_table
from benchmarks.decoding.figures import Measurement, error_rate, gap, microseconds

HEAD = ("", "ms an item", "µs a frame", "ctckit's time", "gap", "tokens wrong", "words wrong", "MB")


def cells(case: Measurement, name: str) -> tuple[str, ...]:
    """Return the figures of a decoder."""
    figures = case["peers"][name]
    memory = figures.get("memory") or {}
    return (
        name,
        number(figures["ms"]["median"], ".3g"),
        number(microseconds(case, name), ".3g"),
        number(figures.get("ratio"), ".3g", "×"),
        number(gap(case, name), ".4f"),
        percent(error_rate(figures, "token")),
        percent(error_rate(figures, "word")),
        number(memory.get("one"), ".1f"),
    )


def print_tables(console: Console, results: Results) -> None:
    """Print a table for each case."""
    for case in results["cases"]:
        title = f"{case['about']}: {case['items']} items, C = {case['classes']}, beam {case['beam']}"
        print_table(console, title, HEAD, [cells(case, name) for name in case["peers"]])
    if results["loading"]:
        loads = (f"{name} {1e3 * each['seconds']:.4g} ms" for name, each in results["loading"].items())
        console.print("Time to load a word 3-gram of 943,120 n-grams: " + ", ".join(loads))
