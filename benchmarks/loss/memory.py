"""Peak memory of a step beyond the logits and the gradient."""

from __future__ import annotations

from typing import Any

from benchmarks.common.memory import peak, start_peak
from benchmarks.loss.peers import Peer
from benchmarks.loss.workloads import WARM_UP, Problem

REPEATS = 3


def extra_of_a_step(peer: Peer, gradients: list[Any]) -> tuple[int, int]:
    """Return the peak memory of one step, its gradient included, and the bytes that were resident before.

    The gradient is added to ``gradients``. A library that keeps a gradient's memory for the next step (as ctckit does)
    must allocate fresh memory as long as earlier gradients are held, as the others do.
    """
    before = start_peak()
    gradients.append(peer.both())
    return peak() - before, before


def measure(peer: Peer, problem: Problem) -> dict[str, float]:
    """Return bytes, in a process that has done nothing else.

    - first: the first step on these inputs, less the gradient. Code is loaded and threads are running, because a step
    on a
      few frames went before; what is compiled is compiled. Memory that the library keeps for later steps counts here.
    - warm: the maximum of some later steps, less the gradient. Memory that the library already keeps does not count.
    - kept: what stays resident after all gradients are freed. Memory that is kept for the next gradient counts here.
    """
    peer.load(WARM_UP.make())
    peer.both()
    peer.load(problem)
    size = problem.logits.nbytes
    gradients: list[Any] = []
    first, before = extra_of_a_step(peer, gradients)
    for _ in range(REPEATS):
        gradients[:] = [peer.both()]
    held = [peer.both()]  # uses the memory that the library may have kept
    warm = max(extra_of_a_step(peer, held)[0] for _ in range(REPEATS))
    gradients.clear()
    held.clear()
    return {"first": first - size, "warm": warm - size, "kept": start_peak() - before}
