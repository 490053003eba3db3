"""One workload: check every library against float64, let them take turns, measure their memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.libraries import CTCKIT
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.loss.peers import PEERS
from benchmarks.loss.workloads import Problem, Workload

# For the gradient of one item's loss, whose entries lie in [−1, 1]. The check finds libraries that are set up wrong,
# which have errors of about 1; float32 in log space has errors of up to 0.08 at W5.
TOLERANCE = 0.1
LOSS_TOLERANCE = 1e-4  # relative
PATIENCE = 60.0  # seconds for compiling and two steps; a slower library has no figure
TURN_SECONDS = 0.1  # the timed steps of one turn take about this long together
MOST_STEPS = 10
WARM_UP_BELOW = 0.3  # seconds: caches matter for such short steps, so a step that is not timed goes before
BUDGET_SECONDS = 30.0  # for one library on one workload: a slow one takes part in fewer rounds, at least in three
LEAST_ROUNDS = 3
STEPS = ("both", "forward")
TOGETHER = ("ctckit", "torch")
MODULE = "benchmarks.loss.worker"


def start(peers: tuple[str, ...], threads: int, instruction_set: str = "") -> WorkerProcess:
    """Start a process that holds these libraries."""
    environments = {PEERS[name].environment for name in peers} or {CTCKIT}
    (environment,) = environments
    return WorkerProcess(peers, threads, instruction_set, module=MODULE, environment=environment)


@dataclass
class Entry:
    """A process that takes part in this workload.

    Attributes:
        worker: The process.
        expected: Step → seconds of all its libraries together.
        errors: Library → errors.
        times: (library, step) → measured seconds.
    """

    worker: WorkerProcess
    expected: dict[str, float]
    errors: dict[str, dict[str, float]]
    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def rounds(self, wanted: int) -> int:
        """Return how many rounds fit into the budget."""
        fit = int(BUDGET_SECONDS / (2 * sum(self.expected.values()) + 1e-9))
        return min(wanted, max(LEAST_ROUNDS, fit))

    def take_turn(self) -> None:
        """Time both kinds of steps, several times each."""
        for step in STEPS:
            steps = min(MOST_STEPS, max(1, round(TURN_SECONDS / self.expected[step])))
            warm_up = self.expected[step] < WARM_UP_BELOW
            answer = self.worker.ask("run", 10 * PATIENCE, step=step, steps=steps, warm_up=warm_up)
            for peer, seconds in answer["times"].items():
                self.times.setdefault((peer, step), []).extend(seconds)


@dataclass
class Reference:
    """The loss and the gradient of each item's own loss, in float64."""

    problem: Problem
    loss: float
    gradient: Array

    def errors(self, loss: float, gradient: Array) -> dict[str, float]:
        """Return the relative error of a loss and the largest absolute error of the gradient of one item's loss.

        Args:
            loss: The mean over items of loss / N.
            gradient: (B, T, C) the gradient of that mean.
        """
        difference = gradient / self.problem.weights[:, None, None].astype(np.float32)
        difference -= self.gradient
        worst = np.abs(difference, out=difference).max()
        return {"loss": abs(loss / self.loss - 1), "gradient": float(worst)}


def reference(problem: Problem, folder: Path, threads: int) -> Reference:
    """Compute loss and gradient by torch in float64."""
    gradient = folder / "reference.npy"
    with start(("reference",), threads) as worker:
        worker.ask("load", PATIENCE, path=str(folder / "problem.npz"))
        loss = worker.ask("check", PATIENCE, peer="reference", gradient=str(gradient))["loss"]
    values = np.load(gradient) / problem.weights[:, None, None]
    return Reference(problem, loss, values.astype(np.float32))


def enter(worker: WorkerProcess, truth: Reference, folder: Path) -> Entry:
    """Load the problem into a process and check each of its libraries.

    Raises:
        WorkerError: If a library gives a wrong result.
    """
    worker.ask("load", PATIENCE, path=str(folder / "problem.npz"))
    expected, errors = dict.fromkeys(STEPS, 0.0), {}
    for peer in worker.peers:
        gradient = folder / "gradient.npy"
        answer = worker.ask("check", PATIENCE, peer=peer, gradient=str(gradient))
        errors[peer] = truth.errors(answer["loss"], np.load(gradient))
        expected = {step: expected[step] + answer[step] for step in STEPS}
        if not (errors[peer]["gradient"] <= TOLERANCE and errors[peer]["loss"] <= LOSS_TOLERANCE):
            raise WorkerError("disagrees with float64: " + ", ".join(f"{k} {v:.1e}" for k, v in errors[peer].items()))
    return Entry(worker, expected, errors)


def summary(seconds: list[float]) -> dict[str, float | int]:
    """Return quartiles in milliseconds, and the number of steps."""
    low, middle, high = 1e3 * np.quantile(seconds, (0.25, 0.5, 0.75))
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4), "steps": len(seconds)}


def peak_memory(peer: str, folder: Path, threads: int, instruction_set: str) -> dict[str, float] | None:
    """Measure memory in a fresh process, in MB; None if this is not possible."""
    try:
        with start((peer,), threads, instruction_set) as worker:
            answer = worker.ask("memory", 2 * PATIENCE, path=str(folder / "problem.npz"))["memory"]
    except WorkerError:
        return None
    return answer and {kind: round(value / 1e6, 3) for kind, value in answer.items()}


def measurement(workload: Workload, problem: Problem, entries: list[Entry]) -> dict[str, Any]:
    """Return what is saved of a workload, times in ms; the memory of the libraries is added later."""
    peers: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for entry in entries:
        place = together if len(entry.worker.peers) > 1 else peers
        for peer in entry.worker.peers:
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
