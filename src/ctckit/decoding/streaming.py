"""Decoding while frames arrive: in bounded memory, with the same bits as decoding all frames at once.

The search itself needs no past frames. But the exact scores do: log-probability, spans and confidences. So the stream
keeps the frames since the last *cut*. It cuts when it has kept 2 W frames, with W = ``window_of(C)``. The places of
the cuts therefore do not depend on the sizes of the chunks. At a cut:

1.  Let y be the best text of the beam since the last cut. It is rescored on the kept frames x, which gives its
    likeliest alignment.
2.  The cut is a frame f ≤ W where that alignment is between two tokens, and between two words if possible. It divides
    the text into a | b, and the frames into x[:f] and x[f:].
3.  The tokens a become final. They rarely change W frames later anyway. Texts of the beam that do not begin with a are
    dropped.
4.  a is closed: its tokens, spans and confidences are final, and the frames x[:f] are dropped. a contributes

        log p(a b | x) − log p(b | x[f:])

    to the log-probability of the whole text. Later the rest grows to b c, and its frames by z. The contribution and
    log p(b c | x[f:] z) then add up to log p(a b c | x z), on one condition: p(a · | x ·) / p(· | x[f:] ·) is the same
    for b on the old frames as for b c on all frames. In other words, frames more than W later say nothing about where
    the alignment passes from a to b. Over several cuts the differences telescope to log p of the whole text.

A single token that lasts W frames or more leaves no place for a cut. Then the first W frames are dropped, the token
stays in the rest, and its first frame is remembered.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.alignment.spans import words_of
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import BOUNDARY, Decoded, Rescoring
from ctckit.kernels.search.refinement import refine
from ctckit.vocabulary import Vocabulary

P = ParamSpec("P")
R = TypeVar("R")

WINDOW = 4096  # frames: later frames are assumed to say nothing about where a token is
MIN_WINDOW = 512
WINDOW_NUMBERS = 1 << 23  # log-probabilities in a window: with thousands of classes the window is shorter


def window_of(classes: int) -> int:
    """Return W, the number of frames after which a text is closed: a function of C alone."""
    return min(WINDOW, max(MIN_WINDOW, WINDOW_NUMBERS // max(1, classes)))


@dataclass(frozen=True)
class Partial:
    """What a stream has decoded so far.

    Attributes:
        stable: Text that will not change any more.
        tentative: The rest of the best text at the moment.
        stable_tokens: The classes of ``stable``.
        tentative_tokens: The classes of ``tentative``.
    """

    stable: str
    tentative: str
    stable_tokens: tuple[int, ...]
    tentative_tokens: tuple[int, ...]

    @property
    def text(self) -> str:
        """The stable and the tentative text together."""
        return self.stable + self.tentative

    def __str__(self) -> str:
        return self.text


def _one_at_a_time(
    method: Callable[Concatenate[DecodeStream, P], R],
) -> Callable[Concatenate[DecodeStream, P], R]:
    """Return the method, which waits while another thread is in a method of the same stream."""

    @wraps(method)
    def waiting(stream: DecodeStream, /, *arguments: P.args, **options: P.kwargs) -> R:
        with stream._lock:
            return method(stream, *arguments, **options)

    return waiting


class DecodeStream:
    """One item, decoded while its frames arrive; ``BeamDecoder.stream()`` makes one.

    Several threads may use one stream: their calls run one after another.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder
        >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
        >>> stream = BeamDecoder(["", "a", "b"]).stream()
        >>> stream.push(log_probs[:1])
        >>> stream.push(log_probs[1:])
        >>> stream.partial().text
        'ab'
        >>> stream.finish().text
        'ab'
    """

    def __init__(self, decoder: Any, vocabulary: Vocabulary, word_names: tuple[str, ...] | None) -> None:
        self._lock = threading.RLock()
        self._decoder = decoder
        self._plan = decoder.plan
        self._vocabulary = vocabulary
        self._word_names = word_names
        self._search = decoder.search()
        self._window = window_of(self._plan.classes)
        self._kept: list[npt.NDArray[Any]] = [decoder.prepare(np.zeros((0, self._plan.classes), dtype=np.float32))]
        self._first_kept = 0
        self._frames = 0
        self._closed = _ClosedText()
        self._began: int | None = None  # the first frame of a token that began before the kept frames
        self._finished = False

    @property
    def frames(self) -> int:
        """The number of frames pushed so far."""
        return self._frames

    @_one_at_a_time
    def push(self, log_probs: npt.ArrayLike | Any) -> None:
        """Continue the search through the next frames.

        Args:
            log_probs: (T, C), any number of frames; NumPy array or torch CPU tensor, natural logarithms.

        Raises:
            InvalidInputError: On a wrong rank, type or number of classes; on NaN, values above 0 and frames without any
                possible class: then none of the frames is used. Also after ``finish``.
        """
        self._expect_open()
        scores = _checks.floats(_checks.as_array(log_probs, "log_probs"), "log_probs", "(T, C)")
        _checks.expect_vocabulary(self._plan.blank, self._plan.classes, self._plan.blank, scores.shape[1])
        scores = self._decoder.prepare(scores)
        _checks.expect_frames(scores, None, self._frames)
        self.push_checked(scores)

    @_one_at_a_time
    def push_checked(self, scores: npt.NDArray[Any]) -> None:
        """``push`` for frames that are checked and prepared."""
        at = 0
        while at < len(scores):
            room = self._first_kept + 2 * self._window - self._frames
            part = scores[at : at + room]
            self._search.push(part)
            self._kept.append(part.copy())
            self._frames += len(part)
            at += len(part)
            if len(part) == room:
                self._cut()

    @_one_at_a_time
    def partial(self) -> Partial:
        """Return the text since the last ``take``: its stable part, and the best guess for the rest."""
        self._expect_open()
        closed = tuple(self._closed.tokens.tolist())
        stable = self._search.stable()
        best = self._search.best(1, ended=False)
        tokens = best[0].tokens if best else stable
        split = len(closed) + len(stable)
        whole = closed + tokens
        first = self._text(self._complete_words(whole[:split]))
        text = self._text(whole)
        return Partial(first, text[len(first) :] if text.startswith(first) else text, whole[:split], whole[split:])

    @_one_at_a_time
    def take(self) -> Hypothesis:
        """Return what was closed since the last ``take``, and remove it from the stream.

        Call this now and then on an endless stream: what is not taken stays in memory. Frames are counted from the
        beginning of the stream. The log-probability is that of this part within the whole text; the language model's
        is that of this part alone.
        """
        self._expect_open()
        return self._hypothesis(self._take().decoded(self._decoder))

    def finish(self) -> Hypothesis:
        """Return the best text since the last ``take``, and close the stream."""
        return self.finish_all(1)[0]

    @_one_at_a_time
    def finish_all(self, n_best: int) -> list[Hypothesis]:
        """Return the n best texts, best first, and close the stream. All begin with the text closed so far."""
        self._expect_open()
        n_best = _checks.positive_integer(n_best, "n_best")
        found = self._search.contenders(n_best)
        self._finished = True
        kept = self._kept_frames()
        closed = self._take()
        texts = [each.tokens for each in found] or [()]
        ranked = sorted(
            (self._whole_text(closed, kept, tokens) for tokens in texts), key=lambda each: -each.score(self._plan)
        )
        first = len(closed.tokens)  # the first position that may still change

        def propose(tokens: tuple[int, ...]) -> list[tuple[int, int]]:
            changes = self._decoder.propose_refinements(kept, tokens[first:])
            return [(first + position, token) for position, token in changes]

        def rescore(tokens: tuple[int, ...]) -> Decoded:
            return self._whole_text(closed, kept, tokens[first:])

        return [self._hypothesis(each) for each in refine(ranked, self._plan, propose, rescore)[:n_best]]

    def _expect_open(self) -> None:
        if self._finished:
            raise InvalidInputError("the stream is finished. Start another one: decoder.stream().")

    def _kept_frames(self) -> npt.NDArray[Any]:
        self._kept = [np.concatenate(self._kept[1:] if len(self._kept) > 1 else self._kept)]
        return self._kept[0]

    def _cut(self) -> None:
        """Close the beginning of the text; see the top of this file."""
        kept = self._kept_frames()
        best = self._search.best(1, ended=False)
        tokens = best[0].tokens if best else ()
        whole = self._decoder.rescore(kept, tokens)
        count, frame = self._place(tokens, whole)
        if count > len(self._search.stable()):
            self._search.keep_only(tokens[:count])
        rest = self._decoder.rescore(kept[frame:], tokens[count:])
        starts = self._starts(whole)
        self._closed.append(
            np.array(tokens[:count], dtype=np.int32),
            Rescoring(
                _difference(whole.log_prob, rest.log_prob),
                starts[:count],
                whole.ends[:count] + self._first_kept,
                whole.token_log_probs[:count],
                whole.confidences[:count],
            ),
        )
        lasts = count < len(tokens) and whole.starts[count] < frame
        self._began = int(starts[count]) if lasts else None
        self._search.forget(count)
        self._kept = [kept[:0], kept[frame:].copy()]
        self._first_kept += frame

    def _place(self, tokens: tuple[int, ...], rescoring: Rescoring) -> tuple[int, int]:
        """Return the number of tokens to close, and the kept frame where the cut is."""
        count = int(np.searchsorted(rescoring.ends, self._window, side="right"))
        frame = self._frame_before(count, rescoring)
        for fewer in range(count, 0, -1):
            earlier = self._frame_before(fewer, rescoring)
            if not self._plan.has_words or 4 * earlier < self._window:
                break
            if self._between_words(tokens, fewer):
                return fewer, earlier
        return (count, frame) if frame > 0 else (count, self._window)

    def _frame_before(self, count: int, rescoring: Rescoring) -> int:
        """Return the last frame in the window before token ``count`` begins."""
        return int(min(self._window, rescoring.starts[count])) if count < len(rescoring.starts) else self._window

    def _between_words(self, tokens: tuple[int, ...], count: int) -> bool:
        last = self._plan.letters[tokens[count - 1]][-1:]
        first = self._plan.letters[tokens[count]][:1] if count < len(tokens) else ()
        return BOUNDARY in last + first

    def _starts(self, rescoring: Rescoring) -> npt.NDArray[np.int64]:
        """Return the first frame of each token, counted from the beginning of the stream."""
        starts = rescoring.starts + self._first_kept
        if self._began is not None and len(starts) and rescoring.starts[0] == 0:
            starts[0] = self._began
        return starts

    def _take(self) -> _ClosedText:
        closed, self._closed = self._closed, _ClosedText()
        return closed

    def _whole_text(self, closed: _ClosedText, kept: npt.NDArray[Any], tokens: tuple[int, ...]) -> Decoded:
        """Return the closed text and ``tokens`` after it, rescored."""
        rest = self._decoder.rescore(kept, tokens)
        whole = closed.copy()
        whole.append(
            np.array(tokens, dtype=np.int32),
            Rescoring(
                rest.log_prob,
                self._starts(rest),
                rest.ends + self._first_kept,
                rest.token_log_probs,
                rest.confidences,
            ),
        )
        return whole.decoded(self._decoder)

    def _hypothesis(self, decoded: Decoded) -> Hypothesis:
        return Hypothesis(decoded, decoded.score(self._plan), self._vocabulary, self._word_names)

    def _complete_words(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Return the tokens without an unfinished last word, where a lexicon writes words in its own way."""
        if self._word_names is None:
            return tokens
        ending = [n + 1 for n, token in enumerate(tokens) if self._plan.letters[token][-1:] == (BOUNDARY,)]
        return tokens[: ending[-1]] if ending else ()

    def _text(self, tokens: tuple[int, ...]) -> str:
        if self._word_names is None:
            return self._vocabulary.decode(tokens)
        indices = self._decoder.score_parts(tokens).word_indices
        spelled = words_of(tokens, self._vocabulary)
        return " ".join(
            self._word_names[index] if index >= 0 else text for index, (text, _) in zip(indices, spelled, strict=True)
        )


@dataclass
class _ClosedText:
    """The closed part of a text, one block for each cut."""

    blocks: list[tuple[npt.NDArray[np.int32], Rescoring]] = field(default_factory=list)

    def append(self, tokens: npt.NDArray[np.int32], rescoring: Rescoring) -> None:
        self.blocks.append((tokens, rescoring))

    def copy(self) -> _ClosedText:
        return _ClosedText(list(self.blocks))

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        return np.concatenate([np.zeros(0, dtype=np.int32), *(tokens for tokens, _ in self.blocks)])

    def decoded(self, decoder: Any) -> Decoded:
        """Join the blocks to one text; its log-probability is the sum of their contributions."""
        tokens = self.tokens
        blocks = [rescoring for _, rescoring in self.blocks]
        whole = Rescoring(
            math.fsum(each.log_prob for each in blocks) if len(blocks) != 1 else blocks[0].log_prob,
            np.concatenate([np.zeros(0, dtype=np.int64), *(each.starts for each in blocks)]),
            np.concatenate([np.zeros(0, dtype=np.int64), *(each.ends for each in blocks)]),
            np.concatenate([np.zeros(0), *(each.token_log_probs for each in blocks)]),
            np.concatenate([np.zeros(0), *(each.confidences for each in blocks)]),
        )
        return Decoded(tokens, whole, decoder.score_parts(tuple(tokens.tolist())))


def empty_text(decoder: Any, log_probs: npt.NDArray[Any]) -> Decoded:
    """Return the empty text with its scores: the result where no text of the beam is possible."""
    return Decoded(np.zeros(0, dtype=np.int32), decoder.rescore(log_probs, ()), decoder.score_parts(()))


def _difference(whole: float, rest: float) -> float:
    """Return the log of the ratio; −∞ where the whole is impossible."""
    return -math.inf if whole == -math.inf else whole - rest
