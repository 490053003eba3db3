"""Beam search decoders on the CPU, side by side: ``python -m benchmarks.decoding --out results.json``.

Each decoder has a process of its own, pinned to one processor, and they take turns round by round on the same inputs.
What each reads is judged by its exact log-probability and by the reference. Where a language model takes part, the
weights of every decoder are tuned on one half of the items and its errors reported on the other, both ways.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.common import machine
from benchmarks.common.posteriors import MissingDataError
from benchmarks.common.workers import Member, WorkerError
from benchmarks.decoding import measure
from benchmarks.decoding.cases import ROWS, Row
from benchmarks.decoding.figures import Results
from benchmarks.decoding.files import Files, TrainingError
from benchmarks.decoding.loading import measure_loading
from benchmarks.decoding.measure import QUICK, Entry, Judge, Settings
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.tables import print_tables
from benchmarks.loss.__main__ import chosen

OF_BITS = (
    "ocr_ppv4",
    "nanopore",
    "words",
    "characters",
)  # rows on which streams and threads are compared with whole items


class Run:
    """All of one call: the processes, the files, what has been found so far and where it is written."""

    def __init__(self, files: Files, settings: Settings, found: Results, out: Path | None, console: Console) -> None:
        self.files, self.settings, self.found, self.out, self.console = files, settings, found, out, console
        self.members: dict[str, Member] = {}

    def refuse(self, name: str, where: str, why: object) -> None:
        """Take note that there is no figure, and why."""
        self.found["refused"][f"{name}, {where}"] = str(why)
        self.console.print(f"{name}, {where}: {why}", style="yellow")

    def member(self, name: str) -> Member:
        """The decoder's process, started when it is first needed; raises where it cannot be had."""
        if name not in self.members:
            member = self.members[name] = measure.start(name)
            self.found["versions"] |= member.about["versions"]
            if PEERS[name].ours and not PEERS[name].instruction_set:
                self.found["instruction_set"] = member.about["instruction_set"]
        return self.members[name]

    def drop(self, name: str) -> None:
        """End a process; the next row starts it anew."""
        if member := self.members.pop(name, None):
            member.end()

    def end(self) -> None:
        """Stop all processes."""
        for name in list(self.members):
            self.drop(name)

    def enter_all(self, row: Row, task: Task, judge: Judge, names: list[str]) -> list[Entry]:
        """All that take part."""
        path = self.files.save(judge.data)
        entries: list[Entry] = []
        known: measure.Weights = {}
        for name in names:
            try:
                member = self.member(name)
                entries.append(measure.enter(name, member, row, task, path, judge, known))
            except WorkerError as error:
                self.refuse(name, row.name, error)
                self.drop(name)
        return entries

    def measure(self, row: Row, names: list[str], progress: Progress) -> None:
        """One row."""
        begin = time.perf_counter()
        bar = progress.add_task(row.name, total=self.settings.rounds + 1)

        def tick() -> None:
            progress.update(bar, advance=1, refresh=True)

        progress.refresh()
        try:
            task = self.files.task(row)
        except TrainingError as error:
            self.refuse("ctckit", row.name, error)
            return
        data = self.files.data(row, self.settings.items)
        judge = Judge(data)
        entries = self.enter_all(row, task, judge, names)
        tick()
        measure.take_turns(entries, self.settings, tick)
        result = measure.results(row, data, entries)
        if row.memory:
            path = self.files.save(data)
            for name, figures in result["peers"].items():
                figures["memory"] = measure.peak_memory(name, path, task, figures.get("parameters", {}).get("odd", {}))
        if row.name in OF_BITS and "ctckit" in result["peers"]:
            self.compare_bits(row)
        self.keep(row, {**result, "seconds": round(time.perf_counter() - begin, 1)})
        progress.remove_task(bar)

    def compare_bits(self, row: Row) -> None:
        """Streams and threads against whole items, with the decoder that the row has left behind."""
        try:
            self.found["same_bits"][row.name] = self.members["ctckit"].ask("same_bits", measure.PATIENCE)["same"]
        except WorkerError as error:
            self.refuse("ctckit", f"{row.name}, streams and threads", error)
            self.drop("ctckit")

    def keep(self, row: Row, result: dict[str, Any]) -> None:
        """Add to what was found, and write it: a run that ends early can be taken up."""
        rows = {each["row"]: each for each in self.found["rows"]}
        if row.name in rows:
            rows[row.name]["peers"] = {**result["peers"], **rows[row.name]["peers"]}
        else:
            rows[row.name] = result
        for each in rows.values():
            order = {name: i for i, name in enumerate(PEERS)}
            each["peers"] = dict(sorted(each["peers"].items(), key=lambda item: order[item[0]]))
        names = [each.name for each in ROWS]
        self.found["rows"] = sorted(rows.values(), key=lambda each: names.index(each["row"]))
        self.write()

    def write(self) -> None:
        """To a temporary name, then renamed."""
        self.found["training_seconds"] = self.files.training_seconds or self.found["training_seconds"]
        self.found["versions"] = dict(sorted(self.found["versions"].items()))
        if self.out:
            draft = self.out.with_name(self.out.name + ".part")
            draft.write_text(json.dumps(self.found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            draft.replace(self.out)

    def missing(self, row: Row, peers: list[str]) -> list[str]:
        """Who has neither a figure nor an excuse; with a yardstick, if there is anyone."""
        done = next((each["peers"] for each in self.found["rows"] if each["row"] == row.name), {})
        names = [
            name
            for name in row.peers
            if name in peers and name not in done and f"{name}, {row.name}" not in self.found["refused"]
        ]
        yardstick = [name for name in ("ctckit", "ctckit batch") if name in row.peers and name not in names]
        return [*yardstick, *names] if names and "ctckit" in peers else names


def fresh(settings: Settings) -> Results:
    """What a run begins with."""
    return {
        **machine.about(),
        "rounds": settings.rounds,
        "quick": settings.items is not None,
        "instruction_set": "",
        "versions": {},
        "refused": {},
        "same_bits": {},
        "training_seconds": None,
        "rows": [],
        "loading": {},
    }


def main(
    quick: Annotated[bool, typer.Option(help="Few items, two rounds: a rough look.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds in which all take a turn; 0: as usual.", min=0)] = 0,
    peers: Annotated[str, typer.Option(help="Such as ctckit,flashlight: all settings of these.")] = "all",
    rows: Annotated[str, typer.Option(help="Such as ocr_ppv4,words.")] = "all",
    resume: Annotated[bool, typer.Option(help="Measure only what --out does not have yet.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file, row by row.")] = None,
) -> None:
    """Measure decoders."""
    libraries = tuple(dict.fromkeys(peer.library for peer in PEERS.values()))
    wanted = chosen(peers, libraries, "--peers")
    names = [name for name, peer in PEERS.items() if peer.library in wanted]
    tasks = chosen(rows, (*(row.name for row in ROWS), "loading"), "--rows")
    settings = QUICK if quick else Settings()
    settings = replace(settings, rounds=rounds or settings.rounds)
    found = json.loads(out.read_text(encoding="utf-8")) if resume and out and out.exists() else fresh(settings)
    console = Console()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            run = Run(Files(folder), settings, found, out, console)
        except MissingDataError as error:
            raise typer.BadParameter(str(error)) from None
        stack.callback(run.end)
        # Drawn by hand: a refreshing thread would wake up inside what is timed.
        progress = stack.enter_context(Progress(console=console, transient=True, auto_refresh=False))
        for row in ROWS:
            if row.name in tasks and (missing := run.missing(row, names)):
                run.measure(row, missing, progress)
        if "loading" in tasks:
            measure_loading(run.member, run.refuse, run.files, names, found)
            run.write()
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
