"""Results as tables for the terminal, and the figures that are worked out from them."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.loss.goals import GOALS, MOONSHOTS, memory_goal

Row = dict[str, Any]
Results = dict[str, Any]


def milliseconds(row: Row, peer: str, step: str = "both") -> float | None:
    """The median of a peer in its own process."""
    return row["peers"][peer][step]["median"] if peer in row["peers"] else None


def ratio(row: Row, peer: str, step: str = "both", place: str = "peers") -> float | None:
    """How many times ctckit's time a peer takes, in processes of their own or together in one."""
    figures = row[place]
    if "ctckit" not in figures or peer not in figures:
        return None
    return float(figures[peer][step]["median"] / figures["ctckit"][step]["median"])


def goal(results: Results, row: Row) -> float | None:
    """What has to be reached against torch; the goals are for the best instruction set."""
    return None if results["isa_asked_for"] else GOALS.get(results["threads"], {}).get(row["workload"])


def moonshot(results: Results, row: Row) -> float | None:
    """What would be wonderful."""
    return None if results["isa_asked_for"] else MOONSHOTS.get(results["threads"], {}).get(row["workload"])


def gigabytes_per_second(row: Row) -> float:
    """Of ctckit: logits read once, gradient written once."""
    return float(row["bytes_moved"] / row["peers"]["ctckit"]["both"]["median"] / 1e6)


def gigacells_per_second(row: Row) -> float:
    """Of ctckit: cells of the lattice, each passed forwards and backwards, counted once."""
    return float(row["cells"] / row["peers"]["ctckit"]["both"]["median"] / 1e6)


def limit_ms(results: Results, row: Row) -> float:
    """What the memory alone would take."""
    return float(row["bytes_moved"] / results["limits"]["copy"] / 1e6)


def number(value: float | None, form: str = ".1f", unit: str = "") -> str:
    """A cell; a dash where there is nothing."""
    return "–" if value is None else f"{value:{form}}{unit}"


def peers_of(results: Results) -> list[str]:
    """All that were timed on some workload, in the order of the calls."""
    timed = {peer for row in results["rows"] for peer in row["peers"]}
    return [peer for peer in results["calls"] if peer in timed]


def print_tables(console: Console, results: Results) -> None:
    """Times, then ratios, limits and memory."""
    peers = peers_of(results)
    head = f"{results['instruction_set']}, {results['threads']} thread(s)"
    times = Table(title=f"Forward + backward / forward, ms, {head}")
    for column in ("", "stands for", *peers):
        times.add_column(column, justify="left" if column in ("", "stands for") else "right")
    for row in results["rows"]:
        cells = (
            f"{number(milliseconds(row, peer), '.2f')} / {number(milliseconds(row, peer, 'forward'), '.2f')}"
            for peer in peers
        )
        times.add_row(row["workload"], row["stands_for"], *cells)
    console.print(times)
    console.print(ratio_table(results))
    limits = results["limits"]
    console.print(limits_table(results, f"Memory: {limits['read']} GB/s read, {limits['copy']} GB/s copied"))


def ratio_table(results: Results) -> Table:
    """How many times ctckit's time."""
    others = peers_of(results)[1:]
    table = Table(title="Times ctckit's time, forward + backward")
    for column in ("", *others, "torch, one process", "goal", "moonshot"):
        table.add_column(column, justify="right" if column else "left")
    for row in results["rows"]:
        table.add_row(
            row["workload"],
            *(number(ratio(row, peer), ".1f", "×") for peer in others),
            number(ratio(row, "torch", place="together"), ".1f", "×"),
            number(goal(results, row), ".0f", "×"),
            number(moonshot(results, row), ".0f", "×"),
        )
    return table


def limits_table(results: Results, title: str) -> Table:
    """Ctckit against the memory's bandwidth, and what memory it needs."""
    table = Table(title=title)
    for column in ("", "ctckit GB/s", "G cells/s", "ms", "limit ms", "extra MB first / later", "goal"):
        table.add_column(column, justify="right" if column else "left")
    for row in results["rows"]:
        memory = row["peers"]["ctckit"]["memory"] or {}
        table.add_row(
            row["workload"],
            number(gigabytes_per_second(row)),
            number(gigacells_per_second(row), ".2f"),
            number(milliseconds(row, "ctckit"), ".2f"),
            number(limit_ms(results, row), ".2f"),
            f"{number(memory.get('first'), '.2f')} / {number(memory.get('warm'), '.2f')}",
            number(memory_goal(row["logits_bytes"]) / 1e6, ".1f"),
        )
    return table
