"""What the memory of this machine gives: the bandwidth of reading and of copying, with some threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIZE = 1 << 26  # float32: 256 MiB, many times any cache
REPEATS = 5


class Bandwidth:
    """Arrays for ``threads`` threads that share the work; NumPy releases the interpreter's lock in both loops."""

    def __init__(self, threads: int) -> None:
        self.source = np.ones(SIZE, dtype=np.float32)
        self.target = np.zeros_like(self.source)
        self.parts = [slice(i * SIZE // threads, (i + 1) * SIZE // threads) for i in range(threads)]
        self.pool = ThreadPoolExecutor(threads)

    def read(self) -> float:
        """Bytes per second of reading: a dot product with itself."""
        return self.source.nbytes / self.fastest(lambda part: np.dot(self.source[part], self.source[part]))

    def copy(self) -> float:
        """Bytes per second of copying, what is read and what is written both counted."""
        return 2 * self.source.nbytes / self.fastest(lambda part: np.copyto(self.target[part], self.source[part]))

    def fastest(self, work: Callable[[slice], object]) -> float:
        """Seconds of the fastest of some repetitions."""
        return min(self.seconds(work) for _ in range(REPEATS))

    def seconds(self, work: Callable[[slice], object]) -> float:
        """All parts at once."""
        start = time.perf_counter()
        list(self.pool.map(work, self.parts))
        return time.perf_counter() - start


def measure(threads: int) -> dict[str, float]:
    """Bytes per second."""
    bandwidth = Bandwidth(threads)
    return {"read": bandwidth.read(), "copy": bandwidth.copy()}
