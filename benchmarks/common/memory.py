"""How much memory a step needs beyond the logits and the gradient: high-water marks of resident memory, on Linux."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any

from benchmarks.loss.peers import Peer
from benchmarks.loss.workloads import WARM_UP, Problem

REPEATS = 3
STATUS = Path("/proc/self/status")
MARK = Path("/proc/self/clear_refs")


def available() -> bool:
    """Whether this system can tell."""
    return STATUS.exists() and MARK.exists()


def resident(field: str) -> int:
    """Bytes now ("VmRSS") or at most since ``forget`` ("VmHWM")."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def settle() -> int:
    """Give free memory back to the system, start a new high-water mark; bytes resident now."""
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # what is free but still resident could be used by the step without being seen
    MARK.write_text("5", encoding="ascii")
    return resident("VmRSS")


def extra_of_a_step(peer: Peer, gradients: list[Any]) -> tuple[int, int]:
    """Bytes that one step needs at most, its gradient included, and the bytes that were resident before.

    The gradient is added to ``gradients``: as long as earlier ones are held, a library that keeps a gradient's memory
    for the next step (as ctckit does) has to take fresh memory like the others, and is not credited with it.
    """
    before = settle()
    gradients.append(peer.both())
    return resident("VmHWM") - before, before


def measure(peer: Peer, problem: Problem) -> dict[str, float]:
    """Bytes, in a process that has done nothing else.

    - first: the first step on these inputs, less the gradient. Code and threads are there, from a step on a few
      frames; what is compiled is compiled. Whatever the library will keep for later steps counts here.
    - warm: the most of some later steps, less the gradient. What the library has kept by now does not count.
    - kept: what stays resident after all gradients are gone. A gradient's memory that is kept counts here.
    """
    peer.load(WARM_UP.make())
    peer.both()
    peer.load(problem)
    size = problem.logits.nbytes
    gradients: list[Any] = []
    first, before = extra_of_a_step(peer, gradients)
    for _ in range(REPEATS):
        gradients[:] = [peer.both()]
    held = [peer.both()]  # takes what may have been kept
    warm = max(extra_of_a_step(peer, held)[0] for _ in range(REPEATS))
    gradients.clear()
    held.clear()
    return {"first": first - size, "warm": warm - size, "kept": settle() - before}
