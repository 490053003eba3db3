"""The loss and its gradient on the CPU, against torch: ``python -m benchmarks.loss --threads 1``.

What a training loop does: a fresh graph and a fresh gradient at each step. ctckit and torch take turns in one process;
times are medians; before anything is timed, the two gradients are compared. The limit is what the memory alone would
take, at the bandwidth measured in the same run: the logits read once, the gradient written once.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import ctckit
from benchmarks.workloads import WORKLOADS, Workload
from ctckit.kernels import native

AGREEMENT = 1e-4  # of gradients reduced by the mean; torch's own float32 ones are off by up to 0.02 an item at W5
GOALS = {"W1": 3.0, "W2": 4.0, "W3": 15.0, "W4": 5.0, "W5": 30.0}


def ours(logits, targets, input_lengths, target_lengths):
    """One step with ctckit; returns the gradient."""
    leaf = logits.detach().requires_grad_()
    ctckit.ctc_loss(leaf, targets, input_lengths, target_lengths).backward()
    return leaf.grad


def theirs(logits, targets, input_lengths, target_lengths):
    """One step with torch, on a time-first copy as its users have it; returns the gradient, time-first."""
    leaf = logits.detach().requires_grad_()
    log_probs = F.log_softmax(leaf, dim=2)
    F.ctc_loss(log_probs, targets, input_lengths, target_lengths).backward()
    return leaf.grad


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def bandwidth() -> float:
    """Bytes per second of a copy of 256 MiB, read and write counted, the best of five."""
    source = np.ones(1 << 26, dtype=np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / min(seconds(lambda: np.copyto(target, source)) for _ in range(5))


def measure(workload: Workload, rounds: int, copy: float) -> dict[str, float | str]:
    """Medians and ratios of one workload."""
    logits, *rest = workload.make()
    time_first = logits.transpose(0, 1).contiguous()
    difference = float((ours(logits, *rest) - theirs(time_first, *rest).transpose(0, 1)).abs().max())
    if difference > AGREEMENT:
        raise SystemExit(f"{workload.name}: the gradients differ by {difference}: nothing to time.")
    times: dict[str, list[float]] = {"ctckit": [], "torch": []}
    for _ in range(rounds):
        times["ctckit"].append(seconds(lambda: ours(logits, *rest)))
        times["torch"].append(seconds(lambda: theirs(time_first, *rest)))
    mine, peer = (statistics.median(each) for each in times.values())
    limit = 2 * logits.numel() * logits.element_size() / copy
    return {
        "workload": workload.name,
        "stands_for": workload.stands_for,
        "ctckit_ms": 1e3 * mine,
        "torch_ms": 1e3 * peer,
        "ratio": peer / mine,
        "limit_ms": 1e3 * limit,
        "difference": difference,
    }


def commit() -> str:
    """The commit that was measured."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main(
    threads: Annotated[int, typer.Option(help="Threads for both.")] = 1,
    rounds: Annotated[int, typer.Option(help="Repetitions; medians are reported.")] = 9,
    isa: Annotated[str, typer.Option(help="Instruction set; the best one by default.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file.")] = None,
) -> None:
    """Measure W1–W5."""
    ctckit.set_num_threads(threads)
    torch.set_num_threads(threads)
    if isa:
        native.set_instruction_set(isa)
    copy = bandwidth()
    console = Console()
    rows = []
    # Drawn by hand: a refreshing thread would wake up inside what is timed and take the interpreter's lock.
    with Progress(console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task("measuring", total=len(WORKLOADS))
        for each in WORKLOADS:
            rows.append(measure(each, rounds, copy))
            progress.update(task, advance=1, refresh=True)
    machine = f"{native.instruction_set()}, {threads} thread(s), copy {copy / 1e9:.1f} GB/s"
    table = Table(title=f"Loss and gradient, float32, a fresh graph each step: {machine}")
    for column in ("", "stands for", "ctckit ms", "torch ms", "ratio", "goal", "memory limit ms"):
        table.add_column(column, justify="left" if column in ("", "stands for") else "right")
    for row in rows:
        name = str(row["workload"])
        table.add_row(
            name,
            str(row["stands_for"]),
            *(f"{row[key]:.2f}" for key in ("ctckit_ms", "torch_ms", "ratio")),
            f"{GOALS[name]:.0f}×",
            f"{row['limit_ms']:.2f}",
        )
    console.print(table)
    if out:
        versions = {"ctckit": ctckit.__version__, "torch": torch.__version__, "numpy": np.__version__}
        about = {"date": date.today().isoformat(), "commit": commit(), "versions": versions, "machine": machine}
        about["processor"] = platform.processor() or platform.machine()
        out.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
