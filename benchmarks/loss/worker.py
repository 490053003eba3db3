"""One process of the benchmark: holds peers, does what the coordinator writes to it, a line of JSON at a time.

Each peer has a process of its own, so that thread pools, allocators and what an import changes do not meet; ctckit and
torch have one more in common. Processors are dealt out before any library is imported. Runs in the peers' environment,
which has NumPy and no ctckit.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import memory
from benchmarks.loss import bandwidth as limits
from benchmarks.loss.peers import PEERS, Peer
from benchmarks.loss.workloads import Problem

Answer = dict[str, Any]


class Worker:
    """Peers by name; ``threads`` processors."""

    def __init__(self, peers: list[str], threads: int, instruction_set: str) -> None:
        self.threads = threads
        pin(threads)
        self.peers: dict[str, Peer] = {name: PEERS[name](threads, instruction_set) for name in peers}

    def about(self) -> Answer:
        """What runs here."""
        sets = {peer.instruction_set for peer in self.peers.values() if peer.instruction_set}
        versions = {package: number for peer in self.peers.values() for package, number in peer.about().items()}
        return {"versions": versions, "instruction_set": "".join(sets)}

    def load(self, path: str) -> Answer:
        """Hand a problem to all peers."""
        problem = Problem.load(Path(path))
        for peer in self.peers.values():
            peer.load(problem)
        return {}

    def check(self, peer: str, gradient: str) -> Answer:
        """The loss, and how long a second step takes; the gradient goes to a file."""
        loss, result = self.peers[peer].both()
        np.save(gradient, self.peers[peer].batch_first(result))
        self.peers[peer].forward()  # compiled here, where it is not timed
        return {"loss": float(loss), **{step: self.seconds(peer, step) for step in ("both", "forward")}}

    def run(self, step: str, steps: int, warm_up: bool) -> Answer:
        """Seconds of each step; the peers of one process take turns at every step."""
        if warm_up:
            for name in self.peers:
                self.seconds(name, step)
        times: dict[str, list[float]] = {name: [] for name in self.peers}
        for _ in range(steps):
            for name, each in times.items():
                each.append(self.seconds(name, step))
        return {"times": times}

    def seconds(self, peer: str, step: str) -> float:
        """One step; its results are dropped after the clock has stopped, as a training loop does at zero_grad."""
        function = getattr(self.peers[peer], step)
        start = time.perf_counter()
        result = function()
        end = time.perf_counter()
        del result
        return end - start

    def memory(self, path: str) -> Answer:
        """Of the only peer; None where the system does not tell."""
        (peer,) = self.peers.values()
        return {"memory": memory.measure(peer, Problem.load(Path(path))) if memory.available() else None}

    def limits(self) -> Answer:
        """Bandwidth."""
        return limits.measure(self.threads)


def pin(threads: int) -> None:
    """Stay on as many processors as there are threads: the first that this process may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(make: Callable[..., Any]) -> None:
    """Answer each line of standard input with one line, until there is no more; ``make`` makes a worker."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a library prints must not be taken for an answer
        worker = None
        for line in sys.stdin:
            request = json.loads(line)
            do = request.pop("do")
            if do == "start":
                worker = make(**request)
                answer = worker.about()
            else:
                answer = getattr(worker, do)(**request)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    serve(Worker)
