"""``Hypothesis``: one text that a decoder found. It holds arrays; texts, spans and pictures are made on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctckit import _checks, _drawing
from ctckit.alignment.spans import TimedText, TokenSpan, WordSpan, texts_of, words_of
from ctckit.kernels.search.plan import Decoded, Parts
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Hypothesis:
    """One text that a decoder found in a sequence of frames.

    Besides the attributes below it has ``tokens``, ``text``, ``log_prob``, ``lm_log_prob``, ``spans`` and ``words``;
    they are computed on demand. Two hypotheses are equal if all their numbers are equal, bit by bit, and their texts
    are written alike. ``print(hypothesis)`` draws the text over time.

    Attributes:
        decoded: The numbers, as arrays.
        score: The decoder ranks by this number, in nats: log_prob + lm_weight · log p_LM (each model with its weight) +
            word_bonus · words + token_bonus · tokens − oov_charge · letters in unknown words + weights of the hotwords
            found. For a greedy decoder it is log_prob.
        vocabulary: Writes the tokens as text; None: tokens are written as numbers.
        word_names: The words of the lexicon, if it has spellings of its own.
    """

    decoded: Decoded
    score: float
    vocabulary: Vocabulary | None = None
    word_names: Sequence[str] | None = None

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        """The classes of the text, without blanks."""
        return tuple(self.decoded.tokens.tolist())

    @cached_property
    def text(self) -> str:
        """The tokens as readable text, see ``Vocabulary.decode``; without a vocabulary their numbers."""
        if self.vocabulary is None:
            return " ".join(map(str, self.tokens))
        if self.word_names is not None:
            return " ".join(word.text for word in self.words)
        return self.vocabulary.decode(self.tokens)

    @property
    def log_prob(self) -> float:
        """Log p(text | x) in nats, summed over all alignments of the tokens: the negated ``ctc_loss``.

        A beam search adds the probabilities of the other token sequences of its beam that are written alike.
        """
        return self.decoded.rescoring.log_prob

    @property
    def lm_log_prob(self) -> float:
        """The log-probability of the text by the language models, in nats, </s> included, without weights; summed."""
        return self.parts.token_lm_log_prob + self.parts.word_lm_log_prob

    @property
    def parts(self) -> Parts:
        """The terms of the score besides log_prob, before the weights."""
        return self.decoded.parts

    @cached_property
    def spans(self) -> tuple[TokenSpan, ...]:
        """The frames of each token in the likeliest alignment."""
        found = self.decoded.rescoring
        arrays = (found.starts, found.ends, found.token_log_probs)
        fields = zip(self.tokens, *(each.tolist() for each in arrays), self._confidences, strict=True)
        return tuple(TokenSpan(*each) for each in fields)

    @cached_property
    def words(self) -> tuple[WordSpan, ...]:
        """The frames of each word; none where the vocabulary has no mark of words."""
        if self.vocabulary is None or not self.vocabulary.has_words:
            return ()
        spelled = words_of(self.tokens, self.vocabulary)
        return tuple(self._word(n, text, members) for n, (text, members) in enumerate(spelled))

    def times(self, frame_seconds: float) -> tuple[TimedText, ...]:
        """Return the words, or the tokens where there are no words, with their times in seconds.

        Args:
            frame_seconds: The duration of a frame.
        """
        if self.words:
            return tuple(TimedText(each.text, *each.seconds(frame_seconds), each.confidence) for each in self.words)
        if self.vocabulary is None:
            texts = [(str(token), [k]) for k, token in enumerate(self.tokens)]
        else:
            texts = texts_of(self.tokens, self.vocabulary)
        spans = (self._span(text.replace(" ", "␣"), members) for text, members in texts)
        return tuple(TimedText(each.text, *each.seconds(frame_seconds), each.confidence) for each in spans)

    def draw(self, *, width: int = 100) -> str:
        """Draw the tokens over time in characters, with their confidences; at most five lines of ``width`` frames."""
        _checks.positive_integer(width, "width")
        head = f"{self.text!r}: log p = {self.log_prob:.4f}"
        lines = [head if self.score == self.log_prob else f"{head}, score = {self.score:.4f}"]
        confidences = [span.confidence for span in self.spans if span.confidence is not None]
        lines += _drawing.timeline(
            [self._written(span.token) for span in self.spans],
            [span.start for span in self.spans],
            [span.end for span in self.spans],
            confidences if len(confidences) == len(self.spans) else None,
            width=width,
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.draw()

    def __repr__(self) -> str:
        return f"Hypothesis(text={self.text!r}, log_prob={self.log_prob!r}, score={self.score!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hypothesis):
            return NotImplemented
        mine, theirs = self.decoded.rescoring, other.decoded.rescoring
        return (
            (self.score, self.log_prob, self.parts) == (other.score, other.log_prob, other.parts)
            and np.array_equal(self.decoded.tokens, other.decoded.tokens)
            and np.array_equal(mine.starts, theirs.starts)
            and np.array_equal(mine.ends, theirs.ends)
            and np.array_equal(mine.token_log_probs, theirs.token_log_probs)
            and np.array_equal(mine.confidences, theirs.confidences, equal_nan=True)
            and (self.vocabulary, self.word_names) == (other.vocabulary, other.word_names)
        )

    def __hash__(self) -> int:
        return hash((self.tokens, self.log_prob))

    @property
    def _confidences(self) -> list[float | None]:
        return [None if np.isnan(each) else each for each in self.decoded.rescoring.confidences.tolist()]

    def _word(self, n: int, text: str, members: Sequence[int]) -> WordSpan:
        index = self.parts.word_indices[n] if self.word_names is not None else -1
        name = self.word_names[index] if self.word_names is not None and index >= 0 else text
        return self._span(name, members)

    def _span(self, text: str, members: Sequence[int]) -> WordSpan:
        known = [confidence for k in members if (confidence := self.spans[k].confidence) is not None]
        confidence = float(np.prod(known)) if len(known) == len(members) else None
        return WordSpan(text, self.spans[members[0]].start, self.spans[members[-1]].end, confidence)

    def _written(self, token: int) -> str:
        return str(token) if self.vocabulary is None else self.vocabulary.name(token).replace(" ", "␣")
