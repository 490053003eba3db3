"""``BeamDecoder``: the best texts, summed over alignments, with language models, a lexicon and hotwords."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.decoding import settings as planning
from ctckit.decoding import streaming
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.lexicon import Spellings
from ctckit.kernels.search import native as native_search
from ctckit.kernels.search.plan import Decoded
from ctckit.language_models.ngram import NGramModel
from ctckit.vocabulary import Vocabulary

# The execution of the search; kernels/search/reference.py has the same names.
_engine: Any = native_search


class BeamDecoder:
    """Prefix beam search for the best texts.

    Looked for are the texts y with the largest

        score(y) = log p(y | x)                              CTC, summed over all alignments
                 + lm_weight · log p_LM(y)                   for each language model, </s> included
                 + word_bonus · words(y) + token_bonus · |y|
                 − oov_charge · letters in words that are unknown
                 + Σ weight of each hotword in y

    all in nats. Words exist where the vocabulary has a mark of words. A model of words is asked where a word ends, and
    its words (or those of the lexicon) steer the search before; a model of characters or tokens is asked at each of
    them. The search computes in float32; results are the same bits for any number of threads.

    What the beam ends with is ranked by exact scores, and the best text is held against its single edits: where the
    frames between a token's neighbours speak for another token, or for none, and the exact score of the whole agrees,
    the better text is taken. So a narrow beam's mistakes of one token are put right.

    Args:
        vocabulary: A ``Vocabulary``, or its C tokens, "" for the blank.
        blank: Where tokens are given, the class of the blank; 0 by default.
        beam_width: Texts kept from frame to frame.
        language_model: An ``NGramModel``; or two, one of words and one of characters or tokens.
        lm_weight: What its log-probability is multiplied by, 0..60; for two models, a weight for each.
        lm_boundary: Whether an item is a whole text, which begins and ends as those that the models were trained on
            (behind <s>, with </s>). False: it may be part of one.
        word_bonus: Nats for each word; by default 2 with a model of words, else 0.
        token_bonus: Nats for each token.
        lexicon: The words that are known: an iterable of them, or a mapping from words to their spellings. A spelling
            is a string (letter by letter) or a list of tokens; a list of such lists is several spellings. With a
            mapping, texts are written in the mapping's words. By default, with a model of words, those of the model.
        oov_charge: Nats for each letter of a word that is not known; None forbids such words.
        hotwords: Words or phrases to favour: an iterable, or a mapping from each to its weight. Where words exist they
            match whole words, otherwise anywhere.
        hotword_weight: Nats for one occurrence, where ``hotwords`` has no weights.
        token_threshold: A class less likely than this (a log-probability) begins no new token in a frame.
        beam_threshold: Texts that are so many nats worse than the best are dropped; a negative number.

    Raises:
        InvalidInputError: On the first argument that is wrong or does not fit the others.

    Example:
        >>> import numpy as np
        >>> probs = np.array([[0.6, 0.4], [0.6, 0.4]])  # the blank, "a"
        >>> decoder = BeamDecoder(["", "a"])
        >>> best = decoder.decode(np.log(probs))[0][0]
        >>> best.text, round(float(np.exp(best.log_prob)), 2)  # aa + a∅ + ∅a: more than ∅∅, the best path
        ('a', 0.64)

    Source: Hannun et al. 2014, algorithm 1; see kernels/search/reference.py for the search in plain loops.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Sequence[str],
        *,
        blank: int | None = None,
        beam_width: int = 100,
        language_model: NGramModel | Sequence[NGramModel] | None = None,
        lm_weight: float | Sequence[float] = planning.LM_WEIGHT,
        lm_boundary: bool = True,
        word_bonus: float | None = None,
        token_bonus: float = 0.0,
        lexicon: Iterable[str] | Spellings | None = None,
        oov_charge: float | None = planning.OOV_CHARGE,
        hotwords: Iterable[str] | Mapping[str, float] | None = None,
        hotword_weight: float = 10.0,
        token_threshold: float = -math.inf,
        beam_threshold: float = -math.inf,
    ) -> None:
        self.vocabulary = planning.vocabulary_of(vocabulary, blank)
        self._models = planning.models_of(language_model)
        known = planning.known_words(lexicon, self._models, self.vocabulary)
        plan = planning.make_plan(self.vocabulary, self._models, known, hotwords, hotword_weight)
        if word_bonus is None:
            word_bonus = 0.0 if self._models.word is None else planning.WORD_BONUS
        settings = {
            "beam_width": beam_width,
            "lm_weight": lm_weight,
            "lm_boundary": lm_boundary,
            "word_bonus": word_bonus,
            "token_bonus": token_bonus,
            "token_threshold": token_threshold,
            "beam_threshold": beam_threshold,
            "oov_charge": oov_charge,
        }
        self.plan = planning.with_settings(plan, self._models, settings)
        self._word_names = known.words if known is not None and known.own_spellings else None

    def with_settings(self, **settings: Any) -> BeamDecoder:
        """The same decoder with other numbers, made in no time.

        Args:
            settings: Any of beam_width, lm_weight, lm_boundary, word_bonus, token_bonus, oov_charge, token_threshold
                and beam_threshold; the others stay.

        Raises:
            InvalidInputError: On another name, or a value out of range.
        """
        other = copy.copy(self)
        other.plan = planning.with_settings(self.plan, self._models, settings)
        return other

    def decode(
        self, log_probs: npt.ArrayLike | Any, input_lengths: Any = None, *, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """The best texts of each item.

        Args:
            log_probs: (B, T, C), or (T, C) for one item; NumPy array or torch CPU tensor, natural logarithms.
            input_lengths: (B,) frames of each item; all T by default. What lies beyond is not read.
            n_best: Most texts for each item.

        Returns:
            For each item at least one hypothesis, best first, all of different tokens (two may be written alike, where
            a separator is repeated). Fewer than ``n_best`` where the beam ends with fewer that are possible; where it
            ends with none (unknown words are forbidden, and no text in the beam is complete) the empty text. Long
            items (more than 4,096 frames; fewer with thousands of classes) are decoded as ``stream()`` does, with the
            same result.

        Raises:
            InvalidInputError: On a wrong rank, type, length or number of classes; on NaN, values above 0 and frames
                without any possible class within the lengths.
        """
        scores, lengths = self._checked(log_probs, input_lengths)
        n_best = _checks.positive_integer(n_best, "n_best")
        window = streaming.window_of(scores.shape[2])
        together = np.where(lengths <= window, lengths, 0)
        found = _engine.decode_batch(self.plan, scores, together, n_best)
        result = [self._hypotheses(each, scores[b, : together[b]]) for b, each in enumerate(found)]
        for b in np.flatnonzero(lengths > window).tolist():
            result[b] = self._decode_long(scores[b, : lengths[b]], n_best)
        return result

    def stream(self) -> streaming.DecodeStream:
        """Decodes one item whose frames come bit by bit: ``push``, ``partial``, ``finish``."""
        return streaming.DecodeStream(self.plan, self.vocabulary, self._word_names, _engine)

    def __repr__(self) -> str:
        plan = self.plan
        return f"BeamDecoder({len(self.vocabulary)} classes, beam_width={plan.beam_width}, models={self._models.given})"

    def _checked(self, log_probs: Any, input_lengths: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        array = _checks.as_array(log_probs, "log_probs")
        scores = _checks.floats(array[None] if array.ndim == 2 else array, "log_probs", "(B, T, C)")
        items, frames, classes = scores.shape
        _checks.expect_vocabulary(self.plan.blank, len(self.vocabulary), self.plan.blank, classes)
        if input_lengths is None:
            lengths = np.full(items, frames, dtype=np.int64)
        else:
            _checks.expect_batch_first(scores.shape, input_lengths, "log_probs")
            lengths = _checks.lengths(
                input_lengths, "input_lengths", items, frames, f"log_probs has T = {frames} frames"
            )
        if scores.dtype == np.float16:
            scores = scores.astype(np.float32)
        if not _engine.plausible(scores, lengths, _checks.LOG_PROB_SLACK):
            for b, length in enumerate(lengths.tolist()):
                _checks.expect_frames(scores[b, :length], b)
        return scores, lengths

    def _decode_long(self, log_probs: npt.NDArray[Any], n_best: int) -> list[Hypothesis]:
        stream = self.stream()
        stream.push_checked(log_probs)
        return stream.finish_all(n_best)

    def _hypotheses(self, found: Sequence[Decoded], log_probs: npt.NDArray[Any]) -> list[Hypothesis]:
        if not found:
            found = [streaming.empty_text(_engine, self.plan, log_probs)]
        return [Hypothesis(each, each.score(self.plan), self.vocabulary, self._word_names) for each in found]
