"""``Hypothesis``: one text that a decoder found. It holds arrays; texts, spans and pictures are made on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ctckit import _checks, _drawing
from ctckit._json import Entries, as_json
from ctckit.alignment.spans import (
    Spans,
    TimedText,
    TokenSpan,
    WordSpan,
    texts_of,
    tokens_as_json,
    tokens_from_json,
    words_as_json,
    words_of,
)
from ctckit.decoding.vocabulary_part import part_of, whole_of
from ctckit.errors import InvalidInputError
from ctckit.kernels.search.plan import Decoded, Parts, Rescoring
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Hypothesis:
    """One text that a decoder found in a sequence of frames.

    Most programs need ``text``, ``words`` with their frames and confidences, ``spans`` (the same for each token),
    ``times`` and ``score``. They are computed on demand, as are ``tokens``, ``log_prob`` and ``lm_log_prob``. Two
    hypotheses are equal if all their numbers are equal, bit by bit, and their texts are written alike.
    ``print(hypothesis)`` draws the text over time.

    Attributes:
        decoded: The numbers, as arrays.
        score: The decoder ranks by this number, in nats: log_prob + lm_weight · log p_LM (each model with its weight) +
            word_bonus · words + token_bonus · tokens − oov_charge · letters in unknown words + weights of the hotwords
            found. For a greedy decoder it is log_prob. ``rescore`` adds another term.
        vocabulary: Writes the tokens as text; None: tokens are written as numbers.
        word_names: The words of the lexicon, if it has spellings of its own; by their number in the lexicon.

    Example:
        >>> import numpy as np
        >>> from ctckit import BeamDecoder, Vocabulary
        >>> letters = Vocabulary.from_characters(" ab", separator=" ")
        >>> probs = np.full((4, 4), 0.02) + 0.92 * np.eye(4)[[2, 1, 3, 2]]  # (T, C): "a", " ", "b", "a"
        >>> [[best]] = BeamDecoder(letters).decode(np.log(probs)[None])
        >>> best.text
        'a ba'
        >>> [(word.text, word.start, word.end, round(word.confidence, 2)) for word in best.words]
        [('a', 0, 1, 0.96), ('ba', 2, 4, 0.94)]
        >>> [(word.text, word.start_seconds, word.end_seconds) for word in best.times(0.5)]
        [('a', 0.0, 0.5), ('ba', 1.0, 2.0)]
    """

    decoded: Decoded
    score: float
    vocabulary: Vocabulary | None = None
    word_names: Sequence[str] | Mapping[int, str] | None = None

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
    def spans(self) -> Spans[TokenSpan]:
        """The frames of each token in the likeliest alignment.

        ``spans(unit="seconds", stride=…)`` returns them in seconds or pixels, see :class:`~ctckit.alignment.Spans`.
        """
        found = self.decoded.rescoring
        arrays = (found.starts, found.ends, found.token_log_probs)
        fields = zip(self.tokens, *(each.tolist() for each in arrays), self._confidences, strict=True)
        return Spans((TokenSpan(*each) for each in fields), self.vocabulary)

    @cached_property
    def words(self) -> Spans[WordSpan]:
        """The frames of each word; none without a mark of words.

        ``words(unit="seconds", stride=…)`` returns them in seconds or pixels, see :class:`~ctckit.alignment.Spans`.
        """
        if self.vocabulary is None or not self.vocabulary.has_words:
            return Spans()
        spelled = words_of(self.tokens, self.vocabulary)
        return Spans(self._word(n, text, members) for n, (text, members) in enumerate(spelled))

    def times(self, frame_seconds: float, lag_seconds: float = 0.0) -> tuple[TimedText, ...]:
        """Return the words, or the tokens where there are no words, with their times in seconds.

        Args:
            frame_seconds: The duration of a frame.
            lag_seconds: The lag of the model (``AcousticModel.lag``): the times are earlier by it, and at least 0.
        """
        spans: Iterable[WordSpan] = self.words or self._texts()
        found = []
        for each in spans:
            start, end = (max(0.0, at - lag_seconds) for at in each.seconds(frame_seconds))
            found.append(TimedText(each.text, start, end, each.confidence))
        return tuple(found)

    def _texts(self) -> Iterator[WordSpan]:
        if self.vocabulary is None:
            texts = [(str(token), [k]) for k, token in enumerate(self.tokens)]
        else:
            texts = texts_of(self.tokens, self.vocabulary)
        return (self._span(text.replace(" ", "␣"), members) for text, members in texts)

    def to_dict(self) -> dict[str, Any]:
        """Return the hypothesis as an object that ``json.dumps(…, allow_nan=False)`` takes.

        Returns:
            "text", "log_prob", "lm_log_prob", "score", "words" and "spans" with their frames, and what else
            ``from_dict`` needs: "parts", and those tokens of the vocabulary and names of words that the text has.
            Infinities and NaN are the strings "inf", "-inf" and "nan"; a confidence that was not computed is None.
        """
        names = self.word_names
        return {
            "type": "Hypothesis",
            "text": self.text,
            "log_prob": as_json(self.log_prob),
            "lm_log_prob": as_json(self.lm_log_prob),
            "score": as_json(self.score),
            "words": words_as_json(self.words),
            "spans": tokens_as_json(self.spans, self.vocabulary),
            "parts": {
                name: as_json(value) if isinstance(value, float) else value
                for name, value in {**asdict(self.parts), "word_indices": list(self.parts.word_indices)}.items()
            },
            "vocabulary": None if self.vocabulary is None else part_of(self.vocabulary, self.tokens),
            "word_names": None if names is None else {str(k): names[k] for k in self.parts.word_indices if k >= 0},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> Hypothesis:
        """Return the hypothesis that ``to_dict`` was called on: an equal one.

        Args:
            data: The result of ``to_dict``, directly or from JSON.
            vocabulary: The vocabulary of the decoder; None: the part of it that is in ``data``.

        Raises:
            InvalidInputError: Names the first entry that is missing or wrong.

        Example:
            >>> import numpy as np
            >>> from ctckit import Hypothesis
            >>> import json
            >>> from ctckit import BeamDecoder
            >>> best = BeamDecoder(["", "a", "b"]).decode(np.log([[0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]))[0][0]
            >>> text = json.dumps(best.to_dict(), allow_nan=False)
            >>> Hypothesis.from_dict(json.loads(text)) == best
            True
        """
        entries = Entries(data, "Hypothesis")
        found, parts = tokens_from_json(entries.items("spans")), entries.entries("parts")
        if vocabulary is None and entries["vocabulary"] is not None:
            vocabulary = whole_of(entries.entries("vocabulary"))
        for n, token in enumerate(found.tokens.tolist()):
            _checks.class_index(
                token, f"data['spans'][{n}]['token']", 1 << 31 if vocabulary is None else len(vocabulary)
            )
        names = None
        if entries["word_names"] is not None:
            named = entries.entries("word_names")
            names = {k: named.text(str(k)) for k in parts.integers("word_indices", -1).tolist() if k >= 0}
        rescoring = Rescoring(entries.number("log_prob"), found.starts, found.ends, found.log_probs, found.confidences)
        decoded = Decoded(
            found.tokens.astype(np.int32),
            rescoring,
            Parts(
                parts.number("token_lm_log_prob"),
                parts.number("word_lm_log_prob"),
                parts.integer("words", 0),
                parts.integer("oov_letters", 0),
                parts.number("hotwords"),
                tuple(parts.integers("word_indices", -1).tolist()),
            ),
        )
        made = Hypothesis(decoded, entries.number("score"), vocabulary, names)
        if names is not None and (
            vocabulary is None or len(words_of(made.tokens, vocabulary)) != len(made.parts.word_indices)
        ):
            raise InvalidInputError("data['parts']['word_indices'] has not one entry for each word of the text.")
        return made

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

    def _repr_html_(self) -> str:
        return _drawing.html(self.draw())

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
            and (self.text, self.words) == (other.text, other.words)
            and [self._written(each) for each in self.tokens] == [other._written(each) for each in other.tokens]
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
