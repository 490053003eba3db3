"""Borders of words against labels: ``python -m benchmarks.boundaries --out benchmarks/results/boundaries.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.boundaries.aligners import ALIGNERS, Borders, versions
from benchmarks.boundaries.page import print_tables
from benchmarks.boundaries.recordings import SOURCES, Recording
from benchmarks.common import commands, results
from benchmarks.common.posteriors import MissingDataError

ALL = "all"


def errors(recording: Recording, borders: Borders) -> list[tuple[float, float]]:
    """Return how many seconds after the label each word starts and ends."""
    return [
        (start - word.start_seconds, end - word.end_seconds)
        for (start, end), word in zip(borders, recording.words, strict=True)
    ]


def figures(found: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return the mean error of all borders in ms, that of starts and ends with its sign, the share within limits."""
    late = 1000 * np.array(found)
    distance = np.abs(late)
    return {
        "error_ms": round(float(distance.mean()), 1),
        "start_ms": round(float(late[:, 0].mean()), 1),
        "end_ms": round(float(late[:, 1].mean()), 1),
        "within_20": round(float((distance <= 20).mean()), 3),
        "within_50": round(float((distance <= 50).mean()), 3),
    }


def measure(recordings: dict[str, list[Recording]]) -> list[dict[str, Any]]:
    """Return a case for each source, and one for all."""
    cases: dict[str, dict[str, list[tuple[float, float]]]] = {name: {} for name in (*recordings, ALL)}
    for source, items in recordings.items():
        for aligner, (_, align) in ALIGNERS.items():
            for item in items:
                found = errors(item, align(item.sound, item.text))
                for name in (source, ALL):
                    cases[name].setdefault(aligner, []).extend(found)
    speakers = {**{name: len(items) for name, items in recordings.items()}, ALL: sum(map(len, recordings.values()))}
    return [
        {
            "case": name,
            "speakers": speakers[name],
            "words": len(next(iter(found.values()))),
            "peers": {aligner: figures(own) for aligner, own in found.items()},
        }
        for name, found in cases.items()
    ]


def main(out: commands.Out = None) -> None:
    """Measure aligners."""
    console = Console()
    found = results.begin(out, False, quick=False, rounds=1)
    recordings = {}
    for name, source in SOURCES.items():
        try:
            recordings[name] = source()
        except MissingDataError as error:
            found["refused"][name] = str(error)
            console.print(f"{name}: {error}", style="yellow")
    if not recordings:
        raise typer.Exit(1)
    found["versions"] = versions()
    found["cases"] = measure(recordings)
    if out:
        results.write(found, out)
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
