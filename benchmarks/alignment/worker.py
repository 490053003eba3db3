"""One aligner in a process of its own, asked by the coordinator; see ``benchmarks.loss.worker`` for the manners."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import Problem, recording
from benchmarks.common import memory
from benchmarks.loss.worker import pin, serve

Answer = dict[str, Any]
WARM_UP = (64, 8, 8, 4.0)  # a problem that is aligned first, so that code and threads are there


class Worker:
    """The aligner named, on ``threads`` processors."""

    def __init__(self, peers: list[str], threads: int, instruction_set: str) -> None:
        pin(threads)
        (name,) = peers
        self.peer = PEERS[name].make(threads, instruction_set, **PEERS[name].options)

    def about(self) -> Answer:
        """What runs here."""
        return {"versions": self.peer.about(), "instruction_set": self.peer.instruction_set}

    def load(self, path: str) -> Answer:
        """Take over the inputs."""
        self.peer.load(recording(*WARM_UP))
        self.peer.align()
        self.problem = Problem.load(Path(path))
        self.peer.load(self.problem)
        return {}

    def check(self, paths: str) -> Answer:
        """Seconds of a pass, and its scores; the paths of all items go to a file, where there are any."""
        start = time.perf_counter()
        results = self.peer.align()
        seconds = time.perf_counter() - start
        found = [self.peer.path(result, item) for item, result in enumerate(results)]
        if found[0] is not None:
            np.save(paths, np.concatenate([np.asarray(path, dtype=np.int32) for path in found if path is not None]))
        claims = [self.peer.claim(result) for result in results]
        return {"seconds": seconds, "claims": claims, "has_paths": found[0] is not None}

    def run(self, passes: int) -> Answer:
        """Seconds of each pass over all items; results are dropped after the clock has stopped."""
        seconds = []
        for _ in range(passes):
            start = time.perf_counter()
            results = self.peer.align()
            seconds.append(time.perf_counter() - start)
            del results
        return {"seconds": seconds}

    def memory(self) -> Answer:
        """Bytes beyond the inputs in one pass, its results included; None where the system does not tell."""
        if not memory.available():
            return {"memory": None}
        gc.collect()
        before = memory.settle()
        results = self.peer.align()
        extra = memory.resident("VmHWM") - before
        del results
        return {"memory": extra}


if __name__ == "__main__":
    serve(Worker)
