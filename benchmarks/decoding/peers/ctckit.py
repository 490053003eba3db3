"""ctckit's decoders, through the public calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from benchmarks.common.arrays import Array, padded
from benchmarks.common.libraries import CTCKIT, set_up_ctckit
from benchmarks.common.posteriors import NO_SPACE, DataSet
from benchmarks.decoding.peers.base import Decoder, Task


class Greedy(Decoder):
    """``greedy_decode``."""

    packages = ("ctckit", "numpy")
    environment = CTCKIT

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, **options)
        self.ctckit, self.instruction_set = set_up_ctckit(threads, instruction_set)

    def build(self, data: DataSet, task: Task) -> None:
        """Keep the blank; nothing else is needed."""
        del task
        self.blank = data.blank

    def convert(self, log_probs: Array) -> Array:
        """Return the item unchanged."""
        return log_probs

    def decode(self, item: Array) -> Any:
        """Return the hypothesis."""
        return self.ctckit.greedy_decode(item, blank=self.blank)[0]

    def tokens(self, result: Any) -> list[int]:
        """Return the tokens as integers."""
        return [int(token) for token in result.tokens]

    def log_prob(self, result: Any) -> float:
        """Return the log-probability of the hypothesis; ctckit documents it as exact."""
        return float(result.log_prob)


class CTCKit(Greedy):
    """``BeamDecoder.decode`` on the whole vocabulary; it also computes spans, confidences and the exact log p."""

    grids: ClassVar[dict[str, dict[str, tuple[float, ...]]]] = {
        "word": {
            "lm_weight": (0.05, 0.1, 0.2, 0.3, 0.5),
            "word_bonus": (0.0, 1.0, 2.0, 3.0, 4.0),
            "oov_charge": (0.0, 0.25, 0.5, 1.0),
        },
        "char": {
            "lm_weight": (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8),
            "token_bonus": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
        },
    }

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        super().__init__(threads, instruction_set, **options)
        self.models: dict[str, Any] = {}
        self.built: tuple[DataSet, Task] | None = None

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """Load an ARPA file or ctckit's own file."""
        del data
        self.models[path] = self.ctckit.NGramModel.load(path, unit=unit)

    def build(self, data: DataSet, task: Task) -> None:
        """Build a decoder. If only the weights are new, change those of the last decoder."""
        without = replace(task, parameters={})
        if self.built != (data, without):
            self.base = self.make(data, without)
            self.built = (data, without)
        self.decoder = self.base.with_settings(**task.parameters) if task.parameters else self.base
        self.arguments = {"hotwords": list(task.hotwords)} if task.per_call else {}

    def make(self, data: DataSet, task: Task) -> Any:
        """Return a decoder with default weights."""
        arguments: dict[str, Any] = {}
        if task.model:
            if task.model not in self.models:
                self.load_model(task.model, task.unit, data)
            arguments["language_model"] = self.models[task.model]
            arguments["lm_boundary"] = task.unit != "char"  # lines of text are parts of sentences
        if task.lexicon:
            known = set("".join(token for i, token in enumerate(data.tokens) if i != data.space))
            arguments["lexicon"] = [word for word in task.words() if word and known.issuperset(word)]
            arguments["oov_charge"] = None
        if task.hotwords and not task.per_call:
            arguments["hotwords"] = list(task.hotwords)
        separator = None if data.space == NO_SPACE else data.tokens[data.space]
        vocabulary = self.ctckit.Vocabulary(data.tokens, data.blank, separator=separator)
        return self.ctckit.BeamDecoder(vocabulary, beam_width=task.beam, **arguments)

    def decode(self, item: Array) -> Any:
        """Return the best hypothesis."""
        return self.decoder.decode(item, **self.arguments)[0][0]

    def log_prob(self, result: Any) -> float | None:
        """Return the log-probability if it is that of the tokens. Texts with words are the same with more spaces."""
        return None if self.decoder.vocabulary.has_words else super().log_prob(result)

    def same_bits(self, items: Sequence[Array]) -> bool:
        """Return whether streams in chunks, and batches on several threads, give the same hypotheses as whole items."""
        whole = [self.decode(item) for item in items]
        streamed = [self.streamed(item, chunk) for chunk in (1, 7, 64) for item in items]
        batches = []
        for threads in (1, 2, 3):
            self.ctckit.set_num_threads(threads)
            batches += [each[0] for each in self.decoder.decode(*padded(items, items[0].dtype))]
        self.ctckit.set_num_threads(self.threads)
        return streamed == 3 * whole and batches == 3 * whole

    def streamed(self, item: Array, chunk: int) -> Any:
        """Decode a stream in chunks of ``chunk`` frames."""
        stream = self.decoder.stream()
        for start in range(0, len(item), chunk):
            stream.push(item[start : start + chunk])
        return stream.finish()


class CTCKitBatch(CTCKit):
    """All items in one call, padded, on all threads of the setting."""

    def decode_all(self, items: Sequence[Array]) -> Sequence[Any]:
        """Decode all items; the padding is done at the first call."""
        if not hasattr(self, "batch") or self.batch_of is not items:
            self.batch, self.batch_of = padded(items, items[0].dtype), items
        return [each[0] for each in self.decoder.decode(*self.batch)]
