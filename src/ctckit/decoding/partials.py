"""The text of a stream so far: a stable part, which never changes, and the best guess for the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

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

    @property
    def text(self) -> str:
        """The stable and the tentative text together."""
        return self.stable + self.tentative

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Written:
    """Words that are complete, and the letters after them."""

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


class StableText:
    """The stable tokens of a stream and their text. Each call costs as much as there is new text.

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
        self._words: list[tuple[int, str, int]] = []  # with names: position in the lexicon, text, past its last token

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
        stable = self._written.text
        whole = self._written.then(tentative, self._vocabulary).text
        return Partial(stable, whole[len(stable) :], self.tokens, tentative)

    def drop(self, count: int) -> None:
        """Remove the first tokens, which were taken from the stream."""
        self.tokens = self.tokens[count:]
        self._written = Written().then(self.tokens, self._vocabulary)
        self._words = [(index, text, end - count) for index, text, end in self._words if end > count]

    def named(self, parts: Parts, count: int) -> Parts:
        """Return the parts of a text that shares its ``count`` tokens with the stable text, with the words chosen."""
        chosen = tuple(index for index, _, end in self._words if end <= count)
        return replace(parts, word_indices=chosen + parts.word_indices[len(chosen) :])

    def _partial_in_names(self, tentative: Tokens) -> Partial:
        found = self._name_words(self.tokens + tentative)
        complete = self._complete_words(found)
        self._words += found[:complete]
        stable = " ".join(text for _, text, _ in self._words)
        rest = " ".join(text for _, text, _ in found[complete:])
        return Partial(stable, " " + rest if stable and rest else rest, self.tokens, tentative)

    def _name_words(self, tokens: Tokens) -> list[tuple[int, str, int]]:
        """Return the words after those that are named already."""
        known = self._words[-CONTEXT_WORDS:]
        begin = self._words[-len(known) - 1][2] if len(self._words) > len(known) else 0
        spelled = words_of(tokens[begin:], self._vocabulary)[len(known) :]
        indices = self._score_parts(tokens[begin:]).word_indices[len(known) :]
        assert self._names is not None
        return [
            (index, self._names[index] if index >= 0 else text, begin + positions[-1] + 1)
            for index, (text, positions) in zip(indices, spelled, strict=True)
        ]

    def _complete_words(self, found: list[tuple[int, str, int]]) -> int:
        """Return how many of the words end within the stable tokens, with the boundary after them."""
        stable = range(self._words[-1][2] if self._words else 0, len(self.tokens))
        last = max((n for n in stable if BOUNDARY in self._plan.letters[self.tokens[n]]), default=-1)
        return sum(end <= last or (end == last + 1 and self._ends_word(last)) for _, _, end in found)

    def _ends_word(self, position: int) -> bool:
        return self._plan.letters[self.tokens[position]][-1] == BOUNDARY
