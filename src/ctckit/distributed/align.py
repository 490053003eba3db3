"""Recordings and their texts → the times of words: a function of batches, and what ``ctckit align`` shares with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy.typing as npt

from ctckit.acoustic_models import AcousticModel, listen, load_model
from ctckit.acoustic_models.model import guarded
from ctckit.acoustic_models.times import time_settings
from ctckit.alignment import PronouncingDictionary, TimedText, UtteranceSpan, align_lines, timed_utterances
from ctckit.alignment.pronunciation import word_spellings
from ctckit.distributed.batches import Batch, BatchFunction, column
from ctckit.distributed.columns import Timed, timed_columns
from ctckit.errors import DataError, InfeasibleTargetError
from ctckit.vocabulary import Vocabulary

Spellings = Callable[[str], Sequence[Sequence[str]]]


class AlignColumns(TypedDict):
    """The length of a recording, the parts of its text with their times, and the words that cannot be spelled."""

    seconds: float
    lines: Sequence[Timed]
    words: Sequence[Timed]
    tokens: Sequence[Timed]
    unspelled: Sequence[str]


def align_columns(
    lines: Sequence[UtteranceSpan], tiers: Mapping[str, Iterable[TimedText]], seconds: float, *, spans: bool
) -> dict[str, Any]:
    """Return the columns of a recording, see ``AlignColumns``; tokens only with ``spans``."""
    names = ("lines", "words", "tokens") if spans else ("lines", "words")
    return {
        "seconds": seconds,
        **{name: timed_columns(tiers[name]) for name in names},
        "unspelled": unspelled_words(lines),
    }


def unspelled_words(lines: Sequence[UtteranceSpan]) -> list[str]:
    """Return the words for which a wildcard stands, each once."""
    return list(dict.fromkeys(word.text for line in lines if line.transcript for word in line.transcript.unspelled))


def aligned_lines(
    log_probs: npt.NDArray[Any],
    lines: Sequence[str],
    vocabulary: Vocabulary,
    name: str,
    spellings: Spellings | None,
    **settings: Any,
) -> list[UtteranceSpan]:
    """Return what ``align_lines`` does; its errors have the name of the text.

    Raises:
        InfeasibleTargetError: If the lines need more frames than there are.
        DataError: If nothing of the text can be spelled.
    """
    try:
        found = align_lines(log_probs, lines, vocabulary, spellings=spellings, **settings)
    except InfeasibleTargetError as error:
        why = str(error).partition(": ")[2]
        raise InfeasibleTargetError(f"{name}: the text cannot be emitted: {why}") from None
    if not any(len(line.positions) for line in found):
        raise DataError(f"{name}: it contains nothing that can be spelled in the model's tokens.")
    return found


@dataclass(frozen=True)
class _ColumnWork:
    """Aligns recordings with their texts, pairs of a path and lines."""

    model: AcousticModel
    spellings: Spellings | None
    channel: int | None
    spans: bool
    at_once: int = 1

    def load(self, given: tuple[str, str]) -> tuple[Path, list[str]]:
        recording, text = given
        lines = [line.strip() for line in str(text).splitlines() if line.strip()]
        if not lines:
            raise DataError(f"{recording}: its text is empty; expected what was said, one utterance a line.")
        return Path(recording), lines

    def compute(self, loaded: Sequence[tuple[Path, list[str]]]) -> list[dict[str, Any]]:
        return [self._columns(*each) for each in loaded]

    def _columns(self, recording: Path, lines: Sequence[str]) -> dict[str, Any]:
        heard, vocabulary = listen(recording, self.model, channel=self.channel), self.model.vocabulary
        found = aligned_lines(heard.log_probs, lines, vocabulary, str(recording), self.spellings)
        times = time_settings(self.model, recording, self.channel)
        tiers = timed_utterances(
            found, vocabulary, heard.frame_seconds, duration_seconds=heard.duration_seconds, **times
        )
        return align_columns(found, tiers, heard.duration_seconds, spans=self.spans)


class AlignUtterances(BatchFunction):
    """Aligns recordings with their texts: a function of batches for Ray Data, Spark and others.

    A batch has a column ``path``, recordings, and a column ``text``, what was said in each: one utterance a line. The
    result has all columns of the batch and these: ``error``, None or what is wrong and its remedy; ``seconds``, the
    length; ``lines`` and ``words``, lists of ``text``, ``start_seconds``, ``end_seconds`` and ``confidence``; and
    ``unspelled``, the words for which a wildcard stands. The times are those of ``ctckit align`` without options.

    Args:
        model: The name of an acoustic model, as ``load_model`` takes it: "hama", or a folder of Hugging Face.
        options: What else ``load_model`` gets, such as ``{"device": "cuda"}``.
        dictionaries: Files of pronunciations, in the format of CMU's dictionary.
        channel: The channel of the recordings; by default the mean of those that are not silent.
        spans: Whether to add ``tokens``.
        threads: How many threads compute in this process. Where a machine has many workers, one is best.

    Example:
        >>> from ctckit.distributed import AlignUtterances
        >>> align = AlignUtterances("hama", dictionaries=["cmudict.dict"])     # both are loaded at the first batch
    """

    def __init__(
        self,
        model: str,
        *,
        options: Mapping[str, str] | None = None,
        dictionaries: Sequence[str | Path] = (),
        channel: int | None = None,
        spans: bool = False,
        threads: int = 1,
    ) -> None:
        names = ["lines", "words", *(["tokens"] if spans else []), "unspelled"]
        super().__init__({"seconds": float, **dict.fromkeys(names, list)}, threads)
        self._model, self._options = model, dict(options or {})
        self._dictionaries, self._channel, self._spans = tuple(dictionaries), channel, spans

    def _start(self) -> _ColumnWork:
        model = guarded(load_model(self._model, **self._options))
        dictionaries = [PronouncingDictionary(path, model.vocabulary) for path in self._dictionaries]
        return _ColumnWork(model, word_spellings(dictionaries, model.spell), self._channel, self._spans)

    def _inputs(self, batch: Batch) -> tuple[list[str], list[tuple[str, str]]]:
        paths = [str(each) for each in column(batch, "path")[1]]
        return paths, list(zip(paths, column(batch, "text")[1], strict=True))
