"""Checks, times and memory on the device."""

from __future__ import annotations

import gc
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.peers import Peer, peers
from benchmarks.loss.workloads import Problem, Workload
from ctckit.kernels.batch import target_batch
from ctckit.kernels.loss import native

WORKLOADS = (
    Workload("G1", "text lines, Latin", 64, 1024, 97, (5, 20), 64),
    Workload("G2", "text lines, Chinese", 80, 512, 6625, (10, 25), 80),
    Workload("G3", "speech, characters", 800, 64, 32, (150, 250), 800),
    Workload("G4", "speech, pieces of words", 400, 128, 5000, (40, 80), 400),
    Workload("G5", "long recordings", 3000, 16, 32, (550, 650), 3000),
)
WARM_UP = 3
ITEMS_CHECKED = 4
TOLERANCE = {
    "float32": 1e-5,
    "bfloat16": 2**-8,
    "float16": 2**-10,
}  # for the gradient of an item with weight 1, whose entries are at most 1
SAME_LOSS = 1e-3  # relative: with a larger difference a library computes something else


@dataclass(frozen=True)
class Measurement:
    """One library on one workload.

    Attributes:
        milliseconds: The median of a step, forward and backward, as in a training loop.
        graph_milliseconds: The same step, captured in a CUDA graph and replayed; None for other libraries.
        peak_bytes: Peak memory beyond the logits, the gradient included.
        gradient_error: The largest error of the gradients of some items, each of weight 1.
        logits_bytes: The size of the logits.
    """

    workload: str
    dtype: str
    peer: str
    milliseconds: float
    graph_milliseconds: float | None
    peak_bytes: int
    gradient_error: float
    logits_bytes: int


def timed(work: Callable[[], Any]) -> float:
    """Return the milliseconds on the device, starting with an empty queue."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end))


def captured(peer: Peer) -> torch.cuda.CUDAGraph:
    """Capture a step in a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            peer.step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    peer.logits.grad = None
    with torch.cuda.graph(graph):
        peer.step()
    return graph


def peak(peer: Peer) -> int:
    """Return the peak memory beyond the logits, the gradient included, in bytes."""
    peer.logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    peer.step()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def copy_bandwidth(gibibytes: int = 2) -> float:
    """Return GB/s of a copy on the device; read and written bytes both count."""
    source = torch.empty(gibibytes << 28, device="cuda").normal_()
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source)) for _ in range(12)]
    return 2 * source.nbytes / median(times[2:]) / 1e6


def gradient_errors(problem: Problem, all_peers: list[Peer], dtype: str) -> dict[str, float]:
    """Return the largest error of each library's gradient of some items, compared with the C++ core in float64.

    Raises:
        SystemExit: If the gradient of ctckit is wrong, or if the loss of a library differs.
    """
    ctckit = all_peers[0]
    losses = {peer.name: peer.step().item() for peer in all_peers}
    for name, loss in losses.items():
        if not abs(loss - losses[ctckit.name]) <= SAME_LOSS * abs(losses[ctckit.name]):
            raise SystemExit(f"{name} has the loss {loss}, {ctckit.name} {losses[ctckit.name]}: nothing is measured.")
    logits = ctckit.logits.detach()[:ITEMS_CHECKED].cpu().double().numpy()
    integers = (each[:ITEMS_CHECKED] for each in (problem.targets, problem.input_lengths, problem.target_lengths))
    expected = np.empty_like(logits)
    native.ctc_loss(
        logits, target_batch(logits.shape, *integers, 0, name="logits"), input_kind="logits", gradient=expected
    )
    unit = 1 / problem.weights[:ITEMS_CHECKED, None, None]
    errors = {
        peer.name: float(np.abs(peer.gradient(ITEMS_CHECKED).numpy() * unit - expected).max()) for peer in all_peers
    }
    if not errors[ctckit.name] <= TOLERANCE[dtype]:
        error = errors[ctckit.name]
        raise SystemExit(f"The gradient is off by {error:.3g}, more than {TOLERANCE[dtype]:.3g}: nothing is measured.")
    return errors


def measure(workload: Workload, dtype: str, rounds: int) -> list[Measurement]:
    """Measure all libraries on one workload, in turns."""
    problem = workload.make()
    all_peers = peers(problem, getattr(torch, dtype))
    errors = gradient_errors(problem, all_peers, dtype)
    peaks = {peer.name: peak(peer) for peer in all_peers}
    ctckit = all_peers[0]
    graph = captured(ctckit)
    times: dict[str, list[float]] = {peer.name: [] for peer in all_peers}
    replays: list[float] = []
    for turn in range(rounds + WARM_UP):
        took = {peer.name: timed(peer.step) for peer in all_peers}
        replayed = timed(graph.replay)
        if turn >= WARM_UP:
            replays.append(replayed)
            for name, milliseconds in took.items():
                times[name].append(milliseconds)
    size = ctckit.logits.nbytes
    return [
        Measurement(
            workload.name,
            dtype,
            peer.name,
            median(times[peer.name]),
            median(replays) if peer is ctckit else None,
            peaks[peer.name],
            errors[peer.name],
            size,
        )
        for peer in all_peers
    ]


def kernel_times(workload: Workload) -> dict[str, float]:
    """Return the microseconds of each kernel of ctckit's step, from torch's profiler."""
    ctckit = peers(workload.make(), torch.float32)[0]
    for _ in range(WARM_UP):
        ctckit.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(10):
            ctckit.step()
        torch.cuda.synchronize()
    return {each.key: round(each.self_device_time_total / 10, 2) for each in profile.key_averages()}


def forget() -> None:
    """Free memory between workloads."""
    gc.collect()
    torch.cuda.empty_cache()


def device() -> dict[str, Any]:
    """Return the device and the versions."""
    properties = torch.cuda.get_device_properties(0)
    driver = []
    if shutil.which("nvidia-smi"):
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
