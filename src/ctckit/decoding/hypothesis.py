"""What a decoder found: arrays. Texts, spans and pictures are made of them when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctckit import _checks, _drawing
from ctckit.alignment.spans import TimedText, TokenSpan, WordSpan, words_of
from ctckit.kernels.search.plan import Decoded, Parts
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Hypothesis:
    """One reading of a sequence of frames.

    Besides the attributes below it has ``tokens``, ``text``, ``log_prob``, ``lm_log_prob``, ``spans``, ``words``, made
    when they are asked for. Two are equal if all their numbers are, bit by bit, and they are written alike.
    ``print(hypothesis)`` draws the text over time.

    Attributes:
        decoded: The numbers, as arrays.
        score: What the decoder ranks by, in nats: log_prob + lm_weight · log p_LM (each model with its weight) +
            word_bonus · words + token_bonus · tokens − oov_charge · letters in unknown words + weights of the hotwords
            found. Of a greedy decoder: log_prob.
        vocabulary: How tokens are written; None: by their numbers.
        word_names: How the words of a lexicon are written, where it has spellings of its own.
    """

    decoded: Decoded
    score: float
    vocabulary: Vocabulary | None = None
    word_names: Sequence[str] | None = None

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        """The classes read, without blanks."""
        return tuple(self.decoded.tokens.tolist())

    @cached_property
    def text(self) -> str:
        """The tokens as readable text: see ``Vocabulary.decode``; without a vocabulary their numbers."""
        if self.vocabulary is None:
            return " ".join(map(str, self.tokens))
        if self.word_names is not None:
            return " ".join(word.text for word in self.words)
        return self.vocabulary.decode(self.tokens)

    @property
    def log_prob(self) -> float:
        """Log p(tokens | x) in nats, summed over all alignments: the number that ``ctc_loss`` gives, negated."""
        return self.decoded.description.log_prob

    @property
    def lm_log_prob(self) -> float:
        """Log p of the text in nats by the language models, </s> included, without their weights; their sum for two."""
        return self.parts.fine_log_prob + self.parts.word_log_prob

    @property
    def parts(self) -> Parts:
        """What the score is made of besides log_prob, before the weights."""
        return self.decoded.parts

    @cached_property
    def spans(self) -> tuple[TokenSpan, ...]:
        """One ``TokenSpan`` for each token, in frames, from the likeliest alignment."""
        found = self.decoded.description
        columns = (found.starts, found.ends, found.token_log_probs)
        rows = zip(self.tokens, *(column.tolist() for column in columns), self._confidences, strict=True)
        return tuple(TokenSpan(*row) for row in rows)

    @cached_property
    def words(self) -> tuple[WordSpan, ...]:
        """One ``WordSpan`` for each word; none where the vocabulary has no marks of words."""
        if self.vocabulary is None or not self.vocabulary.has_words:
            return ()
        spelled = words_of(self.tokens, self.vocabulary)
        return tuple(self._word(n, text, members) for n, (text, members) in enumerate(spelled))

    def times(self, frame_seconds: float) -> tuple[TimedText, ...]:
        """The words, or the tokens where there are no words, in seconds.

        Args:
            frame_seconds: How long a frame lasts.
        """
        if self.words:
            return tuple(TimedText(each.text, *each.seconds(frame_seconds), each.confidence) for each in self.words)
        return tuple(
            TimedText(self._written(each.token), *each.seconds(frame_seconds), each.confidence) for each in self.spans
        )

    def draw(self, *, width: int = 100) -> str:
        """The tokens over time, in characters, with how sure each is; at most five rows of ``width`` frames."""
        _checks.positive_integer(width, "width")
        head = f"{self.text!r}: log p = {self.log_prob:.4f}"
        lines = [head if self.score == self.log_prob else f"{head}, score = {self.score:.4f}"]
        sure = [span.confidence for span in self.spans if span.confidence is not None]
        lines += _drawing.timeline(
            [self._written(span.token) for span in self.spans],
            [span.start for span in self.spans],
            [span.end for span in self.spans],
            sure if len(sure) == len(self.spans) else None,
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
        mine, theirs = self.decoded, other.decoded
        return (
            (self.score, self.log_prob, self.parts) == (other.score, other.log_prob, other.parts)
            and np.array_equal(mine.tokens, theirs.tokens)
            and np.array_equal(mine.description.starts, theirs.description.starts)
            and np.array_equal(mine.description.ends, theirs.description.ends)
            and np.array_equal(mine.description.token_log_probs, theirs.description.token_log_probs)
            and np.array_equal(mine.description.confidences, theirs.description.confidences, equal_nan=True)
            and (self.vocabulary, self.word_names) == (other.vocabulary, other.word_names)
        )

    def __hash__(self) -> int:
        return hash((self.tokens, self.log_prob))

    @property
    def _confidences(self) -> list[float | None]:
        return [None if np.isnan(each) else each for each in self.decoded.description.confidences.tolist()]

    def _word(self, n: int, text: str, members: Sequence[int]) -> WordSpan:
        index = self.parts.word_indices[n] if self.word_names is not None else -1
        name = self.word_names[index] if self.word_names is not None and index >= 0 else text
        sure = [self.spans[k].confidence for k in members]
        known = [each for each in sure if each is not None]
        confidence = float(np.prod(known)) if len(known) == len(sure) else None
        return WordSpan(name, self.spans[members[0]].start, self.spans[members[-1]].end, confidence)

    def _written(self, token: int) -> str:
        return str(token) if self.vocabulary is None else self.vocabulary[token].replace(" ", "␣")
