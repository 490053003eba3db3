"""Language models in Python, for the tests of the search: random ones, and one that asks an n-gram model."""

import math
import random

from ctckit.language_models import LanguageModel


class RandomModel(LanguageModel):
    """Log-probabilities drawn at random, the same for the same last entries.

    Args:
        unit: The unit of the entries.
        seed: Another seed is another model.
        order: One more than the number of entries that an entry depends on.
        hashable: Whether states are tuples; else they are lists, each a new one.
        impossible: The share of impossible entries.
    """

    def __init__(self, unit, seed=0, *, order=3, hashable=True, impossible=0.0):
        self.unit, self.seed, self.order, self.hashable, self.impossible = unit, seed, order, hashable, impossible

    def _state(self, entries):
        kept = tuple(entries)[-self.order + 1 :] if self.order > 1 else ()
        return kept if self.hashable else list(kept)

    def _log_prob(self, *what):
        drawn = random.Random(repr((self.seed, what)))
        return -math.inf if drawn.random() < self.impossible else -3 * drawn.random() - 0.05

    def begin(self):
        return self._state(["<s>"])

    def score(self, state, entry):
        return self._log_prob("score", tuple(state), entry), self._state((*state, entry))

    def end(self, state):
        return self._log_prob("end", tuple(state))

    def unigram(self, entry):
        return self._log_prob("unigram", entry)

    def without_context(self):
        return self._state([])


class Delegating(LanguageModel):
    """An n-gram model as a user's own one. It notes what it is asked for.

    Args:
        model: The n-gram model.
    """

    def __init__(self, model):
        self.model, self.unit, self.space = model, model.unit, model.space
        self.asked, self.ends, self.batches = [], [], []

    def __iter__(self):
        return iter(self.model)

    def begin(self):
        return self.model.begin()

    def score(self, state, entry):
        self.asked.append((state, entry))
        return self.model.score(state, entry)

    def score_many(self, states, entries):
        self.batches.append(len(entries))
        return super().score_many(states, entries)

    def end(self, state):
        self.ends.append(state)
        return self.model.end(state)

    def unigram(self, entry):
        return self.model.unigram(entry)

    def without_context(self):
        return self.model.without_context()


class Minimal:
    """No more than the search needs, and not a subclass of ``LanguageModel``."""

    unit = "char"

    def begin(self):
        return ""

    def score(self, state, entry):
        return (math.log(0.1) if state == entry else math.log(0.3)), entry

    def end(self, state):
        return math.log(0.2)
