"""One decoder in a process of its own. ``common.protocol`` describes the requests."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.common.memory import available, peak, start_peak
from benchmarks.common.posteriors import DataSet
from benchmarks.common.protocol import Answer, OneLibraryWorker, serve
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Task

ESTIMATED_FRAMES = 8


def task_of(task: dict[str, Any]) -> Task:
    """Return the task that was sent as JSON."""
    return Task(**{**task, "hotwords": tuple(task["hotwords"])})


class Worker(OneLibraryWorker):
    """Holds one decoder."""

    settings = PEERS

    def load(self, path: str, task: dict[str, Any]) -> Answer:
        """Load the inputs and build the decoder."""
        self.data = DataSet.load(Path(path))
        return self.build(task)

    def build(self, task: dict[str, Any]) -> Answer:
        """Build a decoder for the loaded inputs."""
        start = time.perf_counter()
        self.library.build(self.data, task_of(task))
        seconds = time.perf_counter() - start
        self.inputs = [self.library.convert(self.data[i]) for i in range(len(self.data))]
        return {"seconds": seconds}

    def estimate(self) -> Answer:
        """Estimate the seconds of a pass over all items, from the second time that the first frames are decoded."""
        few = self.library.convert(self.data[0][:ESTIMATED_FRAMES])
        self.library.decode(few)
        start = time.perf_counter()
        self.library.decode(few)
        each = (time.perf_counter() - start) / ESTIMATED_FRAMES
        return {"seconds": each * len(self.data.log_probs)}

    def check(self, items: list[int] | None, limit: float) -> Answer:
        """Report the tokens, the claimed log-probability and the seconds of each item.

        Args:
            items: The items; None for all.
            limit: The worker stops after so many seconds.
        """
        wanted = range(len(self.inputs)) if items is None else items
        begin = time.perf_counter()
        self.library.decode(self.inputs[0])  # loads code, fills caches, starts threads
        tokens, claims, seconds = [], [], []
        for i in wanted:
            start = time.perf_counter()
            result = self.library.decode(self.inputs[i])
            end = time.perf_counter()
            seconds.append(end - start)
            tokens.append(self.library.tokens(result))
            claims.append(self.library.log_prob(result))
            if end - begin > limit:
                break
        return {"tokens": tokens, "claims": claims, "seconds": seconds}

    def one_pass(self) -> object:
        """Decode all items."""
        return self.library.decode_all(self.inputs)

    def memory(self, path: str, task: dict[str, Any]) -> Answer:
        """Report the peak memory beyond the inputs, after one item and after all; None if the system does not tell.

        A decoder without model, lexicon and hotwords decodes 8 frames first, so that code is loaded.
        """
        if not available():
            return {"memory": None}
        whole = DataSet.load(Path(path))
        self.data = whole.first(1)
        plain = {**task, "model": "", "unit": "", "lexicon": "", "hotwords": [], "parameters": {}}
        self.build(plain)
        self.library.decode(self.library.convert(whole[0][:8]))
        self.data = whole
        inputs = [self.library.convert(whole[i]) for i in range(len(whole))]
        self.inputs = inputs
        before = start_peak()
        self.library.build(whole, task_of(task))
        self.library.decode(inputs[0])
        one = peak() - before
        for item in inputs[1:]:
            self.library.decode(item)
        return {"memory": {"one": one, "all": peak() - before}}

    def load_model(self, path: str, unit: str) -> Answer:
        """Report the seconds that it takes to load a language model."""
        start = time.perf_counter()
        self.library.load_model(path, unit, self.data)
        return {"seconds": time.perf_counter() - start, "bytes": os.path.getsize(path)}

    def same_bits(self) -> Answer:
        """Report whether streams and threads give the same hypotheses as whole items; ctckit only."""
        return {"same": bool(self.library.same_bits(self.inputs))}


if __name__ == "__main__":
    serve(Worker)
