"""Forced aligners on the CPU, side by side: ``python -m benchmarks.alignment --out results.json``.

Each aligner has a process of its own, pinned to one processor. All take turns, round by round, on the same inputs. A
path is judged by its score in float64 and by the score of the best path.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.alignment.judge import Judge
from benchmarks.alignment.page import print_tables
from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import BUDGET_SECONDS, CASES, Case, Problem
from benchmarks.common import commands, results
from benchmarks.common.commands import chosen
from benchmarks.common.posteriors import MissingDataError
from benchmarks.common.results import Results
from benchmarks.common.turns import Entry, Settings, summary, take_turns
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.common.workers import start as start_worker

PATIENCE = 240.0  # seconds for one answer
NAMES = [case.name for case in CASES]


def start(name: str) -> WorkerProcess:
    """Start the process of an aligner."""
    return start_worker("benchmarks.alignment.worker", name, PEERS[name])


class Run(results.Recorder):
    """One run: how it measures, and the results so far."""

    def __init__(self, folder: Path, settings: Settings, found: Results, out: Path | None, console: Console) -> None:
        super().__init__(found, out, console)
        self.folder, self.settings = folder, settings

    def measure(self, case: Case, names: list[str], progress: Progress) -> None:
        """Measure one case."""
        begin = time.perf_counter()
        with commands.progress_bar(progress, case.name, self.settings.rounds + 2) as tick:
            try:
                problem = case.make(self.found["quick"])
            except MissingDataError as error:
                self.refuse("all", case.name, error)
                return
            problem.save(self.folder / "problem.npz")
            judge = Judge(problem)
            with ExitStack() as stack:
                entries = [entry for name in names if (entry := self.enter(name, case, judge, stack))]
                tick()
                take_turns(entries, self.settings.rounds, tick)
            for entry in entries:
                entry.figures["memory"] = self.memory(entry.name)
            tick()
            self.add(measurement(case, problem, entries, time.perf_counter() - begin), NAMES, list(PEERS))

    def enter(self, name: str, case: Case, judge: Judge, stack: ExitStack) -> Entry | None:
        """Start an aligner, let it align all items once, judge the paths; None if it fails."""
        try:
            worker = stack.enter_context(start(name))
            self.found["versions"] |= worker.about["versions"]
            if name == "ctckit":
                self.found["instruction_set"] = worker.about["instruction_set"]
            worker.ask("load", PATIENCE, path=str(self.folder / "problem.npz"))
            paths = self.folder / "paths.npy"
            answer = worker.ask("check", PATIENCE, paths=str(paths))
        except WorkerError as error:
            self.refuse(name, case.name, error)
            return None
        figures = judge.figures(np.load(paths), answer["claims"]) if answer["has_paths"] else {}
        return Entry(name, worker, figures, answer["seconds"], self.settings.budget)

    def memory(self, name: str) -> float | None:
        """Measure memory in a fresh process, in MB; None if this is not possible."""
        try:
            with start(name) as worker:
                worker.ask("load", PATIENCE, path=str(self.folder / "problem.npz"))
                extra = worker.ask("memory", PATIENCE)["memory"]
        except WorkerError:
            return None
        return None if extra is None else round(extra / 1e6, 2)


def measurement(case: Case, problem: Problem, entries: list[Entry], seconds: float) -> dict[str, Any]:
    """Return what is saved of a case."""
    return {
        "case": case.name,
        "about": case.about,
        "items": len(problem),
        "frames": len(problem.log_probs),
        "tokens": len(problem.tokens),
        "classes": problem.log_probs.shape[1],
        "cells": problem.cells,
        "seconds": round(seconds, 1),
        "peers": {each.name: {"ms": summary(each.times, len(problem)), **each.figures} for each in entries},
    }


def main(
    quick: commands.Quick = False,
    rounds: commands.Rounds = 0,
    peers: commands.Peers = "all",
    cases: commands.Cases = "all",
    resume: commands.Resume = False,
    out: commands.Out = None,
) -> None:
    """Measure aligners."""
    names = chosen(peers, tuple(PEERS), "--peers")
    tasks = chosen(cases, tuple(NAMES), "--cases")
    settings = commands.settings_of(quick, rounds, Settings(budget=BUDGET_SECONDS))
    found = results.begin(out, resume, quick=quick, rounds=settings.rounds)
    done = {case["case"] for case in found["cases"]}
    console = Console()
    with tempfile.TemporaryDirectory() as folder, commands.progress_bars(console) as progress:
        run = Run(Path(folder), settings, found, out, console)
        for case in CASES:
            if case.name in tasks and case.name not in done:
                run.measure(case, [name for name in case.peers if name in names], progress)
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
