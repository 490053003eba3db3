"""The loss on a GPU against torch's own kernels and cuDNN's: time, bandwidth, memory. Needs a GPU, and says so.

    python -m benchmarks.gpu [--workloads G1,G4] [--rounds 30] [--types float32,bfloat16] [--out FILE]

Each step is what a training loop does: logits in, mean loss, gradient of the logits out; torch's with the log-softmax
that it needs. All in one process, in turns, medians; what is measured is checked before, against the C++ core in
float64.
"graph" is ctckit's step captured once and replayed: what is left where Python's share is taken away. The ratio does not
use it: torch's step looks at the device on its way and cannot be captured.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import ctckit
from benchmarks.machine import about
from benchmarks.workloads import Problem, Workload
from ctckit._checks import target_batch
from ctckit.kernels import native

Tensor = torch.Tensor
Step = Callable[[], Tensor]

WORKLOADS = (
    Workload("G1", "text lines, Latin", 64, 1024, 97, (5, 20), 64),
    Workload("G2", "text lines, Chinese", 80, 512, 6625, (10, 25), 80),
    Workload("G3", "speech, characters", 800, 64, 32, (150, 250), 800),
    Workload("G4", "speech, pieces of words", 400, 128, 5000, (40, 80), 400),
    Workload("G5", "long recordings", 3000, 16, 32, (550, 650), 3000),
)
GOALS = {"G1": 4.0, "G2": 3.0, "G3": 3.0, "G4": 3.0, "G5": 2.5}  # times the faster one of torch's two
BANDWIDTH_GOAL = {"G2": 0.6, "G4": 0.6}  # of a measured copy, for three passes over the logits
MEMORY_GOAL = {"G2": 0.4, "G4": 0.4}  # of torch's peak
CUDNN_TOKENS = 255
ITEMS_CHECKED = 4
TOLERANCE = {"float32": 1e-5, "bfloat16": 2**-8, "float16": 2**-10}


@dataclass(frozen=True)
class Batch:
    """A workload on the device, and its integers as cuDNN wants them."""

    logits: Tensor
    targets: Tensor
    lengths: tuple[Tensor, Tensor]
    joined: Tensor
    host_lengths: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Row:
    """One peer on one workload."""

    workload: str
    dtype: str
    peer: str
    milliseconds: float
    graph_milliseconds: float | None
    gigabytes_per_second: float
    peak_bytes: int


def place(problem: Problem, dtype: torch.dtype) -> Batch:
    """Logits as leaves that want a gradient."""
    targets, frames, tokens = (
        torch.from_numpy(each) for each in (problem.targets, problem.input_lengths, problem.target_lengths)
    )
    joined = torch.cat([row[:count] for row, count in zip(targets, tokens.tolist(), strict=True)]).int()
    lengths = frames.cuda(), tokens.cuda()
    logits = torch.from_numpy(problem.logits).cuda().to(dtype).requires_grad_()
    return Batch(logits, targets.cuda(), lengths, joined, (frames.int(), tokens.int()))


def ours(batch: Batch) -> Step:
    """ctckit, its lengths unread."""
    return lambda: ctckit.ctc_loss(batch.logits, batch.targets, *batch.lengths, validate=False)


def torch_native(batch: Batch) -> Step:
    """The CUDA kernels that torch has of its own."""

    def step() -> Tensor:
        with torch.backends.cudnn.flags(enabled=False):
            log_probs = batch.logits.log_softmax(2, dtype=torch.float32).transpose(0, 1)
            return torch.nn.functional.ctc_loss(log_probs, batch.targets, *batch.lengths)

    return step


def cudnn(batch: Batch) -> Step:
    """The same function, with integers on the CPU and joined: then it calls cuDNN."""

    def step() -> Tensor:
        log_probs = batch.logits.log_softmax(2, dtype=torch.float32).transpose(0, 1)
        return torch.nn.functional.ctc_loss(log_probs, batch.joined, *batch.host_lengths)

    return step


PEERS: dict[str, Callable[[Batch], Step]] = {"ctckit": ours, "torch": torch_native, "torch, cuDNN": cudnn}


def run(batch: Batch, step: Step) -> Tensor:
    """Forward and backward, with a fresh gradient."""
    batch.logits.grad = None
    loss = step()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds on the device, its queue empty before."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end))


def captured(batch: Batch, step: Step) -> torch.cuda.CUDAGraph:
    """The step as a graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run(batch, step)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    batch.logits.grad = None
    with torch.cuda.graph(graph):
        run(batch, step)
    return graph


def peak(batch: Batch, step: Step) -> int:
    """Bytes beyond the logits, the gradient among them."""
    batch.logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(batch, step)
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def copy_bandwidth(gibibytes: int = 2) -> float:
    """GB/s of a copy on the device, read and written bytes counted."""
    source = torch.empty(gibibytes << 28, device="cuda").normal_()
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source)) for _ in range(12)]
    return 2 * source.nbytes / median(times[2:]) / 1e6


def check(problem: Problem, batch: Batch, dtype: str) -> None:
    """Loss and gradient of some items against the C++ core in float64.

    Raises:
        SystemExit: Where they differ; a wrong kernel is not measured.
    """
    loss = run(batch, ours(batch))
    logits = batch.logits.detach()[:ITEMS_CHECKED].cpu().double().numpy()
    integers = problem.targets, problem.input_lengths, problem.target_lengths
    targets, frames, tokens = (each[:ITEMS_CHECKED] for each in integers)
    checked = target_batch(logits.shape, targets, frames, tokens, 0, name="logits")
    gradient = np.empty_like(logits)
    native.ctc_loss(logits, checked, rows="logits", gradient=gradient)
    assert batch.logits.grad is not None
    weights = np.maximum(problem.target_lengths, 1) * len(problem.targets)
    found = batch.logits.grad[:ITEMS_CHECKED].cpu().double().numpy() * weights[:ITEMS_CHECKED, None, None]
    error = float(np.abs(found - gradient).max())
    if not error <= TOLERANCE[dtype] or not bool(loss.isfinite()):
        raise SystemExit(f"The gradient is off by {error:.3g}, more than {TOLERANCE[dtype]:.3g}: nothing is measured.")


def measure(workload: Workload, dtype: str, rounds: int) -> list[Row]:
    """All peers on one workload, in turns."""
    problem = workload.make()
    batch = place(problem, getattr(torch, dtype))
    check(problem, batch, dtype)
    peers = {
        name: make(batch)
        for name, make in PEERS.items()
        if name != "torch, cuDNN" or int(problem.target_lengths.max()) <= CUDNN_TOKENS
    }
    peaks = {name: peak(batch, step) for name, step in peers.items()}
    graph = captured(batch, peers["ctckit"])
    times: dict[str, list[float]] = {name: [] for name in peers}
    replays: list[float] = []
    for turn in range(rounds + 3):
        for name, step in peers.items():
            took = timed(lambda step=step: run(batch, step))  # type: ignore[misc]
            if turn >= 3:
                times[name].append(took)
        replays.append(timed(graph.replay))
    passes = 3 * batch.logits.nbytes
    return [
        Row(
            workload.name,
            dtype,
            name,
            median(times[name]),
            median(replays) if name == "ctckit" else None,
            passes / (median(replays) if name == "ctckit" else median(times[name])) / 1e6,
            peaks[name],
        )
        for name in peers
    ]


def kernel_times(workload: Workload) -> dict[str, float]:
    """Microseconds of each kernel of a step, from torch's profiler."""
    batch = place(workload.make(), torch.float32)
    step = ours(batch)
    for _ in range(3):
        run(batch, step)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(10):
            run(batch, step)
        torch.cuda.synchronize()
    return {each.key: round(each.self_device_time_total / 10, 2) for each in profile.key_averages()}


def device() -> dict[str, Any]:
    """What the figures belong to."""
    properties = torch.cuda.get_device_properties(0)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip().splitlines()
    import triton

    return {
        "device": properties.name,
        "multiprocessors": properties.multi_processor_count,
        "driver": driver[0] if driver else "unknown",
        "torch": torch.__version__,
        "triton": triton.__version__,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "python": platform.python_version(),
    }


def show(rows: list[Row], bandwidth: float) -> None:
    """The table, against the goals."""
    print(f"{'':4} {'type':9} {'peer':13} {'ms':>9} {'graph':>9} {'ratio':>6} {'of copy':>8} {'MB':>8} {'memory':>7}")
    for workload, dtype in dict.fromkeys((row.workload, row.dtype) for row in rows):
        here = [row for row in rows if (row.workload, row.dtype) == (workload, dtype)]
        rivals = [row for row in here if row.peer != "ctckit"]
        best = min(row.milliseconds for row in rivals)
        least = min(row.peak_bytes for row in rivals)
        for row in here:
            graph = "–" if row.graph_milliseconds is None else f"{row.graph_milliseconds:9.3f}"
            print(
                f"{row.workload:4} {row.dtype:9} {row.peer:13} {row.milliseconds:9.3f} {graph:>9} "
                f"{best / row.milliseconds:6.2f} "
                f"{row.gigabytes_per_second / bandwidth:8.2f} {row.peak_bytes / 1e6:8.1f} {row.peak_bytes / least:7.2f}"
            )
        if dtype == "float32":
            print(f"     goals: {GOALS[workload]:g} times, {BANDWIDTH_GOAL.get(workload, '–')} of the copy, "
                  f"{MEMORY_GOAL.get(workload, '–')} of the memory")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(each.name for each in WORKLOADS))
    parser.add_argument("--types", default="float32,bfloat16")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a GPU, and torch sees none. Figures of the interpreter would mean nothing.")
    chosen = [each for each in WORKLOADS if each.name in arguments.workloads.split(",")]
    bandwidth = copy_bandwidth()
    print(json.dumps(device()), f"copy {bandwidth:.0f} GB/s", flush=True)
    rows: list[Row] = []
    kernels: dict[str, dict[str, float]] = {}
    for workload in chosen:
        for dtype in arguments.types.split(","):
            rows += measure(workload, dtype, arguments.rounds)
            torch.cuda.empty_cache()
        kernels[workload.name] = kernel_times(workload)
        print(workload.name, json.dumps(kernels[workload.name]), flush=True)
        show([row for row in rows if row.workload == workload.name], bandwidth)
        if arguments.out:  # after each workload: what was measured is not lost
            saved = {"about": about(), "device": device(), "copy_gigabytes_per_second": bandwidth, "kernels": kernels}
            arguments.out.write_text(json.dumps({**saved, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    show(rows, bandwidth)


if __name__ == "__main__":
    main()
