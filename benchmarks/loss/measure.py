"""One workload: check every peer against float64, let them take turns, then look at their memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.workers import Member, WorkerError
from benchmarks.loss.workloads import Problem, Workload

# Of the gradient of one item's loss, which lies in [−1, 1]. It is to find a peer that is set up wrong, which is off by
# about 1; float32 in log space is itself off by up to 0.08 at W5.
TOLERANCE = 0.1
LOSS_TOLERANCE = 1e-4  # relative
PATIENCE = 60.0  # seconds for compiling and two steps; who needs more is not timed
TURN_SECONDS = 0.1  # how long the timed steps of one turn take together, about
MOST_STEPS = 10
WARM_UP_BELOW = 0.3  # seconds: for such a step the caches matter, and one that is not timed goes before
BUDGET_SECONDS = 30.0  # for one peer on one workload: a slow one takes part in fewer rounds, but in three
LEAST_ROUNDS = 3
STEPS = ("both", "forward")
TOGETHER = ("ctckit", "torch")


@dataclass
class Entry:
    """A member that takes part in this workload, and what it measured: (peer, step) → seconds."""

    member: Member
    expected: dict[str, float]  # step → seconds of all its peers
    errors: dict[str, dict[str, float]]  # peer → errors
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def rounds(self, wanted: int) -> int:
        """How many fit into the budget."""
        fit = int(BUDGET_SECONDS / (2 * sum(self.expected.values()) + 1e-9))
        return min(wanted, max(LEAST_ROUNDS, fit))

    def take_turn(self) -> None:
        """Both steps, some times each."""
        for step in STEPS:
            steps = min(MOST_STEPS, max(1, round(TURN_SECONDS / self.expected[step])))
            warm_up = self.expected[step] < WARM_UP_BELOW
            answer = self.member.ask("run", 10 * PATIENCE, step=step, steps=steps, warm_up=warm_up)
            for peer, seconds in answer["times"].items():
                self.times.setdefault((peer, step), []).extend(seconds)


@dataclass
class Reference:
    """Float64: the loss, and the gradient of each item's loss, not yet multiplied by its weight in the mean."""

    problem: Problem
    loss: float
    gradient: Any

    def errors(self, loss: float, gradient: Any) -> dict[str, float]:
        """How far a peer is away: relative, and absolute in the gradient of one item's loss."""
        difference = gradient / self.problem.weights[:, None, None].astype(np.float32)
        difference -= self.gradient
        worst = np.abs(difference, out=difference).max()
        return {"loss": abs(loss / self.loss - 1), "gradient": float(worst)}


def reference(problem: Problem, folder: Path, threads: int) -> Reference:
    """Torch in float64."""
    gradient = folder / "reference.npy"
    with Member(("reference",), threads) as member:
        member.ask("load", PATIENCE, path=str(folder / "problem.npz"))
        loss = member.ask("check", PATIENCE, peer="reference", gradient=str(gradient))["loss"]
    values = np.load(gradient) / problem.weights[:, None, None]
    return Reference(problem, loss, values.astype(np.float32))


def enter(member: Member, truth: Reference, folder: Path) -> Entry:
    """Hand out the problem and check every peer of a process; raises for one that is wrong."""
    member.ask("load", PATIENCE, path=str(folder / "problem.npz"))
    expected, errors = dict.fromkeys(STEPS, 0.0), {}
    for peer in member.peers:
        gradient = folder / "gradient.npy"
        answer = member.ask("check", PATIENCE, peer=peer, gradient=str(gradient))
        errors[peer] = truth.errors(answer["loss"], np.load(gradient))
        expected = {step: expected[step] + answer[step] for step in STEPS}
        if not (errors[peer]["gradient"] <= TOLERANCE and errors[peer]["loss"] <= LOSS_TOLERANCE):
            raise WorkerError("disagrees with float64: " + ", ".join(f"{k} {v:.1e}" for k, v in errors[peer].items()))
    return Entry(member, expected, errors)


def take_turns(entries: list[Entry], rounds: int, tick: Callable[[], object]) -> None:
    """Round by round; each round begins with another member."""
    for i in range(rounds):
        first = i % len(entries)
        for entry in entries[first:] + entries[:first]:
            if i < entry.rounds(rounds):
                entry.take_turn()
        tick()


def summary(seconds: list[float]) -> dict[str, float | int]:
    """Quartiles in milliseconds."""
    low, middle, high = 1e3 * np.quantile(seconds, (0.25, 0.5, 0.75))
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4), "steps": len(seconds)}


def peak_memory(peer: str, folder: Path, threads: int, instruction_set: str) -> dict[str, float] | None:
    """In a process of its own; None where it cannot be had."""
    try:
        with Member((peer,), threads, instruction_set) as member:
            answer = member.ask("memory", 2 * PATIENCE, path=str(folder / "problem.npz"))["memory"]
    except WorkerError:
        return None
    return answer and {kind: round(value / 1e6, 3) for kind, value in answer.items()}


def row(workload: Workload, problem: Problem, entries: list[Entry]) -> dict[str, Any]:
    """What is saved of a workload, times in ms, memory in MB; the memory of the peers is added later."""
    peers: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for entry in entries:
        place = together if len(entry.member.peers) > 1 else peers
        for peer in entry.member.peers:
            times = {step: summary(entry.times[peer, step]) for step in STEPS}
            errors = {f"{kind}_error": float(f"{value:.3g}") for kind, value in entry.errors[peer].items()}
            place[peer] = {**times, **errors}
    return {
        "workload": workload.name,
        "stands_for": workload.stands_for,
        "shape": problem.logits.shape,
        "tokens": workload.tokens,
        "cells": problem.cells,
        "bytes_moved": problem.bytes_moved,
        "logits_bytes": problem.logits.nbytes,
        "peers": peers,
        "together": together,
    }
