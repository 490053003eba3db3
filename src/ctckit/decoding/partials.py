"""The text of a stream so far: a stable part, which never changes, and the best guess for the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ctckit._json import Entries
from ctckit.alignment.spans import words_of
from ctckit.kernels.search.plan import BOUNDARY, Parts, SearchPlan
from ctckit.vocabulary import Vocabulary

Tokens = tuple[int, ...]

CONTEXT_WORDS = 16  # words before the first one that is chosen among words of the same spelling


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

    def to_dict(self) -> dict[str, Any]:
        """Return the text so far as an object that ``json.dumps`` takes."""
        return {
            "type": "Partial",
            "stable": self.stable,
            "tentative": self.tentative,
            "stable_tokens": list(self.stable_tokens),
            "tentative_tokens": list(self.tentative_tokens),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Partial:
        """Return the text that ``to_dict`` was called on: an equal one.

        Raises:
            InvalidInputError: Names the first entry that is missing or wrong.
        """
        entries = Entries(data, "Partial")
        tokens = (tuple(entries.integers(name, 0).tolist()) for name in ("stable_tokens", "tentative_tokens"))
        return cls(entries.text("stable"), entries.text("tentative"), *tokens)

    @property
    def text(self) -> str:
        """The stable and the tentative text together."""
        return self.stable + self.tentative

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Written:
    """Words that are complete, and the letters after them; ``Vocabulary.spelled`` makes them a text."""

    words: str = ""
    rest: str = ""

    def then(self, tokens: Iterable[int], vocabulary: Vocabulary) -> Written:
        """Return the text with more tokens."""
        words, rest = [self.words] if self.words else [], self.rest
        for token in tokens:
            first, *others = vocabulary.word_parts[token]
            rest += first
            for part in others:
                words += [rest] if rest else []
                rest = part
        return Written(" ".join(words), rest)

    @property
    def text(self) -> str:
        """All of it, with one space between words."""
        return " ".join(part for part in (self.words, self.rest) if part)


class NamedWord(NamedTuple):
    """A word of a lexicon in a text: its entry in the lexicon, its text, its first token and one past its last."""

    entry: int
    text: str
    first: int
    end: int


class StableText:
    """The stable tokens of a stream and their text. Only new text is written; the rest is copied.

    Where a lexicon has several words of one spelling, the choice for a stable word stays as it is.

    Args:
        plan: The plan of the search.
        vocabulary: Writes the tokens.
        word_names: The words of the lexicon, if it has spellings of its own.
        score_parts: Gives the terms of the fusion score of tokens.
    """

    def __init__(
        self,
        plan: SearchPlan,
        vocabulary: Vocabulary,
        word_names: tuple[str, ...] | None,
        score_parts: Callable[[Tokens], Parts],
    ) -> None:
        self.tokens: Tokens = ()
        self._plan = plan
        self._vocabulary = vocabulary
        self._names = word_names
        self._score_parts = score_parts
        self._written = Written()
        self._words: list[NamedWord] = []

    def copy(self) -> StableText:
        """Return the same text; neither changes with the other."""
        other = copy.copy(self)
        other._words = list(self._words)
        return other

    def partial(self, more: Tokens, tentative: Tokens) -> Partial:
        """Return the text after ``more`` stable tokens and a guess for the rest."""
        self.tokens += more
        if self._names is not None:
            return self._partial_in_names(tentative)
        self._written = self._written.then(more, self._vocabulary)
        stable = self._vocabulary.spelled(self._written.text, complete=False)
        whole = self._vocabulary.spelled(self._written.then(tentative, self._vocabulary).text)
        return Partial(stable, whole[len(stable) :], self.tokens, tentative)

    def drop(self, count: int) -> None:
        """Remove the first tokens, which were taken from the stream."""
        self.tokens = self.tokens[count:]
        self._written = Written().then(self.tokens, self._vocabulary)
        words = [NamedWord(each.entry, each.text, each.first - count, each.end - count) for each in self._words]
        self._words = [each for each in words if each.first >= 0]

    def named(self, parts: Parts, tokens: npt.NDArray[np.int32]) -> Parts:
        """Return the parts of a text with the words that were chosen where it shares the stable tokens."""
        count = min(len(self.tokens), len(tokens))
        shared = self.tokens[:count] == tuple(tokens[:count].tolist())
        chosen = tuple(each.entry for each in self._words if shared and each.end <= len(tokens))
        indices = chosen + parts.word_indices[len(chosen) :]
        if indices == parts.word_indices:
            return parts
        return replace(parts, word_indices=indices, word_lm_log_prob=self._log_prob(indices))

    def _log_prob(self, words: Tokens) -> float:
        """Return the log-probability of words by the model of words."""
        model, plan = self._plan.word_lm, self._plan
        if model is None:
            return 0.0
        total, state = 0.0, model.start if plan.lm_boundary else model.empty
        for word in words:
            log_prob, state = model.query(state, int(plan.word_lm_ids[word]) if word >= 0 else model.unknown)
            total += log_prob
        return total + (model.query(state, model.end)[0] if plan.lm_boundary else 0.0)

    def _partial_in_names(self, tentative: Tokens) -> Partial:
        found = self._name_words(self.tokens + tentative)
        complete = self._complete_words(found)
        self._words += found[:complete]
        stable = " ".join(each.text for each in self._words)
        rest = " ".join(each.text for each in found[complete:])
        return Partial(stable, " " + rest if stable and rest else rest, self.tokens, tentative)

    def _name_words(self, tokens: Tokens) -> list[NamedWord]:
        """Return the words after those that are named already."""
        begin, known = self._context()
        spelled = words_of(tokens[begin:], self._vocabulary)[known:]
        indices = self._score_parts(tokens[begin:]).word_indices[known:]
        assert self._names is not None
        return [
            NamedWord(
                index, self._names[index] if index >= 0 else text, begin + positions[0], begin + positions[-1] + 1
            )
            for index, (text, positions) in zip(indices, spelled, strict=True)
        ]

    def _context(self) -> tuple[int, int]:
        """Return a token that begins a word before the new ones, and the number of named words from there on."""
        count = len(self._words)
        for n in range(count - CONTEXT_WORDS, max(0, count - 4 * CONTEXT_WORDS), -1):
            if self._words[n - 1].end <= self._words[n].first:  # the token has no letters of the word before
                return self._words[n].first, count - n
        return 0, count

    def _letters(self, position: int) -> tuple[int, ...]:
        return self._plan.letters[self.tokens[position]]

    def _complete_words(self, found: list[NamedWord]) -> int:
        """Return how many of the words end within the stable tokens, with the boundary after them."""
        stable = range(self._words[-1].end if self._words else 0, len(self.tokens))
        last = max((n for n in stable if BOUNDARY in self._letters(n)), default=-1)
        return sum(each.end <= last or (each.end == last + 1 and self._letters(last)[-1] == BOUNDARY) for each in found)
