"""Figures that are computed from the results."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.decoding.peers import PEERS

Measurement = dict[str, Any]  # of one case
Figures = dict[str, Any]  # of one decoder on one case
EQUAL_GAP = 0.01  # nats an item: hypotheses this close to ctckit's, on average, count as of equal quality


def microseconds(case: Measurement, peer: str) -> float | None:
    """Return the time for a frame."""
    if peer not in case["peers"]:
        return None
    return float(1e3 * case["peers"][peer]["ms"]["median"] * case["items"] / case["frames"])


def best_log_probs(case: Measurement) -> list[float]:
    """Return the log-probability of each item's likeliest text, over all decoders."""
    return [max(each) for each in zip(*(peer["log_probs"] for peer in case["peers"].values()), strict=True)]


def gap(case: Measurement, peer: str) -> float | None:
    """Return the mean nats by which the texts are below the likeliest ones; None if a language model took part."""
    if not case["comparable"] or peer not in case["peers"]:
        return None
    own = case["peers"][peer]["log_probs"]
    return sum(best - each for best, each in zip(best_log_probs(case), own, strict=True)) / len(own)


def deficit(case: Measurement, peer: str) -> float:
    """Return the mean nats by which the best other library is ahead; a negative number if none is."""
    own = case["peers"][peer]["log_probs"]
    others = [each["log_probs"] for name, each in case["peers"].items() if PEERS[name].library != PEERS[peer].library]
    return max((sum(other) - sum(own) for other in others), default=-math.inf) / len(own)


def beaten(case: Measurement, peer: str) -> int:
    """Return the number of items for which another decoder found a likelier text."""
    own = case["peers"][peer]["log_probs"]
    return sum(best > each for best, each in zip(best_log_probs(case), own, strict=True))


def error_rate(figures: Figures | None, kind: str, halves: tuple[str, ...] = ("even", "odd")) -> float | None:
    """Return edits divided by size; weights are those that were tuned on the other half.

    Args:
        figures: The measurements of a decoder.
        kind: "token" or "word".
        halves: The halves of the items to count.
    """
    if not figures or "errors" not in figures:
        return None
    errors = [figures["errors"][name] for name in halves if name in figures["errors"]]
    size = sum(each[f"{kind}s"] for each in errors)
    return sum(each[f"{kind}_edits"] for each in errors) / size if size else None


def equal_quality_ratio(case: Measurement, library: str) -> float | None:
    """Return a library's time divided by ctckit's, in its fastest setting that has the same quality as ctckit.

    If there is no such setting, the setting with the smallest gap counts.
    """
    ctckit = gap(case, "ctckit")
    settings = [name for name in case["peers"] if PEERS[name].library == library]
    if ctckit is None or not settings:
        return None
    as_good = [name for name in settings if (gap(case, name) or 0.0) <= ctckit + EQUAL_GAP]
    best = (
        min(as_good, key=lambda name: case["peers"][name]["ratio"])
        if as_good
        else min(settings, key=lambda name: gap(case, name) or 0.0)
    )
    return float(case["peers"][best]["ratio"])
