"""``LanguageModel``: the interface of every language model. ``NGramModel`` implements it; so can your own class.

``BeamDecoder`` takes any object that has ``unit``, ``begin``, ``score`` and ``end``; it need not be of this class. The
other methods are optional.

A language model gives a text w₁ … w_n the probability

    p(w₁ … w_n </s>) = Π p(w_i | s_{i−1}) · p(</s> | s_n)

where a *state* s_i is what the model remembers of w₁ … w_i. In code, s₀ is ``begin()``; ``score(s_{i−1}, w_i)`` is the
pair of log p(w_i | s_{i−1}) and s_i; ``end(s_n)`` is log p(</s> | s_n). All logarithms are natural (nats).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

UNITS = ("word", "char", "token")
SPACE = "|"
UNKNOWN = "<unk>"

State = TypeVar("State")


class LanguageModelLike(Protocol):
    """What an object needs to be a language model for the search; see ``LanguageModel``.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> class NoTwice:
        ...     unit = "char"
        ...     def begin(self):
        ...         return None
        ...     def score(self, state, entry):
        ...         return (-9.0 if entry == state else -1.0), entry
        ...     def end(self, state):
        ...         return 0.0
        >>> vocabulary = Vocabulary.from_characters("ab")
        >>> log_probs = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
        >>> [BeamDecoder(vocabulary, language_model=model).decode(log_probs)[0][0].text for model in (None, NoTwice())]
        ['aa', 'a']
    """

    unit: str

    def begin(self) -> Any:
        """Return the state before the first entry of a text."""

    def score(self, state: Any, entry: str) -> tuple[float, Any]:
        """Return log p(entry | state) in nats, and the state after the entry."""

    def end(self, state: Any) -> float:
        """Return log p(</s> | state) in nats."""


class LanguageModel(ABC, Generic[State]):
    """The interface of a language model: three methods, and the unit of its entries.

    A state may be of any type. The search keeps many states at the same time and goes on from each more than once, so
    ``score`` returns a new state and never changes the old one. States that are hashable and equal are one state for
    the search, which merges what leads to them; return such states if the model forgets (an n-gram model, for one).

    In one item, each query (state and entry) is asked once; the search remembers the answers. If several items are
    decoded at once, or several threads decode, several threads call the methods: what they change in the model needs a
    lock.

    A model of words lists its words with ``__iter__``, or ``BeamDecoder`` is given a lexicon. Three methods are
    optional: ``score_many`` for speed, ``unigram`` for a better search, ``without_context`` for ``lm_boundary=False``.

    Attributes:
        unit: What an entry is: "word", "char" (a character) or "token" (a token of the vocabulary). It decides when the
            search asks the model: where a word ends, or at each character or token.
        space: The entry that stands for a space, where the unit is "char".

    Example:
        >>> from ctckit.language_models import LanguageModel
        >>> import math
        >>> class Alternating(LanguageModel):
        ...     '''Expects a word to differ from the word before it.'''
        ...
        ...     unit = "word"
        ...
        ...     def begin(self):
        ...         return None
        ...
        ...     def score(self, state, entry):
        ...         return math.log(0.1 if entry == state else 0.9), entry
        ...
        ...     def end(self, state):
        ...         return math.log(0.5)
        >>> model = Alternating()
        >>> total, state = 0.0, model.begin()
        >>> for word in ["ding", "dong", "dong"]:
        ...     log_prob, state = model.score(state, word)
        ...     total += log_prob
        >>> round(math.exp(total + model.end(state)), 4)  # 0.9 · 0.9 · 0.1 · 0.5
        0.0405
    """

    unit: str
    space: str = SPACE

    @abstractmethod
    def begin(self) -> State:
        """Return s₀, the state before the first entry of a text."""

    @abstractmethod
    def score(self, state: State, entry: str) -> tuple[float, State]:
        """Return log p(entry | state) in nats, and the state after the entry.

        Args:
            state: A state that ``begin`` or ``score`` returned.
            entry: A word, a character or a token, by ``unit``. The model must score any string: one that it does not
                know gets the probability of unknown entries. A word that the decoder's lexicon does not have is the
                entry "<unk>", whatever its letters.

        Returns:
            The log-probability, at most 0; −∞ if the entry is impossible. And the state after the entry.
        """

    @abstractmethod
    def end(self, state: State) -> float:
        """Return log p(</s> | state) in nats: the log-probability that the text ends in this state."""

    def score_many(self, states: Sequence[State], entries: Sequence[str]) -> Sequence[tuple[float, State]]:
        """Return ``score`` of several entries, each with a state of its own: by default one after another.

        The search asks for all that it needs in a frame at once. A neural network scores them as a batch.

        Args:
            states: (Q,) states.
            entries: (Q,) the entry after each of them.
        """
        return [self.score(state, entry) for state, entry in zip(states, entries, strict=True)]

    def unigram(self, entry: str) -> float:
        """Return log p(entry) without context in nats, or an estimate: by default 0, which says nothing.

        For models of words only. It leads the search while a word is incomplete (look-ahead), and does not change the
        score of a text. It is asked once for each word of the lexicon, and for "<unk>".
        """
        return 0.0

    def without_context(self) -> State:
        """Return the state of a text whose beginning is not known: by default that of ``begin``.

        ``BeamDecoder`` begins with it where ``lm_boundary`` is False.
        """
        return self.begin()
