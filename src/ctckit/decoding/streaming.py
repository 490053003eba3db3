"""Decoding while frames arrive: in bounded memory, with the same bits as decoding all frames at once.

The search itself needs no past frames. But the exact scores do: log-probability, spans and confidences. So the stream
keeps the frames since the last *cut*. When it has kept 2 W frames, with W = ``window_of(C)``, the next frame begins
with a cut. The places of the cuts therefore do not depend on the sizes of the chunks. At a cut:

1.  Let y be the best text of the beam since the last cut. It is rescored on the kept frames x, which gives its
    likeliest alignment.
2.  The cut is a frame f ≤ W where that alignment is between two tokens, and between two words if possible; or within
    a token that begins in the first quarter of the window. It divides the text into a | b, and the frames into x[:f]
    and x[f:].
3.  a is refined (kernels/search/reference_ranking.py). Its tokens become final; they rarely change W frames later
    anyway. Texts of the beam that do not begin with a are dropped.
4.  a is closed: its tokens, spans and confidences are final, and the frames x[:f] are dropped.
5.  What they say about later texts is kept in a ``Border``: the probability of each state of the text after frame
    f − 1. With it, the later frames give the exact log p(y | x) of all frames, and that of the texts that y becomes,
    less what only they had before f. Where the frames do not tell at which token f is, many states are likely. The
    tokens of b among them are fixed as well: texts that do not begin with them are dropped, and so are those that have
    more tokens after a than the frames after f can hold.

A token that lasts most of the kept frames leaves no place for a cut. Then the first W frames are dropped, the token
stays in the rest, and its first frame is remembered.

With more than 256 classes, the kept frames are in little memory (kept_frames.py): most classes of early frames have one
number together. Then log p and confidences are those of all frames up to small differences, not to the last bit.

What ``partial()`` has called stable is not refined any more: it stays as it is. So a stream whose partial results were
read may end with a text that has one token less refined here and there.

With ``commit_after``, there are more cuts (committing.py): such a stream is not exact, but its text is final early.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._distributions import expect_distributions
from ctckit.decoding.closed_text import ClosedText
from ctckit.decoding.committing import Commits
from ctckit.decoding.continuing import CONTEXT_TOKENS, ended_words, search_after
from ctckit.decoding.cuts import ended, frame_before, is_mark, nearly_all, whole_words
from ctckit.decoding.endpointing import EndpointRules, Reason
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.kept_frames import KeptFrames
from ctckit.decoding.partials import Partial, StableText
from ctckit.decoding.placing import Kept, Places
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.native import plausible
from ctckit.kernels.search.packed import PackedFrames
from ctckit.kernels.search.plan import Alignment, Border, Decoded, Rescoring
from ctckit.vocabulary import Vocabulary

P = ParamSpec("P")
R = TypeVar("R")

WINDOW = 2048  # frames: later frames are assumed to say nothing about where a token is
MIN_WINDOW = 512
PAST_TOKENS = 256  # closed tokens that the language models see when later ones are refined
WINDOW_NUMBERS = 1 << 22  # log-probabilities in a window: with thousands of classes the window is shorter


def window_of(classes: int) -> int:
    """Return W, the number of frames after which a text is closed: a function of C alone."""
    return min(WINDOW, max(MIN_WINDOW, WINDOW_NUMBERS // max(1, classes)))


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

    A stream can be pickled and copied at any time. The copy continues where the stream is, here or in another process,
    and gives the same bits for the same frames; neither changes with the other. A copy shares the decoder, which never
    changes; a pickle contains it, with the language models in memory, but of mapped files only the path and a
    fingerprint. Unpickling damaged bytes of the search raises ``InvalidInputError``.

    Example:
        >>> import copy
        >>> import numpy as np
        >>> from ctckit import BeamDecoder
        >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
        >>> stream = BeamDecoder(["", "a", "b"]).stream()
        >>> stream.push(log_probs[:1])
        >>> stream.push(log_probs[1:])
        >>> stream.partial().text
        'ab'
        >>> twin = copy.deepcopy(stream)
        >>> stream.finish().text, twin.finish().text
        ('ab', 'ab')
    """

    def __init__(
        self,
        decoder: Any,
        vocabulary: Vocabulary,
        word_names: tuple[str, ...] | None,
        commits: Commits | None = None,
        rules: EndpointRules | None = None,
        *,
        packs: bool = True,
    ) -> None:
        self._lock = threading.RLock()
        self._decoder = decoder
        self._plan = decoder.plan
        self._vocabulary = vocabulary
        self._word_names = word_names
        self._commits = commits
        self._rules = rules
        self._packs = packs  # whether to keep the frames in little memory
        self._window = window_of(self._plan.classes)
        if commits is not None:
            self._window = min(self._window, commits.window)
        self._frames = 0
        self._begin(np.zeros(0, dtype=np.int32))

    def _begin(self, past: npt.NDArray[np.int32]) -> None:
        """Begin with an empty text at the next frame; the language models have seen ``past``."""
        self._search = search_after(self._decoder, past[-CONTEXT_TOKENS:])
        none = self._decoder.prepare(np.zeros((0, self._plan.classes), np.float32))
        self._kept = KeptFrames(none, self._frames, self._plan.blank, packs=self._packs)
        self._began_at = self._first_kept = self._frames
        self._border = Border()  # before the kept frames
        self._closed = ClosedText()
        self._taken = past  # the last tokens that were taken: context for the language models
        self._began: int | None = None  # the first frame of a token that began before the kept frames
        self._speech: int | None = None  # the end of the last token that was closed, marks aside
        self._places = Places()  # of the best text of the last partial result
        self._stable = StableText(self._plan, self._vocabulary, self._word_names, self._decoder)
        self._finished = False

    @_one_at_a_time
    def __getstate__(self) -> dict[str, Any]:
        """Return all but the lock. What later calls change is copied."""
        return {
            **{name: value for name, value in self.__dict__.items() if name != "_lock"},
            "_search": copy.copy(self._search),
            "_kept": self._kept.copy(),
            "_closed": self._closed.copy(),
            "_stable": self._stable.copy(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

    def __deepcopy__(self, memo: Any) -> DecodeStream:
        return copy.copy(self)  # what both share never changes

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
            Exception: What a language model in Python raises. Then ``frames`` says how many frames were used before it;
                push the others again to go on.
        """
        self._expect_open()
        scores = _checks.floats(_checks.as_array(log_probs, "log_probs"), "log_probs", "(T, C)")
        _checks.expect_vocabulary(self._plan.blank, self._plan.classes, self._plan.blank, scores.shape[1])
        scores = self._decoder.prepare(scores)
        count = np.array([len(scores)])
        if not plausible(scores[None], count, _checks.LOG_PROB_SLACK):
            _checks.expect_frames(scores, None, self._frames)
            expect_distributions(lambda _, t: scores[t], count, lambda _, t: f"log_probs[{t}]")
        self.push_checked(scores)

    @_one_at_a_time
    def push_checked(self, scores: npt.NDArray[Any]) -> None:
        """``push`` for frames that are checked and prepared."""
        at = 0
        while at < len(scores):
            room = self._first_kept + 2 * self._window - self._frames
            if room == 0:
                self._cut(self._window)
                continue
            if self._commits is not None:
                room = min(room, self._commits.frames_to_next(self._frames))
            block = self._kept.room
            room = room if block is None else min(room, block)
            part = scores[at : at + room]
            self._search.push(part)
            self._kept.append(part)
            self._frames += len(part)
            at += len(part)
            if len(part) == block:
                self._kept.end_block(self._search)
            if self._commits is not None and self._commits.due(self._frames):
                self._cut(self._frames - self._first_kept - self._commits.after, only_words=True)

    @_one_at_a_time
    def partial(self) -> Partial:
        """Return the text since the last ``take``: its stable part, and the best guess for the rest.

        Words have their frames and confidences. The time does not depend on the length of the stream, but for the text
        that is returned.
        """
        self._expect_open()
        stable = self._search.stable()
        tokens = self._best_tokens()
        more = self._newly_stable(stable)
        return self._stable.partial(
            more, tokens[len(stable) :], self._closed.count, lambda first: self._places_from(first, tokens)
        )

    def _best_tokens(self) -> tuple[int, ...]:
        """Return the best text since the last cut."""
        best = self._search.best(1, ended=False)
        tokens: tuple[int, ...] = best[0].tokens if best else self._search.stable()
        return tokens

    def _place(self, tokens: tuple[int, ...]) -> Places:
        """Return where the tokens of a text since the last cut are."""
        kept = Kept(self._kept.last, self._first_kept, self._frames, self._began)
        self._places = self._places.moved(tokens, kept, self._decoder)
        return self._places

    def _places_from(self, first: int, tokens: tuple[int, ...]) -> Places:
        """Return where the tokens of a text since the last cut are, and the closed ones; those from ``first`` on."""
        placed, ahead = self._place(tokens), first - self._closed.count
        return placed.without(tokens[:ahead]) if ahead > 0 else placed.after(self._closed.places(-ahead))

    def _newly_stable(self, stable: tuple[int, ...]) -> tuple[int, ...]:
        """Return the stable tokens that no partial result has had yet; ``stable`` are those that are not closed."""
        known, closed = len(self._stable.tokens), self._closed.count
        if known >= closed:
            return stable[known - closed :]
        return tuple(self._closed.last_tokens(closed - known)[known - closed :].tolist()) + stable

    @_one_at_a_time
    def take(self) -> Hypothesis:
        """Return what was closed since the last ``take``, and remove it from the stream.

        Call this now and then on an endless stream: what is not taken stays in memory. Frames are counted from the
        beginning of the stream. The log-probability is that of this part within the whole text; the language model's
        is that of this part alone.
        """
        self._expect_open()
        closed = self._closed.decoded(self._decoder.score_parts(tuple(self._closed.tokens.tolist())))
        taken = self._hypothesis(closed)
        self._stable.drop(self._closed.count)
        self._taken = np.concatenate([self._taken, self._closed.last_tokens(PAST_TOKENS)])[-PAST_TOKENS:]
        self._closed = ClosedText()
        return taken

    @_one_at_a_time
    def endpoint(self) -> Reason | None:
        """Return the rule by which the utterance has ended, by its name in ``EndpointRules``; None: it has not.

        Raises:
            InvalidInputError: If the stream was made without rules, or is finished.
        """
        self._expect_open()
        if self._rules is None:
            raise InvalidInputError("the stream has no rules for endpoints: decoder.stream(endpoint=EndpointRules(…)).")
        tokens = self._best_tokens()
        ends = self._place(tokens).ends
        last = next((k for k in reversed(range(len(tokens))) if not is_mark(tokens[k], self._plan)), None)
        speech = self._speech if last is None else int(ends[last])
        silence = self._frames - (self._began_at if speech is None else speech)
        return self._rules.reason(silence=silence, length=self._frames - self._began_at, speech=speech is not None)

    @_one_at_a_time
    def reset(self, *, keep_lm_state: bool = False) -> Hypothesis:
        """Return the best text since the last ``take``, and begin a new utterance, with an empty text.

        Frames are counted on. The frames before say nothing about the new text.

        Args:
            keep_lm_state: Whether the language models go on from the text so far (its last 64 tokens, in whole words);
                the new text begins a new word. False: they begin anew.
        """
        ended = self.finish()
        self._finished = False
        if not keep_lm_state:
            self._begin(np.zeros(0, dtype=np.int32))
            return ended
        past = np.concatenate([self._taken, ended.decoded.tokens])
        self._begin(ended_words(past, self._plan)[-PAST_TOKENS:])
        return ended

    def finish(self) -> Hypothesis:
        """Return the best text since the last ``take``, and close the stream."""
        return self.finish_all(1)[0]

    @_one_at_a_time
    def finish_all(self, n_best: int) -> list[Hypothesis]:
        """Return the n best texts, best first, and close the stream. All begin with the text closed so far."""
        self._expect_open()
        n_best = _checks.positive_integer(n_best, "n_best")
        kept = self._kept.frames
        past = np.concatenate([self._taken, self._closed.tokens])
        found = self._decoder.ranked(self._search, kept, n_best, past=past, first=self._final, border=self._border)
        result = [self._hypothesis(self._whole_text(each)) for each in found or [self._incomplete(kept)]]
        self._finished = True
        return result

    @property
    def _final(self) -> int:
        """How many first tokens of the search a partial result has called stable."""
        return max(0, len(self._stable.tokens) - self._closed.count)

    def _incomplete(self, kept: PackedFrames) -> Decoded:
        """Return the stable tokens and no more: the result where no text of the beam is possible."""
        tokens = max(self._stable.tokens[self._closed.count :], self._border.required, key=len)
        return as_it_is(self._decoder, kept, tokens, self._border)

    def _expect_open(self) -> None:
        if self._finished:
            raise InvalidInputError("the stream is finished. Start another one: decoder.stream().")

    def _cut(self, window: int, *, only_words: bool = False) -> None:
        """Close the beginning of the text; see the top of this file.

        Args:
            window: The cut is before this frame of those that are kept.
            only_words: Whether to cut only where the window has a text, and whole words if there are words.
        """
        if window <= 0:
            return
        kept = self._kept.frames
        tokens, alignment = self._best_placed(kept)
        find_end = whole_words if only_words else nearly_all
        count = find_end(tokens, alignment, window, self._plan)
        if only_words and count == 0:
            return
        count, text, closed = self._closable(kept, tokens, count, window)
        agreed = min(closed + max(0, len(self._search.stable()) - count), len(text.tokens))
        frame = frame_before(closed, text.rescoring.alignment, window)
        border = self._decoder.cut(self._border, kept, text.tokens, frame=frame, closed=closed, agreed=agreed)
        with_mark = only_words and count < len(tokens) and is_mark(tokens[count], self._plan)
        certain = count + max(border.fixed, with_mark)
        self._search.keep_only(tokens[:certain], closed=count, frames=len(kept) - frame)
        self._close(text, closed, border.log_mass)
        lasts = closed < len(text.tokens) and text.rescoring.starts[closed] < frame
        self._began = int(self._starts(text.rescoring)[closed]) if lasts else None
        self._places = self._places.without(tokens[:count])
        self._search.forget(count)
        self._border = border
        self._kept.drop(frame)
        self._first_kept += frame

    def _best_placed(self, kept: PackedFrames) -> tuple[tuple[int, ...], Alignment]:
        """Return the best text of the beam that has an alignment in the kept frames."""
        for n in (1, self._plan.beam_width):
            for each in self._search.best(n, ended=False):
                alignment: Alignment = self._decoder.align(kept, each.tokens, self._border)
                if not each.tokens or alignment.ends[-1] > 0:
                    return each.tokens, alignment
        return self._border.required, self._decoder.align(kept, self._border.required, self._border)

    def _closable(
        self, kept: PackedFrames, tokens: tuple[int, ...], count: int, window: int
    ) -> tuple[int, Decoded, int]:
        """Return how many tokens of a text to close, the text after their refinement, and how many they are there.

        At most ``count`` are closed: fewer where refined tokens end after the window.
        """
        past = np.concatenate([self._taken, self._closed.last_tokens(PAST_TOKENS)])[-PAST_TOKENS:]
        while True:
            text = self._decoder.refined(kept, tokens, past=past, first=self._final, last=count, border=self._border)
            closed = len(text.tokens) - (len(tokens) - count)
            fitting = min(closed, ended(text.rescoring.alignment, window))
            if fitting == closed:
                return count, text, closed
            count -= closed - fitting

    def _close(self, text: Decoded, closed: int, log_mass: float) -> None:
        """Move the first tokens of a text, with their share of its log-probability, to the closed text."""
        whole = text.rescoring
        spoken = [k for k in range(closed) if not is_mark(int(text.tokens[k]), self._plan)]
        if spoken:
            self._speech = int(whole.ends[spoken[-1]]) + self._first_kept
        self._closed.append(
            text.tokens[:closed],
            Rescoring(
                log_mass,
                self._starts(whole)[:closed],
                whole.ends[:closed] + self._first_kept,
                whole.token_log_probs[:closed],
                whole.confidences[:closed],
            ),
        )

    def _starts(self, rescoring: Rescoring) -> npt.NDArray[np.int64]:
        """Return the first frame of each token, counted from the beginning of the stream."""
        starts = rescoring.starts + self._first_kept
        if self._began is not None and len(starts) and rescoring.starts[0] == 0:
            starts[0] = self._began
        return starts

    def _whole_text(self, decoded: Decoded) -> Decoded:
        """Return the closed text and the text after it as one."""
        rest = decoded.rescoring
        whole = self._closed.copy()
        whole.append(
            decoded.tokens,
            Rescoring(
                rest.log_prob,
                self._starts(rest),
                rest.ends + self._first_kept,
                rest.token_log_probs,
                rest.confidences,
            ),
        )
        return whole.decoded(self._decoder.score_parts(tuple(whole.tokens.tolist())))

    def _hypothesis(self, decoded: Decoded) -> Hypothesis:
        parts = self._stable.named(decoded.parts, decoded.tokens)
        decoded = replace(decoded, parts=parts)
        return Hypothesis(decoded, decoded.score(self._plan), self._vocabulary, self._word_names)


def as_it_is(
    decoder: Any, log_probs: npt.NDArray[Any] | PackedFrames, tokens: Sequence[int] = (), border: Border | None = None
) -> Decoded:
    """Return tokens with their scores, the empty text by default: the result where no text of the beam is possible."""
    return Decoded(
        np.array(tokens, dtype=np.int32), decoder.rescore(log_probs, tokens, border), decoder.score_parts(tokens)
    )
