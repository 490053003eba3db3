"""Prefix beam search in float64 and plain dictionaries: the definition that the fast search must agree with.

CTC gives a text y the sum of the probabilities of all its alignments. The search keeps a *beam* of texts. For each text
it knows two numbers, over all alignments of the frames so far that spell the text:

    blank    log-sum of those that end in a blank
    token    log-sum of those that end in the text's last token

Both include the text's fusion score (reference_scorers.py). A frame gives class c the log-probability f[c]. For each
text y that ends in token l, it turns these numbers into

    blank'(y)      = log-sum(blank(y), token(y)) + f[∅]                      a blank changes nothing
    token'(y)      = token(y) + f[l]                                         the last token continues
    token'(y + c) += log-sum(blank(y), token(y)) + f[c] + fusion(y, c)       c ≠ l: one more token
    token'(y + l) += blank(y) + f[l] + fusion(y, l)                          the same token again needs a blank first

"+=" is a log-sum: y + c may be in the beam already, and then the masses of both ways to it are added. fusion(y, c) is
what the scorers give for token c after y. Of all texts reached, the ``beam_width`` best by log-sum(blank, token) are
kept; those ``beam_threshold`` below the best are dropped. A class below ``token_threshold`` begins no new text (unless
it is the best of its frame), but it still adds to the texts in the beam. Ties: texts of the beam before new ones, then
in the order of the beam, then the lower class.

Source: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs,
2014, algorithm 1; Graves and Jaitly, ICML 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.kernels.confidence.reference import confidences
from ctckit.kernels.search.plan import (
    Alignment,
    Border,
    Candidate,
    Decoded,
    Int64,
    Parts,
    Ragged,
    Rescoring,
    SearchPlan,
)
from ctckit.kernels.search.reference_ranking import Ranking
from ctckit.kernels.search.reference_rescoring import align, log_add, rescore
from ctckit.kernels.search.reference_rescoring import cut as cut
from ctckit.kernels.search.reference_rescoring import log_prob_after as log_prob_after
from ctckit.kernels.search.reference_rescoring import propose_refinements as propose_refinements
from ctckit.kernels.search.reference_scorers import Context, Scorers
from ctckit.topology import IMPOSSIBLE, frames_needed

NO_TOKEN = -1


@dataclass
class Entry:
    """A text in the beam.

    Attributes:
        tokens: Its tokens since the last ``forget``.
        last: Its last token, forgotten or not; −1 for the empty text.
        context: What the scorers know about it.
        blank: See the top of this file.
        token: See the top of this file.
        extensions: For each token that was asked for, the fusion score that it adds and the context after it.
    """

    tokens: tuple[int, ...]
    last: int
    context: Context
    blank: float = IMPOSSIBLE
    token: float = IMPOSSIBLE
    extensions: dict[int, tuple[float, Context]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The log of the text's whole mass."""
        return log_add(self.blank, self.token)


class Search:
    """The search in one item, frame by frame. It can be pickled; a copy is a search of its own.

    Args:
        plan: What to search for.
        scorers: The scorers of the plan, where they exist already.
    """

    def __init__(self, plan: SearchPlan, scorers: Scorers | None = None) -> None:
        self._plan = plan
        self._scorers = Scorers(plan) if scorers is None else scorers
        self._beam = [Entry((), NO_TOKEN, self._scorers.start(), blank=0.0)]

    def push(self, log_probs: npt.NDArray[Any]) -> None:
        """Continue through (T, C) frames of natural log-probabilities."""
        for frame in log_probs:
            self._step(frame.astype(np.float64).tolist())

    def best(self, n: int, *, ended: bool = True) -> list[Candidate]:
        """Return the n best texts so far, best first; fewer where fewer are possible. Changes nothing.

        Args:
            n: How many.
            ended: True: as if the text ended here. The last word and </s> count, and the look-ahead is taken back.
                False: as the beam is, in its order by mass.
        """
        closing = [self._scorers.close(each.context) if ended else 0.0 for each in self._beam]
        found = [Candidate(each.tokens, each.total + more) for each, more in zip(self._beam, closing, strict=True)]
        possible = [each for each in found if each.score > IMPOSSIBLE]
        return sorted(possible, key=lambda each: -each.score)[:n]

    def stable(self) -> tuple[int, ...]:
        """Return the tokens that all texts of the beam begin with, since the last ``forget``."""
        texts = [each.tokens for each in self._beam]
        low, high = min(texts, default=()), max(texts, default=())  # what these two share, all between them share
        return low[: next((n for n, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))]

    def recent(self, count: int) -> npt.NDArray[np.int32]:
        """Return the different tokens among the last ``count`` ones of each text, ascending.

        The very last token counts also where it was forgotten.
        """
        tokens = {token for each in self._beam for token in (*each.tokens[-count:], each.last)} - {NO_TOKEN}
        return np.array(sorted(tokens), dtype=np.int32)

    def forget(self, count: int) -> None:
        """Remove the first ``count`` stable tokens from all texts."""
        self._beam = [replace(each, tokens=each.tokens[count:]) for each in self._beam]

    def keep_only(self, prefix: tuple[int, ...], *, closed: int, frames: int) -> None:
        """Drop the texts that do not begin with ``prefix``.

        Of the others, drop those whose tokens after the first ``closed`` need more than ``frames`` frames, unless these
        are all.
        """
        self._beam = [each for each in self._beam if each.tokens[: len(prefix)] == prefix]
        fitting = [each for each in self._beam if frames_needed(each.tokens[closed:]) <= frames]
        self._beam = fitting or self._beam

    def _step(self, frame: Sequence[float]) -> None:
        """Take one frame."""
        blank = self._plan.blank
        reached = {}
        for each in self._beam:
            stays = Entry(each.tokens, each.last, each.context, extensions=each.extensions)
            stays.blank = each.total + frame[blank]
            if each.last != NO_TOKEN:
                stays.token = each.token + frame[each.last]
            reached[each.tokens] = stays
        in_beam = set(reached)
        best = max(frame)
        for each in self._beam:
            for token, log_prob in enumerate(frame):
                extended = (*each.tokens, token)
                begins = log_prob >= self._plan.token_threshold or log_prob == best
                if token == blank or log_prob == IMPOSSIBLE or not (begins or extended in in_beam):
                    continue
                fusion, context = self._extension(each, token)
                source = each.blank if token == each.last else each.total
                target = reached.setdefault(extended, Entry(extended, token, context))
                target.token = log_add(target.token, source + log_prob + fusion)
        self._beam = self._pruned(list(reached.values()))

    def _extension(self, entry: Entry, token: int) -> tuple[float, Context]:
        if token not in entry.extensions:
            entry.extensions[token] = self._scorers.extend(entry.context, token)
        return entry.extensions[token]

    def _pruned(self, reached: list[Entry]) -> list[Entry]:
        ranked = sorted(((each.total, each) for each in reached), key=lambda pair: -pair[0])[: self._plan.beam_width]
        least = ranked[0][0] + self._plan.beam_threshold if ranked else 0.0
        return [each for total, each in ranked if total > IMPOSSIBLE and total >= least]


class Decoder:
    """A plan with its scorers, for any number of items.

    Args:
        plan: What to search for.
    """

    def __init__(self, plan: SearchPlan) -> None:
        self.plan = plan

    @cached_property
    def _scorers(self) -> Scorers:
        return Scorers(self.plan)

    def __reduce__(self) -> tuple[type[Decoder], tuple[SearchPlan]]:
        return type(self), (self.plan,)

    def with_hotwords(self, patterns: Ragged, weights: npt.NDArray[np.float32]) -> Decoder:
        """Return a decoder with other hotwords.

        Args:
            patterns: (H lists) their letters, see ``SearchPlan.hotwords``.
            weights: (H,) their weights.
        """
        return Decoder(replace(self.plan, hotwords=patterns, hotword_weights=weights))

    def prepare(self, log_probs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the scores in the type that the search computes in."""
        return np.asarray(log_probs, dtype=np.float64)

    def search(self) -> Search:
        """Begin the search in one item."""
        return Search(self.plan, self._scorers)

    def decode_batch(self, log_probs: npt.NDArray[Any], lengths: Int64, n_best: int) -> list[list[Decoded]]:
        """Return the n best texts of each item by their exact scores.

        Args:
            log_probs: (B, T, C) natural log-probabilities.
            lengths: (B,) int64 frames of each item; frames beyond them are not read.
            n_best: The largest number of texts for an item.
        """
        return [
            self._decode(b, each[:length], n_best)
            for b, (each, length) in enumerate(zip(log_probs, lengths, strict=True))
        ]

    def score_parts(self, tokens: Sequence[int]) -> Parts:
        """Return the terms of the fusion score of a text."""
        return self._scorers.parts(tokens)

    def likeliest_word(self, letters: Sequence[int]) -> int:
        """Return the likeliest known word that begins with these letters, −1 if there is none.

        By its log-probability without context; the first one of those that are equally likely. For words with names.
        """
        plan, model, begin = self.plan, self.plan.word_lm, tuple(letters)
        log_probs = {
            word: 0.0 if model is None else model.look_ahead(int(plan.word_lm_ids[word]))
            for word, spelling in enumerate(plan.words.lists())
            if len(plan.word_names) > 0 and spelling[: len(begin)] == begin
        }
        return max(log_probs, key=lambda word: log_probs[word], default=-1)

    def rescore(self, log_probs: npt.NDArray[Any], tokens: Sequence[int], border: Border | None = None) -> Rescoring:
        """Score a text exactly; see ``rescore``."""
        return rescore(log_probs, tokens, self.plan.blank, border)

    def align(self, log_probs: npt.NDArray[Any], tokens: Sequence[int], border: Border | None = None) -> Alignment:
        """Return where the tokens of a text are; see ``align``."""
        return align(log_probs, tokens, self.plan.blank, border)

    def confidences(
        self, log_probs: npt.NDArray[Any], tokens: Sequence[int], starts: Int64, ends: Int64
    ) -> npt.NDArray[np.float64]:
        """Return the confidence of each token of an alignment."""
        scores = np.asarray(log_probs, dtype=np.float64)
        return confidences(scores, np.asarray(tokens, dtype=np.int64), starts, ends, blank=self.plan.blank)

    def cut(
        self,
        border: Border,
        log_probs: npt.NDArray[Any],
        tokens: Sequence[int],
        *,
        frame: int,
        closed: int,
        agreed: int,
    ) -> Border:
        """Cut an item before a frame; see ``cut``."""
        return cut(border, np.asarray(log_probs), tokens, self.plan.blank, frame=frame, closed=closed, agreed=agreed)

    def ranked(
        self,
        search: Search,
        log_probs: npt.NDArray[Any],
        n_best: int,
        *,
        past: Sequence[int] = (),
        first: int = 0,
        border: Border | None = None,
    ) -> list[Decoded]:
        """Return the n best texts of a search by their exact scores; see ``reference_ranking``.

        Args:
            search: The search, after its last frame.
            log_probs: (T, C) its frames.
            n_best: The largest number of texts.
            past: Tokens before those of the search, which ended before these frames.
            first: The first token of the search that may be refined.
            border: The border before the frames; log-probabilities are those after it.
        """
        beam = search.best(self.plan.beam_width)
        return Ranking(self._scorers, log_probs, tuple(past), first, border=border).best(beam, n_best)

    def refined(
        self,
        log_probs: npt.NDArray[Any],
        tokens: Sequence[int],
        *,
        past: Sequence[int],
        first: int,
        last: int,
        border: Border | None = None,
    ) -> Decoded:
        """Return one text after refinement of its tokens [first, last); see ``ranked``."""
        return Ranking(self._scorers, log_probs, tuple(past), first, last, border).refined(tuple(tokens))

    def _decode(self, item: int, log_probs: npt.NDArray[Any], n_best: int) -> list[Decoded]:
        with _checks.item_of_error(item):
            search = self.search()
            search.push(log_probs)
            return self.ranked(search, log_probs, n_best)


def plausible(log_probs: npt.NDArray[Any], lengths: Int64, most: float) -> bool:
    """Tell whether a search in (B, T, C) scores makes sense.

    Args:
        log_probs: The scores.
        lengths: (B,) int64 frames of each item; frames beyond them are not read.
        most: The largest value that is allowed.

    Returns:
        Whether each frame has a class above −∞, no NaN, and nothing above ``most``; and whether the exponentials of a
        frame sum to nearly 1.
    """
    frames = log_probs[np.arange(log_probs.shape[1]) < np.asarray(lengths)[:, None]]
    top = frames.max(axis=1, initial=-np.inf)
    if not bool(((top > -np.inf) & (top <= most)).all()):
        return False
    return bool((np.abs(np.exp(frames).sum(axis=1) - 1) < 0.1).all())
