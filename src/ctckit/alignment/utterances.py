"""Many texts in one long recording: the frames of each, and measures of how well it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._json import Entries, as_json
from ctckit.alignment.boundaries import expect_kind
from ctckit.alignment.forced import forced_align, why_impossible
from ctckit.alignment.result import Alignment
from ctckit.alignment.spans import (
    Spans,
    TokenSpan,
    WordSpan,
    tokens_as_json,
    word_spans,
    words_as_json,
    words_from_json,
)
from ctckit.alignment.transcript import Spell, Transcript
from ctckit.alignment.wildcards import STAR_PENALTY
from ctckit.errors import InfeasibleTargetError, InvalidInputError
from ctckit.topology import Floats, Ints
from ctckit.vocabulary import Vocabulary, blank_of

WINDOW = 30  # frames of the window for the worst mean
STAR = -1

Text = str | Transcript | Sequence[int]


@dataclass(frozen=True, eq=False, repr=False)
class UtteranceSpan:
    """One text of a recording: its frames, and three numbers to filter by.

    Two utterances are equal if their numbers, texts, words and spans are equal.

    Attributes:
        text: As it is written; None for a list of tokens.
        start: First frame of its first token, by the definition ``boundaries``.
        end: One past the last frame of its last token. An utterance without tokens, or an absent one, has an empty span
            at its place in the order of texts.
        log_prob: Mean log-probability of the path's classes over its frames, nats per frame; None without tokens.
        worst_log_prob: The lowest such mean over a window of ``window`` frames; it reveals one wrong word in a long
            text. None without tokens.
        confidence: Mean of its tokens' confidences, roughly the share of its tokens that were said. None without
            tokens.
        absent: Whether it was judged to be missing in the recording.
        alignment: The alignment of the recording, which includes this utterance.
        positions: Positions of its tokens in the alignment.
        transcript: Its transcript, if it was given as one or as a string.
        boundaries: The definition of ``start``, ``end`` and the borders of ``words``, see ``Alignment.boundaries``.

    Example:
        >>> import numpy as np
        >>> from ctckit import align_utterances
        >>> probs = np.full((12, 4), 0.05)
        >>> probs[range(12), [0, 1, 2, 0, 3, 3, 0, 2, 1, 0, 0, 0]] = 0.85
        >>> first, second = align_utterances(np.log(probs), [[1, 2], [2, 1]])
        >>> first.start, first.end, round(first.log_prob, 2), round(first.confidence, 2), first.absent
        (1, 3, -0.16, 0.47, False)
    """

    text: str | None
    start: int
    end: int
    log_prob: float | None
    worst_log_prob: float | None
    confidence: float | None
    absent: bool
    alignment: Alignment
    positions: range
    transcript: Transcript | None = None
    boundaries: str = "spike"

    def __len__(self) -> int:
        return self.end - self.start

    def __repr__(self) -> str:
        name = f"{len(self.positions)} tokens" if self.text is None else repr(self.text)
        scores = f"log_prob={_written(self.log_prob)}, confidence={_written(self.confidence)}"
        return f"UtteranceSpan({name}, {self.start}, {self.end}, {scores})"

    def seconds(self, frame_seconds: float) -> tuple[float, float]:
        """Return start and end in seconds, for frames of this length."""
        return self.start * frame_seconds, self.end * frame_seconds

    @property
    def spans(self) -> Spans[TokenSpan]:
        """The spans of its tokens.

        ``spans(unit="seconds", stride=…)`` returns them in seconds or pixels, see :class:`~ctckit.alignment.Spans`.
        """
        return Spans(self.alignment.spans[self.positions.start : self.positions.stop])

    @cached_property
    def words(self) -> Spans[WordSpan]:
        """All its words, as in ``Alignment.words``; empty if it was given as a list of tokens."""
        if self.transcript is None:
            return Spans()
        first = self.positions.start
        there = len(self.positions) > 0
        spelled = [(word.text, [first + k for k in word.positions if there]) for word in self.transcript.words]
        starts, ends = self.alignment.borders(self.boundaries)
        return word_spans(spelled, starts, ends, self.alignment.confidences, self.start)

    def to_dict(self, vocabulary: Vocabulary | None = None) -> dict[str, Any]:
        """Return the utterance as an object that ``json.dumps(…, allow_nan=False)`` takes.

        Args:
            vocabulary: Adds the texts of the tokens.

        Returns:
            All attributes but ``alignment``, ``positions`` and ``transcript``, and "words" and "spans" with their
            frames. Infinities are the strings "inf" and "-inf"; what is None stays None.
        """
        whole = self.alignment
        return {
            "type": "UtteranceSpan",
            "text": self.text,
            "start": self.start,
            "end": self.end,
            **{name: None if (value := getattr(self, name)) is None else as_json(value) for name in _MEASURES},
            "absent": self.absent,
            "words": words_as_json(self.words),
            "spans": tokens_as_json(self.spans, vocabulary),
            "recording": {
                "log_prob": as_json(whole.log_prob),
                "frames": whole.frames,
                "classes": int(whole._source.shape[1]),
                "blank": int(whole.blank),
                "star": int(whole.star),
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UtteranceSpan:
        """Return the utterance that ``to_dict`` was called on: an equal one.

        Its ``alignment`` has no other tokens than its own, and no frames; it has no ``transcript``.

        Raises:
            InvalidInputError: Names the first entry that is missing or wrong.
        """
        entries = Entries(data, "UtteranceSpan")
        others = {"type": "Alignment", "spans": entries["spans"], "frame_tokens": None, "durations": None}
        own = Alignment.from_dict({**entries.mapping("recording"), **others})
        log_prob, worst, sure = (None if entries[name] is None else entries.number(name) for name in _MEASURES)
        text = None if entries["text"] is None else entries.text("text")
        start, end = entries.integer("start", 0), entries.integer("end", 0)
        made = cls(text, start, end, log_prob, worst, sure, entries.flag("absent"), own, range(len(own)))
        made.__dict__["words"] = words_from_json(entries.items("words"))
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UtteranceSpan):
            return NotImplemented
        names = ("text", "start", "end", *_MEASURES, "absent", "spans", "words")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self) -> int:
        return hash((self.text, self.start, self.end, self.log_prob))


_MEASURES = ("log_prob", "worst_log_prob", "confidence")


def align_utterances(
    log_probs: npt.ArrayLike | Any,
    utterances: Sequence[Text],
    vocabulary: Vocabulary | None = None,
    *,
    spell: Spell | None = None,
    blank: int | None = None,
    between: bool = True,
    edges: bool = True,
    star_penalty: float = STAR_PENALTY,
    absent_below: float | None = None,
    window: int = WINDOW,
    boundaries: str = "spike",
) -> list[UtteranceSpan]:
    """Align a list of texts to one recording, in their order, and return the frames of each.

    All texts are aligned together. Wildcards between them and at the edges take the frames that belong to no text.

    Args:
        log_probs: (T, C) natural logarithms; NumPy array or torch CPU tensor.
        utterances: Strings (with ``vocabulary``), ``Transcript`` objects, or sequences of classes; −1: a wildcard.
        vocabulary: The tokens of strings; see ``Transcript``.
        spell: The spellings of their words, for models whose tokens are not letters; see ``Transcript``.
        blank: The class of the blank; by default that of ``vocabulary``, or 0.
        between: Whether to put a wildcard between neighbors, for speech and noise that belong to neither.
        edges: Whether to put a wildcard before the first and behind the last.
        star_penalty: Nats for each wildcard that takes frames.
        absent_below: Utterances with a lower confidence are judged to be missing in the recording; the others are
            aligned again without them. For transcripts with texts that were not said; 0.1 is a good first value. None:
            no utterance is judged to be missing.
        window: Frames for ``worst_log_prob``.
        boundaries: The definition of the start and the end of an utterance and its words, see
            ``Alignment.boundaries``; rounded to whole frames. ``timed_utterances`` returns them unrounded, in seconds.

    Returns:
        One ``UtteranceSpan`` for each text, in order.

    Raises:
        InfeasibleTargetError: If the texts need more frames than there are.
        InvalidInputError: On arguments that ``forced_align`` or ``Transcript`` rejects.

    Example:
        >>> from ctckit import align_utterances
        >>> import numpy as np
        >>> probs = np.full((12, 4), 0.05)
        >>> probs[range(12), [0, 1, 2, 0, 3, 3, 0, 2, 1, 0, 0, 0]] = 0.85
        >>> [(each.start, each.end) for each in align_utterances(np.log(probs), [[1, 2], [2, 1]])]
        [(1, 3), (7, 9)]

    The same task as ctc-segmentation (Kürzinger et al. 2020), solved with the exact optimum of the CTC score.
    """
    window = _checks.positive_integer(window, "window")
    expect_kind(boundaries)
    if absent_below is not None:
        _checks.number(absent_below, "absent_below", 0.0, 1.0)
    blank = _blank(_checks.as_array(log_probs, "log_probs").shape, blank, vocabulary)
    if isinstance(utterances, (str, Transcript)):
        raise InvalidInputError("utterances is one text; expected a sequence of texts. Pass [text].")
    texts = [_text(each, vocabulary, spell, n) for n, each in enumerate(utterances)]
    for n, text in enumerate(texts):
        _checks.one_target(text.tokens, np.shape(log_probs)[1], blank, name=f"utterances[{n}]", star=STAR)
    recording = _Recording(log_probs, blank, _checks.flag(between, "between"), edges, star_penalty, window, boundaries)
    found = recording.align(texts, [True] * len(texts))
    if absent_below is None:
        return found
    present = [each.confidence is None or each.confidence >= absent_below for each in found]
    if all(present):
        return found
    again = recording.align(texts, present)
    return [
        second if there else _absent(first, second) for first, second, there in zip(found, again, present, strict=True)
    ]


def _blank(shape: tuple[int, ...], blank: int | None, vocabulary: Vocabulary | None) -> int:
    """Return the blank; check that the frames are of one recording, and that it is one of their classes."""
    _checks.expect_rank(shape, "log_probs", "(T, C)")
    return _checks.class_index(blank_of(blank, vocabulary), "blank", shape[1])


@dataclass(frozen=True)
class _Text:
    tokens: Ints
    text: str | None = None
    transcript: Transcript | None = None


def _text(given: Text, vocabulary: Vocabulary | None, spell: Spell | None, n: int) -> _Text:
    if isinstance(given, str):
        if vocabulary is None:
            raise InvalidInputError(
                f"utterances[{n}] is a string, but there is no vocabulary; expected one, or tokens, or a Transcript."
            )
        given = Transcript(given, vocabulary, spell=spell)
    if isinstance(given, Transcript):
        wild = np.asarray(given.tokens == given.star) if given.star is not None else np.zeros(len(given.tokens), bool)
        return _Text(np.where(wild, STAR, given.tokens), given.text, given)
    return _Text(_checks.integers(given, f"utterances[{n}]", "(N,)").astype(np.int64))


@dataclass(frozen=True)
class _Recording:
    log_probs: Any
    blank: int
    between: bool
    edges: bool
    star_penalty: float
    window: int
    boundaries: str

    def align(self, texts: Sequence[_Text], present: Sequence[bool]) -> list[UtteranceSpan]:
        target: list[int] = []
        positions = []
        for text, there in zip(texts, present, strict=True):
            tokens = text.tokens.tolist() if there else []
            if tokens and target:
                target += self._joint(text)
            positions.append(range(len(target), len(target) + len(tokens)))
            target += tokens
        given = np.array(target, dtype=np.int64)
        found = self._aligned(given)
        scores, borders = _path_scores(found), found.borders(self.boundaries)
        spans, place = [], 0
        for text, where in zip(texts, positions, strict=True):
            spans.append(self._span(text, where, found, scores, borders, place))
            place = spans[-1].end
        return spans

    def _aligned(self, target: Ints) -> Alignment:
        try:
            return forced_align(
                self.log_probs, target, blank=self.blank, star=STAR, edges=self.edges, star_penalty=self.star_penalty
            )[0]
        except InfeasibleTargetError:
            why = why_impossible(target, len(self.log_probs), STAR)
            raise InfeasibleTargetError(
                f"utterances, taken together, cannot be emitted: {why} Are they all of this recording?"
            ) from None

    def _joint(self, text: _Text) -> list[int]:
        """Return the separator and the wildcard before an utterance that is not the first."""
        separator = None if text.transcript is None else text.transcript.separator
        return ([] if separator is None else [separator]) + [STAR] * self.between

    def _span(
        self, text: _Text, where: range, found: Alignment, scores: Floats, borders: tuple[Ints, Ints], place: int
    ) -> UtteranceSpan:
        there = [k for k in where if found.starts[k] < found.ends[k]]
        start, end = (int(borders[0][there[0]]), int(borders[1][there[-1]])) if there else (place, place)
        frames = scores[int(found.starts[there[0]]) : int(found.ends[there[-1]])] if there else scores[:0]
        frames = frames[~np.isnan(frames)]
        sure = found.confidences[there]
        sure = sure[~np.isnan(sure)]
        return UtteranceSpan(
            text.text,
            start,
            end,
            _mean(frames),
            _worst_mean(frames, self.window),
            _mean(sure),
            False,
            found,
            where,
            text.transcript,
            self.boundaries,
        )


def _path_scores(found: Alignment) -> Floats:
    """Return (T,) the log-probability of each frame's class; NaN in wildcards."""
    classes, frame = found.frame_tokens, np.arange(found.frames)
    wild = classes == STAR
    scores = found.log_probs[frame, np.where(wild, found.blank, classes)].astype(np.float64)
    scores[wild] = np.nan
    return scores


def _mean(numbers: Floats) -> float | None:
    return float(numbers.mean()) if len(numbers) else None


def _worst_mean(scores: Floats, window: int) -> float | None:
    if not len(scores):
        return None
    window = min(window, len(scores))
    sums = np.cumsum(np.append(0.0, scores))
    return float((sums[window:] - sums[:-window]).min() / window)


def _written(score: float | None) -> str:
    return "None" if score is None else f"{score:.3f}"


def _absent(first: UtteranceSpan, second: UtteranceSpan) -> UtteranceSpan:
    """Return an absent utterance: its place from the alignment without it, its scores from the one with it."""
    return UtteranceSpan(
        first.text,
        second.start,
        second.end,
        first.log_prob,
        first.worst_log_prob,
        first.confidence,
        True,
        second.alignment,
        second.positions,
        first.transcript,
        first.boundaries,
    )
