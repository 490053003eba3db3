"""``BeamDecoder``: the best texts, summed over alignments, with language models, a lexicon and hotwords."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit._distributions import expect_distributions
from ctckit._padding import frames_of_items
from ctckit.decoding import settings as defaults
from ctckit.decoding import streaming
from ctckit.decoding.committing import Commits, frames_of
from ctckit.decoding.endpointing import EndpointRules
from ctckit.decoding.fusion import fusion_models
from ctckit.decoding.hotwords import PhraseSpelling
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.lexicon import Spellings
from ctckit.decoding.search_plan import (
    FromModel,
    build_plan,
    changed_plan,
    known_words,
    settings_of,
    without_weightless,
)
from ctckit.errors import InvalidInputError
from ctckit.kernels.search import native as native_search
from ctckit.kernels.search.plan import Decoded, SearchPlan
from ctckit.language_models.base import LanguageModelLike
from ctckit.vocabulary import Vocabulary

Hotwords = Iterable[str] | Mapping[str, float | None]

# The implementation of the search; kernels/search/reference.py has the same names.
_engine: Any = native_search


class BeamDecoder:
    """Prefix beam search for the best texts.

    It searches for the texts y with the largest

        score(y) = log p(y | x)                              CTC, summed over all alignments
                 + lm_weight · log p_LM(y)                   for each language model, </s> included
                 + word_bonus · words(y) + token_bonus · |y|
                 − oov_charge · letters in words that are unknown
                 + Σ weight of each hotword in y

    all in nats. Words exist if the vocabulary has a mark of words. A model of words is asked where a word ends; before
    that, its words (or those of the lexicon) guide the search. A model of characters or tokens is asked at each of
    them. The search computes in float32; the results are the same bits for any number of threads.

    After the search, the texts of the beam are ranked by exact scores, and the best one is refined: where the frames
    between a token's neighbors give another token, or none, a higher posterior, the text with that change takes its
    place if its exact score is better. So errors of one token that come from a narrow beam are corrected.

    A decoder can be pickled and copied, and used by several threads at once. A copy has the same language models. A
    pickle contains the models in memory, but only the path and a fingerprint of files that are memory-mapped.

    Args:
        vocabulary: A ``Vocabulary``, or its C tokens, with "" for the blank.
        blank: The class of the blank, if tokens are given; 0 by default.
        beam_width: The number of texts kept from frame to frame.
        language_model: An ``NGramModel``, or an object with the methods of ``language_models.LanguageModel``; or two
            models, one of words and one of characters or tokens.
        lm_weight: The weight of its log-probability, 0..60; for two models, a weight for each. A model with weight 0 is
            not used at all: its words are not known words, and words have no bonus by default.
        lm_boundary: True: an item is a whole text, which begins and ends like the texts that the models were trained on
            (after <s>, with </s>). False: it may be part of a text.
        word_bonus: Nats for each word; by default 2 with a model of words, else 0.
        token_bonus: Nats for each token.
        lexicon: The known words: an iterable of words, or a mapping from words to their spellings. A spelling is a
            string (letter by letter) or a list of tokens; a list of such lists is several spellings. With a mapping,
            texts are written in the words of the mapping. By default, with a model of words, its words.
        oov_charge: Nats for each letter of an unknown word; None forbids such words.
        hotwords: Words or phrases to favor: an iterable, or a mapping from each to its weight (None: the default).
            Where words exist, hotwords match whole words, otherwise anywhere. Where tokens are not characters, a
            hotword may also be its tokens with spaces between them. The argument ``hotwords`` of ``decode`` and of
            ``stream`` replaces them for one call.
        hotword_weight: Nats for one occurrence of a hotword that has no weight of its own, −60..60; below 0, the
            hotword is avoided. None: up to 10 nats, less for short hotwords and in large sets, which are often found
            where nobody said them.
        on_unspellable: What happens with hotwords that cannot be spelled. "warn": they are left out, with an
            ``InputWarning`` that names them; "error": an error.
        token_threshold: A class below this log-probability begins no new token in a frame.
        beam_threshold: Texts this many nats worse than the best are dropped; a negative number.

    Raises:
        InvalidInputError: On the first argument that is wrong or does not fit the others.

    Example:
        >>> from ctckit import BeamDecoder
        >>> import numpy as np
        >>> probs = np.array([[0.6, 0.4], [0.6, 0.4]])  # the blank, "a"
        >>> decoder = BeamDecoder(["", "a"])
        >>> best = decoder.decode(np.log(probs))[0][0]
        >>> best.text, round(float(np.exp(best.log_prob)), 2)  # aa + a∅ + ∅a: more than ∅∅, the best path
        ('a', 0.64)
        >>> unsure = np.log([[0.1, 0.5, 0.4]])  # the blank, "a", "b"
        >>> decoder = BeamDecoder(["", "a", "b"], hotwords={"b": 3.0})
        >>> decoder.decode(unsure)[0][0].text
        'b'

    Source: Hannun et al. 2014, algorithm 1; kernels/search/reference.py is the search in plain loops.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Sequence[str],
        *,
        blank: int | None = None,
        beam_width: int = 100,
        language_model: LanguageModelLike | Sequence[LanguageModelLike] | None = None,
        lm_weight: float | Sequence[float] = defaults.LM_WEIGHT,
        lm_boundary: bool = True,
        word_bonus: float | None = None,
        token_bonus: float = 0.0,
        lexicon: Iterable[str] | Spellings | None = None,
        oov_charge: float | None = defaults.OOV_CHARGE,
        hotwords: Hotwords | None = None,
        hotword_weight: float | None = defaults.HOTWORD_WEIGHT,
        on_unspellable: Literal["warn", "error"] = "warn",
        token_threshold: float = -math.inf,
        beam_threshold: float = -math.inf,
    ) -> None:
        self.vocabulary = _vocabulary_of(vocabulary, blank)
        self._models = fusion_models(language_model)
        known = known_words(lexicon, self._models, self.vocabulary)
        self._spelling = PhraseSpelling.of(self.vocabulary, known)
        self._word_names = known.words if known is not None and known.own_spellings else None
        self._from_model = FromModel(lexicon=lexicon is None, word_bonus=word_bonus is None)
        if word_bonus is None:
            word_bonus = 0.0 if self._models.word_lm is None else defaults.WORD_BONUS
        settings = {
            "beam_width": beam_width,
            "lm_weight": lm_weight,
            "lm_boundary": lm_boundary,
            "word_bonus": word_bonus,
            "token_bonus": token_bonus,
            "token_threshold": token_threshold,
            "beam_threshold": beam_threshold,
            "oov_charge": oov_charge,
            "hotwords": hotwords,
            "hotword_weight": hotword_weight,
            "on_unspellable": on_unspellable,
        }
        self._hotword_settings = {"hotword_weight": hotword_weight, "on_unspellable": on_unspellable}
        self._use(build_plan(self.vocabulary, self._models, known, self._spelling, settings))

    def _use(self, plan: SearchPlan) -> None:
        self._whole_plan = plan  # with models whose weight is 0
        self._search = _engine.Decoder(without_weightless(plan, self._from_model))

    def _use_hotwords(self, plan: SearchPlan) -> None:
        """Do as ``_use`` for a plan with other hotwords, and share all else."""
        self._whole_plan = plan
        self._search = self._search.with_hotwords(plan.hotwords, plan.hotword_weights)

    @property
    def plan(self) -> SearchPlan:
        """The search in numbers: what the compiled core is given. Models whose weight is 0 are not in it."""
        plan: SearchPlan = self._search.plan
        return plan

    @property
    def language_models(self) -> tuple[LanguageModelLike, ...]:
        """The language models, in the order given."""
        return self._models.given

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of this decoder without its hotwords, as the constructor and ``with_settings`` take them."""
        return settings_of(self._whole_plan, self._models, self._from_model)

    def with_settings(self, **settings: Any) -> BeamDecoder:
        """Return a copy of this decoder with changed settings.

        Words are not spelled again. Where nothing but the hotwords changes, both decoders share the lexicon, and 1,000
        hotwords take less than two milliseconds. Other changes take longer with many known words.

        Args:
            settings: Any of beam_width, lm_weight, lm_boundary, word_bonus, token_bonus, oov_charge, token_threshold,
                beam_threshold, and hotwords with hotword_weight and on_unspellable. The others stay. ``hotwords``
                replaces all hotwords of this decoder; None removes them.

        Raises:
            InvalidInputError: On another name, or a value out of range.
        """
        defaults.expect_names(settings)
        other = copy.copy(self)
        only_hotwords = bool(settings) and settings.keys() <= set(defaults.HOTWORD_SETTINGS)
        if "hotwords" in settings:
            settings = self._hotword_settings | settings
            other._hotword_settings = {name: settings[name] for name in self._hotword_settings}
        if "word_bonus" in settings:
            other._from_model = replace(self._from_model, word_bonus=False)
        plan = changed_plan(self._whole_plan, self._models, self._spelling, settings)
        if only_hotwords:
            other._use_hotwords(plan)
        else:
            other._use(plan)
        return other

    def decode(
        self,
        log_probs: npt.ArrayLike | Any,
        input_lengths: Any = None,
        *,
        n_best: int = 1,
        hotwords: Hotwords | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the best texts of each item.

        Args:
            log_probs: (B, T, C), or (T, C) for one item; NumPy array, torch CPU tensor or lists, natural logarithms. Or
                a list of B items (T_b, C) of different lengths.
            input_lengths: (B,) frames of each item; by default all. Frames beyond them are not read.
            n_best: The largest number of texts for an item.
            hotwords: The hotwords of this call, in place of those of the decoder; None: those of the decoder. The
                result is the same as that of a decoder which was made with them.

        Returns:
            For each item at least one hypothesis, best first, all of different texts: token sequences that are written
            alike are one text with the sum of their probabilities. The first one is the same for every ``n_best``; in
            very uncertain frames, another one has a higher score now and then.
            There are fewer than ``n_best`` where the beam ends with fewer possible texts. Where it ends with none
            (unknown words are forbidden, and no text in the beam is complete), the result is the empty text. Long items
            (more than 4,096 frames; fewer with thousands of classes) are decoded as ``stream()`` does it, with the same
            result.

        Raises:
            InvalidInputError: On a wrong rank, type, length or number of classes; and within the lengths on NaN, values
                above 0 and frames without any possible class. Also if a language model in Python returns something
                else than log-probabilities.
            Exception: What a language model in Python raises, with a note (Python 3.11) that names the item.
        """
        if hotwords is not None:
            return self.with_settings(hotwords=hotwords).decode(log_probs, input_lengths, n_best=n_best)
        scores, lengths = self._checked(log_probs, input_lengths)
        n_best = _checks.positive_integer(n_best, "n_best")
        window = 2 * streaming.window_of(scores.shape[2])
        together = np.where(lengths <= window, lengths, 0)
        found = self._search.decode_batch(scores, together, n_best)
        result = [self._hypotheses(each, scores[b, : together[b]]) for b, each in enumerate(found)]
        for b in np.flatnonzero(lengths > window).tolist():
            with _checks.item_of_error(b):
                result[b] = self._decode_long(scores[b, : lengths[b]], n_best)
        return result

    def stream(
        self,
        *,
        hotwords: Hotwords | None = None,
        commit_after: float | None = None,
        endpoint: EndpointRules | None = None,
        stride: float | None = None,
    ) -> streaming.DecodeStream:
        """Return a stream, which decodes one item while its frames arrive: ``push``, ``partial``, ``finish``.

        Args:
            hotwords: The hotwords of this stream, in place of those of the decoder; see ``decode``.
            commit_after: Frames, or seconds with ``stride``. Text that ended longer ago becomes stable, in whole words
                if there are words; texts of the beam that do not begin with it are dropped. So the result may be
                another one than that of ``decode``. None: text becomes stable where all texts of the beam agree, and
                the result is that of ``decode``.
            endpoint: Rules by which ``endpoint()`` of the stream tells that an utterance has ended.
            stride: The seconds from one frame to the next; then all durations are in seconds.

        Raises:
            InvalidInputError: On a wrong hotword, or a duration that is not positive.

        Example:
            >>> from ctckit import BeamDecoder
            >>> import numpy as np
            >>> log_probs = np.log([[0.02, 0.49, 0.49]] + 49 * [[0.98, 0.01, 0.01], [0.01, 0.01, 0.98]])
            >>> decoder = BeamDecoder(["", "a", "b"])
            >>> exact, captions = decoder.stream(), decoder.stream(commit_after=0.5, stride=0.02)
            >>> for stream in (exact, captions):
            ...     stream.push(log_probs)
            ...     print(len(stream.partial().stable_tokens))
            0
            37
        """
        decoder = self if hotwords is None else self.with_settings(hotwords=hotwords)
        commits = None if commit_after is None else Commits(frames_of(commit_after, "commit_after", stride))
        rules = None if endpoint is None else endpoint.in_frames(stride)
        return streaming.DecodeStream(decoder._search, self.vocabulary, self._word_names, commits, rules)

    def __repr__(self) -> str:
        plan = self.plan
        return f"BeamDecoder({len(self.vocabulary)} classes, beam_width={plan.beam_width}, models={self._models.given})"

    def _checked(self, log_probs: Any, input_lengths: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return (B, T, C) scores in the type that the search computes in, and (B,) lengths."""
        log_probs, input_lengths = frames_of_items(log_probs, input_lengths)
        array = _checks.as_array(log_probs, "log_probs")
        scores = _checks.floats(array[None] if array.ndim == 2 else array, "log_probs", "(B, T, C)")
        items, frames, classes = scores.shape
        blank = self.vocabulary.blank
        _checks.expect_vocabulary(blank, len(self.vocabulary), blank, classes)
        if input_lengths is None:
            lengths = np.full(items, frames, dtype=np.int64)
        else:
            _checks.expect_batch_first(scores.shape, input_lengths, "log_probs")
            lengths = _checks.lengths(
                input_lengths, "input_lengths", items, frames, f"log_probs has T = {frames} frames"
            )
        scores = self._search.prepare(scores)
        if not _engine.plausible(scores, lengths, _checks.LOG_PROB_SLACK):
            for b, length in enumerate(lengths.tolist()):
                _checks.expect_frames(scores[b, :length], b)
            expect_distributions(lambda b, t: scores[b, t], lengths)
        return scores, lengths

    def _decode_long(self, log_probs: npt.NDArray[Any], n_best: int) -> list[Hypothesis]:
        stream = streaming.DecodeStream(self._search, self.vocabulary, self._word_names, packs=False)
        stream.push_checked(log_probs)
        return stream.finish_all(n_best)

    def _hypotheses(self, found: Sequence[Decoded], log_probs: npt.NDArray[Any]) -> list[Hypothesis]:
        if not found:
            found = [streaming.as_it_is(self._search, log_probs)]
        return [Hypothesis(each, each.score(self.plan), self.vocabulary, self._word_names) for each in found]


def _vocabulary_of(given: Any, blank: int | None) -> Vocabulary:
    """Return a vocabulary, made of its tokens where these are given."""
    if not isinstance(given, Vocabulary):
        return Vocabulary(given, 0 if blank is None else blank)
    if blank is not None and blank != given.blank:
        raise InvalidInputError(f"blank is {blank}, but vocabulary says {given.blank}. Leave blank out.")
    return given
