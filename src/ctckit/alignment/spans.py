"""Spans of tokens and words, in frames, seconds and pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._json import Entries, as_json
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary

UNITS = ("frames", "seconds", "pixels")


@dataclass(frozen=True)
class TokenSpan:
    """One token and the frames that emit it.

    Attributes:
        token: The class.
        start: First frame.
        end: One past the last frame.
        log_prob: Mean log-probability of the class over these frames, in nats.
        confidence: Posterior of the token against another token in its place, or none; None if not computed.

    Example:
        >>> import numpy as np
        >>> from ctckit import forced_align
        >>> probs = [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]]
        >>> [found] = forced_align(np.log(probs), [[1, 2]])
        >>> [(span.token, span.start, span.end, round(span.log_prob, 2)) for span in found.spans]
        [(1, 0, 2, -0.22), (2, 3, 4, -0.22)]
    """

    token: int
    start: int
    end: int
    log_prob: float
    confidence: float | None = None

    def __len__(self) -> int:
        return self.end - self.start

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Return start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class WordSpan:
    """One word and the frames that emit it.

    Attributes:
        text: The word.
        start: First frame of its first token.
        end: One past the last frame of its last token. A word that no frame emits has an empty span (start = end) at
            its place in the text.
        confidence: Product of the confidences of its tokens; None if these were not computed.

    Example:
        >>> import numpy as np
        >>> from ctckit import Vocabulary, forced_align
        >>> letters = Vocabulary.from_characters("ab ", separator=" ")
        >>> [found] = forced_align(np.log(0.01 + 0.96 * np.eye(4)[[1, 2, 3, 0, 2]]), [letters.encode("ab b")])
        >>> [(word.text, word.start, word.end, round(word.confidence, 2)) for word in found.words(letters)]
        [('ab', 0, 2, 0.97), ('b', 4, 5, 0.97)]
    """

    text: str
    start: int
    end: int
    confidence: float | None

    @property
    def aligned(self) -> bool:
        """Whether any frame emits it."""
        return self.start < self.end

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Return start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds


@dataclass(frozen=True)
class TimedText:
    """A word or a token with its time.

    Attributes:
        text: The word or token.
        start_seconds: Its start.
        end_seconds: Its end.
        confidence: The confidence of its span.
        before: The white space before it in the text: a space; nothing, in languages without spaces; or the end of a
            line. It takes no part in comparisons.

    Example:
        >>> from ctckit import WordSpan
        >>> from ctckit.alignment import timed
        >>> timed([WordSpan("so", 10, 14, 0.9)], frame_seconds=0.02)
        (TimedText(text='so', start_seconds=0.2, end_seconds=0.28, confidence=0.9),)
    """

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None
    before: str = field(default=" ", repr=False, compare=False)


@dataclass(frozen=True)
class PlacedSpan:
    """A token or a word with its place in seconds or in pixels.

    Attributes:
        text: The word, or the token as it is shown by itself; without a vocabulary its number.
        start: Where it begins.
        end: Where it ends.
        confidence: The confidence of its span in frames.
        unit: "seconds" or "pixels".
        token: The class; None for a word.
    """

    text: str
    start: float
    end: float
    confidence: float | None
    unit: str
    token: int | None = None


SpanT = TypeVar("SpanT", bound=TokenSpan | WordSpan)


class Spans(tuple[SpanT, ...]):
    """Spans in frames: a tuple. A call returns them in another unit.

    Example:
        >>> from ctckit.alignment import Spans, WordSpan
        >>> spans = Spans([WordSpan("so", 10, 14, 0.5)])
        >>> spans(unit="seconds", stride=0.02)
        (PlacedSpan(text='so', start=0.2, end=0.28, confidence=0.5, unit='seconds', token=None),)
        >>> [(each.start, each.end) for each in spans(unit="pixels", stride=4, offset=-6)]
        [(34.0, 50.0)]
    """

    vocabulary: Vocabulary | None

    def __new__(cls, spans: Iterable[SpanT] = (), vocabulary: Vocabulary | None = None) -> Spans[SpanT]:
        """Keep spans; the vocabulary writes tokens."""
        self = super().__new__(cls, tuple(spans))
        self.vocabulary = vocabulary
        return self

    @overload
    def __call__(self, unit: Literal["frames"] = "frames") -> Spans[SpanT]: ...

    @overload
    def __call__(
        self, unit: Literal["seconds", "pixels"], *, stride: float, offset: float = 0.0
    ) -> tuple[PlacedSpan, ...]: ...

    def __call__(self, unit: str = "frames", *, stride: float | None = None, offset: float = 0.0) -> Any:
        """Return the spans in a unit. Frame t begins at t · stride + offset.

        Args:
            unit: "frames": these spans. "seconds", "pixels": ``PlacedSpan`` objects.
            stride: The seconds, or the pixels, from one frame to the next; not for frames.
            offset: The place of the first frame, such as the seconds that were cut off before it.

        Raises:
            InvalidInputError: If the unit is another, or the stride is missing or not positive.
        """
        _checks.choice(unit, "unit", UNITS)
        if unit == "frames":
            if stride is not None or offset != 0:
                raise InvalidInputError(
                    'stride or offset is given, but unit is "frames"; expected "seconds" or "pixels".'
                )
            return self
        if stride is None:
            raise InvalidInputError(f"stride is missing; expected the {unit} from one frame to the next.")
        step = _checks.number(stride, "stride", np.finfo(np.float64).tiny, np.finfo(np.float64).max)
        first = _checks.number(offset, "offset", -np.finfo(np.float64).max, np.finfo(np.float64).max)
        return tuple(
            PlacedSpan(
                self._text(each),
                each.start * step + first,
                each.end * step + first,
                each.confidence,
                unit,
                _token(each),
            )
            for each in self
        )

    def _text(self, span: TokenSpan | WordSpan) -> str:
        if isinstance(span, WordSpan):
            return span.text
        in_vocabulary = self.vocabulary is not None and 0 <= span.token < len(self.vocabulary)
        return self.vocabulary.name(span.token) if self.vocabulary and in_vocabulary else str(span.token)


def _token(span: TokenSpan | WordSpan) -> int | None:
    return span.token if isinstance(span, TokenSpan) else None


def words_as_json(words: Iterable[WordSpan]) -> list[dict[str, Any]]:
    """Return words as objects of JSON."""
    return [{"text": w.text, "start": w.start, "end": w.end, "confidence": _as_json(w.confidence)} for w in words]


def words_from_json(items: Iterable[Entries]) -> Spans[WordSpan]:
    """Return words from objects of JSON."""
    return Spans(
        WordSpan(w.text("text"), w.integer("start"), w.integer("end"), _number(w, "confidence")) for w in items
    )


def tokens_as_json(spans: Iterable[TokenSpan], vocabulary: Vocabulary | None = None) -> list[dict[str, Any]]:
    """Return spans of tokens as objects of JSON; their texts if there is a vocabulary."""
    return [
        {
            "token": each.token,
            **({} if vocabulary is None else {"text": Spans([each], vocabulary)._text(each)}),
            "start": each.start,
            "end": each.end,
            "log_prob": as_json(each.log_prob),
            "confidence": _as_json(each.confidence),
        }
        for each in spans
    ]


@dataclass(frozen=True, eq=False)
class SpanArrays:
    """The numbers of token spans, as arrays.

    Attributes:
        tokens: (N,) int64 classes.
        starts: (N,) int64 first frames.
        ends: (N,) int64 one past the last frames.
        log_probs: (N,) float64 mean log-probabilities.
        confidences: (N,) float64; NaN where there is none.
    """

    tokens: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    log_probs: npt.NDArray[np.float64]
    confidences: npt.NDArray[np.float64]


def tokens_from_json(items: Sequence[Entries]) -> SpanArrays:
    """Return spans of tokens from objects of JSON."""
    sure = [_number(each, "confidence") for each in items]
    return SpanArrays(
        np.array([each.integer("token") for each in items], dtype=np.int64),
        np.array([each.integer("start", 0) for each in items], dtype=np.int64),
        np.array([each.integer("end", 0) for each in items], dtype=np.int64),
        np.array([each.number("log_prob") for each in items], dtype=np.float64),
        np.array([np.nan if each is None else each for each in sure], dtype=np.float64),
    )


def _as_json(value: float | None) -> float | str | None:
    return None if value is None else as_json(value)


def _number(entries: Entries, name: str) -> float | None:
    return None if entries[name] is None else entries.number(name)


@dataclass(frozen=True, eq=False)
class Runs:
    """The tokens on a path, as arrays.

    Attributes:
        tokens: (N,) int32 their classes.
        starts: (N,) int64 first frames.
        ends: (N,) int64 one past the last frames.
        log_probs: (N,) float64 mean log-probability of the class over these frames.

    Example:
        >>> from ctckit.alignment import runs_of_path
        >>> import numpy as np
        >>> runs = runs_of_path(np.array([0, 1, 1, 0, 2]), np.log([0.9, 0.5, 0.7, 0.9, 0.8]), blank=0)
        >>> runs.tokens.tolist(), runs.starts.tolist(), runs.ends.tolist()
        ([1, 2], [1, 4], [3, 5])
    """

    tokens: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    log_probs: npt.NDArray[np.float64]


def runs_of_path(frame_tokens: npt.NDArray[np.int64], log_probs: npt.NDArray[np.floating], blank: int) -> Runs:
    """Return the runs of equal classes on a path, without the blank.

    Args:
        frame_tokens: (T,) the class of each frame.
        log_probs: (T,) its log-probability.
        blank: The class of the blank.

    Example:
        >>> from ctckit.alignment import runs_of_path
        >>> import numpy as np
        >>> runs = runs_of_path(np.array([0, 1, 1, 0, 1]), np.log([0.9, 0.5, 0.7, 0.9, 0.8]), blank=0)
        >>> runs.starts.tolist(), np.exp(runs.log_probs).round(2).tolist()    # the geometric mean of 0.5 and 0.7
        ([1, 4], [0.59, 0.8])
    """
    starts = np.flatnonzero(np.append(True, frame_tokens[1:] != frame_tokens[:-1])[: len(frame_tokens)])
    ends = np.append(starts[1:], len(frame_tokens))
    sums = np.add.reduceat(log_probs.astype(np.float64), starts) if len(starts) else np.zeros(0)
    kept = frame_tokens[starts] != blank
    means = sums[kept] / (ends - starts)[kept] + 0.0  # −0.0 becomes 0.0
    return Runs(frame_tokens[starts][kept].astype(np.int32), starts[kept], ends[: len(starts)][kept], means)


def words_of(tokens: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, list[int]]]:
    """Return the words that tokens spell, each with the positions of the tokens that contain its letters."""
    words: list[tuple[str, list[int]]] = []
    text, positions = "", list[int]()
    for k, token in enumerate(tokens):
        for n, part in enumerate(vocabulary.word_parts[token]):
            if n > 0 and text:
                words.append((vocabulary.spelled(text), positions))
                text, positions = "", []
            if part:
                text += part
                positions.append(k)
    return [*words, (vocabulary.spelled(text), positions)] if text else words


def texts_of(tokens: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, list[int]]]:
    """Return the texts of tokens, marks included, each with the positions of its tokens.

    Silent tokens have none. Tokens that are the bytes of one character have one text.
    """
    texts: list[tuple[str, list[int]]] = []
    text, positions = "", list[int]()
    for k, token in enumerate(tokens):
        part = vocabulary.text_of(token)
        if not part:
            continue
        text += part
        positions.append(k)
        if vocabulary.spelled(text, complete=False) == vocabulary.spelled(text):
            texts.append((vocabulary.spelled(text), positions))
            text, positions = "", []
    return [*texts, (vocabulary.spelled(text), positions)] if positions else texts


def word_spans(
    spelled: Sequence[tuple[str, Sequence[int]]],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    confidences: npt.NDArray[np.float64],
    place: int = 0,
) -> Spans[WordSpan]:
    """Return the spans of words, computed from the spans of their tokens.

    Args:
        spelled: Each word and the positions of its tokens.
        starts: (N,) first frames of the tokens.
        ends: (N,) one past their last frames.
        confidences: (N,) NaN for a token without a confidence.
        place: The frame of the empty span of a first word that has no frames.
    """
    result = []
    for text, positions in spelled:
        there = [k for k in positions if starts[k] < ends[k]]
        known = [sure for sure in confidences[there].tolist() if sure == sure]
        start = int(starts[there[0]]) if there else place
        place = int(ends[there[-1]]) if there else place
        result.append(WordSpan(text, start, place, float(np.prod(known)) if known else None))
    return Spans(result)
