"""Figures that are computed from the results, and tables for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from benchmarks.common.results import Results
from benchmarks.common.tables import number, print_table

Measurement = dict[str, Any]  # of one workload; an entry of results["rows"], a key that docs/learn reads as well


def milliseconds(measurement: Measurement, peer: str, step: str = "both") -> float | None:
    """Return the median time of a library in its own process."""
    return measurement["peers"][peer][step]["median"] if peer in measurement["peers"] else None


def ratio(measurement: Measurement, peer: str, step: str = "both", place: str = "peers") -> float | None:
    """Return a library's time divided by ctckit's: in processes of their own ("peers") or in one ("together")."""
    figures = measurement[place]
    if "ctckit" not in figures or peer not in figures:
        return None
    return float(figures[peer][step]["median"] / figures["ctckit"][step]["median"])


def gigabytes_per_second(measurement: Measurement) -> float:
    """Return ctckit's throughput; the logits are read once and the gradient is written once."""
    return float(measurement["bytes_moved"] / measurement["peers"]["ctckit"]["both"]["median"] / 1e6)


def gigacells_per_second(measurement: Measurement) -> float:
    """Return ctckit's 10⁹ cells of the lattice per second; forward and backward count as one."""
    return float(measurement["cells"] / measurement["peers"]["ctckit"]["both"]["median"] / 1e6)


def limit_ms(results: Results, measurement: Measurement) -> float:
    """Return the time that the memory traffic alone would take."""
    return float(measurement["bytes_moved"] / results["limits"]["copy"] / 1e6)


def peers_of(results: Results) -> list[str]:
    """Return all libraries that were timed on some workload, in the order of the calls."""
    timed = {peer for each in results["rows"] for peer in each["peers"]}
    return [peer for peer in results["calls"] if peer in timed]


def print_tables(console: Console, results: Results) -> None:
    """Print times, then ratios, then limits and memory."""
    peers, measurements = peers_of(results), results["rows"]
    head = f"{results['instruction_set']}, {results['threads']} thread(s)"
    times = [
        (
            each["workload"],
            each["stands_for"],
            *(
                f"{number(milliseconds(each, peer), '.2f')} / {number(milliseconds(each, peer, 'forward'), '.2f')}"
                for peer in peers
            ),
        )
        for each in measurements
    ]
    title = f"Forward + backward / forward, ms, {head}"
    print_table(console, title, ("", "stands for", *peers), times, left=2)
    print_table(
        console,
        "Times ctckit's time, forward + backward",
        ("", *peers[1:], "torch, one process"),
        [
            (
                each["workload"],
                *(number(ratio(each, peer), ".1f", "×") for peer in peers[1:]),
                number(ratio(each, "torch", place="together"), ".1f", "×"),
            )
            for each in measurements
        ],
    )
    limits = results["limits"]
    print_table(
        console,
        f"Memory: {limits['read']} GB/s read, {limits['copy']} GB/s copied",
        ("", "ctckit GB/s", "G cells/s", "ms", "limit ms", "extra MB first / later"),
        [limit_cells(results, each) for each in measurements],
    )


def limit_cells(results: Results, measurement: Measurement) -> tuple[str, ...]:
    """Compare ctckit with the memory bandwidth, and show its memory."""
    memory = measurement["peers"]["ctckit"]["memory"] or {}
    return (
        measurement["workload"],
        number(gigabytes_per_second(measurement)),
        number(gigacells_per_second(measurement), ".2f"),
        number(milliseconds(measurement, "ctckit"), ".2f"),
        number(limit_ms(results, measurement), ".2f"),
        f"{number(memory.get('first'), '.2f')} / {number(memory.get('warm'), '.2f')}",
    )
