"""``LanguageModel``: the interface of every language model. ``NGramModel`` implements it; so can your own class.

A language model gives a text w₁ … w_n the probability

    p(w₁ … w_n </s>) = Π p(w_i | s_{i−1}) · p(</s> | s_n)

where a *state* s_i is what the model remembers of w₁ … w_i. In code, s₀ is ``begin()``; ``score(s_{i−1}, w_i)`` is the
pair of log p(w_i | s_{i−1}) and s_i; ``end(s_n)`` is log p(</s> | s_n). All logarithms are natural (nats).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

UNITS = ("word", "char", "token")
SPACE = "|"

State = TypeVar("State")


class LanguageModel(ABC, Generic[State]):
    """The interface of a language model: three methods, and the unit of its entries.

    A state may be of any type. The search keeps many states at the same time and goes on from each more than once, so
    ``score`` returns a new state and never changes the old one.

    Attributes:
        unit: What an entry is: "word", "char" (a character) or "token" (a token of the vocabulary). It decides when the
            search asks the model: where a word ends, or at each character or token.
        space: The entry that stands for a space, where the unit is "char".

    Example:
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
                know gets the probability of unknown entries.
        """

    @abstractmethod
    def end(self, state: State) -> float:
        """Return log p(</s> | state) in nats: the log-probability that the text ends in this state."""
