"""What runs inside a worker process: it answers each request of the coordinator with one line of JSON.

The processors are chosen before any library is imported. The peers' environment has NumPy and no ctckit, so this module
imports neither ctckit nor torch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from benchmarks.common.libraries import Setting

Answer = dict[str, Any]


def pin(threads: int) -> None:
    """Restrict this process to as many processors as there are threads: the first ones that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(make: Callable[..., Any]) -> None:
    """Answer requests until standard input ends.

    Args:
        make: Makes the worker, from the arguments of the request "start".
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # a library's output must not be taken for an answer
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


class OneLibraryWorker(ABC):
    """A worker that holds one library in one setting. ``settings``: all settings by name."""

    settings: ClassVar[Mapping[str, Setting]]

    def __init__(self, peers: list[str], threads: int, instruction_set: str) -> None:
        pin(threads)
        (name,) = peers
        setting = self.settings[name]
        self.library: Any = setting.make(threads, instruction_set, **setting.options)

    def about(self) -> Answer:
        """Report versions and the instruction set."""
        return {"versions": self.library.about(), "instruction_set": self.library.instruction_set}

    @abstractmethod
    def one_pass(self) -> object:
        """Process all items; this is what is timed."""

    def run(self, passes: int) -> Answer:
        """Report the seconds of each pass over all items. Results are freed after the clock has stopped."""
        seconds = []
        for _ in range(passes):
            start = time.perf_counter()
            results = self.one_pass()
            seconds.append(time.perf_counter() - start)
            del results
        return {"seconds": seconds}
