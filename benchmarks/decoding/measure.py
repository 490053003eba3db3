"""One case: hand out the task, tune, check, let the decoders take turns, measure their memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import DataSet
from benchmarks.common.turns import PATIENCE, Entry, summary
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.common.workers import start as start_worker
from benchmarks.decoding.cases import Case
from benchmarks.decoding.judge import Judge
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Parameters, Task
from benchmarks.decoding.tuning import Grid, cross_validated, half

CHECK_SECONDS = 40.0  # for one pass over all items; a decoder that needs more has no figure

Weights = dict[str, dict[str, Parameters]]  # decoder → half of the items → weights for this half


def start(name: str) -> WorkerProcess:
    """Start the process of a decoder."""
    return start_worker("benchmarks.decoding.worker", name, PEERS[name])


def enter(
    name: str,
    worker: WorkerProcess,
    case: Case,
    task: Task,
    path: Path,
    judge: Judge,
    known: Weights,
    budget: float,
) -> Entry:
    """Hand out the task, tune the weights, decode all items once.

    Raises:
        WorkerError: If the decoder fails or is too slow.
    """
    answer = worker.ask("load", PATIENCE, path=str(path), task=vars(task))
    figures: dict[str, Any] = {"build_seconds": round(answer["seconds"], 4)}
    expected = worker.ask("estimate", PATIENCE)["seconds"]
    if expected > CHECK_SECONDS:
        raise WorkerError(f"about {expected / len(judge.data):.2g} s an item")
    if case.tuned and (grid := PEERS[name].make.grids.get(task.unit)):
        weights = known[name] = known.get(PEERS[name].tuned_as) or tuned(worker, task, grid, judge)
        figures |= {"parameters": weights, "errors": held_out(worker, task, weights, judge)}
        worker.ask("build", PATIENCE, task=vars(replace(task, parameters=weights["odd"])))
    answer = decoded(worker, list(range(len(judge.data))))
    figures = {**judge.figures(answer), **figures}
    return Entry(name, worker, figures, sum(answer["seconds"]), budget)


def decoded(worker: WorkerProcess, items: list[int]) -> dict[str, Any]:
    """Decode these items.

    Raises:
        WorkerError: If the decoder is too slow.
    """
    answer = worker.ask("check", PATIENCE, items=items, limit=CHECK_SECONDS)
    seconds = answer["seconds"]
    if len(seconds) < len(items):
        raise WorkerError(f"{np.mean(seconds):.2g} s an item")
    return answer


def tuned(worker: WorkerProcess, task: Task, grid: Grid, judge: Judge) -> dict[str, Parameters]:
    """Return the weights for each half of the items."""

    def edits_of(parameters: Parameters) -> Array:
        worker.ask("build", PATIENCE, task=vars(replace(task, parameters=parameters)))
        return judge.edits(decoded(worker, list(range(len(judge.data))))["tokens"])

    return cross_validated(grid, edits_of, judge.sizes())


def held_out(
    worker: WorkerProcess, task: Task, weights: dict[str, Parameters], judge: Judge
) -> dict[str, dict[str, int]]:
    """Return the errors on each half, with the weights that were tuned on the other half."""
    errors = {}
    for name, parameters in weights.items():
        items = half(len(judge.data), name)
        worker.ask("build", PATIENCE, task=vars(replace(task, parameters=parameters)))
        errors[name] = judge.errors(items, decoded(worker, items)["tokens"])
    return errors


def peak_memory(name: str, path: Path, task: Task, parameters: dict[str, float]) -> dict[str, float] | None:
    """Measure memory in a fresh process, in MB; None if this is not possible."""
    try:
        with start(name) as worker:
            asked = vars(replace(task, parameters=parameters))
            answer = worker.ask("memory", PATIENCE, path=str(path), task=asked)["memory"]
    except WorkerError:
        return None
    return answer and {kind: round(value / 1e6, 3) for kind, value in answer.items()}


def measurement(case: Case, data: DataSet, entries: list[Entry]) -> dict[str, Any]:
    """Return what is saved of a case."""
    peers = {entry.name: {"ms": summary(entry.times, len(data)), **entry.figures} for entry in entries}
    base = next((peers[name]["ms"]["median"] for name in ("ctckit", "ctckit batch") if name in peers), None)
    for figures in peers.values():
        if base:  # the ratio is computed now: a decoder that is added later must not be compared with today's time
            figures["ratio"] = float(f"{figures['ms']['median'] / base:.4g}")
    return {
        "case": case.name,
        "about": case.about,
        "items": len(data),
        "frames": len(data.log_probs),
        "classes": data.classes,
        "beam": case.beam,
        "model": case.model,
        "tuned": case.tuned,
        "comparable": case.comparable,
        "peers": peers,
    }
