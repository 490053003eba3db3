"""Beam search decoders on the CPU, side by side: ``python -m benchmarks.decoding --out results.json``.

Each decoder has a process of its own, pinned to one processor. All take turns, round by round, on the same inputs. A
decoded text is judged by its exact log-probability and by the reference. In cases with a language model, the weights of
every decoder are tuned on one half of the items and its errors are reported on the other half, both ways.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.common import commands, results
from benchmarks.common.commands import chosen
from benchmarks.common.posteriors import MissingDataError
from benchmarks.common.results import Results
from benchmarks.common.turns import PATIENCE, Entry, Settings, take_turns
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.decoding import measure
from benchmarks.decoding.cases import CASES, Case
from benchmarks.decoding.files import Files, ModelError
from benchmarks.decoding.judge import Judge
from benchmarks.decoding.loading import measure_loading
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.tables import print_tables

SAME_BITS = ("ocr_ppv4", "nanopore", "words", "characters")  # streams and threads are compared with whole items here
NAMES = [case.name for case in CASES]


class Run(results.Recorder):
    """One run: the worker processes, the files, and the results so far."""

    def __init__(self, files: Files, settings: Settings, found: Results, out: Path | None, console: Console) -> None:
        super().__init__(found, out, console)
        self.files, self.settings = files, settings
        self.workers: dict[str, WorkerProcess] = {}

    def worker(self, name: str) -> WorkerProcess:
        """Return the decoder's process; it is started when it is first needed."""
        if name not in self.workers:
            worker = self.workers[name] = measure.start(name)
            self.found["versions"] |= worker.about["versions"]
            if worker.about["instruction_set"] and not PEERS[name].instruction_set:
                self.found["instruction_set"] = worker.about["instruction_set"]
        return self.workers[name]

    def drop(self, name: str) -> None:
        """End a process; the next case starts it again."""
        if worker := self.workers.pop(name, None):
            worker.end()

    def end(self) -> None:
        """End all processes."""
        for name in list(self.workers):
            self.drop(name)

    def enter_all(self, case: Case, task: Task, judge: Judge, names: list[str]) -> list[Entry]:
        """Check all decoders and return those that take part."""
        path = self.files.save(judge.data)
        entries: list[Entry] = []
        known: measure.Weights = {}
        for name in names:
            try:
                worker = self.worker(name)
                entries.append(measure.enter(name, worker, case, task, path, judge, known, self.settings.budget))
            except WorkerError as error:
                self.refuse(name, case.name, error)
                self.drop(name)
        return entries

    def measure(self, case: Case, names: list[str], progress: Progress) -> None:
        """Measure one case."""
        begin = time.perf_counter()
        with commands.progress_bar(progress, case.name, self.settings.rounds + 1) as tick:
            try:
                task = self.files.task(case)
            except ModelError as error:
                self.refuse("ctckit", case.name, error)
                return
            data = self.files.data(case, self.settings.items)
            entries = self.enter_all(case, task, Judge(data), names)
            tick()
            take_turns(entries, self.settings.rounds, tick)
            result = measure.measurement(case, data, entries)
            if case.memory:
                path = self.files.save(data)
                for name, figures in result["peers"].items():
                    parameters = figures.get("parameters", {}).get("odd", {})
                    figures["memory"] = measure.peak_memory(name, path, task, parameters)
            if case.name in SAME_BITS and "ctckit" in result["peers"]:
                self.compare_bits(case)
            result |= results.run_of_its_own(self.found)
            self.add({**result, "seconds": round(time.perf_counter() - begin, 1)}, NAMES, list(PEERS))

    def compare_bits(self, case: Case) -> None:
        """Compare streams and threads with whole items, by the decoder that was built for the case."""
        try:
            self.found["same_bits"][case.name] = self.workers["ctckit"].ask("same_bits", PATIENCE)["same"]
        except WorkerError as error:
            self.refuse("ctckit", f"{case.name}, streams and threads", error)
            self.drop("ctckit")

    def write(self) -> None:
        """Write the results, with the time of the training."""
        self.found["training_seconds"] = self.files.training_seconds or self.found["training_seconds"]
        super().write()

    def missing(self, case: Case, peers: list[str]) -> list[str]:
        """Return the decoders without a figure and without a refusal; ctckit is always measured beside them."""
        done = (results.case_of(self.found, case.name) or {"peers": {}})["peers"]
        refused = self.found["refused"]
        names = [
            name for name in case.peers if name in peers and name not in done and f"{name}, {case.name}" not in refused
        ]
        base = [name for name in ("ctckit", "ctckit batch") if name in case.peers and name not in names]
        return [*base, *names] if names and "ctckit" in peers else names


def main(
    quick: commands.Quick = False,
    rounds: commands.Rounds = 0,
    peers: commands.Peers = "all",
    cases: commands.Cases = "all",
    resume: commands.Resume = False,
    out: commands.Out = None,
) -> None:
    """Measure decoders."""
    libraries = tuple(dict.fromkeys(peer.library for peer in PEERS.values()))
    wanted = chosen(peers, libraries, "--peers")
    names = [name for name, peer in PEERS.items() if peer.library in wanted]
    tasks = chosen(cases, (*NAMES, "loading"), "--cases")
    settings = commands.settings_of(quick, rounds, Settings())
    more = {"rounds": settings.rounds, "quick": quick, "same_bits": {}, "training_seconds": None, "loading": {}}
    found = results.begin(out, resume, **more)
    console = Console()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            run = Run(Files(folder), settings, found, out, console)
        except MissingDataError as error:
            raise typer.BadParameter(str(error)) from None
        stack.callback(run.end)
        progress = stack.enter_context(commands.progress_bars(console))
        for case in CASES:
            if case.name in tasks and (missing := run.missing(case, names)):
                run.measure(case, missing, progress)
        if "loading" in tasks:
            measure_loading(run.worker, run.refuse, run.files, names, found)
            run.write()
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
