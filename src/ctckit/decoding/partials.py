"""The text of a stream so far: a stable part, which never changes, and the best guess for the rest."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ctckit._json import Entries
from ctckit.alignment.spans import Spans, WordSpan, words_as_json, words_from_json, words_of
from ctckit.decoding.placing import LOOK_AHEAD, Places
from ctckit.kernels.search.plan import BOUNDARY, Parts, SearchPlan
from ctckit.vocabulary import Vocabulary

Tokens = tuple[int, ...]

CONTEXT_WORDS = 16  # words before the first one that is chosen among words of the same spelling


@dataclass(frozen=True)
class Partial:
    """What a stream has decoded so far.

    Words have the frames of the likeliest alignment so far. Once a word is stable, its text stays, but its frames may
    still move a little in the next 64 frames.

    Attributes:
        stable: Text that will not change any more.
        tentative: The rest of the best text at the moment. With a lexicon that has spellings of its own, a word in
            progress is a guess: the word that its tokens so far spell; else the likeliest of the words that begin so,
            by the model of words without context, or the first of them in the lexicon; none if no word begins so.
        stable_tokens: The classes of ``stable``.
        tentative_tokens: The classes of the rest of the best text.
        stable_words: The whole words of the stable text.
        tentative_words: The other words; the last one may be in progress.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder
        >>> stream = BeamDecoder(["", "a", "b"]).stream()
        >>> stream.push(np.log([[0.02, 0.96, 0.02], [0.02, 0.02, 0.96]]))
        >>> partial = stream.partial()
        >>> partial.stable + partial.tentative
        'ab'
    """

    stable: str
    tentative: str
    stable_tokens: tuple[int, ...]
    tentative_tokens: tuple[int, ...]
    stable_words: Spans[WordSpan] = field(default_factory=Spans)
    tentative_words: Spans[WordSpan] = field(default_factory=Spans)

    @property
    def words(self) -> Spans[WordSpan]:
        """All words; none without a mark of words.

        ``words(unit="seconds", stride=…)`` returns them in seconds or pixels, see :class:`~ctckit.alignment.Spans`.
        """
        return Spans(self.stable_words + self.tentative_words)

    def to_dict(self) -> dict[str, Any]:
        """Return the text so far as an object that ``json.dumps`` takes."""
        return {
            "type": "Partial",
            "stable": self.stable,
            "tentative": self.tentative,
            "stable_tokens": list(self.stable_tokens),
            "tentative_tokens": list(self.tentative_tokens),
            "stable_words": words_as_json(self.stable_words),
            "tentative_words": words_as_json(self.tentative_words),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Partial:
        """Return the text that ``to_dict`` was called on: an equal one.

        Raises:
            InvalidInputError: Names the first entry that is missing or wrong.
        """
        entries = Entries(data, "Partial")
        stable_tokens, tentative_tokens = (
            tuple(entries.integers(name, 0).tolist()) for name in ("stable_tokens", "tentative_tokens")
        )
        return cls(
            entries.text("stable"),
            entries.text("tentative"),
            stable_tokens,
            tentative_tokens,
            words_from_json(entries.items("stable_words")),
            words_from_json(entries.items("tentative_words")),
        )

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


class PlacedWord(NamedTuple):
    """A word of a text: its entry in the lexicon or −1, its text, and the positions of its tokens."""

    entry: int
    text: str
    positions: Tokens

    @property
    def first(self) -> int:
        """Its first token."""
        return self.positions[0]

    @property
    def end(self) -> int:
        """One past its last token."""
        return self.positions[-1] + 1


def spans_of(words: Sequence[PlacedWord], places: Places, first: int) -> list[WordSpan]:
    """Return the frames and the confidence of each word; ``places`` begin with token ``first``."""
    starts, ends, sure = places.starts.tolist(), places.ends.tolist(), places.confidences.tolist()
    result = []
    for word in words:
        confidence = math.prod(sure[position - first] for position in word.positions)
        known = None if math.isnan(confidence) else confidence
        result.append(WordSpan(word.text, starts[word.first - first], ends[word.end - 1 - first], known))
    return result


class StableText:
    """The stable tokens of a stream and their text. Only new text is written; the rest is copied.

    Where a lexicon has several words of one spelling, the choice for a stable word stays as it is.

    Args:
        plan: The plan of the search.
        vocabulary: Writes the tokens.
        word_names: The words of the lexicon, if it has spellings of its own.
        decoder: Gives the terms of the fusion score of tokens, and the likeliest word that begins with some letters.
    """

    def __init__(
        self,
        plan: SearchPlan,
        vocabulary: Vocabulary,
        word_names: tuple[str, ...] | None,
        decoder: Any,
    ) -> None:
        self.tokens: Tokens = ()
        self._plan = plan
        self._vocabulary = vocabulary
        self._names = word_names
        self._decoder = decoder
        self._written = Written()
        self._words: list[PlacedWord] = []
        self._spans: list[WordSpan] = []  # of the first words, which stay where they are

    def copy(self) -> StableText:
        """Return the same text; neither changes with the other."""
        other = copy.copy(self)
        other._words, other._spans = list(self._words), list(self._spans)
        return other

    def partial(self, more: Tokens, tentative: Tokens, closed: int, places: Callable[[int], Places]) -> Partial:
        """Return the text after ``more`` stable tokens and a guess for the rest.

        Args:
            more: The tokens that became stable.
            tentative: The guess.
            closed: How many tokens are closed, so that their places are final.
            places: Returns the places of all tokens from a given one on.
        """
        self.tokens += more
        if not self._plan.has_words:
            return self._partial_in_letters(more, tentative, (Spans(), Spans()))
        rest = self._find_words(tentative)
        words = self._placed(rest, closed, places)
        if self._names is None:
            return self._partial_in_letters(more, tentative, words)
        stable, rest_text = (" ".join(each.text for each in part) for part in (self._words, rest))
        between = " " if stable and rest_text else ""
        return Partial(stable, between + rest_text, self.tokens, tentative, *words)

    def _partial_in_letters(
        self, more: Tokens, tentative: Tokens, words: tuple[Spans[WordSpan], Spans[WordSpan]]
    ) -> Partial:
        self._written = self._written.then(more, self._vocabulary)
        stable = self._vocabulary.spelled(self._written.text, complete=False)
        whole = self._vocabulary.spelled(self._written.then(tentative, self._vocabulary).text)
        return Partial(stable, whole[len(stable) :], self.tokens, tentative, *words)

    def _placed(
        self, rest: list[PlacedWord], closed: int, places: Callable[[int], Places]
    ) -> tuple[Spans[WordSpan], Spans[WordSpan]]:
        """Return the spans of the stable words and of the others."""
        first = self._words[len(self._spans) - 1].positions[-1] if self._spans else 0
        open_words = self._words[len(self._spans) :]
        found = places(first)
        spans = spans_of([*open_words, *rest], found, first)
        stable = Spans([*self._spans, *spans[: len(open_words)]])
        sure = found.frames - LOOK_AHEAD
        pairs = zip(open_words, spans, strict=False)
        self._spans += [span for word, span in pairs if word.end <= closed or span.end < sure]
        return stable, Spans(spans[len(open_words) :])

    def drop(self, count: int) -> None:
        """Remove the first tokens, which were taken from the stream."""
        self.tokens = self.tokens[count:]
        self._written = Written().then(self.tokens, self._vocabulary)
        parted = any(each.first < count < each.end for each in self._words)
        words = [] if parted else [each for each in self._words if each.first >= count]
        self._words = [each._replace(positions=tuple(k - count for k in each.positions)) for each in words]
        self._spans = []

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
        plan = self._plan
        if plan.word_lm is None:
            return 0.0
        model = plan.word_lm.session()
        total, state = 0.0, model.start if plan.lm_boundary else model.empty
        for word in words:
            log_prob, state = model.query(state, int(plan.word_lm_ids[word]) if word >= 0 else model.unknown)
            total += log_prob
        return total + (model.query(state, model.end)[0] if plan.lm_boundary else 0.0)

    def _find_words(self, tentative: Tokens) -> list[PlacedWord]:
        """Add the words that became stable. Return the words after them."""
        begin, known = self._context()
        tokens = self.tokens[begin:] + tentative
        spelled = words_of(tokens, self._vocabulary)[known:]
        entries = (
            self._decoder.score_parts(tokens).word_indices[known:] if self._names is not None else [-1] * len(spelled)
        )
        found = [
            PlacedWord(
                entry,
                self._names[entry] if self._names is not None and entry >= 0 else text,
                tuple(begin + position for position in positions),
            )
            for entry, (text, positions) in zip(entries, spelled, strict=True)
        ]
        complete = self._complete_words(found)
        self._words += found[:complete]
        rest = found[complete:]
        in_progress = bool(rest) and self._plan.letters[tokens[-1]][-1:] != (BOUNDARY,)
        if self._names is not None and in_progress and rest[-1].entry < 0:
            rest[-1:] = self._guesses(rest[-1], tokens)
        return rest

    def _guesses(self, begun: PlacedWord, tokens: Tokens) -> list[PlacedWord]:
        """Return the word in progress at the end of some tokens; none if no word begins so."""
        letters = [letter for token in tokens for letter in self._plan.letters[token]]
        last = max((n for n, letter in enumerate(letters) if letter == BOUNDARY), default=-1)
        entry = self._decoder.likeliest_word(letters[last + 1 :])
        return [] if self._names is None or entry < 0 else [begun._replace(entry=entry, text=self._names[entry])]

    def _context(self) -> tuple[int, int]:
        """Return a token that begins a word before the new ones, and the number of named words from there on."""
        count = len(self._words)
        for n in range(count - CONTEXT_WORDS, max(0, count - 4 * CONTEXT_WORDS), -1):
            if self._words[n - 1].end <= self._words[n].first:  # the token has no letters of the word before
                return self._words[n].first, count - n
        return 0, count

    def _letters(self, position: int) -> tuple[int, ...]:
        return self._plan.letters[self.tokens[position]]

    def _complete_words(self, found: list[PlacedWord]) -> int:
        """Return how many of the words end within the stable tokens, with the boundary after them."""
        stable = range(self._words[-1].end if self._words else 0, len(self.tokens))
        last = max((n for n in stable if BOUNDARY in self._letters(n)), default=-1)
        return sum(each.end <= last or (each.end == last + 1 and self._letters(last)[-1] == BOUNDARY) for each in found)
