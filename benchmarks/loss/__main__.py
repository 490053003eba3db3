"""The loss and its gradient on the CPU, against other libraries: ``python -m benchmarks.loss --threads 1``.

Each peer has a process of its own, pinned to as many processors as there are threads, and they take turns round by
round on the same inputs. ctckit and torch take turns once more inside one process, as in a training loop, whose other
operators keep torch's threads awake. A peer is timed only if its gradient agrees with a float64 one.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.common import machine
from benchmarks.common.workers import Member, WorkerError
from benchmarks.loss import measure
from benchmarks.loss.peers import PEERS, TIMED
from benchmarks.loss.tables import print_tables
from benchmarks.loss.workloads import WORKLOADS, Workload


class Run:
    """All of one call: the members, and what went wrong with whom."""

    def __init__(self, threads: int, rounds: int, isa: str, console: Console) -> None:
        self.threads, self.rounds, self.isa, self.console = threads, rounds, isa, console
        self.members: dict[tuple[str, ...], Member] = {}
        self.refused: dict[str, str] = {}
        self.limits = {"read": 0.0, "copy": 0.0}
        self.versions: dict[str, str] = {}
        self.instruction_set = ""

    def refuse(self, peers: tuple[str, ...], where: str, error: WorkerError) -> None:
        """Take note that there is no figure, and why."""
        self.refused[" + ".join(peers) + where] = str(error)
        self.console.print(f"{' + '.join(peers)}{where}: {error}", style="yellow")

    def start(self, peers: tuple[str, ...], where: str = "") -> None:
        """A process for these peers; one that cannot be had is noted."""
        try:
            member = self.members[peers] = Member(peers, self.threads, self.isa)
        except WorkerError as error:
            self.refuse(peers, where, error)
            return
        self.versions |= member.about["versions"]
        self.instruction_set = member.about["instruction_set"] or self.instruction_set

    def end(self) -> None:
        """Stop all processes."""
        for member in self.members.values():
            member.end()

    def measure_limits(self) -> None:
        """Bandwidth, the best so far."""
        with Member((), self.threads) as member:
            now = member.ask("limits", measure.PATIENCE)
        self.limits = {kind: max(self.limits[kind], round(now[kind] / 1e9, 2)) for kind in now}

    def enter_all(self, workload: str, truth: measure.Reference, folder: Path) -> list[measure.Entry]:
        """All members that take part; one that fails is started anew for the next workload."""
        entries = []
        for peers, member in list(self.members.items()):
            try:
                entries.append(measure.enter(member, truth, folder))
            except WorkerError as error:
                self.refuse(peers, f", {workload}", error)
                member.end()
                del self.members[peers]
                self.start(peers)
        return entries

    def measure(self, workload: Workload, progress: Progress) -> dict[str, Any]:
        """One workload."""
        task = progress.add_task(workload.name, total=self.rounds + 1)

        def tick() -> None:
            progress.update(task, advance=1, refresh=True)

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            problem = workload.make()
            problem.save(folder / "problem.npz")
            self.measure_limits()
            truth = measure.reference(problem, folder, self.threads)
            entries = self.enter_all(workload.name, truth, folder)
            tick()
            measure.take_turns(entries, self.rounds, tick)
            row = measure.row(workload, problem, entries)
            for peer, figures in row["peers"].items():
                figures["memory"] = measure.peak_memory(peer, folder, self.threads, self.isa)
        return row

    def idle_cpu(self) -> dict[str, float]:
        """Per cent of a processor that each process used while others had their turn: close to 0, or they disturbed."""
        used = {" + ".join(peers): member for peers, member in self.members.items() if member.idle_seconds}
        return {name: round(100 * member.idle_cpu / member.idle_seconds, 2) for name, member in used.items()}


def chosen(names: str, known: tuple[str, ...], option: str) -> list[str]:
    """The names between commas; all of them for "all"."""
    wanted = known if names == "all" else tuple(names.split(","))
    if unknown := set(wanted) - set(known):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; known are {', '.join(known)}", param_hint=option)
    return [name for name in known if name in wanted]


def main(
    threads: Annotated[int, typer.Option(help="Threads, and processors, of every peer.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Rounds in which all take a turn.", min=1)] = 9,
    isa: Annotated[str, typer.Option(help="ctckit's instruction set; the best one by default.")] = "",
    peers: Annotated[str, typer.Option(help="Such as torch,optax; ctckit is always there.")] = "all",
    workloads: Annotated[str, typer.Option(help="Such as W1,W3.")] = "all",
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file.")] = None,
) -> None:
    """Measure W1–W5."""
    names = chosen(peers, TIMED[1:], "--peers")
    wanted = chosen(workloads, tuple(each.name for each in WORKLOADS), "--workloads")
    console = Console()
    about = machine.about()
    run = Run(threads, rounds, isa, console)
    with ExitStack() as stack:
        stack.callback(run.end)
        for each in [("ctckit",), *((name,) for name in names), *([measure.TOGETHER] if "torch" in names else [])]:
            run.start(each)
        # Drawn by hand: a refreshing thread would wake up inside what is timed.
        progress = stack.enter_context(Progress(console=console, transient=True, auto_refresh=False))
        rows = [run.measure(each, progress) for each in WORKLOADS if each.name in wanted]
        idle = run.idle_cpu()
    results = {
        **about,
        "threads": threads,
        "rounds": rounds,
        "instruction_set": run.instruction_set,
        "isa_asked_for": isa,
        "versions": dict(sorted(run.versions.items())),
        "calls": {name: PEERS[name].call for name in ["ctckit", *names]},
        "limits": run.limits,
        "idle_cpu_percent": idle,
        "refused": run.refused,
        "rows": rows,
    }
    print_tables(console, results)
    if out:
        out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
