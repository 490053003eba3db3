"""Figures that are worked out from the results."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.decoding.peers import PEERS

Results = dict[str, Any]
Figures = dict[str, Any]
EQUAL_GAP = 0.01  # nats an item: hypotheses this close to ctckit's, on average, count as of equal quality


def row_of(results: Results, name: str) -> Results | None:
    """A row by its name."""
    return next((row for row in results["rows"] if row["row"] == name), None)


def figures_of(results: Results, row: str, peer: str) -> Figures | None:
    """Of a decoder on a row."""
    found = row_of(results, row)
    return found["peers"].get(peer) if found else None


def microseconds(row: Results, peer: str) -> float | None:
    """For each frame."""
    if peer not in row["peers"]:
        return None
    return float(1e3 * row["peers"][peer]["ms"]["median"] * row["items"] / row["frames"])


def best_log_probs(row: Results) -> list[float]:
    """Of each item: of the likeliest hypothesis that anyone found."""
    return [max(each) for each in zip(*(peer["log_probs"] for peer in row["peers"].values()), strict=True)]


def gap(row: Results, peer: str) -> float | None:
    """Nats an item below the likeliest hypotheses; None where the search was for something else (a model's weights)."""
    if not row["comparable"] or peer not in row["peers"]:
        return None
    own = row["peers"][peer]["log_probs"]
    return sum(best - each for best, each in zip(best_log_probs(row), own, strict=True)) / len(own)


def deficit(row: Results, peer: str) -> float:
    """Nats an item by which the best of the other libraries is ahead; below 0 where none is."""
    own = row["peers"][peer]["log_probs"]
    others = [each["log_probs"] for name, each in row["peers"].items() if PEERS[name].library != PEERS[peer].library]
    return max((sum(other) - sum(own) for other in others), default=-math.inf) / len(own)


def beaten(row: Results, peer: str) -> int:
    """On how many items someone found a likelier hypothesis."""
    own = row["peers"][peer]["log_probs"]
    return sum(best > each for best, each in zip(best_log_probs(row), own, strict=True))


def error_rate(figures: Figures | None, kind: str, halves: tuple[str, ...] = ("even", "odd")) -> float | None:
    """Edits over size, ``kind`` being "token" or "word"; of a decoder with weights: tuned on the other half."""
    if not figures or "errors" not in figures:
        return None
    errors = [figures["errors"][name] for name in halves if name in figures["errors"]]
    size = sum(each[f"{kind}s"] for each in errors)
    return sum(each[f"{kind}_edits"] for each in errors) / size if size else None


def equal_quality_ratio(row: Results, library: str) -> float | None:
    """How many times ctckit's time a library takes in its fastest setting that reads as well as ctckit.

    Where none does, that of the smallest gap.
    """
    ours = gap(row, "ctckit")
    settings = [name for name in row["peers"] if PEERS[name].library == library]
    if ours is None or not settings:
        return None
    as_good = [name for name in settings if (gap(row, name) or 0.0) <= ours + EQUAL_GAP]
    best = (
        min(as_good, key=lambda name: row["peers"][name]["ratio"])
        if as_good
        else min(settings, key=lambda name: gap(row, name) or 0.0)
    )
    return float(row["peers"][best]["ratio"])
