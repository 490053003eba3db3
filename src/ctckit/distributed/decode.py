"""From the output of a network to texts: the work of ``ctckit decode``, and a function of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ctckit import _checks
from ctckit._padding import pad_frames
from ctckit._posterior_files import read_items
from ctckit.decoding.beam import BeamDecoder
from ctckit.distributed.batches import Batch, BatchFunction, column, numbered
from ctckit.distributed.columns import DecodedText, text_columns
from ctckit.errors import CTCKitError, DataError
from ctckit.kernels.loss.reference import log_softmax

SUFFIXES = (".npy", ".npz")


class DecodeColumns(DecodedText):
    """The best text, and with ``--n-best`` all."""

    hypotheses: Sequence[DecodedText]


@dataclass(frozen=True)
class DecodeWork:
    """Decodes items.

    Attributes:
        decoder: The decoder.
        n_best: The most texts of an item.
        frame_seconds: The length of a frame, or None.
        spans: Whether the rows have tokens and words.
        at_once: How many items are decoded together.
    """

    decoder: BeamDecoder
    n_best: int
    frame_seconds: float | None
    spans: bool
    at_once: int = 64

    def load(self, given: Path) -> npt.NDArray[Any]:
        """Return the log-probabilities (T, C) of a file with one item."""
        items = read_items(given)
        if len(items) != 1:
            raise DataError(f"{given}: has {len(items)} items; expected one (T, C). Write a .npy file for each item.")
        [(_, item)] = items
        if isinstance(item, CTCKitError):
            raise item
        return item

    def compute(self, loaded: Sequence[npt.NDArray[Any]]) -> list[dict[str, Any]]:
        """Return the columns, see ``DecodeColumns``."""
        batch, lengths = pad_frames(loaded)
        found = []
        for hypotheses in self.decoder.decode(batch, lengths, n_best=self.n_best):
            texts = [text_columns(each, self.frame_seconds, spans=self.spans) for each in hypotheses]
            found.append({**texts[0], **({"hypotheses": texts} if self.n_best > 1 else {})})
        return found


@dataclass(frozen=True)
class _ColumnWork(DecodeWork):
    """Decodes the values of a column."""

    def load(self, given: Any) -> npt.NDArray[Any]:
        """Return log-probabilities from a pair: the name of the column, and a value of it."""
        name, value = given
        if name == "path":
            return super().load(Path(str(value)))
        array = _checks.floats(_checks.as_array(value, name), name, "(T, C)")
        return log_softmax(array) if name == "logits" and array.size else array


class DecodeLogits(BatchFunction):
    """Decodes the output of a network: a function of batches for Ray Data, Spark and others.

    A batch has one of these columns: ``logits``, arrays (T, C) of any numbers; ``log_probs``, arrays (T, C) of natural
    logarithms; or ``path``, files that ``ctckit decode --shards`` takes. The result has the other columns of the batch,
    ``path`` and these: ``error``, None or what is wrong and its remedy; ``text``; and in nats ``log_prob``,
    ``lm_log_prob`` and ``score``.

    Args:
        decoder: The decoder. It is pickled for the workers: of language models in mapped files (.ctclm, KenLM's) the
            path, so the workers of a machine share their memory; all other models as they are.
        n_best: The most texts of an item. Above 1, the column ``hypotheses`` has them, best first.
        frame_seconds: The length of a frame. The times of ``spans`` are then in seconds, too.
        spans: Whether to add ``tokens`` and ``words``, with their frames and confidences.
        threads: How many threads decode in this process. Where a machine has many workers, one is best.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> from ctckit.distributed import DecodeLogits
        >>> decode = DecodeLogits(BeamDecoder(Vocabulary.from_characters("ab")))
        >>> logits = np.array([[[0.0, 9, 0], [0, 0, 9]], [[0, 9, 0], [9, 0, 0]]])
        >>> found = decode({"id": np.array([7, 8]), "logits": logits})
        >>> list(found), found["id"].tolist(), found["text"].tolist()
        (['id', 'error', 'text', 'log_prob', 'lm_log_prob', 'score'], [7, 8], ['ab', 'a'])
    """

    _consumed = frozenset({"logits", "log_probs"})

    def __init__(
        self,
        decoder: BeamDecoder,
        *,
        n_best: int = 1,
        frame_seconds: float | None = None,
        spans: bool = False,
        threads: int = 1,
    ) -> None:
        more = {"tokens": spans, "words": spans, "hypotheses": n_best > 1}
        numbers = dict.fromkeys(("log_prob", "lm_log_prob", "score"), float)
        super().__init__({"text": str, **numbers, **{name: list for name, wanted in more.items() if wanted}}, threads)
        self._wanted = _ColumnWork(decoder, _checks.positive_integer(n_best, "n_best"), frame_seconds, spans)

    def _start(self) -> DecodeWork:
        return self._wanted

    def _inputs(self, batch: Batch) -> tuple[list[str], list[Any]]:
        name, values = column(batch, "logits", "log_probs", "path")
        return numbered(name, values), [(name, each) for each in values]
