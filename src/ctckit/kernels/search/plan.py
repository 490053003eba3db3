"""The input and the output of every implementation of the search. All of it is numbers; there is no text here.

A text is a list of *tokens*, the classes of the model without its blank. A token is spelled in *letters*, small
integers of their own; letter 0 is the boundary between words. The search ranks texts by

    score(y) = log p(y | x)                              CTC, summed over all alignments
             + token_lm_weight · log p_token(y)          a model of characters or tokens, </s> included (lm_boundary)
             + word_lm_weight · log p_word(y)            a model of words, in the same way
             + word_bonus · words(y) + token_bonus · |y|
             − oov_charge · letters in words that are out of vocabulary
             + Σ weight of each hotword in y

All terms but the first are the *fusion score*, a sum over the tokens of the text. What a token adds depends on the text
before it only through a few numbers, the *context* (reference_scorers.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

BOUNDARY = 0  # the letter between words


class Session(Protocol):
    """A language model as one search asks it: entries and states are numbers, log-probabilities are in nats."""

    @property
    def start(self) -> int:
        """The state after <s>."""

    @property
    def empty(self) -> int:
        """The state without any context."""

    @property
    def unknown(self) -> int:
        """The number of <unk>."""

    @property
    def end(self) -> int:
        """The number of </s>."""

    def query(self, state: int, word: int) -> tuple[float, int]:
        """Return log p(word | state) and the state after the word."""


class Model(Protocol):
    """A language model as the plan has it: it begins sessions. An n-gram model of the C++ core is its own session."""

    @property
    def unknown(self) -> int:
        """The number of <unk>."""

    def find(self, entry: str) -> int:
        """Return the number of an entry, or that of <unk> if the model has no such entry."""

    def look_ahead(self, word: int) -> float:
        """Return log p(word) without context; where that is −∞, log p(<unk>) or 0: a context may allow the word."""

    def session(self) -> Session:
        """Return what a search asks. It serves one search at a time."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Lists of integers, stored one after another in one array.

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
        """Join lists of integers."""
        kept = list(lists)
        offsets = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in kept], out=offsets[1:])
        values = np.fromiter(chain.from_iterable(kept), dtype=np.int32, count=int(offsets[-1]))
        return cls(values, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> tuple[int, ...]:
        return tuple(self.values[self.offsets[index] : self.offsets[index + 1]].tolist())

    def lists(self) -> list[tuple[int, ...]]:
        """Return all lists."""
        values, offsets = self.values.tolist(), self.offsets.tolist()
        return [tuple(values[start:end]) for start, end in pairwise(offsets)]


NO_LISTS = Ragged.of([])


def weighted(weight: float, log_prob: float) -> float:
    """Return a weighted log-probability; a model of weight 0 forbids nothing."""
    return weight * log_prob if weight > 0 else 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchPlan:
    """Everything that one search needs to know besides the frames.

    Attributes:
        classes: C, the number of classes of the model.
        blank: The class of the blank.
        beam_width: How many texts the beam keeps from frame to frame.
        token_threshold: In a frame, a class below this log-probability begins no new text; −∞ allows all classes.
        beam_threshold: Texts this far below the best one are dropped; a negative number of nats, −∞ keeps all texts.
        token_bonus: Nats for each token.
        word_bonus: Nats for each word; 0 where there are no words.
        has_words: Whether letter 0 occurs.
        lm_boundary: Whether a text begins after <s> and ends with </s>, as in the models' training texts. False: the
            text may be part of a longer one.
        letters: The letters of each class; the blank has none.
        token_lm: A model of characters or tokens. It is asked for each number in ``token_lm_ids`` of a token, in order.
        token_lm_weight: The weight of its log-probability.
        token_lm_ids: For each class, the model's entries.
        token_lm_space: The entry that stands for the boundary; it is skipped where a boundary changes nothing. −1: no
            entry stands for it.
        word_lm: A model of words. It is asked where a word ends.
        word_lm_weight: The weight of its log-probability.
        has_lexicon: Whether there are known words. Then ``words`` holds them.
        words: (W lists) the spelling of each known word in letters, without 0. Equal spellings are homophones.
        word_names: (W lists) the characters that the word of each spelling is written in, where words have names of
            their own; none: a word is written as it is spelled.
        class_names: (C lists) the characters of each class, 0 between words; none without ``word_names``.
        word_lm_ids: (W,) int32 the entry of each known word in the word model, that of <unk> where the model lacks the
            word; −1 without a word model.
        oov_words: How many of the last ``words`` are out of vocabulary all the same: ``word_lm`` is asked for their
            entries, and their letters are charged. 0 without a word model.
        oov_charge: Nats for each letter of a word that is not in ``words``, or is one of ``oov_words``; +∞ forbids such
            words.
        hotwords: (H lists) the letters of each hotword, all different. Where there are words, each begins and ends
            with 0.
        hotword_weights: (H,) float32 nats for one occurrence; below 0: the hotword is avoided.
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
    token_lm: Model | None = None
    token_lm_weight: float = 0.0
    token_lm_ids: Ragged = NO_LISTS
    token_lm_space: int = -1
    word_lm: Model | None = None
    word_lm_weight: float = 0.0
    has_lexicon: bool = False
    words: Ragged = NO_LISTS
    word_names: Ragged = NO_LISTS
    class_names: Ragged = NO_LISTS
    word_lm_ids: Int32 = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    oov_words: int = 0
    oov_charge: float = 0.0
    hotwords: Ragged = NO_LISTS
    hotword_weights: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __deepcopy__(self, memo: Any) -> SearchPlan:
        return self  # a plan never changes

    def fusion_score(self, parts: Parts, tokens: int) -> float:
        """Return score(y) − log p(y | x) in nats, for a text with this number of tokens."""
        charge = self.oov_charge * parts.oov_letters if parts.oov_letters else 0.0  # ∞ · 0 is no charge
        return (
            weighted(self.token_lm_weight, parts.token_lm_log_prob)
            + weighted(self.word_lm_weight, parts.word_lm_log_prob)
            + self.word_bonus * parts.words
            + self.token_bonus * tokens
            - charge
            + parts.hotwords
        )


@dataclass(frozen=True)
class Candidate:
    """A text in the beam.

    Attributes:
        tokens: Its tokens since the last ``forget``.
        score: Its score in the beam, nats. Up to rounding it is at most the exact score, because the beam loses the
            alignments that pass through dropped texts.
    """

    tokens: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class Parts:
    """The terms of the fusion score, before the weights.

    Attributes:
        token_lm_log_prob: Log-probability by the model of characters or tokens, nats, with </s> where ``lm_boundary``
            says so; 0 without such a model.
        word_lm_log_prob: The same by the model of words.
        words: The number of words in the text.
        oov_letters: The number of letters in words that are out of vocabulary.
        hotwords: The sum of the weights of the hotwords in the text, nats.
        word_indices: For each word, its index in ``SearchPlan.words``; −1 for a word that is not there.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder
        >>> [[best]] = BeamDecoder(["", "a"], hotwords={"a": 2.0}).decode(np.log([[[0.2, 0.8]]]))
        >>> best.parts.hotwords, round(best.score - best.log_prob, 3)
        (2.0, 2.0)
    """

    token_lm_log_prob: float = 0.0
    word_lm_log_prob: float = 0.0
    words: int = 0
    oov_letters: int = 0
    hotwords: float = 0.0
    word_indices: tuple[int, ...] = ()

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.token_lm_log_prob + other.token_lm_log_prob,
            self.word_lm_log_prob + other.word_lm_log_prob,
            self.words + other.words,
            self.oov_letters + other.oov_letters,
            self.hotwords + other.hotwords,
            self.word_indices + other.word_indices,
        )


class Alignment(NamedTuple):
    """The likeliest alignment of a text: token k has the frames [starts[k], ends[k]); [0, 0) where there is none."""

    starts: Int64
    ends: Int64


@dataclass(frozen=True, eq=False)
class Rescoring:
    """The exact acoustic score of a text, with the frames and the confidence of each token.

    Attributes:
        log_prob: log p(y | x), over all alignments; in a result of the search, over all token sequences of the beam
            that are written like this one.
        starts: (N,) int64 first frame of each token in the likeliest alignment.
        ends: (N,) int64 one past its last frame.
        token_log_probs: (N,) float64 mean log-probability of the token's class in these frames.
        confidences: (N,) float64 in 0..1: the posterior of the token among all one-token changes at its place.
    """

    log_prob: float
    starts: Int64
    ends: Int64
    token_log_probs: Float64
    confidences: Float64

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_prob", self.log_prob + 0.0)  # −0.0 becomes 0.0

    @property
    def alignment(self) -> Alignment:
        """Where the tokens are."""
        return Alignment(self.starts, self.ends)


@dataclass(frozen=True, eq=False)
class Border:
    """A place between two frames where a long item is cut, and what the frames before it say about its text.

    Let α(s) be the probability of all partial paths that are in state s of the text after the last frame before the
    cut. With α, the later frames give the exact log p(text | x). Only the states around the cut matter.

    Attributes:
        tokens: (N,) int32, those whose states a path may be in.
        column: (2 N + 1,) float64 log α of their states; the exponentials sum to 1.
        fixed: How many of the last tokens are not closed. Every text after the border begins with them.
        log_mass: The log of what ``column`` was divided by, since the border before; nats.

    Before the first frame, a path comes from the first blank:

    Example:
        >>> border = Border()
        >>> border.tokens.tolist(), border.column.tolist(), border.fixed
        ([], [0.0], 0)
    """

    tokens: Int32 = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    column: Float64 = field(default_factory=lambda: np.zeros(1))
    fixed: int = 0
    log_mass: float = 0.0

    @property
    def closed(self) -> Int32:
        """The tokens that are closed."""
        return self.tokens[: len(self.tokens) - self.fixed]

    @property
    def required(self) -> tuple[int, ...]:
        """The tokens that are not closed: those that every text after the border begins with."""
        return tuple(self.tokens[len(self.closed) :].tolist())


@dataclass(frozen=True, eq=False)
class Decoded:
    """One text of an item with all its scores.

    Attributes:
        tokens: (N,) int32.
        rescoring: Its exact acoustic score, and where the tokens are.
        parts: The terms of its fusion score.
    """

    tokens: Int32
    rescoring: Rescoring
    parts: Parts

    def score(self, plan: SearchPlan) -> float:
        """Return the exact score in nats."""
        return self.rescoring.log_prob + plan.fusion_score(self.parts, len(self.tokens))
