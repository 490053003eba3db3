"""The loss and its gradient on the CPU, against other libraries: ``python -m benchmarks.loss --threads 1``.

Each library has a process of its own. The process is pinned to as many processors as there are threads. All take turns,
round by round, on the same inputs. ctckit and torch also take turns inside one process, as in a training loop, where
torch's other operators keep its threads awake. A library is timed only if its gradient agrees with a float64 one.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.common import machine, results
from benchmarks.common.commands import chosen, progress_bar, progress_bars
from benchmarks.common.turns import take_turns
from benchmarks.common.workers import WorkerError, WorkerProcess
from benchmarks.loss import measure
from benchmarks.loss.peers import PEERS, TIMED
from benchmarks.loss.tables import print_tables
from benchmarks.loss.workloads import WORKLOADS, Workload


class Run(results.Recorder):
    """One run: the worker processes, and what has no figure."""

    def __init__(self, threads: int, rounds: int, isa: str, console: Console) -> None:
        super().__init__({"refused": {}, "versions": {}}, None, console)
        self.threads, self.rounds, self.isa = threads, rounds, isa
        self.workers: dict[tuple[str, ...], WorkerProcess] = {}
        self.limits = {"read": 0.0, "copy": 0.0}
        self.instruction_set = ""

    def start(self, peers: tuple[str, ...], where: str = "") -> None:
        """Start a process for these libraries; record the reason if this is not possible."""
        try:
            worker = self.workers[peers] = measure.start(peers, self.threads, self.isa)
        except WorkerError as error:
            self.refuse(" + ".join(peers), where, error)
            return
        self.found["versions"] |= worker.about["versions"]
        self.instruction_set = worker.about["instruction_set"] or self.instruction_set

    def end(self) -> None:
        """End all processes."""
        for worker in self.workers.values():
            worker.end()

    def measure_limits(self) -> None:
        """Measure the bandwidth; the best result of the run counts."""
        with measure.start((), self.threads) as worker:
            now = worker.ask("bandwidth", measure.PATIENCE)
        self.limits = {kind: max(self.limits[kind], round(now[kind] / 1e9, 2)) for kind in now}

    def enter_all(self, workload: str, truth: measure.Reference, folder: Path) -> list[measure.Entry]:
        """Check all libraries. A process that fails is started again for the next workload."""
        entries = []
        for peers, worker in list(self.workers.items()):
            try:
                entries.append(measure.enter(worker, truth, folder))
            except WorkerError as error:
                self.refuse(" + ".join(peers), workload, error)
                worker.end()
                del self.workers[peers]
                self.start(peers)
        return entries

    def measure(self, workload: Workload, progress: Progress) -> dict[str, Any]:
        """Measure one workload."""
        with (
            progress_bar(progress, workload.name, self.rounds + 1) as tick,
            tempfile.TemporaryDirectory() as name,
        ):
            folder = Path(name)
            problem = workload.make()
            problem.save(folder / "problem.npz")
            self.measure_limits()
            truth = measure.reference(problem, folder, self.threads)
            entries = self.enter_all(workload.name, truth, folder)
            tick()
            take_turns(entries, self.rounds, tick)
            measurement = measure.measurement(workload, problem, entries)
            for peer, figures in measurement["peers"].items():
                figures["memory"] = measure.peak_memory(peer, folder, self.threads, self.isa)
        return measurement

    def idle_cpu(self) -> dict[str, float]:
        """Return the processor time, in percent of a processor, that each process used in the turns of others.

        It should be close to 0: otherwise the process disturbed the others.
        """
        used = {" + ".join(peers): worker for peers, worker in self.workers.items() if worker.idle_seconds}
        return {name: round(100 * worker.idle_cpu / worker.idle_seconds, 2) for name, worker in used.items()}


def main(
    threads: Annotated[int, typer.Option(help="Threads, and processors, of every library.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Rounds in which all take a turn.", min=1)] = 9,
    isa: Annotated[str, typer.Option(help="ctckit's instruction set; the best one by default.")] = "",
    peers: Annotated[str, typer.Option(help="Such as torch,optax; ctckit always takes part.")] = "all",
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
        progress = stack.enter_context(progress_bars(console))
        measurements = [run.measure(each, progress) for each in WORKLOADS if each.name in wanted]
        idle = run.idle_cpu()
    found = {
        **about,
        "threads": threads,
        "rounds": rounds,
        "instruction_set": run.instruction_set,
        "isa_asked_for": isa,
        "versions": dict(sorted(run.found["versions"].items())),
        "calls": {name: PEERS[name].call for name in ["ctckit", *names]},
        "limits": run.limits,
        "idle_cpu_percent": idle,
        "refused": run.found["refused"],
        "rows": measurements,
    }
    print_tables(console, found)
    if out:
        results.write(found, out)


if __name__ == "__main__":
    typer.run(main)
