"""TensorFlow's ``ctc_beam_search_decoder``."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import DataSet
from benchmarks.decoding.peers.base import Decoder, Task


class TensorFlow(Decoder):
    """TensorFlow: logits with time first and the blank last, one item a call, in a ``tf.function``."""

    packages = ("tensorflow-cpu", "numpy")

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow

        self.tf = tensorflow
        self.tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.tf.config.threading.set_inter_op_parallelism_threads(1)

    def build(self, data: DataSet, task: Task) -> None:
        """Trace the search once for any number of frames."""
        self.order = [*(i for i in range(data.classes) if i != data.blank), data.blank]

        def search(logits: Any, lengths: Any) -> Any:
            paths, _ = self.tf.nn.ctc_beam_search_decoder(logits, lengths, beam_width=task.beam, top_paths=1)
            return paths[0].values

        shapes = (self.tf.TensorSpec((None, 1, data.classes)), self.tf.TensorSpec((1,), "int32"))
        self.search = self.tf.function(search, input_signature=shapes)

    def convert(self, log_probs: Array) -> Any:
        """Return a tensor and its length."""
        logits = np.ascontiguousarray(log_probs[:, None, self.order])
        return self.tf.constant(logits), self.tf.constant([len(logits)], "int32")

    def decode(self, item: Any) -> Array:
        """Decode, and wait for the result."""
        return np.asarray(self.search(*item).numpy())

    def tokens(self, result: Array) -> list[int]:
        """Return the classes in the order of the data."""
        return [self.order[i] for i in result]
