"""fast-ctc-decode."""

from __future__ import annotations

import resource
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import DataSet
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.peers.texts import TextDecoder

MOST_MEMORY = 6 << 30  # bytes of address space; fast-ctc-decode allocates nodes × classes


class FastCTCDecode(TextDecoder):
    """fast-ctc-decode: probabilities, the blank first. Tokens with a probability below ``cut`` are ignored."""

    packages = ("fast-ctc-decode", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        import fast_ctc_decode

        self.module = fast_ctc_decode
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

    def build(self, data: DataSet, task: Task) -> None:
        """Prepare the alphabet; the cut must be below 1 / C."""
        self.order = [data.blank, *(i for i in range(data.classes) if i != data.blank)]
        characters = self.spell(data)
        characters[data.blank] = chr(0x10FFFD)
        self.alphabet = [characters[i] for i in self.order]
        self.beam, self.cut = task.beam, min(self.options["cut"], 0.99 / data.classes)

    def convert(self, log_probs: Array) -> Array:
        """Return probabilities with the blank first."""
        return np.ascontiguousarray(np.exp(log_probs)[:, self.order])

    def decode(self, item: Array) -> str:
        """Return the text; the library also returns a frame for each character."""
        return str(self.module.beam_search(item, self.alphabet, beam_size=self.beam, beam_cut_threshold=self.cut)[0])
