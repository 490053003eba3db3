"""One aligner in a process of its own. ``common.protocol`` describes the requests."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import Problem, recording
from benchmarks.common.memory import available, peak, start_peak
from benchmarks.common.protocol import Answer, OneLibraryWorker, serve

WARM_UP = (64, 8, 8, 4.0)  # a small problem that is aligned first, so that code is loaded and threads are running


class Worker(OneLibraryWorker):
    """Holds one aligner."""

    settings = PEERS

    def load(self, path: str) -> Answer:
        """Load the inputs."""
        self.library.load(recording(*WARM_UP))
        self.library.align()
        self.problem = Problem.load(Path(path))
        self.library.load(self.problem)
        return {}

    def check(self, paths: str) -> Answer:
        """Report the seconds of a pass and the reported scores; write the paths to a file, if there are any."""
        start = time.perf_counter()
        results = self.library.align()
        seconds = time.perf_counter() - start
        found = [self.library.path(result, item) for item, result in enumerate(results)]
        if found[0] is not None:
            np.save(paths, np.concatenate([np.asarray(path, dtype=np.int32) for path in found if path is not None]))
        claims = [self.library.claim(result) for result in results]
        return {"seconds": seconds, "claims": claims, "has_paths": found[0] is not None}

    def one_pass(self) -> object:
        """Align all items."""
        return self.library.align()

    def memory(self) -> Answer:
        """Report the peak memory of a pass beyond the inputs, results included; None if the system does not tell."""
        if not available():
            return {"memory": None}
        before = start_peak()
        results = self.library.align()
        extra = peak() - before
        del results
        return {"memory": extra}


if __name__ == "__main__":
    serve(Worker)
