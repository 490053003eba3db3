"""What every execution of the search takes and gives. It knows no text: tokens, letters and words are numbers.

A text is a list of *tokens*, the classes of the model without its blank. Tokens are spelled in *letters*, small
integers of their own; letter 0 is the boundary between words. The texts are ranked by

    score(y) = log p(y | x)                              CTC, summed over all alignments
             + fine_weight · log p_fine(y)               a model of letters or tokens, </s> included (see lm_boundary)
             + word_weight · log p_word(y)               a model of words, the same
             + word_bonus · words(y) + token_bonus · |y|
             − oov_charge · letters in words that are out of vocabulary
             + Σ weight of each hotword in y

All but the first term is a product of factors e^(…), one for each token that extends a prefix; the factor depends on
the prefix only through a few numbers, its *context* (reference_factors.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


class NGram(Protocol):
    """What the search asks of an n-gram model; entries and states are numbers, log-probabilities are in nats."""

    @property
    def start(self) -> int:
        """The state behind <s>."""

    @property
    def empty(self) -> int:
        """The state without any context."""

    def query(self, state: int, word: int) -> tuple[float, int]:
        """Log p(word | state), and the state behind the word."""

    def unigram(self, word: int) -> float:
        """Log p(word), without context."""

    def find(self, word: str) -> int:
        """An entry's number; that of <unk> if there is no such entry."""

    @property
    def unknown(self) -> int:
        """The number of <unk>."""

    @property
    def begin(self) -> int:
        """The number of <s>."""

    @property
    def end(self) -> int:
        """The number of </s>."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Lists of integers, one after another.

    Attributes:
        values: (Σ,) int32, all lists joined.
        offsets: (n + 1,) int64; list i is ``values[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> lists = Ragged.of([[3, 1], [], [2]])
        >>> len(lists), lists[0], lists.offsets.tolist()
        (3, (3, 1), [0, 2, 2, 3])
    """

    values: Int32
    offsets: Int64

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> Ragged:
        """From lists of integers."""
        kept = list(lists)
        offsets = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in kept], out=offsets[1:])
        values = np.fromiter((value for each in kept for value in each), dtype=np.int32, count=int(offsets[-1]))
        return cls(values, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> tuple[int, ...]:
        return tuple(self.values[self.offsets[index] : self.offsets[index + 1]].tolist())

    def lists(self) -> list[tuple[int, ...]]:
        """All of them."""
        values, offsets = self.values.tolist(), self.offsets.tolist()
        return [tuple(values[start:end]) for start, end in pairwise(offsets)]


NOTHING = Ragged.of([])
MOST_EDIT_ROUNDS = 4  # see improved


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchPlan:
    """What is searched for, and how.

    Attributes:
        classes: C, the classes of the model.
        blank: The class of the blank.
        beam_width: Texts kept from frame to frame.
        token_threshold: Classes below this log-probability begin no new text in a frame; −∞: all do.
        beam_threshold: Texts this far below the best are dropped; a negative number of nats, −∞: none are.
        token_bonus: Nats for each token.
        word_bonus: Nats for each word; 0 where there are no words.
        has_words: Whether letter 0 occurs.
        letters: The letters of each class; none for the blank.
        lm_boundary: Whether texts begin behind <s> and end with </s>, as the models see them; else they are parts.
        fine_model: A model of letters or tokens, queried for each number in a token's ``fine_ids``, in order.
        fine_weight: What its log-probability is multiplied by.
        fine_ids: Of each class.
        fine_space: The number that stands for the boundary; not queried where a boundary does nothing. −1: none does.
        word_model: A model of words, queried where a word ends.
        word_weight: What its log-probability is multiplied by.
        has_lexicon: Whether words are told apart: then ``words`` has those that are in vocabulary.
        words: Their spellings in letters, without 0. Equal spellings are homophones.
        word_ids: (W,) int32 the number of each in the word model, that of its <unk> where it has none; −1 without one.
        oov_charge: Nats for each letter of a word that is not among ``words``; +∞ forbids such words.
        hotwords: Their letters, all different; where there are words, with a 0 before and behind.
        hotword_weights: (H,) float32 nats for one occurrence, > 0.
    """

    classes: int
    blank: int
    beam_width: int
    token_threshold: float = -math.inf
    beam_threshold: float = -math.inf
    token_bonus: float = 0.0
    word_bonus: float = 0.0
    has_words: bool = False
    lm_boundary: bool = True
    letters: Ragged
    fine_model: NGram | None = None
    fine_weight: float = 0.0
    fine_ids: Ragged = NOTHING
    fine_space: int = -1
    word_model: NGram | None = None
    word_weight: float = 0.0
    has_lexicon: bool = False
    words: Ragged = NOTHING
    word_ids: Int32 = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    oov_charge: float = 0.0
    hotwords: Ragged = NOTHING
    hotword_weights: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def worth(self, parts: Parts, tokens: int) -> float:
        """What ``score`` adds to log p(y | x), in nats, for a text of so many tokens."""
        charge = self.oov_charge * parts.oov_letters if parts.oov_letters else 0.0  # ∞ · 0 is no charge
        return (
            self.fine_weight * parts.fine_log_prob
            + self.word_weight * parts.word_log_prob
            + self.word_bonus * parts.words
            + self.token_bonus * tokens
            - charge
            + parts.hotwords
        )


@dataclass(frozen=True)
class Found:
    """A text in the beam.

    Attributes:
        tokens: Since the last ``forget``.
        score: Its mass in the beam times its factors, in nats: at most the exact score, up to rounding.
    """

    tokens: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class Parts:
    """What ``score`` adds to log p(y | x), before the weights.

    Attributes:
        fine_log_prob: Nats, </s> included where it counts; 0 without a model.
        word_log_prob: The same of the word model.
        words: How many words the text has.
        oov_letters: The letters in those that are out of vocabulary.
        hotwords: The sum of the weights of the hotwords found, nats.
        word_indices: Which entry of ``SearchPlan.words`` each word is, −1 for none.
    """

    fine_log_prob: float = 0.0
    word_log_prob: float = 0.0
    words: int = 0
    oov_letters: int = 0
    hotwords: float = 0.0
    word_indices: tuple[int, ...] = ()

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.fine_log_prob + other.fine_log_prob,
            self.word_log_prob + other.word_log_prob,
            self.words + other.words,
            self.oov_letters + other.oov_letters,
            self.hotwords + other.hotwords,
            self.word_indices + other.word_indices,
        )


@dataclass(frozen=True, eq=False)
class Description:
    """A text held against the frames.

    Attributes:
        log_prob: log p(y | x), all alignments.
        starts: (N,) int64 first frame of each token in the likeliest alignment.
        ends: (N,) int64 one past its last frame.
        token_log_probs: (N,) float64 mean log-probability of the token's class in these frames.
        confidences: (N,) float64 in 0..1: the posterior of the token against its single edits.
    """

    log_prob: float
    starts: Int64
    ends: Int64
    token_log_probs: Float64
    confidences: Float64


@dataclass(frozen=True, eq=False)
class Decoded:
    """One text of an item, complete.

    Attributes:
        tokens: (N,) int32.
        description: It against the frames.
        parts: What else its score is made of.
    """

    tokens: Int32
    description: Description
    parts: Parts

    def score(self, plan: SearchPlan) -> float:
        """The exact score, nats."""
        return self.description.log_prob + plan.worth(self.parts, len(self.tokens))


Tokens = tuple[int, ...]


def improved(
    ranked: list[Decoded],
    plan: SearchPlan,
    edits_of: Callable[[Tokens], list[tuple[int, int]]],
    complete: Callable[[Tokens], Decoded],
) -> list[Decoded]:
    """The best text tried against its single edits; better ones go in front.

    The beam gives up texts by what they weigh at the moment. What it found is held against its neighbours: where the
    frames speak for another token in a place, or for none, the exact score of the text so edited decides.

    Args:
        ranked: Texts by their scores, the best one first.
        plan: What is searched for.
        edits_of: The edits to be tried on a text, those of later tokens first: positions, and the token to put there,
            the blank for none.
        complete: A text, described.

    Returns:
        The texts, with the better ones in front.
    """
    for _ in range(MOST_EDIT_ROUNDS if ranked else 0):
        best = ranked[0]
        for k, token in edits_of(tuple(best.tokens.tolist())):
            tokens = best.tokens.tolist()
            tokens[k : k + 1] = [] if token == plan.blank else [token]
            other = complete(tuple(tokens))
            if other.score(plan) > best.score(plan):
                best = other
        if best is ranked[0]:
            break
        ranked = [best, *(each for each in ranked if each.tokens.tolist() != best.tokens.tolist())]
    return ranked
