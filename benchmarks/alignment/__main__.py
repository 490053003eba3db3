"""Forced aligners on the CPU, side by side: ``python -m benchmarks.alignment --out results.json``.

Each aligner has a process of its own, pinned to one processor, and they take turns round by round on the same inputs.
What each finds is judged by the float64 score of its path, and by that of the best one there is.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.alignment import exact
from benchmarks.alignment.page import print_tables
from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import BUDGET_SECONDS, ROWS, Problem, Row
from benchmarks.common import machine
from benchmarks.common.posteriors import MissingDataError
from benchmarks.common.workers import PEERS_HOME, Member, WorkerError
from benchmarks.decoding.measure import QUICK, Entry, Settings, summary, take_turns
from benchmarks.loss.__main__ import chosen

PATIENCE = 240.0  # seconds for one answer
DIGITS = 6  # of what is saved in nats
Results = dict[str, Any]


def start(name: str) -> Member:
    """A process for an aligner: in the package's environment, or in the peers'."""
    peer = PEERS[name]
    python = Path(sys.executable) if peer.make.ours else PEERS_HOME / "bin" / "python"
    return Member((name,), peer.threads, peer.instruction_set, module="benchmarks.alignment.worker", python=python)


@dataclass
class Judge:
    """Knows the items, and what the best path of each is worth, as soon as some path has been seen."""

    problem: Problem
    best: list[float] | None = None

    def scores(self, paths: np.ndarray) -> list[float | None]:
        """Nats of each item's path; None where it does not say the text."""
        found: list[float | None] = []
        for item in range(len(self.problem)):
            path = paths[self.problem.offsets[item] : self.problem.offsets[item + 1]]
            right = exact.says(path, self.problem.target(item), self.problem.blank)
            found.append(exact.score(self.problem.frames(item), path) if right else None)
        return found

    def behind(self, scores: list[float | None]) -> dict[str, Any]:
        """Nats below the best path, of the worst item and the mean; items whose path does not say the text."""
        if self.best is None:
            self.best = [
                exact.optimum(
                    self.problem.frames(item),
                    self.problem.target(item),
                    self.problem.blank,
                    -np.inf if scores[item] is None else scores[item],  # type: ignore[arg-type]
                )
                for item in range(len(self.problem))
            ]
        gaps = [best - each for best, each in zip(self.best, scores, strict=True) if each is not None]
        worst, mean = (max(gaps), sum(gaps) / len(gaps)) if gaps else (None, None)
        figures = {"worst": worst, "mean": mean}
        return {
            **{name: None if value is None else round(value, DIGITS) for name, value in figures.items()},
            "wrong": len(scores) - len(gaps),
        }


class Run:
    """All of one call: what has been found so far and where it is written."""

    def __init__(self, folder: Path, settings: Settings, found: Results, out: Path | None, console: Console) -> None:
        self.folder, self.settings, self.found, self.out, self.console = folder, settings, found, out, console

    def refuse(self, name: str, where: str, why: object) -> None:
        """Take note that there is no figure, and why."""
        self.found["refused"][f"{name}, {where}"] = str(why)
        self.console.print(f"{name}, {where}: {why}", style="yellow")

    def measure(self, row: Row, names: list[str], progress: Progress) -> None:
        """One row."""
        begin = time.perf_counter()
        bar = progress.add_task(row.name, total=self.settings.rounds + 2)
        progress.refresh()

        def tick() -> None:
            progress.update(bar, advance=1, refresh=True)

        try:
            problem = row.make(self.found["quick"])
        except MissingDataError as error:
            self.refuse("all", row.name, error)
            return
        problem.save(self.folder / "problem.npz")
        judge = Judge(problem)
        with ExitStack() as stack:
            entries = [entry for name in names if (entry := self.enter(name, row, judge, stack))]
            tick()
            take_turns(entries, self.settings, tick)
        for entry in entries:
            entry.figures["memory"] = self.memory(entry.name)
        tick()
        self.keep(row, problem, entries, time.perf_counter() - begin)
        progress.remove_task(bar)

    def enter(self, name: str, row: Row, judge: Judge, stack: ExitStack) -> Entry | None:
        """Start an aligner, let it align everything once, judge the paths; None for one that cannot."""
        try:
            member = stack.enter_context(start(name))
            self.found["versions"] |= member.about["versions"]
            if name == "ctckit":
                self.found["instruction_set"] = member.about["instruction_set"]
            member.ask("load", PATIENCE, path=str(self.folder / "problem.npz"))
            paths = self.folder / "paths.npy"
            answer = member.ask("check", PATIENCE, paths=str(paths))
        except WorkerError as error:
            self.refuse(name, row.name, error)
            return None
        entry = Entry(name, member, {}, answer["seconds"])
        if answer["has_paths"]:
            scores = judge.scores(np.load(paths))
            entry.figures["behind"] = judge.behind(scores)
            pairs = zip(answer["claims"], scores, strict=True)
            errors = [abs(claim - each) for claim, each in pairs if claim is not None and each is not None]
            if errors:
                entry.figures["claim_error"] = float(f"{max(errors):.2g}")
        if not entry.rounds(self.settings):
            entry.times.append(entry.expected)
        return entry

    def memory(self, name: str) -> float | None:
        """Megabytes, in a fresh process."""
        try:
            with start(name) as member:
                member.ask("load", PATIENCE, path=str(self.folder / "problem.npz"))
                extra = member.ask("memory", PATIENCE)["memory"]
        except WorkerError:
            return None
        return None if extra is None else round(extra / 1e6, 2)

    def keep(self, row: Row, problem: Problem, entries: list[Entry], seconds: float) -> None:
        """Add to what was found, and write it."""
        peers = {each.name: {"ms": summary(each.times, len(problem)), **each.figures} for each in entries}
        rows = {each["row"]: each for each in self.found["rows"]}
        rows[row.name] = {
            "row": row.name,
            "about": row.about,
            "items": len(problem),
            "frames": len(problem.log_probs),
            "tokens": len(problem.tokens),
            "classes": problem.log_probs.shape[1],
            "cells": problem.cells,
            "seconds": round(seconds, 1),
            "peers": peers,
        }
        self.found["rows"] = [rows[each.name] for each in ROWS if each.name in rows]
        self.found["versions"] = dict(sorted(self.found["versions"].items()))
        if self.out:
            draft = self.out.with_name(self.out.name + ".part")
            draft.write_text(json.dumps(self.found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            draft.replace(self.out)


def main(
    quick: Annotated[bool, typer.Option(help="Few items, short recordings, two rounds: a rough look.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds in which all take a turn; 0: as usual.", min=0)] = 0,
    peers: Annotated[str, typer.Option(help="Such as ctckit,torchaudio.")] = "all",
    rows: Annotated[str, typer.Option(help="Such as lines,hour.")] = "all",
    resume: Annotated[bool, typer.Option(help="Measure only the rows that --out does not have yet.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file, row by row.")] = None,
) -> None:
    """Measure aligners."""
    names = chosen(peers, tuple(PEERS), "--peers")
    tasks = chosen(rows, tuple(row.name for row in ROWS), "--rows")
    settings = QUICK if quick else Settings(budget=BUDGET_SECONDS)
    settings = replace(settings, rounds=rounds or settings.rounds)
    fresh = {
        "quick": quick,
        "rounds": settings.rounds,
        "instruction_set": "",
        "versions": {},
        "refused": {},
        "rows": [],
    }
    found = json.loads(out.read_text(encoding="utf-8")) if resume and out and out.exists() else machine.about() | fresh
    done = {row["row"] for row in found["rows"]}
    console = Console()
    # Drawn by hand: a refreshing thread would wake up inside what is timed.
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, transient=True, auto_refresh=False) as bars:
        run = Run(Path(folder), settings, found, out, console)
        for row in ROWS:
            if row.name in tasks and row.name not in done:
                run.measure(row, [name for name in row.peers if name in names], bars)
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
