"""One decoder in a process of its own, asked by the coordinator; see ``benchmarks.loss.worker`` for the manners."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.common import memory
from benchmarks.common.posteriors import DataSet
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Task
from benchmarks.loss.worker import pin, serve

Answer = dict[str, Any]
ESTIMATED_FRAMES = 8


class Worker:
    """The decoder named, on ``threads`` processors."""

    def __init__(self, peers: list[str], threads: int, instruction_set: str) -> None:
        pin(threads)
        (name,) = peers
        self.peer = PEERS[name].make(threads, instruction_set, **PEERS[name].options)

    def about(self) -> Answer:
        """What runs here."""
        return {"versions": self.peer.about(), "instruction_set": self.peer.instruction_set}

    def load(self, path: str, task: dict[str, Any]) -> Answer:
        """Take over the inputs, build the decoder."""
        self.data = DataSet.load(Path(path))
        return self.build(task)

    def build(self, task: dict[str, Any]) -> Answer:
        """A decoder for these inputs, with other weights maybe."""
        start = time.perf_counter()
        self.peer.build(self.data, Task(**{**task, "hotwords": tuple(task["hotwords"])}))
        seconds = time.perf_counter() - start
        self.inputs = [self.peer.convert(self.data[i]) for i in range(len(self.data))]
        return {"seconds": seconds}

    def estimate(self) -> Answer:
        """Seconds that everything will take, as the first frames tell: at first they are decoded unseen."""
        few = self.peer.convert(self.data[0][:ESTIMATED_FRAMES])
        self.peer.decode(few)
        start = time.perf_counter()
        self.peer.decode(few)
        each = (time.perf_counter() - start) / ESTIMATED_FRAMES
        return {"seconds": each * len(self.data.log_probs)}

    def check(self, items: list[int] | None, limit: float) -> Answer:
        """What it reads, item by item, and the seconds of each; no more than ``limit`` seconds in all."""
        wanted = range(len(self.inputs)) if items is None else items
        begin = time.perf_counter()
        self.peer.decode(self.inputs[0])  # code, caches, threads
        tokens, claims, seconds = [], [], []
        for i in wanted:
            start = time.perf_counter()
            result = self.peer.decode(self.inputs[i])
            end = time.perf_counter()
            seconds.append(end - start)
            tokens.append(self.peer.tokens(result))
            claims.append(self.peer.log_prob(result))
            if end - begin > limit:
                break
        return {"tokens": tokens, "claims": claims, "seconds": seconds}

    def run(self, passes: int) -> Answer:
        """Seconds of each pass over all items; readings are dropped after the clock has stopped."""
        seconds = []
        for _ in range(passes):
            start = time.perf_counter()
            results = self.peer.decode_all(self.inputs)
            seconds.append(time.perf_counter() - start)
            del results
        return {"seconds": seconds}

    def memory(self, path: str, task: dict[str, Any]) -> Answer:
        """Bytes beyond the inputs: the decoder built, one item decoded, then all; None where the system does not tell.

        An item of 8 frames goes before, through a decoder without model, lexicon or hotwords: code is there.
        """
        if not memory.available():
            return {"memory": None}
        whole = DataSet.load(Path(path))
        self.data = whole.first(1)
        plain = {**task, "model": "", "unit": "", "lexicon": "", "hotwords": [], "parameters": {}}
        self.build(plain)
        self.peer.decode(self.peer.convert(whole[0][:8]))
        self.data = whole
        inputs = [self.peer.convert(whole[i]) for i in range(len(whole))]
        self.inputs = inputs
        gc.collect()
        before = memory.settle()
        self.peer.build(whole, Task(**{**task, "hotwords": tuple(task["hotwords"])}))
        self.peer.decode(inputs[0])
        one = memory.resident("VmHWM") - before
        for item in inputs[1:]:
            self.peer.decode(item)
        return {"memory": {"one": one, "all": memory.resident("VmHWM") - before}}

    def load_model(self, path: str, unit: str) -> Answer:
        """Seconds to read a language model."""
        start = time.perf_counter()
        self.peer.load_model(path, unit, self.data)
        return {"seconds": time.perf_counter() - start, "bytes": os.path.getsize(path)}

    def same_bits(self) -> Answer:
        """Of ctckit."""
        return {"same": bool(self.peer.same_bits(self.inputs))}  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve(Worker)
