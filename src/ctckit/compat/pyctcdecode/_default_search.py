"""The original's calls on ``BeamDecoder``: what each of its settings becomes, and its tuples from hypotheses.

alpha              lm_weight
beta               word_bonus, where there is a language model
unk_score_offset   oov_charge = −alpha · unk_score_offset · ln 10 / 6 for each letter of an unknown word: a word of
                   six letters, a usual one, is charged what the original charges for any unknown word
unigrams           lexicon
hotwords           the same; a phrase counts as a whole, hotword_weight for each of its words
beam_prune_logp    beam_threshold
token_min_logp     token_threshold
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alignment.spans import words_of
from ctckit.compat import kenlm
from ctckit.compat.pyctcdecode import _checks
from ctckit.compat.pyctcdecode._strict_search import OutputBeam, Pruning
from ctckit.compat.pyctcdecode.alphabet import BPE_TOKEN, Alphabet
from ctckit.compat.pyctcdecode.constants import AVG_TOKEN_LEN, LOG_BASE_CHANGE_FACTOR
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, LanguageModel
from ctckit.decoding.beam import BeamDecoder
from ctckit.decoding.hypothesis import Hypothesis
from ctckit.decoding.lexicon import HEAVIEST
from ctckit.vocabulary import Vocabulary

PROBABILITY_SLACK = 1e-3  # of a row's sum: what half precision leaves

MARKS = ("<s>", "</s>", "<unk>")  # the original takes what it reads of them for words

logger = logging.getLogger(__name__)


class PresentDecoder:
    """Decodes for one alphabet, and keeps the last ``BeamDecoder`` that it made.

    Args:
        alphabet: The labels.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        self._known: tuple[LanguageModel | None, BeamDecoder] | None = None
        self._ready: tuple[Any, BeamDecoder] | None = None

    def __reduce__(self) -> tuple[type[PresentDecoder], tuple[Alphabet]]:
        return PresentDecoder, (self._alphabet,)

    def decode(
        self,
        items: Sequence[npt.NDArray[Any]],
        model: AbstractLanguageModel | None,
        pruning: Pruning,
        hotwords: Sequence[str],
        hotword_weight: float,
        n_best: int | None = None,
    ) -> list[list[OutputBeam]]:
        """The texts of each item's (T, C) scores, best first: those of the whole beam, or of its ``n_best`` entries."""
        words = _checks.model_of_words(model)
        decoder = self._decoder(words, (tuple(hotwords), hotword_weight), _settings(words, pruning))
        log_probs = [log_probs_of(each) for each in items]
        lengths = np.array([len(each) for each in items], dtype=np.int64)
        most = min(n_best or pruning.beam_width, pruning.beam_width)
        found = decoder.decode(_padded(log_probs), lengths, n_best=most) if items else []
        return [_beams(each, decoder.vocabulary, words, pruning.beam_prune_logp) for each in found]

    def _decoder(
        self, model: LanguageModel | None, hotwords: tuple[tuple[str, ...], float], settings: dict[str, float]
    ) -> BeamDecoder:
        """The last one again, if nothing has changed; its words again, if they have not."""
        if self._known is None or self._known[0] is not model:
            self._known, self._ready = (model, self._with_words(model)), None
        if self._ready is None or self._ready[0] != (hotwords, settings):
            decoder = _with_hotwords(self._known[1], *hotwords).with_settings(**settings)
            self._ready = (hotwords, settings), decoder
        return self._ready[1]

    def _with_words(self, model: LanguageModel | None) -> BeamDecoder:
        vocabulary = vocabulary_of(self._alphabet)
        if model is None:
            return BeamDecoder(vocabulary)
        _checks.words_end(vocabulary.has_words)
        letters = _letters_of(vocabulary)
        words = [word for word in model.unigrams or () if word not in MARKS and letters.issuperset(word)]
        return BeamDecoder(vocabulary, language_model=ngrams_of(model.kenlm_model), lexicon=words or None)


def vocabulary_of(alphabet: Alphabet) -> Vocabulary:
    """The alphabet with its marks stated."""
    labels = alphabet.labels
    blank = labels.index("")
    if alphabet.is_bpe:
        marked = any(BPE_TOKEN in label for label in labels)
        return Vocabulary(tuple(labels), blank, word_start=BPE_TOKEN if marked else None)
    return Vocabulary(tuple(labels), blank, separator=" " if " " in labels else None)


def ngrams_of(model: Any) -> Any:
    """The n-gram model in ctckit's ``kenlm.Model``, or one read from the file of the kenlm package's model."""
    ours = model if isinstance(model, kenlm.Model) else kenlm.Model(_checks.arpa_of(model))
    return ours.ngrams


def _settings(model: LanguageModel | None, pruning: Pruning) -> dict[str, float]:
    settings = {
        "beam_width": pruning.beam_width,
        "beam_threshold": pruning.beam_prune_logp,
        "token_threshold": pruning.token_min_logp,
    }
    if model is None:
        return {**settings, "word_bonus": 0.0}
    charge = -model.alpha * model.unk_score_offset * LOG_BASE_CHANGE_FACTOR / AVG_TOKEN_LEN
    return {**settings, "lm_weight": model.alpha, "word_bonus": model.beta, "oov_charge": charge}


def _letters_of(vocabulary: Vocabulary) -> set[str]:
    return set("".join(part for parts in vocabulary.word_parts for part in parts))


def _with_hotwords(decoder: BeamDecoder, hotwords: Sequence[str], weight: float) -> BeamDecoder:
    """The decoder with those hotwords that its vocabulary can write; its words are not prepared again."""
    letters = _letters_of(decoder.vocabulary)
    weights: dict[str, float] = {}
    for words in map(str.split, hotwords):
        phrase = " ".join(words)
        if not letters.issuperset("".join(words) if decoder.vocabulary.has_words else phrase):
            logger.warning("The hotword %r has letters that are not among the labels: it is left out.", phrase)
        elif words and weight != 0:
            weights[phrase] = min(weight * len(words), HEAVIEST)
    if not weights:
        return decoder
    hot = BeamDecoder(decoder.vocabulary, hotwords=weights).plan
    other = copy.copy(decoder)
    other.plan = replace(decoder.plan, hotwords=hot.hotwords, hotword_weights=hot.hotword_weights)
    return other


def log_probs_of(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(T, C) log-probabilities: of probabilities, where every row is a distribution within 1e-3, else of logits."""
    if scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    if scores.size and scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() <= PROBABILITY_SLACK:
        with np.errstate(divide="ignore"):  # the logarithm of 0 is −∞
            return np.asarray(np.log(np.minimum(scores, 1)))
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _padded(items: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """(B, T, C) of items of different lengths."""
    longest = max(len(each) for each in items)
    result = np.zeros((len(items), longest, items[0].shape[1]), dtype=np.result_type(*items))
    for row, each in zip(result, items, strict=True):
        row[: len(each)] = each
    return result


def _beams(
    found: Sequence[Hypothesis], vocabulary: Vocabulary, model: LanguageModel | None, prune: float
) -> list[OutputBeam]:
    """Tuples, those of one text (it may end in a separator or not) added up, without those far below the best."""
    by_text: dict[str, list[Hypothesis]] = {}
    for each in found:
        by_text.setdefault(each.text, []).append(each)
    beams = [_beam(text, same, vocabulary, model) for text, same in by_text.items()]
    beams.sort(key=lambda beam: beam[4], reverse=True)
    return [beam for beam in beams if beam[4] >= beams[0][4] + prune]


def _beam(text: str, same: Sequence[Hypothesis], vocabulary: Vocabulary, model: LanguageModel | None) -> OutputBeam:
    words = _words(same[0], text, vocabulary)
    log_prob = _log_sum([each.log_prob for each in same])
    return text, _state_after(words, model), words, log_prob, _log_sum([each.score for each in same])


def _log_sum(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else float(np.logaddexp.reduce(values))


def _words(found: Hypothesis, text: str, vocabulary: Vocabulary) -> list[tuple[str, tuple[int, int]]]:
    """The words with their frames; the whole text is one where nothing marks words."""
    starts, ends = found.decoded.description.starts.tolist(), found.decoded.description.ends.tolist()
    if not vocabulary.has_words:
        return [(text, (starts[0], ends[-1]))] if text else []
    words = words_of(found.tokens, vocabulary)
    return [(word, (starts[members[0]], ends[members[-1]])) for word, members in words]


def _state_after(words: Sequence[tuple[str, Any]], model: LanguageModel | None) -> Any:
    if model is None:
        return None
    state = model.get_start_state()
    for word, _ in words:
        _, state = model.score(state, word)
    return state
