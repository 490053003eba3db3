"""One row: hand out the task, tune, read everything once, let the decoders take turns, look at their memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.posteriors import DataSet
from benchmarks.common.workers import PEERS_HOME, Member, WorkerError
from benchmarks.decoding import exact
from benchmarks.decoding.cases import Row
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Parameters, Task
from benchmarks.decoding.tuning import OTHER, Grid, cross_validated, half
from benchmarks.loss.workloads import Array

MODULE = "benchmarks.decoding.worker"
PATIENCE = 120.0  # seconds for one answer
TURN_SECONDS = 0.1  # how long the passes of one turn take together, about
MOST_PASSES = 20
BUDGET_SECONDS = 3.0  # for one decoder on one row: a slow one takes part in fewer rounds
SLOW_SECONDS = 2.0  # a pass that takes longer is not repeated: the reading of everything was its measurement
CHECK_SECONDS = 40.0  # who is expected to need more to read everything once has no figure, and who does
DIGITS = 6  # of the log-probabilities that are saved


Weights = dict[str, dict[str, Parameters]]  # decoder → half that they are for → weights


@dataclass(frozen=True)
class Settings:
    """Of a run. ``items``: of each row at most so many."""

    rounds: int = 5
    budget: float = BUDGET_SECONDS
    items: int | None = None


QUICK = Settings(rounds=2, budget=0.5, items=12)


def start(name: str) -> Member:
    """A process for a decoder: in the package's environment, or in the peers'."""
    peer = PEERS[name]
    python = Path(sys.executable) if peer.ours else PEERS_HOME / "bin" / "python"
    return Member((name,), peer.threads, peer.instruction_set, module=MODULE, python=python)


class Judge:
    """Knows the items of a row and what the hypotheses are worth; probabilities are worked out once."""

    def __init__(self, data: DataSet) -> None:
        self.data = data
        self.known: dict[tuple[int, tuple[int, ...]], float] = {}

    def log_prob(self, item: int, tokens: list[int]) -> float:
        """Exact."""
        key = (item, tuple(tokens))
        if key not in self.known:
            self.known[key] = exact.log_prob(self.data[item], tokens, self.data.blank)
        return self.known[key]

    def errors(self, items: list[int], tokens: list[list[int]]) -> dict[str, int]:
        """Over these items."""
        references = self.data.references or ()
        return exact.errors(tokens, [references[i] for i in items], self.data.space, self.data.count_space)

    def edits(self, tokens: list[list[int]]) -> Array:
        """(items, 2) edits of tokens and of words."""
        each = [self.errors([i], [found]) for i, found in enumerate(tokens)]
        return np.array([(errors["token_edits"], errors["word_edits"]) for errors in each])

    def sizes(self) -> Array:
        """(items, 2) tokens and words of the references."""
        each = [self.errors([i], [[]]) for i in range(len(self.data))]
        return np.array([(errors["tokens"], errors["words"]) for errors in each])

    def figures(self, answer: dict[str, Any]) -> dict[str, Any]:
        """What is saved of a reading of everything."""
        tokens = answer["tokens"]
        log_probs = [self.log_prob(i, each) for i, each in enumerate(tokens)]
        result: dict[str, Any] = {"log_probs": [round(each, DIGITS) for each in log_probs]}
        if answer["claims"][0] is not None:
            pairs = zip(answer["claims"], log_probs, strict=True)
            worst = max(abs(claim - true) / max(1.0, abs(true)) for claim, true in pairs)
            result["claim_error"] = float(f"{worst:.2g}")
        if self.data.references:
            result["errors"] = {
                name: self.errors(items, [tokens[i] for i in items])
                for name in OTHER
                if (items := half(len(tokens), name))
            }
        return result


@dataclass
class Entry:
    """A decoder that takes part in a row."""

    name: str
    member: Member
    figures: dict[str, Any]
    expected: float  # seconds of a pass
    times: list[float] = field(default_factory=list)

    def rounds(self, settings: Settings) -> int:
        """How many fit into the budget; none for a slow one."""
        if self.expected > SLOW_SECONDS:
            return 0
        return min(settings.rounds, max(1, int(settings.budget / self.expected)))

    def take_turn(self) -> None:
        """Some passes."""
        passes = min(MOST_PASSES, max(1, round(TURN_SECONDS / self.expected)))
        self.times.extend(self.member.ask("run", PATIENCE, passes=passes)["seconds"])


def enter(name: str, member: Member, row: Row, task: Task, path: Path, judge: Judge, known: Weights) -> Entry:
    """Hand out the task, tune, read everything once; raises for one that cannot or is too slow."""
    answer = member.ask("load", PATIENCE, path=str(path), task=vars(task))
    figures: dict[str, Any] = {"build_seconds": round(answer["seconds"], 4)}
    expected = member.ask("estimate", PATIENCE)["seconds"]
    if expected > CHECK_SECONDS:
        raise WorkerError(f"about {expected / len(judge.data):.2g} s an item")
    if row.tuned and (grid := PEERS[name].make.grids.get(task.unit)):
        weights = known[name] = known.get(PEERS[name].tuned_as) or tuned(member, task, grid, judge)
        figures |= {"parameters": weights, "errors": held_out(member, task, weights, judge)}
        member.ask("build", PATIENCE, task=vars(replace(task, parameters=weights["odd"])))
    answer = read(member, list(range(len(judge.data))))
    figures = {**judge.figures(answer), **figures}
    entry = Entry(name, member, figures, sum(answer["seconds"]))
    if entry.expected > SLOW_SECONDS:
        entry.times.append(entry.expected)
    return entry


def read(member: Member, items: list[int]) -> dict[str, Any]:
    """These items; raises for who is too slow."""
    answer = member.ask("check", PATIENCE, items=items, limit=CHECK_SECONDS)
    seconds = answer["seconds"]
    if len(seconds) < len(items):
        raise WorkerError(f"{np.mean(seconds):.2g} s an item")
    return answer


def tuned(member: Member, task: Task, grid: Grid, judge: Judge) -> dict[str, Parameters]:
    """Weights for each half."""

    def edits_of(parameters: Parameters) -> Array:
        member.ask("build", PATIENCE, task=vars(replace(task, parameters=parameters)))
        return judge.edits(read(member, list(range(len(judge.data))))["tokens"])

    return cross_validated(grid, edits_of, judge.sizes())


def held_out(member: Member, task: Task, weights: dict[str, Parameters], judge: Judge) -> dict[str, dict[str, int]]:
    """Errors on each half with the weights that were tuned on the other."""
    errors = {}
    for name, parameters in weights.items():
        items = half(len(judge.data), name)
        member.ask("build", PATIENCE, task=vars(replace(task, parameters=parameters)))
        errors[name] = judge.errors(items, read(member, items)["tokens"])
    return errors


def take_turns(entries: list[Entry], settings: Settings, tick: Callable[[], object]) -> None:
    """Round by round; each round begins with another decoder."""
    for i in range(settings.rounds):
        first = i % max(1, len(entries))
        for entry in entries[first:] + entries[:first]:
            if i < entry.rounds(settings):
                entry.take_turn()
        tick()


def summary(seconds: list[float], items: int) -> dict[str, float | int]:
    """Quartiles of passes, in milliseconds for each item."""
    low, middle, high = (float(f"{1e3 * each / items:.4g}") for each in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return {"median": middle, "q1": low, "q3": high, "passes": len(seconds)}


def peak_memory(name: str, path: Path, task: Task, parameters: dict[str, float]) -> dict[str, float] | None:
    """Megabytes, in a process of its own; None where they cannot be had."""
    try:
        with start(name) as member:
            asked = vars(replace(task, parameters=parameters))
            answer = member.ask("memory", PATIENCE, path=str(path), task=asked)["memory"]
    except WorkerError:
        return None
    return answer and {kind: round(value / 1e6, 3) for kind, value in answer.items()}


def results(row: Row, data: DataSet, entries: list[Entry]) -> dict[str, Any]:
    """What is saved of a row."""
    peers = {entry.name: {"ms": summary(entry.times, len(data)), **entry.figures} for entry in entries}
    yardstick = next((peers[name]["ms"]["median"] for name in ("ctckit", "ctckit batch") if name in peers), None)
    for figures in peers.values():
        if yardstick:  # of the same minutes: a decoder measured later is compared with ctckit's time of then
            figures["ratio"] = float(f"{figures['ms']['median'] / yardstick:.4g}")
    return {
        "row": row.name,
        "about": row.about,
        "items": len(data),
        "frames": len(data.log_probs),
        "classes": data.classes,
        "beam": row.beam,
        "model": row.model,
        "tuned": row.tuned,
        "comparable": row.comparable,
        "peers": peers,
    }
