"""Decoding frames as they come, in bounded memory, with the same bits as decoding them at once.

The search itself needs no past frames. What is told of a text does: its log-probability, spans and confidences. So the
stream keeps the frames since the last *cut*, and cuts whenever 2 W of them are there, W being ``window_of(C)``; that is
at frame numbers that do not depend on how the frames came. At a cut:

1.  y, the best text of the beam since the last cut, is described on the kept frames x: its likeliest alignment.
2.  A place f ≤ W is looked for at which that alignment is between two tokens, between two words if there is one. The
    text falls into a | b, the frames into x[:f] and x[f:].
3.  The tokens a must not change any more. They rarely can, W frames later; if texts of the beam still differ there,
    those that do not begin with a are given up.
4.  a is closed: tokens, spans and confidences are final, the frames x[:f] are dropped. a contributes

        log p(a b | x) − log p(b | x[f:])

    to the log-probability of the whole. When the rest grows to b c and its frames by z, this contribution and
    log p(b c | x[f:] z) add up to log p(a b c | x z), provided that p(a · | x ·) / p(· | x[f:] ·) is the same for b on
    the old frames as for b c on all: that is, that what comes more than W frames later says nothing of where the
    alignment passes from a to b. Over several cuts the differences telescope to log p of the whole text.

A single token that lasts W frames and more leaves no such place: its first frames are dropped, and the token stays in
the rest, with its first frame remembered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.alignment.spans import words_of
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Decoded, Description, SearchPlan, improved
from ctckit.vocabulary import Vocabulary

WINDOW = 4096  # frames: what lies further ahead is taken to say nothing of where a token is
LEAST_WINDOW = 512
WINDOW_NUMBERS = 1 << 23  # log-probabilities in a window: it is shorter where there are thousands of classes


def window_of(classes: int) -> int:
    """W, the frames behind which a text is closed: a function of C alone."""
    return min(WINDOW, max(LEAST_WINDOW, WINDOW_NUMBERS // max(1, classes)))


@dataclass(frozen=True)
class Partial:
    """What a stream has read so far.

    Attributes:
        stable: Text that will not change any more.
        tentative: What follows in the best text at the moment.
        stable_tokens: The classes of the first.
        tentative_tokens: Those of the second.
    """

    stable: str
    tentative: str
    stable_tokens: tuple[int, ...]
    tentative_tokens: tuple[int, ...]

    @property
    def text(self) -> str:
        """Both."""
        return self.stable + self.tentative

    def __str__(self) -> str:
        return self.text


class DecodeStream:
    """One item, frame by frame; made by ``BeamDecoder.stream()``.

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

    def __init__(
        self, plan: SearchPlan, vocabulary: Vocabulary, word_names: tuple[str, ...] | None, engine: Any
    ) -> None:
        self._plan = plan
        self._vocabulary = vocabulary
        self._word_names = word_names
        self._engine = engine
        self._search = engine.Search(plan)
        self._window = window_of(plan.classes)
        self._kept: list[npt.NDArray[Any]] = [np.zeros((0, plan.classes), dtype=np.float32)]
        self._first_kept = 0
        self._frames = 0
        self._closed = _Closed()
        self._began: int | None = None  # the first frame of a token that lasts since before the kept frames
        self._finished = False

    @property
    def frames(self) -> int:
        """Frames pushed so far."""
        return self._frames

    def push(self, log_probs: npt.ArrayLike | Any) -> None:
        """Goes on through the next frames.

        Args:
            log_probs: (T, C), any number of frames; NumPy array or torch CPU tensor, natural logarithms.

        Raises:
            InvalidInputError: On a wrong rank, type or number of classes; on NaN, values above 0 and frames without any
                possible class: then none of the frames has been taken. After ``finish``.
        """
        self._expect_open()
        scores = _checks.floats(_checks.as_array(log_probs, "log_probs"), "log_probs", "(T, C)")
        _checks.expect_vocabulary(self._plan.blank, self._plan.classes, self._plan.blank, scores.shape[1])
        if scores.dtype == np.float16:
            scores = scores.astype(np.float32)
        _checks.expect_frames(scores, None, self._frames)
        self.push_checked(scores)

    def push_checked(self, scores: npt.NDArray[Any]) -> None:
        """``push`` without the checks."""
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

    def partial(self) -> Partial:
        """The text so far (since the last ``take``), as far as it is stable, and the best guess for the rest."""
        self._expect_open()
        closed = tuple(self._closed.tokens.tolist())
        stable = self._search.stable()
        best = self._search.best(1, ended=False)
        tokens = best[0].tokens if best else stable
        split = len(closed) + len(stable)
        whole = closed + tokens
        first = self._text(self._complete(whole[:split]))
        text = self._text(whole)
        return Partial(first, text[len(first) :] if text.startswith(first) else text, whole[:split], whole[split:])

    def take(self) -> Hypothesis:
        """What has been closed since the last ``take``; the stream then forgets it.

        An endless stream is read so: what is not taken piles up. Frames are counted from the stream's beginning. The
        log-probability is that of this part among the whole, the language model's is that of its text alone.
        """
        self._expect_open()
        return self._hypothesis(self._take().decoded(self._engine, self._plan))

    def finish(self) -> Hypothesis:
        """The best text, all frames being there (of what was not taken). The stream is over then."""
        return self.finish_all(1)[0]

    def finish_all(self, n_best: int) -> list[Hypothesis]:
        """The n best texts, best first; what had been closed before is the same in all."""
        self._expect_open()
        n_best = _checks.positive_integer(n_best, "n_best")
        found = self._search.contenders(n_best)
        self._finished = True
        kept = self._kept_frames()
        closed = self._take()
        texts = [each.tokens for each in found] or [()]
        decoded = [self._complete_text(closed, kept, tokens) for tokens in texts]
        ranked = sorted(decoded, key=lambda each: -each.score(self._plan))
        first = len(closed.tokens)  # of the tokens that may still change

        def edits_of(tokens: tuple[int, ...]) -> list[tuple[int, int]]:
            edits = self._engine.better_edits(kept, tokens[first:], self._plan.blank)
            return [(first + k, token) for k, token in edits]

        def complete(tokens: tuple[int, ...]) -> Decoded:
            return self._complete_text(closed, kept, tokens[first:])

        ranked = improved(ranked, self._plan, edits_of, complete)
        return [self._hypothesis(each) for each in ranked[:n_best]]

    def _expect_open(self) -> None:
        if self._finished:
            raise InvalidInputError("the stream is finished. Start another one: decoder.stream().")

    def _kept_frames(self) -> npt.NDArray[Any]:
        self._kept = [np.concatenate(self._kept[1:] if len(self._kept) > 1 else self._kept)]
        return self._kept[0]

    def _cut(self) -> None:
        """See the top of this file."""
        kept = self._kept_frames()
        best = self._search.best(1, ended=False)
        tokens = best[0].tokens if best else ()
        described = self._engine.describe(kept, tokens, self._plan.blank)
        count, frame = self._place(tokens, described)
        if count > len(self._search.stable()):
            self._search.keep_only(tokens[:count])
        rest = self._engine.describe(kept[frame:], tokens[count:], self._plan.blank)
        starts = self._starts(described)
        ends = described.ends[:count] + self._first_kept
        self._closed.append(
            np.array(tokens[:count], dtype=np.int32),
            Description(
                _difference(described.log_prob, rest.log_prob),
                starts[:count],
                ends,
                described.token_log_probs[:count],
                described.confidences[:count],
            ),
        )
        lasts = count < len(tokens) and described.starts[count] < frame
        self._began = int(starts[count]) if lasts else None
        self._search.forget(count)
        self._kept = [kept[:0], kept[frame:].copy()]
        self._first_kept += frame

    def _place(self, tokens: tuple[int, ...], described: Description) -> tuple[int, int]:
        """How many tokens are closed, and at which of the kept frames."""
        count = int(np.searchsorted(described.ends, self._window, side="right"))
        frame = self._frame_before(count, described)
        for fewer in range(count, 0, -1):
            earlier = self._frame_before(fewer, described)
            if not self._plan.has_words or 4 * earlier < self._window:
                break
            if self._between_words(tokens, fewer):
                return fewer, earlier
        return (count, frame) if frame > 0 else (count, self._window)

    def _frame_before(self, count: int, described: Description) -> int:
        """The last frame in the window at which the next token has not begun."""
        return int(min(self._window, described.starts[count])) if count < len(described.starts) else self._window

    def _between_words(self, tokens: tuple[int, ...], count: int) -> bool:
        before = self._plan.letters[tokens[count - 1]][-1:]
        behind = self._plan.letters[tokens[count]][:1] if count < len(tokens) else ()
        return 0 in before + behind

    def _starts(self, described: Description) -> npt.NDArray[np.int64]:
        """First frames, counted from the beginning of the stream."""
        starts = described.starts + self._first_kept
        if self._began is not None and len(starts) and described.starts[0] == 0:
            starts[0] = self._began
        return starts

    def _take(self) -> _Closed:
        closed, self._closed = self._closed, _Closed()
        return closed

    def _complete_text(self, closed: _Closed, kept: npt.NDArray[Any], tokens: tuple[int, ...]) -> Decoded:
        """The closed part and one way to end it."""
        described = self._engine.describe(kept, tokens, self._plan.blank)
        whole = closed.copy()
        whole.append(
            np.array(tokens, dtype=np.int32),
            Description(
                described.log_prob,
                self._starts(described),
                described.ends + self._first_kept,
                described.token_log_probs,
                described.confidences,
            ),
        )
        return whole.decoded(self._engine, self._plan)

    def _hypothesis(self, decoded: Decoded) -> Hypothesis:
        return Hypothesis(decoded, decoded.score(self._plan), self._vocabulary, self._word_names)

    def _complete(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Where words are written otherwise than spelled, an unfinished one is left out."""
        if self._word_names is None:
            return tokens
        ending = [n + 1 for n, token in enumerate(tokens) if self._plan.letters[token][-1:] == (0,)]
        return tokens[: ending[-1]] if ending else ()

    def _text(self, tokens: tuple[int, ...]) -> str:
        if self._word_names is None:
            return self._vocabulary.decode(tokens)
        indices = self._engine.score_parts(self._plan, tokens).word_indices
        spelled = words_of(tokens, self._vocabulary)
        return " ".join(
            self._word_names[index] if index >= 0 else text for index, (text, _) in zip(indices, spelled, strict=True)
        )


@dataclass
class _Closed:
    """The closed part of a text, in blocks of arrays."""

    blocks: list[tuple[npt.NDArray[np.int32], Description]] = field(default_factory=list)

    def append(self, tokens: npt.NDArray[np.int32], described: Description) -> None:
        self.blocks.append((tokens, described))

    def copy(self) -> _Closed:
        return _Closed(list(self.blocks))

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        return np.concatenate([np.zeros(0, dtype=np.int32), *(tokens for tokens, _ in self.blocks)])

    def decoded(self, engine: Any, plan: SearchPlan) -> Decoded:
        """As one text: its log-probability is the sum of the contributions."""
        tokens = self.tokens
        blocks = [described for _, described in self.blocks]
        whole = Description(
            math.fsum(each.log_prob for each in blocks) if len(blocks) != 1 else blocks[0].log_prob,
            np.concatenate([np.zeros(0, dtype=np.int64), *(each.starts for each in blocks)]),
            np.concatenate([np.zeros(0, dtype=np.int64), *(each.ends for each in blocks)]),
            np.concatenate([np.zeros(0), *(each.token_log_probs for each in blocks)]),
            np.concatenate([np.zeros(0), *(each.confidences for each in blocks)]),
        )
        return Decoded(tokens, whole, engine.score_parts(plan, tuple(tokens.tolist())))


def empty_text(engine: Any, plan: SearchPlan, log_probs: npt.NDArray[Any]) -> Decoded:
    """What is left where no text of the beam is possible."""
    return Decoded(
        np.zeros(0, dtype=np.int32), engine.describe(log_probs, (), plan.blank), engine.score_parts(plan, ())
    )


def _difference(whole: float, rest: float) -> float:
    """Log of the ratio; −∞ where the whole is impossible."""
    return -math.inf if whole == -math.inf else whole - rest
