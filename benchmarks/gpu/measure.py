"""What is checked, timed and counted on the device."""

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
from ctckit._checks import target_batch
from ctckit.kernels import native

WORKLOADS = (
    Workload("G1", "text lines, Latin", 64, 1024, 97, (5, 20), 64),
    Workload("G2", "text lines, Chinese", 80, 512, 6625, (10, 25), 80),
    Workload("G3", "speech, characters", 800, 64, 32, (150, 250), 800),
    Workload("G4", "speech, pieces of words", 400, 128, 5000, (40, 80), 400),
    Workload("G5", "long recordings", 3000, 16, 32, (550, 650), 3000),
)
WARM_UP = 3
ITEMS_CHECKED = 4
TOLERANCE = {"float32": 1e-5, "bfloat16": 2**-8, "float16": 2**-10}  # of a gradient of weight 1, which is at most 1
SAME_LOSS = 1e-3  # relative: else a peer computes something else


@dataclass(frozen=True)
class Row:
    """One peer on one workload.

    Attributes:
        milliseconds: Median of a step, forward and backward, as a training loop calls it.
        graph_milliseconds: The same captured once and replayed; None for peers.
        peak_bytes: The most beyond the logits, the gradient among them.
        gradient_error: The largest error of the gradients of some items, each of weight 1.
        logits_bytes: Of the logits.
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
    """Milliseconds on the device, its queue empty before."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end))


def captured(peer: Peer) -> torch.cuda.CUDAGraph:
    """A step as a graph."""
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
    """Bytes beyond the logits, the gradient among them."""
    peer.logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    peer.step()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def copy_bandwidth(gibibytes: int = 2) -> float:
    """GB/s of a copy on the device, read and written bytes counted."""
    source = torch.empty(gibibytes << 28, device="cuda").normal_()
    target = torch.empty_like(source)
    times = [timed(lambda: target.copy_(source)) for _ in range(12)]
    return 2 * source.nbytes / median(times[2:]) / 1e6


def gradient_errors(problem: Problem, all_peers: list[Peer], dtype: str) -> dict[str, float]:
    """How far each peer's gradients of some items are off those of the C++ core in float64.

    Raises:
        SystemExit: Where ctckit's are, or where somebody's loss is another one: nothing wrong is measured.
    """
    ours = all_peers[0]
    losses = {peer.name: peer.step().item() for peer in all_peers}
    for name, loss in losses.items():
        if not abs(loss - losses[ours.name]) <= SAME_LOSS * abs(losses[ours.name]):
            raise SystemExit(f"{name} has the loss {loss}, {ours.name} {losses[ours.name]}: nothing is measured.")
    logits = ours.logits.detach()[:ITEMS_CHECKED].cpu().double().numpy()
    integers = (each[:ITEMS_CHECKED] for each in (problem.targets, problem.input_lengths, problem.target_lengths))
    expected = np.empty_like(logits)
    native.ctc_loss(logits, target_batch(logits.shape, *integers, 0, name="logits"), rows="logits", gradient=expected)
    unit = 1 / problem.weights[:ITEMS_CHECKED, None, None]
    errors = {
        peer.name: float(np.abs(peer.gradient(ITEMS_CHECKED).numpy() * unit - expected).max()) for peer in all_peers
    }
    if not errors[ours.name] <= TOLERANCE[dtype]:
        error = errors[ours.name]
        raise SystemExit(f"The gradient is off by {error:.3g}, more than {TOLERANCE[dtype]:.3g}: nothing is measured.")
    return errors


def measure(workload: Workload, dtype: str, rounds: int) -> list[Row]:
    """All peers on one workload, in turns."""
    problem = workload.make()
    all_peers = peers(problem, getattr(torch, dtype))
    errors = gradient_errors(problem, all_peers, dtype)
    peaks = {peer.name: peak(peer) for peer in all_peers}
    ours = all_peers[0]
    graph = captured(ours)
    times: dict[str, list[float]] = {peer.name: [] for peer in all_peers}
    replays: list[float] = []
    for turn in range(rounds + WARM_UP):
        took = {peer.name: timed(peer.step) for peer in all_peers}
        replayed = timed(graph.replay)
        if turn >= WARM_UP:
            replays.append(replayed)
            for name, milliseconds in took.items():
                times[name].append(milliseconds)
    size = ours.logits.nbytes
    return [
        Row(
            workload.name,
            dtype,
            peer.name,
            median(times[peer.name]),
            median(replays) if peer is ours else None,
            peaks[peer.name],
            errors[peer.name],
            size,
        )
        for peer in all_peers
    ]


def kernel_times(workload: Workload) -> dict[str, float]:
    """Microseconds of each kernel of ctckit's step, from torch's profiler."""
    ours = peers(workload.make(), torch.float32)[0]
    for _ in range(WARM_UP):
        ours.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(10):
            ours.step()
        torch.cuda.synchronize()
    return {each.key: round(each.self_device_time_total / 10, 2) for each in profile.key_averages()}


def forget() -> None:
    """Gives memory back between workloads."""
    gc.collect()
    torch.cuda.empty_cache()


def device() -> dict[str, Any]:
    """What the figures belong to."""
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
