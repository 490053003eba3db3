"""One worker process: it holds one library, or ctckit and torch. ``common.protocol`` describes the requests."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.common.memory import available
from benchmarks.common.protocol import Answer, pin, serve
from benchmarks.loss import bandwidth, memory
from benchmarks.loss.peers import PEERS, Peer
from benchmarks.loss.workloads import Problem


class Worker:
    """Libraries by name, on as many processors as threads."""

    def __init__(self, peers: list[str], threads: int, instruction_set: str) -> None:
        self.threads = threads
        pin(threads)
        self.peers: dict[str, Peer] = {name: PEERS[name](threads, instruction_set) for name in peers}

    def about(self) -> Answer:
        """Report versions and the instruction set."""
        sets = {peer.instruction_set for peer in self.peers.values() if peer.instruction_set}
        versions = {package: number for peer in self.peers.values() for package, number in peer.about().items()}
        return {"versions": versions, "instruction_set": "".join(sets)}

    def load(self, path: str) -> Answer:
        """Load a problem into all libraries."""
        problem = Problem.load(Path(path))
        for peer in self.peers.values():
            peer.load(problem)
        return {}

    def check(self, peer: str, gradient: str) -> Answer:
        """Report the loss and the seconds of a second step; write the gradient to a file."""
        loss, result = self.peers[peer].both()
        np.save(gradient, self.peers[peer].batch_first(result))
        self.peers[peer].forward()  # some libraries compile here; this is not timed
        return {"loss": float(loss), **{step: self.seconds(peer, step) for step in ("both", "forward")}}

    def run(self, step: str, steps: int, warm_up: bool) -> Answer:
        """Report the seconds of each step. The libraries of one process take turns at every step."""
        if warm_up:
            for name in self.peers:
                self.seconds(name, step)
        times: dict[str, list[float]] = {name: [] for name in self.peers}
        for _ in range(steps):
            for name, each in times.items():
                each.append(self.seconds(name, step))
        return {"times": times}

    def seconds(self, peer: str, step: str) -> float:
        """Time one step. Its results are freed after the clock has stopped, as in a training loop at ``zero_grad``."""
        function = getattr(self.peers[peer], step)
        start = time.perf_counter()
        result = function()
        end = time.perf_counter()
        del result
        return end - start

    def memory(self, path: str) -> Answer:
        """Report the peak memory of the only library; None if the system does not tell."""
        (peer,) = self.peers.values()
        return {"memory": memory.measure(peer, Problem.load(Path(path))) if available() else None}

    def bandwidth(self) -> Answer:
        """Report the memory bandwidth."""
        return bandwidth.measure(self.threads)


if __name__ == "__main__":
    serve(Worker)
