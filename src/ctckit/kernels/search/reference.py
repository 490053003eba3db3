"""Prefix beam search in float64 and plain dictionaries: what the fast search must agree with.

CTC gives a text y the sum of the probabilities of all its alignments. The search keeps a *beam* of texts. For each it
knows, over all alignments of the frames so far that spell it,

    blank    log-sum of those that end in a blank
    token    log-sum of those that end in the text's last token

both times the factors of the text (reference_factors.py). A frame that gives class c the log-probability f[c] turns
these into, for each text y that ends in token l,

    blank'(y)      = log-sum(blank(y), token(y)) + f[∅]                      a blank changes nothing
    token'(y)      = token(y) + f[l]                                         the last token lasts on
    token'(y + c) += log-sum(blank(y), token(y)) + f[c] + factor(y, c)       c ≠ l: one more token
    token'(y + l) += blank(y) + f[l] + factor(y, l)                          the same again needs the blank between

"+=" is a log-sum: y + c may be in the beam already, and then the two ways to it are added. Of all texts reached, the
``beam_width`` best by log-sum(blank, token) are kept, less those ``beam_threshold`` below the best. A class below
``token_threshold`` begins no new text (unless it is the best of its frame), but goes on adding to those in the beam.
Ties: texts of the beam before new ones, then in the order of the beam, then the lower class.

Source: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs,
2014, algorithm 1; Graves and Jaitly, ICML 2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.confidence.reference import alternative_masses, confidences
from ctckit.kernels.loss import reference
from ctckit.kernels.search.plan import Decoded, Description, Found, Int64, Parts, SearchPlan, improved
from ctckit.kernels.search.reference_scorers import Context, Factors
from ctckit.topology import IMPOSSIBLE, ctc_topology

NO_TOKEN = -1
MORE_TEXTS, MORE_NATS = 16, 0.5  # see contenders


@dataclass
class Entry:
    """A text in the beam.

    Attributes:
        tokens: Since the last ``forget``.
        last: Its last token, forgotten or not; −1 for the empty text.
        context: What the models know of it.
        blank: See the top of this file.
        token: See the top of this file.
        edges: The factors of its extensions that were asked for, and the contexts behind them.
    """

    tokens: tuple[int, ...]
    last: int
    context: Context
    blank: float = IMPOSSIBLE
    token: float = IMPOSSIBLE
    edges: dict[int, tuple[float, Context]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Log of its whole mass."""
        return log_sum(self.blank, self.token)


class Search:
    """One item, frame by frame."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan
        self._factors = _factors(plan)
        self._beam = [Entry((), NO_TOKEN, self._factors.start(), blank=0.0)]

    def push(self, log_probs: npt.NDArray[Any]) -> None:
        """Searches on through (T, C) frames of natural log-probabilities."""
        for frame in log_probs:
            self._step(frame.astype(np.float64).tolist())

    def best(self, n: int, *, ended: bool = True) -> list[Found]:
        """The n best texts so far, best first; fewer where fewer are possible. Changes nothing.

        Args:
            n: How many.
            ended: As if the text ended here: the last word, </s> and the credit in advance are settled. Otherwise in
                the order of the beam, by mass, as it is.
        """
        closing = [self._factors.close(each.context) if ended else 0.0 for each in self._beam]
        found = [Found(each.tokens, each.total + more) for each, more in zip(self._beam, closing, strict=True)]
        possible = [each for each in found if each.score > IMPOSSIBLE]
        return sorted(possible, key=lambda each: -each.score)[:n]

    def contenders(self, n: int) -> list[Found]:
        """The n best texts, and those that the exact scores may put before them: half a nat behind or less, at most 16.

        The beam loses a part of a text's mass, what would have come through texts that were dropped: some hundredths of
        a nat.
        """
        found = self.best(n + MORE_TEXTS)
        return [each for k, each in enumerate(found) if k < n or each.score >= found[n - 1].score - MORE_NATS]

    def stable(self) -> tuple[int, ...]:
        """The tokens that all texts of the beam begin with, since the last ``forget``."""
        texts = [each.tokens for each in self._beam]
        low, high = min(texts, default=()), max(texts, default=())  # if these two begin alike, so do all between
        return low[: next((n for n, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))]

    def forget(self, count: int) -> None:
        """The first ``count`` stable tokens will not be asked for again."""
        for each in self._beam:
            each.tokens = each.tokens[count:]

    def keep_only(self, prefix: tuple[int, ...]) -> None:
        """Drops the texts that do not begin with ``prefix``."""
        self._beam = [each for each in self._beam if each.tokens[: len(prefix)] == prefix]

    def _step(self, frame: Sequence[float]) -> None:
        """One frame."""
        blank = self._plan.blank
        reached = {}
        for each in self._beam:
            stays = Entry(each.tokens, each.last, each.context, edges=each.edges)
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
                factor, context = self._edge(each, token)
                source = each.blank if token == each.last else each.total
                target = reached.setdefault(extended, Entry(extended, token, context))
                target.token = log_sum(target.token, source + log_prob + factor)
        self._beam = self._kept(list(reached.values()))

    def _edge(self, entry: Entry, token: int) -> tuple[float, Context]:
        if token not in entry.edges:
            entry.edges[token] = self._factors.extend(entry.context, token)
        return entry.edges[token]

    def _kept(self, reached: list[Entry]) -> list[Entry]:
        ranked = sorted(((each.total, each) for each in reached), key=lambda pair: -pair[0])[: self._plan.beam_width]
        least = ranked[0][0] + self._plan.beam_threshold if ranked else 0.0
        return [each for total, each in ranked if total > IMPOSSIBLE and total >= least]


@lru_cache(maxsize=8)
def _factors(plan: SearchPlan) -> Factors:
    """The models of a plan, made once."""
    return Factors(plan)


def plausible(log_probs: npt.NDArray[Any], lengths: Int64, most: float) -> bool:
    """Whether (B, T, C) scores can be searched in.

    Args:
        log_probs: The scores.
        lengths: (B,) int64 frames of each item; what lies beyond is not read.
        most: What no value may exceed.

    Returns:
        Whether each frame has a class above −∞, no NaN and none above ``most``.
    """
    tops = [each[:length].max(axis=1, initial=-np.inf) for each, length in zip(log_probs, lengths, strict=True)]
    return all(bool(((top > -np.inf) & (top <= most)).all()) for top in tops)


def score_parts(plan: SearchPlan, tokens: Sequence[int]) -> Parts:
    """What ``score`` adds to log p(tokens | x), by walking the tokens once."""
    factors = _factors(plan)
    context, gained = factors.start(), Parts()
    for token in tokens:
        more, context = factors.walk(context, token)
        gained += more
    return gained + factors.end(context)


def describe(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> Description:
    """A text held against its frames.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.

    Returns:
        Its log-probability over all alignments, the spans of the likeliest one (ties as in ``reference.viterbi``), and
        how sure each token is. Where no alignment exists: −∞, spans [0, 0), −∞ and confidence 0.
    """
    scores = np.asarray(log_probs, dtype=np.float64)
    text = np.asarray(tokens, dtype=np.int64)
    topology = ctc_topology(text, blank=blank)
    log_prob = reference.log_likelihood(reference.forward(scores, topology), topology)
    count = len(text)
    starts, ends = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    if log_prob == IMPOSSIBLE:
        return Description(log_prob, starts, ends, np.full(count, IMPOSSIBLE), np.zeros(count))
    path, _ = reference.viterbi(scores, topology)
    for k in range(count):
        frames = np.flatnonzero(path == 2 * k + 1)
        starts[k], ends[k] = frames[0], frames[-1] + 1
    means = [float(scores[start:end, token].mean()) for token, start, end in zip(text, starts, ends, strict=True)]
    sure = confidences(scores, text, starts, ends, blank=blank)
    return Description(log_prob, starts, ends, np.array(means), sure)


def better_edits(log_probs: npt.NDArray[Any], tokens: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """Single edits that the frames speak for: the likeliest one of each token, where it has more mass than the token.

    Args:
        log_probs: (T, C) natural log-probabilities.
        tokens: (N,) the text.
        blank: The class of the blank.

    Returns:
        Positions in the text, and the token to put there, the blank for none; the last token's first.
    """
    scores, text = np.asarray(log_probs, dtype=np.float64), np.asarray(tokens, dtype=np.int64)
    found = describe(scores, tokens, blank)
    edits = []
    for k in reversed(range(len(text) if found.log_prob > IMPOSSIBLE else 0)):
        mass = alternative_masses(scores, text, found.starts, found.ends, k, blank)
        if mass.max() > mass[text[k]]:
            edits.append((k, int(mass.argmax())))
    return edits


def decode_batch(plan: SearchPlan, log_probs: npt.NDArray[Any], lengths: Int64, n_best: int) -> list[list[Decoded]]:
    """The n best texts of each item, complete, by their exact score.

    Args:
        plan: What is searched for.
        log_probs: (B, T, C) natural log-probabilities.
        lengths: (B,) int64 frames of each item; what lies beyond is not read.
        n_best: Most texts of an item.
    """
    return [decode_item(plan, each[:length], n_best) for each, length in zip(log_probs, lengths, strict=True)]


def decode_item(plan: SearchPlan, log_probs: npt.NDArray[Any], n_best: int) -> list[Decoded]:
    """One item of ``decode_batch``: (T, C) frames."""
    search = Search(plan)
    search.push(log_probs)

    def complete(tokens: tuple[int, ...]) -> Decoded:
        text = np.array(tokens, dtype=np.int32)
        return Decoded(text, describe(log_probs, tokens, plan.blank), score_parts(plan, tokens))

    decoded = [complete(found.tokens) for found in search.contenders(n_best)]
    ranked = sorted(decoded, key=lambda each: -each.score(plan))
    return improved(ranked, plan, lambda tokens: better_edits(log_probs, tokens, plan.blank), complete)[:n_best]


def log_sum(a: float, b: float) -> float:
    """Log(e^a + e^b)."""
    if a < b:
        a, b = b, a
    return a if b == IMPOSSIBLE else a + math.log1p(math.exp(b - a))
